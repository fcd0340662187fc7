// Keras' models that are more than a stack of recurrent layers: what is read of them is right, and what is not
// read is refused with its reason or named.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Keras' models")
struct KerasModelTests {
  // MARK: - Models made here

  /// A layer as a configuration lists it; `inputs` are the names of what it reads, in a graph.
  struct Layer {
    var kind: String
    var name: String
    var settings: [String: Any] = [:]
    var inputs: [[String]]?
    var keywords: [String: Any] = [:]
    /// The layers within, of a model in the model.
    var model: [Layer] = []

    var json: [String: Any] {
      var config = settings
      config["name"] = name
      if ["GRU", "LSTM", "SimpleRNN"].contains(kind), config["return_sequences"] == nil {
        config["return_sequences"] = true
      }
      if !model.isEmpty { config["layers"] = model.map(\.json) }
      var result: [String: Any] = ["class_name": kind, "config": config, "name": name]
      if let inputs {
        result["inbound_nodes"] = inputs.map { names in
          names.map { Self.reference($0) + [keywords] }
        }
      }
      return result
    }

    /// An output of a layer as a configuration writes it: `name:output:call`.
    static func reference(_ name: String) -> [Any] {
      let parts = name.split(separator: ":")
      let output = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
      let call = parts.count > 2 ? Int(parts[2]) ?? 0 : 0
      return [String(parts[0]), call, output]
    }
  }

  /// A file of a model in which every recurrent layer has the sizes 2 and 2, so that any two fit.
  static func file(
    _ layers: [Layer], outputs: [String] = [], version: String = "2.15.0"
  ) throws -> ArrayFile {
    var arrays: [String: StoredArray] = [:]
    func add(_ layers: [Layer], _ prefix: String) {
      for layer in layers {
        if !layer.model.isEmpty { add(layer.model, "\(prefix)\(layer.name)/") }
        let gates = ["GRU": 3, "LSTM": 4, "SimpleRNN": 1, "Mine": 3][layer.kind]
        guard let gates else { continue }
        let group = "\(prefix)\(layer.name)/cell"
        func numbers(_ shape: [Int]) -> StoredArray {
          let count = shape.reduce(1, *)
          return StoredArray(
            Tensor<Float>(shape: shape, elements: (0..<count).map { Float($0 % 7 - 3) / 5 }))
        }
        arrays["\(group)/kernel:0"] = numbers([2, 2 * gates])
        arrays["\(group)/recurrent_kernel:0"] = numbers([2, 2 * gates])
        arrays["\(group)/bias:0"] = numbers(gates == 3 ? [2, 6] : [2 * gates])
      }
    }
    add(layers, "model_weights/")
    let config: [String: Any] = [
      "layers": layers.map(\.json), "output_layers": outputs.map(Layer.reference),
    ]
    let root: [String: Any] = ["class_name": "Model", "config": config]
    let text = String(
      decoding: try JSONSerialization.data(withJSONObject: root, options: .sortedKeys),
      as: UTF8.self)
    return try ArrayFile(
      for: "x.npz", arrays: arrays, metadata: ["model_config": text, "keras_version": version])
  }

  static func read(
    _ layers: [Layer], prefix: String? = nil, outputs: [String] = []
  ) throws -> ImportedNetwork<Float> {
    try NetworkFile.network(
      in: file(layers, outputs: outputs), assuming: NetworkAssumptions(prefix: prefix),
      as: Float.self
    ).imported
  }

  static func sentence(_ layers: [Layer], prefix: String? = nil) -> String? {
    #expect(throws: ModelImportError.self) { try read(layers, prefix: prefix) }?.description
  }

  static func gru(_ name: String, _ inputs: [[String]]? = nil) -> Layer {
    Layer(kind: "GRU", name: name, settings: ["reset_after": true], inputs: inputs)
  }

  // MARK: - Around and between

  static let changing = [
    "Masking", "Rescaling", "Activation", "LeakyReLU", "MaxPooling1D", "Permute", "Reshape",
    "Lambda", "LayerNormalization", "Dense", "Conv1D", "UpSampling1D", "Cropping1D",
    "ZeroPadding1D", "Normalization", "RepeatVector", "Unheard",
  ]

