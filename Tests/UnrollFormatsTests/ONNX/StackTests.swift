// Which graphs are a stack of recurrent layers, by the operators between, before and after them.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Operators between, before and after a graph's recurrent layers")
struct StackTests {
  /// The expected result for a graph.
  enum Verdict {
    /// Read; the network computes what the graph computes.
    case same
    case refused(String)
    /// Read; the report says what is left out.
    case named(String)
  }

  struct Change: CustomTestStringConvertible {
    var name: String
    var directions = 1
    var features = 4
    var x = [0, 0, 3]
    var verdict: Verdict
    var build: @Sendable (inout GraphBuilder) throws -> Void
    var testDescription: String { name }
  }

  private static func perm(_ order: [Int]) -> [AttributeProto] {
    [.integers("perm", order)]
  }
  private static let order = "in another order or shape"

  /// Operators that make `q` of `s` `[T, B, 4]`.
  static let between: [Change] = [
    Change(name: "nothing", verdict: .same) { $0.node("Identity", "s", to: "q") },
    Change(name: "rows and columns exchanged", verdict: .refused("\(order) (Transpose)")) {
      $0.node("Transpose", "s", to: "q", with: perm([1, 0, 2]))
    },
    Change(
      name: "rows and columns exchanged, as many of each", x: [5, 5, 3],
      verdict: .refused("\(order) (Transpose)")
    ) { $0.node("Transpose", "s", to: "q", with: perm([1, 0, 2])) },
    Change(name: "rows and columns exchanged twice", verdict: .same) {
      $0.node("Transpose", "s", to: "a", with: perm([1, 0, 2]))
      $0.node("Transpose", "a", to: "q", with: perm([1, 0, 2]))
    },
    Change(name: "halves of the features exchanged", verdict: .refused("\(order) (Split, Concat)"))
    {
      $0.node("Split", "s", to: "a", "b", with: [.integer("axis", 2)])
      $0.node("Concat", "b", "a", to: "q", with: [.integer("axis", 2)])
    },
    Change(name: "halves taken apart and joined", verdict: .same) {
      $0.node("Split", "s", to: "a", "b", with: [.integer("axis", 2)])
      $0.node("Concat", "a", "b", to: "q", with: [.integer("axis", 2)])
    },
    Change(name: "features and batch mixed", verdict: .refused("\(order) (Transpose, Reshape)")) {
      $0.node("Transpose", "s", to: "a", with: perm([0, 2, 1]))
      $0.node("Shape", "s", to: "shape")
      $0.node("Reshape", "a", "shape", to: "q")
    },
    Change(name: "a shape of constants that fits one batch", verdict: .refused("Reshape does not"))
    {
      $0.integers("shape", [6, 2, 4])
      $0.node("Reshape", "s", "shape", to: "q")
    },
    Change(name: "a shape of constants that is declared", x: [6, 2, 3], verdict: .same) {
      $0.integers("shape", [6, 2, 4])
      $0.node("Reshape", "s", "shape", to: "q")
    },
    Change(
      name: "a shape that joins time and batch", x: [6, 2, 3],
      verdict: .refused("\(order) (Reshape)")
    ) {
      $0.integers("shape", [1, 12, 4])
      $0.node("Reshape", "s", "shape", to: "q")
    },
    Change(name: "time turned round", verdict: .refused("\(order) (Slice)")) {
      slice(&$0, "s", axis: 0, step: -1, to: "q")
    },
    Change(name: "features turned round", verdict: .refused("\(order) (Slice)")) {
      slice(&$0, "s", axis: 2, step: -1, to: "q")
    },
    Change(name: "every second step", verdict: .refused("\(order) (Slice)")) {
      slice(&$0, "s", axis: 0, step: 2, to: "q")
    },
    Change(name: "features picked in another order", verdict: .refused("\(order) (Gather)")) {
      $0.integers("order", [1, 0, 3, 2])
      $0.node("Gather", "s", "order", to: "q", with: [.integer("axis", 2)])
    },
    Change(
      name: "sequences turned round", x: [6, 2, 3], verdict: .refused("\(order) (ReverseSequence)")
    ) {
      $0.integers("lengths", [6, 4])
      $0.node("ReverseSequence", "s", "lengths", to: "q")
    },
    Change(name: "one sequence for all", verdict: .refused("\(order) (Slice, Expand)")) {
      slice(&$0, "s", axis: 1, step: 1, end: 1, to: "a")
      $0.node("Shape", "s", to: "shape")
      $0.node("Expand", "a", "shape", to: "q")
    },
    Change(name: "features twice", features: 8, verdict: .refused("\(order) (Tile)")) {
      $0.integers("repeats", [1, 1, 2])
      $0.node("Tile", "s", "repeats", to: "q")
    },
    Change(name: "the input joined", features: 7, verdict: .refused("other numbers joined")) {
      $0.node("Concat", "s", "x", to: "q", with: [.integer("axis", 2)])
    },
    Change(name: "another number added", verdict: .refused("changed on the way (Add)")) {
      $0.numbers("c", [4])
      $0.node("Add", "s", "c", to: "q")
    },
    Change(name: "an operator that is not known", verdict: .refused("on the way (Einsum)")) {
      $0.node("Einsum", "s", to: "q")
    },
    Change(name: "another domain's Squeeze", verdict: .refused("on the way (my.ops::Squeeze)")) {
      $0.node("Squeeze", "s", to: "q", domain: "my.ops")
    },
    Change(name: "float16 and back", verdict: .refused("changed on the way (Cast)")) {
      $0.node("Cast", "s", to: "a", with: [.integer("to", 10)])
      $0.node("Cast", "a", to: "q", with: [.integer("to", 1)])
    },
    Change(name: "float64 and back", verdict: .same) {
      $0.node("Cast", "s", to: "a", with: [.integer("to", 11)])
      $0.node("Cast", "a", to: "q", with: [.integer("to", 1)])
    },
    Change(name: "dropout in inference", verdict: .same) { $0.node("Dropout", "s", to: "q") },
    Change(name: "dropout in training", verdict: .refused("changed on the way (Dropout)")) {
      $0.numbers("ratio", [])
      $0.integers("training", [1], shape: [])
      $0.node("Dropout", "s", "ratio", "training", to: "q")
    },
    Change(name: "the final state repeated", verdict: .refused("found its final state")) {
      $0.integers("repeats", [6, 1, 1])
      $0.node("Tile", "y1 final", "repeats", to: "q")
    },
    Change(name: "an If that squeezes", verdict: .same) {
      $0.node("Shape", "y1", to: "size")
      $0.integers("index", [1], shape: [])
      $0.node("Gather", "size", "index", to: "count", with: [.integer("axis", 0)])
      $0.node("Equal", "count", "index", to: "flag")
      try choose(&$0, "flag", GraphBuilder.node("Identity", ["y1"], ["other"]))
    },
    Change(name: "an If whose branches do the same", verdict: .same) {
      $0.input("flag", [], .bool)
      try choose(&$0, "flag", GraphBuilder.node("Squeeze", ["y1", "one"], ["other"]))
    },
    Change(name: "an If whose branches differ", verdict: .refused("changed on the way (Relu, If)"))
    {
      $0.input("flag", [], .bool)
      try choose(&$0, "flag", GraphBuilder.node("Relu", ["s"], ["other"]))
    },
    Change(name: "a constant If that computes", verdict: .refused("changed on the way (Relu)")) {
      $0.integers("flag", [0], shape: [])
      try choose(&$0, "flag", GraphBuilder.node("Relu", ["s"], ["other"]))
    },
    Change(name: "directions side by side", directions: 2, features: 8, verdict: .same) {
      $0.node("Transpose", "y1", to: "a", with: perm([0, 2, 1, 3]))
      $0.integers("shape", [0, 0, -1])
      $0.node("Reshape", "a", "shape", to: "q")
    },
    Change(
      name: "directions without a transpose", directions: 2, features: 8,
      verdict: .refused("\(order) (Reshape)")
    ) {
      $0.integers("shape", [0, -1, 8])
      $0.node("Reshape", "y1", "shape", to: "q")
    },
    Change(
      name: "directions feature by feature", directions: 2, features: 8,
      verdict: .refused("\(order) (Transpose, Reshape)")
    ) {
      $0.node("Transpose", "y1", to: "a", with: perm([0, 2, 3, 1]))
      $0.integers("shape", [0, 0, -1])
      $0.node("Reshape", "a", "shape", to: "q")
    },
    Change(
      name: "the backward direction first", directions: 2, features: 8,
      verdict: .refused("\(order) (Split, Concat)")
    ) { takeApart(&$0, ["bs", "fs"]) },
    Change(name: "directions taken apart", directions: 2, features: 8, verdict: .same) {
      takeApart(&$0, ["fs", "bs"])
    },
    Change(name: "one direction", directions: 2, verdict: .refused("\(order) (Split)")) {
      $0.node("Split", "y1", to: "f", "b", with: [.integer("axis", 1)])
      $0.node("Squeeze", "f", "one", to: "q")
    },
  ]

