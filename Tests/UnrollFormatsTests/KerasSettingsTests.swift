// Every setting of Keras' recurrent layers is read, known to change nothing, refused or named.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Settings of Keras' layers")
struct KerasSettingsTests {
  private typealias Models = KerasModelTests

  private func gru(_ settings: [String: Any], version: String = "2.15.0") throws -> Cell<Float> {
    var layer = Models.gru("a")
    layer.settings.merge(settings) { $1 }
    let file = try Models.file([layer], version: version)
    let network = try NetworkFile.network(in: file, as: Float.self).imported.network
    return network.layers[0].cell
  }

  private func sentence(_ settings: [String: Any]) -> String? {
    #expect(throws: ModelImportError.self) { try gru(settings) }?.description
  }

  @Test("Functions by name have Keras' parameters")
  func names() throws {
    let functions: [(String, Activation)] = [
      ("elu", .elu(scale: 1)), ("softsign", .softsign), ("softplus", .softplus),
      ("leaky_relu", .leakyRelu(slope: 0.2)), ("relu", .relu), ("linear", .identity),
      ("hard_sigmoid", .hardSigmoid(slope: 0.2, offset: 0.5)),
    ]
    for (name, function) in functions {
      let cell = try gru(["activation": name, "recurrent_activation": name])
      #expect(cell.options.activation == function, "\(name)")
      #expect(cell.options.gateActivation == function, "\(name)")
    }
    #expect(
      try gru(["activation": "hard_sigmoid"], version: "3.15.1").options.activation
        == .hardSigmoid(slope: 1.0 / 6, offset: 0.5))
    for name in ["relu6", "selu", "gelu", "exponential", "leaky_relu_"] {
      #expect(
        sentence(["activation": name]) == "'a': activation = \(name) cannot be expressed")
    }
  }

  @Test("Keras' layers of one function stand for it, with the parameters of both versions")
  func layers() throws {
    func layer(_ kind: String, _ config: [String: Any], module: String? = nil) -> [String: Any] {
      var entry: [String: Any] = ["class_name": kind, "config": config]
      if let module { entry["module"] = module }
      return entry
    }
    let functions: [([String: Any], Activation)] = [
      (
        layer("LeakyReLU", ["negative_slope": 0.15], module: "keras.layers"),
        .leakyRelu(slope: 0.15)
      ),
      (layer("LeakyReLU", ["alpha": 0.25]), .leakyRelu(slope: 0.25)),
      (layer("LeakyReLU", [:]), .leakyRelu(slope: 0.3)),
      (layer("ELU", ["alpha": 2]), .elu(scale: 2)),
      (layer("ReLU", ["max_value": NSNull(), "negative_slope": 0.0, "threshold": 0.0]), .relu),
      (layer("ReLU", ["negative_slope": 0.5]), .leakyRelu(slope: 0.5)),
      (layer("ReLU", ["threshold": 0.5]), .thresholdedRelu(threshold: 0.5)),
      (layer("Activation", ["activation": "softsign"]), .softsign),
    ]
    for (entry, function) in functions {
      #expect(try gru(["activation": entry]).options.activation == function, "\(entry)")
    }
    for entry in [
      layer("LeakyReLU", ["alpha": -0.5]), layer("ReLU", ["max_value": 6.0]),
      layer("ReLU", ["negative_slope": 0.5, "threshold": 0.5]), layer("PReLU", [:]),
      layer("ELU", [:], module: "mine.layers"),
    ] {
      let kind = entry["class_name"] as? String ?? ""
      #expect(
        sentence(["activation": entry])
          == "'a': activation = a function '\(kind)' cannot be expressed")
    }
    // A user's own function may have the name of Keras'.
    let own: [String: Any] = ["class_name": "function", "config": "elu", "module": "builtins"]
    #expect(
      sentence(["activation": own]) == "'a': activation = a function 'elu' cannot be expressed")
  }

  @Test("Settings that change results are refused, in a layer, its cell and its backward layer")
  func refused() throws {
    #expect(sentence(["time_major": true]) == "'a': time_major = true cannot be expressed")
    #expect(sentence(["num_constants": 1]) == "'a': num_constants = 1 cannot be expressed")
    let plain = try gru(["time_major": false, "num_constants": NSNull(), "unroll": true])
    #expect(plain.options.activation == .tanh)
    func cell(_ settings: [String: Any]) -> [String: Any] {
      ["class_name": "GRU", "config": settings]
    }
    let both: [String: Any] = [
      "layer": cell(["reset_after": true]),
      "backward_layer": cell(["reset_after": true, "go_backwards": true, "time_major": true]),
    ]
    #expect(
      Models.sentence([
        Models.gru("a"), Models.Layer(kind: "Bidirectional", name: "b", settings: both),
      ])
        == "'b': time_major = true cannot be expressed")
  }

  @Test("Settings that matter with masks alone, and those that are not known, are named")
  func named() throws {
    var layer = Models.gru("a")
    layer.settings.merge([
      "zero_output_for_mask": true, "sharpness": 3, "flavour": NSNull(), "dropout": 0.5,
      "kernel_regularizer": ["class_name": "L2", "config": ["l2": 0.1]],
    ]) { $1 }
    #expect(
      try Models.read([layer]).omissions == [
        "GRU 'a' has flavour = null, a setting that is not known here; it may change results",
        "GRU 'a' has sharpness = 3, a setting that is not known here; it may change results",
        "GRU 'a' has zero_output_for_mask = true: it puts out zeros at masked steps; here every step counts",
      ])
    layer.settings["zero_output_for_mask"] = false
    (layer.settings["sharpness"], layer.settings["flavour"]) = (nil, nil)
    #expect(try Models.read([layer]).omissions == [])
  }

  @Test("Of several outputs of a model, those that the network does not put out are named")
  func outputs() throws {
    let dense = Models.Layer(kind: "Dense", name: "d", inputs: [["x"]])
    let layers = [Models.input, dense, Models.gru("a", [["d"]]), Models.gru("b", [["a"]])]
    let before = "Dense 'd' before the recurrent layers"
    func line(_ number: Int, _ from: String) -> String {
      "output \(number) of 5 of the file's model, from \(from); the network puts out those of GRU 'b'"
    }
    // The fourth is a final state, which the network has, too.
    #expect(
      try Models.read(layers, outputs: ["d", "a", "b", "b:1", "x"]).omissions == [
        before, line(1, "Dense 'd'"), line(2, "GRU 'a'"), line(5, "the model's input"),
      ])
    #expect(try Models.read(layers, outputs: ["b"]).omissions == [before])
    let head = Models.Layer(kind: "Dense", name: "head", inputs: [["b"]])
    #expect(
      try Models.read(layers + [head], outputs: ["head"]).omissions == [
        before, "Dense 'head' after the recurrent layers",
      ])
    // After layers that change nothing, it is the recurrent layer's own output.
    let dropout = Models.Layer(kind: "Dropout", name: "drop", inputs: [["b"]])
    #expect(
      try Models.read(layers + [dropout], outputs: ["drop", "b"]).omissions == [before])
  }
}
