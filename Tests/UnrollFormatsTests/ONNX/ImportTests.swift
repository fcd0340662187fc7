// Graphs that other programs exported (Scripts/golden/model_files.py), and graphs that are damaged.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("ONNX graphs of other programs")
struct ImportTests {
  @Test(
    "A graph that PyTorch or tf2onnx exported runs, at other sizes than it was exported with",
    arguments: [
      "torch_export_tagger", "torch_export_stack", "torch_export_last", "tf2onnx_mixed",
    ])
  func exported(name: String) throws {
    let model = try ONNXModel(AtomicFile.read("\(goldenFolder)/files/\(name).onnx"))
    let archive = try NPZ(AtomicFile.read("\(goldenFolder)/files/\(name).npz"))
    var inputs: [String: ONNXValue<Float>] = [:]
    for name in model.inputs {
      let array = try archive.array(name)
      inputs[name] =
        array.elementType == .int64
        ? .integers(NDArray(shape: array.shape, elements: try array.integers()))
        : ONNXValue(array.tensor(of: Float.self))
    }
    let results = try model.run(inputs)
    #expect(results.count == archive.names.count - inputs.count)
    for (name, value) in results {
      let theirs = try archive.array(name).tensor(of: Float.self)
      let ours = try #require(value.tensor)
      #expect(ours.shape == theirs.shape)
      #expect((ours - theirs).maximumMagnitude < 1e-5, "\(name)")
      #expect(theirs.maximumMagnitude > 0.1)
    }
  }