  private static func slice(
    _ graph: inout GraphBuilder, _ input: String, axis: Int, step: Int, end: Int? = nil,
    to output: String
  ) {
    graph.integers("from", [step > 0 ? 0 : -1])
    graph.integers("end", [end ?? (step > 0 ? 1 << 60 : -1 << 60)])
    graph.integers("axis", [axis])
    graph.integers("step", [step])
    graph.node("Slice", input, "from", "end", "axis", "step", to: output)
  }

  private static func takeApart(_ graph: inout GraphBuilder, _ order: [String]) {
    graph.node("Split", "y1", to: "f", "b", with: [.integer("axis", 1)])
    graph.node("Squeeze", "f", "one", to: "fs")
    graph.node("Squeeze", "b", "one", to: "bs")
    graph.node("Concat", order[0], order[1], to: "q", with: [.integer("axis", 2)])
  }

  private static func choose(
    _ graph: inout GraphBuilder, _ flag: String, _ other: NodeProto
  ) throws {
    graph.node(
      "If", flag, to: "q",
      with: [
        GraphBuilder.branch(
          "then_branch", GraphBuilder.node("Squeeze", ["y1", "one"], ["squeezed"])),
        GraphBuilder.branch("else_branch", other),
      ])
  }

  @Test("Between two layers, only their order proves that they are a stack", arguments: between)
  func layers(change: Change) throws {
    var graph = GraphBuilder(x: change.x)
    graph.integers("one", [1])
    graph.gru("x", to: "y1", features: 3, directions: change.directions)
    if change.directions == 1 { graph.node("Squeeze", "y1", "one", to: "s") }
    try change.build(&graph)
    graph.gru("q", to: "y2", features: change.features)
    graph.node("Squeeze", "y2", "one", to: "y")
    graph.output("y")
    try judge(graph, change)
  }

