// Lengths, states and domains of recurrent nodes; models whose arrays are in files next to them.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Inputs of recurrent layers other than their sequence")
struct LayerInputTests {
  /// A GRU that reads `x` and more inputs.
  private func graph(
    x: [Int] = [0, 0, 3], more: [String] = [], _ attributes: [AttributeProto] = [],
    _ build: (inout GraphBuilder) -> Void = { _ in }
  ) throws -> ONNXModel {
    var graph = GraphBuilder(x: x)
    build(&graph)
    graph.gru("x", to: "y", features: 3, more: more, attributes)
    graph.output("y")
    return try graph.encoded()
  }

  private func refusal(_ model: ONNXModel) -> String {
    let error = #expect(throws: (any Error).self) { try model.network(as: Float.self) }
    return error.map { "\($0)" } ?? ""
  }

  private func omissions(_ model: ONNXModel) throws -> [String] {
    try model.network(as: Float.self).report.omissions
  }

  @Test("Lengths in the file are refused unless they are the whole sequence; given ones are named")
  func lengths() throws {
    #expect(
      refusal(try graph(more: ["l"]) { $0.integers("l", [5, 2]) })
        == "node GRU: sequence_lens = [5, 2] in the file, which may end sequences early, is not supported"
    )
    // The number of steps is not declared.
    #expect(
      refusal(try graph(more: ["l"]) { $0.integers("l", [6, 6]) }).contains("sequence_lens"))
    #expect(
      refusal(try graph(x: [6, 2, 3], more: ["l"]) { $0.integers("l", [6, 5]) })
        .contains("sequence_lens = [6, 5]"))
    #expect(
      try omissions(graph(x: [6, 2, 3], more: ["l"]) { $0.integers("l", [6, 6]) }) == [])
    let given = try omissions(graph(more: ["l"]) { $0.input("l", [0], .int32) })
    #expect(
      given == [
        "sequence_lens of level 0 ('l'), the lengths of the sequences; the network reads each to its end unless it is given a mask"
      ])
    // Computed from the input's shape: T for each row.
    let computed = try graph(more: ["l"]) {
      $0.node("Shape", "x", to: "size")
      for (name, value) in [("zero", 0), ("one", 1), ("two", 2)] { $0.integers(name, [value]) }
      $0.node("Slice", "size", "zero", "one", "zero", to: "t")
      $0.node("Slice", "size", "one", "two", "zero", to: "b")
      $0.node("Expand", "t", "b", to: "l")
    }
    #expect(try omissions(computed) == [])
  }

  @Test("States are given or zero; others are refused or named")
  func states() throws {
    let more = ["", "h"]
    #expect(try omissions(graph(more: more) { $0.input("h", [1, 0, 4]) }) == [])
    #expect(
      refusal(try graph(more: more) { $0.numbers("h", [1, 2, 4]) })
        .contains("initial_h from numbers in the file"))
    #expect(
      try omissions(
        graph(more: more) {
          $0.input("context", [1, 0, 4])
          $0.node("Tanh", "context", to: "h")
        }
      ).first?.contains("initial_h of level 0, which the graph makes from 'context' by Tanh")
        == true)
    #expect(
      try omissions(
        graph(more: more) {
          $0.integers("axes", [0])
          $0.integers("end", [1])
          $0.node("Slice", "x", "axes", "end", "axes", to: "h")
        }
      ).first?.contains("initial_h of level 0, which the graph makes from 'x'") == true)
    #expect(
      refusal(
        try graph(more: more) {
          $0.input("context", [1, 0, 5])
          $0.numbers("m", [5, 4])
          $0.node("MatMul", "context", "m", to: "h")
        }
      ).contains("initial_h that the graph computes (MatMul) from numbers in the file"))
  }

  @Test("A recurrent operator of another domain is not ONNX's")
  func domains() throws {
    func refused(_ type: String, _ domain: String) throws -> String {
      var graph = GraphBuilder()
      graph.gru("x", to: "y", features: 3)
      graph.model.graph.node[0].opType = type
      graph.model.graph.node[0].domain = domain
      graph.output("y")
      return refusal(try graph.encoded())
    }
    let rest = "which is not one of ONNX's own (RNN, GRU, LSTM), is not supported"
    #expect(
      try refused("GRU", "my.ops") == "node GRU: the recurrent operator my.ops::GRU, \(rest)")
    #expect(
      try refused("DynamicQuantizeLSTM", "com.microsoft")
        == "node DynamicQuantizeLSTM: the recurrent operator com.microsoft::DynamicQuantizeLSTM, \(rest)"
    )
    #expect(try refused("QuantizedGRU", "").contains("QuantizedGRU"))
    var own = GraphBuilder()
    own.gru("x", to: "y", features: 3)
    own.model.graph.node[0].domain = "ai.onnx"
    own.output("y")
    #expect(try omissions(own.encoded()) == [])
  }

  @Test("Layers that share weights get copies, and layers with the batch first say so")
  func notes() throws {
    var shared = GraphBuilder(x: [0, 0, 4])
    shared.integers("one", [1])
    shared.gru("x", to: "y1", features: 4)
    shared.node("Squeeze", "y1", "one", to: "q")
    var second = shared.model.graph.node[0]
    (second.input[0], second.output) = ("q", ["y"])
    shared.model.graph.node.append(second)
    shared.output("y")
    let (network, report) = try shared.encoded().network(as: Float.self)
    #expect(network.layers[0].cell.parameters == network.layers[1].cell.parameters)
    #expect(
      report.notes
        == ["W", "R"].map {
          "\($0) y1 is \($0) of levels 0 and 1; in the network each has a copy"
        })
    let model = try graph([.integer("layout", 1)])
    let batchMajor = try model.network(as: Float.self)
    #expect(batchMajor.report.omissions == [])
    #expect(batchMajor.report.notes.first?.hasPrefix("level 0 has layout = 1, the batch") == true)
    var random = NumPyRandom(seed: testSeed)
    let x: Tensor<Float> = uniform([2, 6, 3], &random)
    let y = try #require(try model.run(["x": ONNXValue(x)])["y"]?.tensor)
    let ours = batchMajor.network.forward(
      x, from: batchMajor.network.zeroStates(batchSize: 2), layout: .batchMajor)
    #expect((ours.outputs - y.reshaped(to: [2, 6, 4])).maximumMagnitude < 1e-6)
  }

  @Test("Arrays that are not numbers, and are not needed, stop nothing")
  func otherArrays() throws {
    func model(_ name: String) throws -> ONNXModel {
      try graph {
        $0.integers(name, [1])
        // Text.
        $0.model.graph.initializer[0].dataType = 8
      }
    }
    #expect(try omissions(model("words")) == [])
    var needed = try model("words")
    needed.model.graph.node[0].input[1] = "words"
    #expect(refusal(needed).contains("'words' of data type 8 is not supported"))
  }

  @Test(
    "Every function of recurrent operators, a backward level, and arrays in a file next to the model, as onnxruntime"
  )
  func functions() throws {
    let path = "\(goldenFolder)/files/onnx_functions"
    let model = try ONNXModel(contentsOf: path + ".onnx")
    #expect(model.externalFiles == ["onnx_functions.data"])
    let (network, report) = try model.network(as: Float.self)
    #expect(report.omissions == [] && report.notes == [])
    #expect(network.levels.map { $0.map(\.direction) }[0] == [.backward])
    #expect(network.levels.map(\.count) == [1, 2, 1, 1])
    let archive = try NPZ(AtomicFile.read(path + ".npz"))
    func array(_ name: String) throws -> Tensor<Float> {
      try archive.array(name).tensor(of: Float.self)
    }
    func agrees(_ network: RecurrentNetwork<Float>) throws -> Bool {
      var states: [RecurrentState<Float>] = []
      for index in network.layers.indices {
        states.append(
          RecurrentState(hidden: try array("hidden\(index)"), cell: try? array("cell\(index)")))
      }
      let y = network.forward(try array("x"), from: states).outputs
      return (y - (try array("y"))).maximumMagnitude < 2e-6
    }
    #expect(try agrees(network))
    // And back: ONNX's names and numbers of the functions, and Unroll's own file.
    let (again, _) = try ONNXModel.exporting(network)
    #expect(try agrees(ONNXModel(again.encoded()).network(as: Float.self).network))
    try withTemporaryFolder { folder in
      _ = try NetworkFile.write(network, to: folder + "/a.safetensors")
      let file = try ArrayFile(contentsOf: folder + "/a.safetensors")
      #expect(try agrees(NetworkFile.network(in: file, as: Float.self).imported.network))
      // Other programs' files have no such functions, and no level that reads backward alone.
      #expect(throws: ModelImportError.self) {
        try NetworkFile.write(network, to: folder + "/b.safetensors", layout: .pytorch)
      }
    }
    // Functions whose parameters programs take different defaults for.
    for function in ["ThresholdedRelu", "ScaledTanh", "Affine"] {
      var words = AttributeProto.functions([.sigmoid, .tanh])
      words[0].strings[1] = ArraySlice(function.utf8)
      let text = refusal(try graph([words[0]]))
      #expect(text.contains("activations = \(function) without its activation_alpha"), "\(text)")
    }
    var elu = AttributeProto.functions([.sigmoid, .elu(scale: 1)])
    elu[1].floats = [-1]
    #expect(refusal(try graph(elu)).contains("activations = Elu with alpha = -1.0"))
  }

  @Test("A file of arrays that is missing, short, elsewhere or too often used is refused by name")
  func external() throws {
    let files = "\(goldenFolder)/files/onnx_functions"
    let bytes = try AtomicFile.read(files + ".onnx")
    let data = try AtomicFile.read(files + ".data")
    try withTemporaryFolder { folder in
      let path = folder + "/m.onnx"
      func refusal(_ change: (inout TensorProto) -> Void = { _ in }) throws -> String {
        var model = try ONNXModel(bytes).model
        let index = try #require(model.graph.initializer.firstIndex { $0.isExternal })
        change(&model.graph.initializer[index])
        try AtomicFile.write(ONNXModel(model).encoded(), to: path)
        let error = #expect(throws: ONNXError.self) { try ONNXModel(contentsOf: path) }
        return error?.description ?? ""
      }
      func set(_ key: String, _ value: String) -> (inout TensorProto) -> Void {
        { data in
          data.externalData.removeAll { $0.key == key }
          var word = StringStringEntryProto()
          (word.key, word.value) = (key, value)
          data.externalData.append(word)
        }
      }
      #expect(
        try refusal().contains(
          "is in the file 'onnx_functions.data' (external data), which is not beside the model"))
      try AtomicFile.write(Array(data.dropLast(8)), to: folder + "/onnx_functions.data")
      #expect(try refusal().contains("of 'onnx_functions.data', which has 2300"))
      try AtomicFile.write(data, to: folder + "/onnx_functions.data")
      for location in ["../a.data", "/etc/passwd", "a/../../b"] {
        let text = try refusal(set("location", location))
        #expect(text.contains("'\(location)', which is outside the model's folder"), "\(text)")
      }
      try FileManager.default.createSymbolicLink(
        atPath: folder + "/link", withDestinationPath: "/etc/passwd")
      #expect(try refusal(set("location", "link")).contains("a link to a place outside"))
      #expect(try refusal(set("location", ".")).contains("which is"))
      #expect(try refusal(set("length", "12")).contains("bytes, its file keeps 12"))
      #expect(try refusal(set("offset", "99999")).contains("bytes from byte 99999"))
      #expect(try refusal(set("offset", "-1")).contains("expected a number as its offset"))
      // As Hugging Face's cache has them: both files are links to one other folder.
      try FileManager.default.createDirectory(
        atPath: folder + "/snapshot", withIntermediateDirectories: false)
      try AtomicFile.write(bytes, to: path)
      for (name, target) in [
        ("m.onnx", "../m.onnx"), ("onnx_functions.data", "../onnx_functions.data"),
      ] {
        try FileManager.default.createSymbolicLink(
          atPath: "\(folder)/snapshot/\(name)", withDestinationPath: target)
      }
      let linked = try ONNXModel(contentsOf: folder + "/snapshot/m.onnx")
      #expect(try linked.network(as: Float.self).network.levels.count == 4)
      #expect(FileKind(contentsOf: path) == .onnx && FileKind(contentsOf: folder + "/link") == nil)
    }
    // Bytes alone have no files next to them.
    let error = #expect(throws: ONNXError.self) { try ONNXModel(bytes).network(as: Float.self) }
    #expect(error?.description.contains("in a file of its own (external data), where") == true)
  }
}