  @Test("The recurrent layers of an exported graph become a network")
  func network() throws {
    let model = try ONNXModel(AtomicFile.read("\(goldenFolder)/files/torch_export_stack.onnx"))
    let archive = try NPZ(AtomicFile.read("\(goldenFolder)/files/torch_export_stack.npz"))
    let network = try model.network(as: Float.self).network
    let h = try archive.array("h").tensor(of: Float.self)
    let trace = network.forward(
      try archive.array("x").tensor(of: Float.self),
      from: [0, 1].map { RecurrentState(hidden: h[$0, ...]) })
    let y = try archive.array("y").tensor(of: Float.self)
    #expect((trace.outputs - y).maximumMagnitude < 1e-5)
    let tagger = try ONNXModel(AtomicFile.read("\(goldenFolder)/files/torch_export_tagger.onnx"))
    let (layers, report) = try tagger.network(as: Float.self)
    #expect(layers.levels.map(\.count) == [2, 2])
    #expect(
      report.omissions == [
        "Gather, between the graph's input 'symbols' and level 0; the network reads the result",
        "MatMul, Add, Softmax, between level 1 and the graph's output 'y'",
      ])
    let mixed = try ONNXModel(AtomicFile.read("\(goldenFolder)/files/tf2onnx_mixed.onnx"))
    #expect(try mixed.network(as: Float.self).network.levels.map(\.count) == [2, 1])
  }

  /// A model of one node.
  private func model(
    _ type: String, inputs: [String], outputs: [String] = ["y"],
    _ attributes: [AttributeProto] = [], initializers: [String: ONNXValue<Float>] = [:],
    opset: Int64 = 14
  ) -> ModelProto {
    var node = NodeProto()
    (node.opType, node.input, node.output, node.attribute) = (type, inputs, outputs, attributes)
    var model = ModelProto()
    model.graph.node = [node]
    for (name, value) in initializers { model.graph.initializer.append(value.data(named: name)) }
    for name in outputs {
      var info = ValueInfoProto()
      info.name = name
      model.graph.output.append(info)
    }
    var version = OperatorSetIdProto()
    version.version = opset
    model.opsetImport = [version]
    return model
  }

  private func numbers(_ shape: Int...) -> ONNXValue<Float> {
    let count = shape.reduce(1, *)
    return .real(NDArray(shape: shape, elements: (0..<count).map { Float($0) / 8 }))
  }

  private func integers(_ values: Int...) -> ONNXValue<Float> {
    .integers(NDArray(shape: [values.count], elements: values))
  }

  private func expect(_ model: ModelProto, _ sentence: String) throws {
    let bytes = try ONNXModel(model).encoded()
    let error = #expect(throws: ONNXError.self) {
      _ = try ONNXModel(bytes).run([String: ONNXValue<Float>]())
    }
    let text = error?.description ?? ""
    #expect(text.contains(sentence), "\(text)")
  }

  @Test("Bytes that are no model, and models that Unroll does not support, get a sentence")
  func malformed() throws {
    for bytes in [[UInt8](repeating: 0xFF, count: 40), Array("not a model".utf8), []] {
      #expect(throws: ONNXError.self) { try ONNXModel(bytes) }
    }
    try expect(
      model("Conv", inputs: []), "node '0' (Conv): the operator Conv is not supported")
    var foreign = model("Add", inputs: [])
    foreign.graph.node[0].domain = "com.microsoft"
    try expect(foreign, "an operator of com.microsoft is not supported")
    try expect(
      model("Tanh", inputs: ["x"]), "node '0' (Tanh): expected a value of 'x', found none")
    var functions = model("Tanh", inputs: ["x"])
    functions.functions = [UnreadMessage()]
    #expect(throws: ONNXError(.unsupported("a model with functions"))) {
      try ONNXModel(ONNXModel(functions).encoded())
    }
    var outside = model("Tanh", inputs: ["x"], initializers: ["x": numbers(2)])
    outside.graph.initializer[0].dataLocation = 1
    try expect(
      outside,
      "'x' in a file of its own (external data), where the model is not read from a file, is not")
    var short = model("Tanh", inputs: ["x"], initializers: ["x": numbers(2)])
    short.graph.initializer[0].dims = [3]
    try expect(short, "the model is malformed: 'x' of shape [3] has 2 numbers")
    short.graph.initializer[0].dims = [1 << 40, 1 << 40]
    try expect(short, "expected a shape of at most 4194304 numbers")
    short.graph.initializer[0].dims = [-2]
    try expect(short, "expected a shape of at most 4194304 numbers, found [-2]")
  }

  @Test("A recurrent node with settings that Unroll has not, or sizes that do not fit, says which")
  func recurrentNodes() throws {
    let weights = [
      "x": numbers(2, 1, 3), "w": numbers(1, 12, 3), "r": numbers(1, 12, 4), "l": integers(3),
      "b": numbers(1, 5), "h": numbers(1, 2, 4),
    ]
    func gru(
      _ inputs: [String], _ attributes: [AttributeProto] = []
    ) -> ModelProto {
      model("GRU", inputs: inputs, attributes, initializers: weights)
    }
    try expect(gru(["x", "w"]), "'R': expected such an array, found none")
    try expect(gru(["x", "r", "w"]), "'R': expected shape [12, 4], found [12, 3]")
    try expect(gru(["x", "w", "r", "b"]), "'B': expected shape [24], found [5]")
    try expect(
      gru(["x", "w", "r", "", "l"]), "expected 1 sequence lengths of at most 2, found [3]")
    try expect(
      gru(["x", "w", "r", "", "", "h"]), "expected initial states [1, 1, 4], found [1, 2, 4]")
    try expect(
      gru(["x", "w", "r"], [.word("direction", "sideways")]), "direction = sideways is not")
    try expect(
      gru(["x", "w", "r"], [.word("direction", "bidirectional")]), "expected 2 directions in")
    try expect(
      gru(["x", "w", "r"], [.integer("hidden_size", 5)]), "hidden_size is 5, the arrays say 4")
    try expect(gru(["x", "w", "r"], [.number("clip", -1)]), "clip = -1.0 is not supported")
    try expect(gru(["x", "w", "r"], [.integer("magic", 1)]), "the attribute magic is not")
    var functions = AttributeProto.functions([.tanh])
    try expect(gru(["x", "w", "r"], functions), "expected 2 activations, found 1")
    functions[0].strings = [ArraySlice("Gelu".utf8), ArraySlice("Tanh".utf8)]
    try expect(gru(["x", "w", "r"], functions), "activations = gelu is not supported")
    try expect(
      model("GRU", inputs: ["h", "w", "r"], initializers: weights),
      "expected input size 3, found 4")
    let graph = ONNXModel(model("Tanh", inputs: ["x"]))
    #expect(throws: ONNXError(.noNetwork)) { try graph.network(as: Float.self) }
    // Between two layers only the order of numbers may change.
    var stack = self.model(
      "RNN", inputs: ["x", "w", "r"], outputs: ["a"],
      initializers: ["w": numbers(1, 3, 3), "r": numbers(1, 3, 3)])
    for (type, input, output) in [("Tanh", "a", "b"), ("Squeeze", "b", "c")] {
      var node = NodeProto()
      (node.opType, node.input, node.output) = (type, [input], [output])
      stack.graph.node.append(node)
    }
    var second = stack.graph.node[0]
    (second.input, second.output) = (["c", "w", "r"], ["d"])
    stack.graph.node.append(second)
    let changed = #expect(throws: ModelImportError.self) {
      try ONNXModel(stack).network(as: Float.self)
    }
    #expect(changed?.description.contains("found them changed on the way (Tanh)") == true)
    // A slice of time is no choice of a direction.
    var cut = self.model(
      "RNN", inputs: ["x", "w", "r"], outputs: ["a"],
      initializers: [
        "w": numbers(1, 3, 3), "r": numbers(1, 3, 3), "one": integers(1), "end": integers(9),
      ])
    for (type, inputs, output) in [
      ("Squeeze", ["a", "one"], "b"), ("Slice", ["b", "one", "end", "one"], "c"),
    ] {
      var node = NodeProto()
      (node.opType, node.input, node.output) = (type, inputs, [output])
      cut.graph.node.append(node)
    }
    cut.graph.node.append(second)
    let sliced = #expect(throws: ModelImportError.self) {
      try ONNXModel(cut).network(as: Float.self)
    }
    #expect(sliced?.description.contains("found them changed on the way") == true)
    // An initial state in the file would be lost; zeros are the default of a network.
    func started(_ state: ONNXValue<Float>) -> ONNXModel {
      ONNXModel(
        self.model(
          "RNN", inputs: ["x", "w", "r", "", "", "h"],
          initializers: ["w": numbers(1, 3, 3), "r": numbers(1, 3, 3), "h": state]))
    }
    let zero = ONNXValue<Float>.real(NDArray(shape: [1, 1, 3], elements: [0, 0, 0]))
    #expect(try started(zero).network(as: Float.self).network.layers.count == 1)
    let learnt = #expect(throws: ONNXError.self) {
      try started(numbers(1, 1, 3)).network(as: Float.self)
    }
    #expect(learnt?.description.contains("initial_h from numbers in the file") == true)
    // One that is repeated for the batch, whose size the graph takes from its input.
    var repeated = started(numbers(1, 1, 3)).model
    var expand = NodeProto()
    (expand.opType, expand.input, expand.output) = ("Expand", ["h", "size"], ["h0"])
    repeated.graph.node.insert(expand, at: 0)
    repeated.graph.node[1].input[5] = "h0"
    let expanded = #expect(throws: ONNXError.self) {
      try ONNXModel(repeated).network(as: Float.self)
    }
    #expect(expanded?.description.contains("initial_h from numbers in the file") == true)
    // One of ones, for a batch whose size is not known.
    var ones = repeated
    ones.graph.node[0].opType = "ConstantOfShape"
    ones.graph.node[0].input = ["size"]
    var value = AttributeProto()
    value.name = "value"
    value.t = ONNXValue<Float>.real(NDArray(shape: [1], elements: [1])).data(named: "")
    ones.graph.node[0].attribute = [value]
    let filled = #expect(throws: ONNXError.self) {
      try ONNXModel(ones).network(as: Float.self)
    }
    #expect(filled?.description.contains("initial_h from numbers in the file") == true)
    // Outputs and states that are left out have no name, and nothing to do with each other.
    var plain = started(zero).model
    plain.graph.node[0].input = ["x", "w", "r"]
    plain.graph.node[0].output = ["y", ""]
    var above = plain.graph.node[0]
    (above.input, above.output) = (["s", "w", "r", "", "", ""], ["z"])
    plain.graph.node += [GraphBuilder.node("Squeeze", ["y", "one"], ["s"]), above]
    plain.graph.initializer.append(integers(1).data(named: "one"))
    #expect(try ONNXModel(plain).network(as: Float.self).network.levels.count == 2)
    // And the last state of the layer below.
    var bridged = started(zero).model
    bridged.graph.node[0].output = ["y", "last"]
    var upper = bridged.graph.node[0]
    (upper.input, upper.output) = (["s", "w", "r", "", "", "last"], ["z"])
    bridged.graph.node += [GraphBuilder.node("Squeeze", ["y", "one"], ["s"]), upper]
    bridged.graph.initializer.append(integers(1).data(named: "one"))
    let bridge = #expect(throws: ONNXError.self) {
      try ONNXModel(bridged).network(as: Float.self)
    }
    #expect(bridge?.description.contains("initial_h from another recurrent layer") == true)
    // A loop may be a decomposed recurrent layer, so it is not skipped silently.
    let loop = ONNXModel(model("Loop", inputs: ["x"]))
    let error = #expect(throws: ONNXError.self) { try loop.network(as: Float.self) }
    #expect(error?.description.contains("a graph with the operator Loop is not supported") == true)
  }

  @Test("A cast to a narrower type rounds to it")
  func casts() throws {
    let third: Float = 1 / 3
    let values: [Float] = [third, -2049, 65519, 65520, 1e-8, 3e-8, .infinity, 0]
    func cast(to type: ONNXType) throws -> [Float]? {
      let input = ONNXValue.real(NDArray(shape: [values.count], elements: values))
      let model = model(
        "Cast", inputs: ["x"], [.integer("to", Int(type.rawValue))], initializers: ["x": input])
      return try ONNXModel(ONNXModel(model).encoded()).run([String: ONNXValue<Float>]())["y"]?
        .tensor?.elements
    }
    // numpy.float32(values).astype(numpy.float16)
    #expect(
      try cast(to: .float16) == [
        0.33325195, -2048, 65504, .infinity, 0, 0x1p-24, .infinity, 0,
      ])
    // The upper halves of the bits, rounded to even.
    let upper = values.map {
      Float(bitPattern: ($0.bitPattern + 0x7FFF + ($0.bitPattern >> 16 & 1)) & 0xFFFF_0000)
    }
    #expect(try cast(to: .bfloat16) == upper)
    #expect(try cast(to: .float) == values)
  }

  @Test("Operators that move numbers refuse what is not there")
  func shapes() throws {
    let values = ["x": numbers(2, 3), "i": integers(5), "s": integers(4, 2), "z": integers(0, 0)]
    func run(_ type: String, _ inputs: [String], _ attributes: [AttributeProto] = [])
      -> ModelProto
    { model(type, inputs: inputs, attributes, initializers: values) }
    try expect(run("Gather", ["x", "i"]), "expected an index below 2, found 5")
    try expect(run("Reshape", ["x", "s"]), "expected a shape of 6 numbers, found [4, 2]")
    try expect(
      run("Transpose", ["x"], [.integers("perm", [0, 0])]), "expected an order of the axes")
    try expect(run("Squeeze", ["x", "z"]), "expected axes of size 1, found [0] of [2, 3]")
    try expect(run("Unsqueeze", ["x", "z"]), "expected different axes, found [0, 0]")
    try expect(
      run("Concat", ["x", "x"], [.integer("axis", 7)]), "expected an axis below 2, found 7")
    try expect(run("MatMul", ["x", "x"]), "expected matrices that multiply")
    try expect(run("Add", ["x", "i"]), "expected floating-point numbers in input 1")
    try expect(run("Slice", ["x", "z", "z", "z", "z"]), "expected a step, found 0")
    try expect(run("Div", ["s", "z"]), "expected an integer result of 4 and 0")
    try expect(run("Expand", ["x", "s"]), "expected shapes that go together")
    try expect(run("ConstantOfShape", ["x"]), "expected integers in input 0")
    // A few bytes that ask for gigabytes.
    let large = ["s": integers(30_000, 30_000)]
    try expect(
      model("ConstantOfShape", inputs: ["s"], initializers: large),
      "expected a shape of at most 4194304 numbers, found [30000, 30000]")
    var doubling = model("Concat", inputs: ["x", "x"], [.integer("axis", 0)], initializers: values)
    for index in 0..<40 {
      var node = doubling.graph.node[0]
      (node.input, node.output) = (["y\(index)", "y\(index)"], ["y\(index + 1)"])
      if index == 0 { node.input = ["y", "y"] }
      doubling.graph.node.append(node)
    }
    try expect(doubling, "expected a shape of at most 4194304 numbers")
    try expect(
      model(
        "Reshape", inputs: ["one", "axes"],
        initializers: [
          "one": numbers(1),
          "axes": .integers(NDArray(shape: [65], elements: [Int](repeating: 1, count: 65))),
        ]), "expected at most 64 axes, found 65")
    // Nodes that read much and leave little: a few bytes must not ask for hours.
    var reading = model("ConstantOfShape", inputs: ["s"], initializers: ["s": integers(1 << 21)])
    for index in 0..<2100 {
      var node = NodeProto()
      (node.opType, node.input, node.output) = ("Shape", ["y"], ["y\(index)"])
      reading.graph.node.append(node)
    }
    try expect(reading, "expected nodes that read at most 4194304000 numbers in all")
    // Counting backwards from before the beginning begins at the beginning.
    let slice = model(
      "Slice", inputs: ["v", "start", "end", "axis", "step"],
      initializers: [
        "v": numbers(5), "start": integers(-100), "end": integers(-200), "axis": integers(0),
        "step": integers(-1),
      ])
    let result = try ONNXModel(ONNXModel(slice).encoded()).run([String: ONNXValue<Float>]())["y"]
    #expect(result?.shape == [1] && result?.tensor?[0] == 0)
  }

  @Test("Inputs of a shape that no memory holds are refused, empty or not")
  func givenShapes() throws {
    let join = ONNXModel(model("Concat", inputs: ["x", "x"], [.integer("axis", 1)]))
    let far = ONNXValue<Float>.real(NDArray(shape: [0, 1 << 62], elements: []))
    let error = #expect(throws: ONNXError.self) { _ = try join.run(["x": far]) }
    #expect(error?.description.contains("expected a shape of at most 4194304 numbers") == true)
  }
}