  /// Reads the network of a graph and compares its outputs, unless the graph has an If.
  private func judge(_ graph: GraphBuilder, _ change: Change) throws {
    let model = try graph.encoded()
    switch change.verdict {
    case .refused(let sentence):
      let error = #expect(throws: (any Error).self) { try model.network(as: Float.self) }
      #expect("\(error.map { "\($0)" } ?? "")".contains(sentence), "\(String(describing: error))")
    case .named(let line):
      let report = try model.network(as: Float.self).report
      #expect(report.omissions.contains { $0.contains(line) }, "\(report.omissions)")
    case .same:
      let (network, report) = try model.network(as: Float.self)
      #expect(report.omissions == [])
      guard !model.operators.contains("If") else { return }
      var random = NumPyRandom(seed: testSeed)
      let shape = zip(change.x, [6, 2, 3]).map { $0 > 0 ? $0 : $1 }
      let x: Tensor<Float> = uniform(shape, &random)
      let y = try #require(try model.run(["x": ONNXValue(x)])["y"]?.tensor)
      let ours = network.forward(x, from: network.zeroStates(batchSize: shape[1])).outputs
      #expect((ours - y).maximumMagnitude < 1e-6)
      #expect(y.maximumMagnitude > 0.01)
    }
  }

  /// Operators that make `q` of `x` `[T, B, 3]`.
  static let before: [Change] = [
    Change(name: "a product", features: 3, verdict: .named("Mul, between the graph's input 'x'")) {
      $0.numbers("c", [3])
      $0.node("Mul", "x", "c", to: "q")
    },
    Change(name: "a layer of units", verdict: .named("MatMul, Tanh, between the graph's")) {
      $0.numbers("m", [3, 4])
      $0.node("MatMul", "x", "m", to: "p")
      $0.node("Tanh", "p", to: "q")
    },
    Change(
      name: "an operator of unknown shape", features: 3,
      verdict: .named("Conv, Transpose, between")
    ) {
      $0.node("Transpose", "x", to: "p", with: perm([1, 2, 0]))
      $0.node("Conv", "p", to: "c")
      $0.node("Transpose", "c", to: "q", with: perm([2, 0, 1]))
    },
    Change(name: "some of the features", features: 2, verdict: .named("Slice, between")) {
      slice(&$0, "x", axis: 2, step: 2, to: "q")
    },
    Change(name: "time turned round", features: 3, verdict: .refused("another order (Slice)")) {
      slice(&$0, "x", axis: 0, step: -1, to: "q")
    },
    Change(
      name: "time turned round, and a product", features: 3,
      verdict: .refused("in its own order, found it changed on the way (Slice, Mul)")
    ) {
      slice(&$0, "x", axis: 0, step: -1, to: "p")
      $0.numbers("c", [3])
      $0.node("Mul", "p", "c", to: "q")
    },
    Change(
      name: "a product, and time turned round", features: 3,
      verdict: .refused("another order (Slice)")
    ) {
      $0.numbers("c", [3])
      $0.node("Mul", "x", "c", to: "p")
      slice(&$0, "p", axis: 0, step: -1, to: "q")
    },
    Change(
      name: "time and batch mixed", features: 3, x: [6, 2, 3],
      verdict: .refused("another order (Reshape)")
    ) {
      $0.integers("shape", [2, 6, 3])
      $0.node("Reshape", "x", "shape", to: "q")
    },
    Change(name: "a cast", features: 3, verdict: .named("Cast, between")) {
      $0.node("Cast", "x", to: "a", with: [.integer("to", 10)])
      $0.node("Cast", "a", to: "q", with: [.integer("to", 1)])
    },
  ]