  @Test(
    "A layer that changes numbers is named around recurrent layers, refused between",
    arguments: changing)
  func around(_ kind: String) throws {
    let other = Layer(kind: kind, name: "it")
    let before = try Self.read([other, Self.gru("a"), Self.gru("b")])
    #expect(before.omissions.count == 1)
    #expect(before.omissions.first?.hasPrefix("\(kind) 'it' before the recurrent layers") == true)
    let after = try Self.read([Self.gru("a"), Self.gru("b"), other])
    #expect(after.omissions.count == 1)
    #expect(after.omissions.first?.hasPrefix("\(kind) 'it' after the recurrent layers") == true)
    #expect(
      Self.sentence([Self.gru("a"), other, Self.gru("b")])
        == "'b': expected the outputs of GRU 'a' as they are, found \(kind) 'it' between; choose a part by its prefix: 'a/', 'b/'"
    )
  }

  @Test("Layers that change nothing in prediction are skipped, anywhere")
  func passing() throws {
    let kinds = ["Dropout", "SpatialDropout1D", "GaussianNoise", "ActivityRegularization"]
    let others =
      kinds.map { Layer(kind: $0, name: $0) } + [
        Layer(kind: "Activation", name: "linear", settings: ["activation": "linear"]),
        Layer(
          kind: "TimeDistributed", name: "each",
          settings: ["layer": ["class_name": "Dropout", "config": [:]]]),
      ]
    let read = try Self.read(others + [Self.gru("a")] + others + [Self.gru("b")] + others)
    #expect(read.network.levels.count == 2)
    #expect(read.omissions == [])
  }

  @Test("Masks, states and settings that change results are named")
  func named() throws {
    let embedding = Layer(kind: "Embedding", name: "words", settings: ["mask_zero": true])
    #expect(
      try Self.read([embedding, Self.gru("a")]).omissions == [
        "Embedding 'words' before the recurrent layers (mask_zero: steps of symbol 0 are masked there; here every step counts)"
      ])
    #expect(
      try Self.read([
        Layer(kind: "Masking", name: "m", settings: ["mask_value": -1]), Self.gru("a"),
      ])
      .omissions == [
        "Masking 'm' before the recurrent layers: steps whose inputs are all -1 are skipped there; here every step counts"
      ])
    var layer = Self.gru("a")
    layer.settings["stateful"] = true
    layer.settings["dtype"] = ["class_name": "DTypePolicy", "config": ["name": "mixed_float16"]]
    #expect(
      try Self.read([layer]).omissions == [
        "GRU 'a' is stateful: it starts a batch from the last states of the batch before; here from zeros unless states are given",
        "GRU 'a' computes in float16 (mixed_float16); here in the precision of its weights",
      ])
    var masked = Self.gru("a", [["x"]])
    masked.keywords = ["mask": ["m", 0, 0], "training": true]
    let inputs = ["x", "m", "h"].map { Layer(kind: "InputLayer", name: $0, inputs: []) }
    #expect(
      try Self.read(inputs + [masked]).omissions == [
        "GRU 'a' is given a mask; here every step counts",
        "GRU 'a' is applied with training=True, with any dropout it has; here without",
      ])
    #expect(
      try Self.read(inputs + [Self.gru("a", [["x", "h"]])]).omissions == [
        "GRU 'a' starts from states that InputLayer 'h' gives; here from zeros unless states are given"
      ])
    var last = Self.gru("a")
    last.settings["return_sequences"] = false
    #expect(
      try Self.read([Self.gru("b"), last]).assumptions == [
        "'a' returns its last output only; the network here returns all"
      ])
    #expect(
      Self.sentence([last, Self.gru("b")])
        == "'a': return_sequences = false below another recurrent layer cannot be expressed")
    // Dropout that is on when the model predicts changes numbers.
    var dropout = Layer(kind: "Dropout", name: "d", inputs: [["a"]])
    dropout.keywords = ["training": true]
    #expect(
      Self.sentence(inputs + [Self.gru("a", [["x"]]), dropout, Self.gru("b", [["d"]])])?.hasPrefix(
        "'b': expected the outputs of GRU 'a' as they are, found Dropout 'd' between") == true)
    dropout.inputs = [["x"]]
    #expect(
      try Self.read(inputs + [dropout, Self.gru("a", [["d"]])]).omissions == [
        "Dropout 'd' before the recurrent layers, applied with training=True: it changes values at random"
      ])
  }

  // MARK: - Graphs

  static var input: Layer { Layer(kind: "InputLayer", name: "x", inputs: []) }

  @Test("A layer that is applied twice is refused, alone or within a model")
  func shared() throws {
    let twice = Self.gru("a", [["x"], ["a:0:0"]])
    #expect(
      Self.sentence([Self.input, twice])
        == "'a': the model applies this GRU 2 times, expected once; choose the layer alone by its prefix, 'a/'"
    )
    let alone = try Self.read([Self.input, twice], prefix: "a/")
    #expect(alone.network.levels.count == 1)
    #expect(
      alone.omissions == ["GRU 'a' is applied 2 times in the file's model, and once here"])
    // Two inputs through the same layer, and an inner model that Keras 2 counts from 1.
    let add = Layer(kind: "Add", name: "sum", inputs: [["a:0:0", "a:0:1"]])
    #expect(
      Self.sentence([Self.input, Self.gru("a", [["x"], ["x"]]), add])?.contains("2 times") == true)
    let inner = Layer(
      kind: "Sequential", name: "in", inputs: [["x"], ["in:0:1"]], model: [Self.gru("a")])
    let top = Layer(kind: "Dense", name: "top", inputs: [["in:0:2"]])
    #expect(
      Self.sentence([Self.input, inner, top])?.hasPrefix("'in/a': the model applies") == true)
  }

  @Test("A model within a model is opened")
  func nested() throws {
    let inner = Layer(
      kind: "Sequential", name: "in",
      model: [Self.gru("a"), Layer(kind: "Dropout", name: "d"), Self.gru("b")])
    let read = try Self.read([inner, Self.gru("c")])
    #expect(read.network.levels.count == 3)
    #expect(read.mappings.first?.hasPrefix("model_weights/in/a/cell/bias:0") == true)
    let dense = Layer(
      kind: "Sequential", name: "in", model: [Self.gru("a"), Layer(kind: "Dense", name: "d")])
    #expect(
      Self.sentence([dense, Self.gru("c")])?.contains("found Dense 'in/d' between") == true)
    let part = try Self.read([dense, Self.gru("c")], prefix: "in")
    #expect(part.network.levels.count == 1)
    #expect(
      part.omissions == [
        "Dense 'in/d' after the recurrent layers", "GRU 'c' after the recurrent layers",
      ])
  }

  @Test("Branches, sums and states between recurrent layers get different errors")
  func graphs() throws {
    let a = Self.gru("a", [["x"]])
    #expect(
      Self.sentence([Self.input, a, Self.gru("b", [["x"]])])?.hasPrefix(
        "holds several networks, 'a/', 'b/'") == true)
    #expect(
      Self.sentence([Self.input, a, Self.gru("b", [["a"]]), Self.gru("c", [["a"]])])
        == "'c': expected one recurrent layer above GRU 'a', found GRU 'b' and GRU 'c' side by side; choose a part by its prefix: 'a/', 'b/', 'c/'"
    )
    #expect(
      Self.sentence([Self.input, a, Self.gru("b", [["x", "a:1"]])])
        == "'b': its initial state comes from GRU 'a', expected that it reads its outputs; choose a part by its prefix: 'a/', 'b/'"
    )
    #expect(
      Self.sentence([Self.input, a, Self.gru("b", [["a:1"]])])
        == "'b': expected the outputs of GRU 'a', found that it reads its state; choose a part by its prefix: 'a/', 'b/'"
    )
    #expect(
      Self.sentence([Self.input, a, Self.gru("b", [["a", "a:1"]])])
        == "'b': its initial state comes from GRU 'a', expected zeros; choose a part by its prefix: 'a/', 'b/'"
    )
    let sum = Layer(kind: "Add", name: "sum", inputs: [["a", "x"]])
    #expect(
      Self.sentence([Self.input, a, sum, Self.gru("b", [["sum"]])])?.contains(
        "found Add 'sum' between") == true)
    #expect(
      try Self.read([Self.input, a, Self.gru("b", [["a"]]), sum]).omissions == [
        "Add 'sum' after the recurrent layers"
      ])
    let side = Layer(kind: "Dense", name: "side", inputs: [["x"]])
    #expect(
      try Self.read([Self.input, a, side]).omissions == ["Dense 'side' beside the recurrent layers"]
    )
    #expect(
      Self.sentence([
        Self.input, Self.gru("a", [["b"]]), Layer(kind: "Add", name: "b", inputs: [["a"]]),
      ])
        == "'model_config': expected layers that read one another's outputs, found 'a' in a circle")
    #expect(
      Self.sentence([Self.input, Self.gru("a", [["nobody"]])])
        == "'layer nobody': expected such an array, found none")
  }

  @Test("Models that apply inner models again and again are refused before they grow")
  func multiplying() throws {
    var layer = Self.gru("a", [["x"]])
    for level in 0..<30 {
      layer = Layer(
        kind: "Model", name: "m\(level)", inputs: [[String]](repeating: ["x"], count: 4),
        model: [Self.input, layer])
    }
    #expect(
      Self.sentence([Self.input, layer])
        == "'model_config': expected fewer applications of layers")
  }

  // MARK: - Classes

  @Test("Classes that are not of Keras, and arrays that no equation has, are refused")
  func foreign() throws {
    #expect(
      Self.sentence([Layer(kind: "Mine", name: "it")])
        == "'it': class_name = Mine cannot be expressed")
    var file = try Self.file([Self.gru("a")])
    let text = try #require(file.metadata["model_config"])
    file.metadata["model_config"] = text.replacingOccurrences(
      of: "\"class_name\":\"GRU\"", with: "\"class_name\":\"GRU\",\"module\":\"mine.layers\"")
    func sentence() -> String? {
      #expect(throws: ModelImportError.self) { try NetworkFile.network(in: file, as: Float.self) }?
        .description
    }
    #expect(
      sentence() == "'a': class_name = GRU, a class that is not of Keras, cannot be expressed")
    file.metadata["model_config"] = text
    file.arrays["model_weights/a/cell/gamma:0"] = StoredArray(Tensor<Float>([1, 2]))
    #expect(
      sentence()
        == "'model_weights/a/cell/gamma:0': GRU 'a' has no such array by its configuration")
    file.arrays["model_weights/a/cell/gamma:0"] = nil
    file.metadata["model_config"] = text.replacingOccurrences(
      of: "\"reset_after\":true", with: "\"reset_after\":true,\"use_bias\":false")
    #expect(
      sentence() == "'model_weights/a/cell/bias:0': GRU 'a' has no such array by its configuration")
    // Before Keras 2.1 there was no such field; the bias says where a GRU resets.
    file.metadata["model_config"] = text.replacingOccurrences(of: "\"reset_after\":true,", with: "")
    let read = try NetworkFile.network(in: file, as: Float.self).imported
    #expect(read.network.layers[0].cell.kind == .gruResetAfter)
    file.arrays["model_weights/a/cell/bias:0"] = StoredArray(Tensor<Float>(shape: [6]))
    let before = try NetworkFile.network(in: file, as: Float.self).imported
    #expect(before.network.layers[0].cell.kind == .gruResetBefore)
    let old = try ArrayFile(
      for: "x.npz",
      arrays: [
        "a/a_W_i:0": StoredArray(Tensor<Float>(shape: [2, 2])),
        "a/a_U_i:0": StoredArray(Tensor<Float>(shape: [2, 2])),
      ])
    #expect(
      #expect(throws: ModelImportError.self) { try NetworkFile.network(in: old, as: Float.self) }?
        .description
        == "'a/a_U_i:0': a recurrent layer of Keras 1, with a matrix for each gate; load the model with Keras 2 and save it again"
    )
  }

  @Test("Class names become groups of variables as Keras spells them")
  func spelling() {
    for (name, snake) in [
      ("GRU", "gru"), ("SimpleRNN", "simple_rnn"), ("ConvLSTM2D", "conv_lstm2d"),
      ("MaxPooling1D", "max_pooling1d"), ("Conv1DTranspose", "conv1d_transpose"),
      ("CuDNNLSTM", "cu_dnnlstm"), ("TimeDistributed", "time_distributed"), ("ReLU", "re_lu"),
    ] {
      #expect(KerasModel.snakeCased(name) == snake)
    }
  }

  @Test("A prefix that names no recurrent layer is answered with those there are")
  func prefixes() throws {
    let layers = [Self.gru("encoder"), Layer(kind: "Dense", name: "head"), Self.gru("decoder")]
    #expect(
      Self.sentence(layers, prefix: "decodr/")
        == "'decodr/': no recurrent layer's name begins so, expected one of 'encoder/', 'decoder/'; did you mean 'decoder/'?"
    )
    #expect(
      Self.sentence(layers, prefix: "x")
        == "'x': no recurrent layer's name begins so, expected one of 'encoder/', 'decoder/'")
    #expect(
      Self.sentence(layers, prefix: "head")
        == "'head': expected a recurrent layer, found Dense 'head'")
    for prefix in ["encoder", "encoder/", "enc", "model_weights/encoder/", "gru/", "layers/gru"] {
      let read = try Self.read(layers, prefix: prefix)
      #expect(read.mappings.allSatisfy { $0.hasPrefix("model_weights/encoder/") }, "\(prefix)")
      #expect(read.prefix == prefix)
    }
  }
}