  @Test(
    "Before the first layer, what computes is named and what reorders is refused", arguments: before
  )
  func beginning(change: Change) throws {
    var graph = GraphBuilder(x: change.x)
    try change.build(&graph)
    graph.gru("q", to: "y", features: change.features)
    graph.output("y")
    try judge(graph, change)
  }

  @Test("A graph that has the batch first says so, and the network reads time first")
  func batchFirst() throws {
    var graph = GraphBuilder(x: [2, 6, 3])
    graph.integers("one", [1])
    graph.node("Transpose", "x", to: "q", with: Self.perm([1, 0, 2]))
    graph.gru("q", to: "y1", features: 3)
    graph.node("Squeeze", "y1", "one", to: "s")
    graph.node("Transpose", "s", to: "y", with: Self.perm([1, 0, 2]))
    graph.output("y")
    let (network, report) = try graph.encoded().network(as: Float.self)
    #expect(report.omissions == [])
    #expect(
      report.notes == [
        "the graph transposes its input 'x' [B, T, D] first; the network reads [T, B, D]",
        "the graph transposes its output 'y'; the network puts out [T, B, features]",
      ])
    let x = graph.drawn([2, 6, 3])
    let y = try #require(try graph.encoded().run(["x": ONNXValue(x)])["y"]?.tensor)
    let ours = network.forward(x, from: network.zeroStates(batchSize: 2), layout: .batchMajor)
    #expect((ours.outputs - y).maximumMagnitude < 1e-6)
  }

  @Test("After the last layer, what happens on the way to an output is named")
  func end() throws {
    func omissions(
      directions: Int = 1, _ build: (inout GraphBuilder) -> Void
    ) throws -> [String] {
      var graph = GraphBuilder()
      graph.integers("one", [1])
      graph.gru("x", to: "y1", features: 3, directions: directions)
      build(&graph)
      graph.output("y")
      return try graph.encoded().network(as: Float.self).report.omissions
    }
    let way = "between level 0 and the graph's output 'y'"
    #expect(try omissions { $0.node("Squeeze", "y1", "one", to: "y") } == [])
    #expect(
      try omissions { Self.slice(&$0, "y1", axis: 0, step: -1, to: "y") } == ["Slice, \(way)"])
    #expect(
      try omissions {
        $0.integers("last", [-1], shape: [])
        $0.node("Gather", "y1", "last", to: "y", with: [.integer("axis", 0)])
      } == ["Gather, \(way)"])
    // Operators that leave numbers in place are not listed with those that compute.
    #expect(
      try omissions {
        $0.node("Squeeze", "y1", "one", to: "s")
        $0.numbers("m", [4, 5])
        $0.node("Transpose", "s", to: "t", with: Self.perm([1, 0, 2]))
        $0.node("MatMul", "t", "m", to: "y")
      } == ["MatMul, \(way)"])
    #expect(
      try omissions(directions: 2) { graph in
        Self.takeApart(&graph, ["bs", "fs"])
        graph.node("Identity", "q", to: "y")
      } == ["Split, Concat, \(way)"])
    // An output of a lower level, and one that no layer computes.
    var stack = GraphBuilder()
    stack.integers("one", [1])
    stack.gru("x", to: "y1", features: 3)
    stack.node("Squeeze", "y1", "one", to: "q")
    stack.gru("q", to: "y2", features: 4)
    stack.node("Add", "y1", "y2", to: "sum")
    stack.node("Tanh", "x", to: "z")
    for name in ["y1", "sum", "z", "y1 final"] { stack.output(name) }
    #expect(
      try stack.encoded().network(as: Float.self).report.omissions == [
        "the output 'y1', which is level 0's; the network puts out level 1's",
        "Add, between level 1 and the graph's output 'sum'",
        "the output 'z', which no recurrent layer computes (Tanh)",
      ])
  }
}
