// The names of a graph: one origin each, and no circles.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

#if ONNX
@Suite("The order of a graph's nodes")
struct GraphOrderTests {
  private func sentence(_ build: (inout GraphBuilder) throws -> Void) rethrows -> String {
    var graph = GraphBuilder()
    try build(&graph)
    graph.output("y")
    return (#expect(throws: ONNXError.self) { try graph.encoded() })?.description ?? ""
  }

  @Test("Nodes that read each other's outputs are refused by their names")
  func circles() throws {
    let start =
      "the model is malformed: expected nodes in an order, found some that read each other's outputs in a circle: "
    #expect(
      sentence {
        $0.node("Tanh", "x", to: "y")
        $0.node("Add", "x", "b", to: "a")
        $0.node("Relu", "a", to: "b")
        $0.model.graph.node[1].name = "sum"
        $0.model.graph.node[2].name = "positive"
      } == start + "'positive' (Relu), 'sum' (Add), 'positive' (Relu)")
    #expect(
      sentence { $0.node("Add", "x", "y", to: "y") } == start + "'0' (Add), '0' (Add)")
    // A recurrent layer, and one of a hundred nodes.
    #expect(sentence { $0.gru("y", to: "y", features: 3) }.hasSuffix("'0' (GRU), '0' (GRU)"))
    let long = sentence { graph in
      for index in 0..<100 { graph.node("Relu", "v\((index + 99) % 100)", to: "v\(index)") }
      graph.node("Tanh", "x", to: "y")
    }
    #expect(long.hasPrefix(start) && long.count < 400, "\(long)")
    // Through a branch, which reads a name of the graph around it.
    #expect(
      try sentence { graph in
        graph.node("Relu", "q", to: "y")
        graph.integers("flag", [1])
        let branch = GraphBuilder.node("Tanh", ["y"], ["inner"])
        graph.node(
          "If", "flag", to: "q",
          with: try ["then_branch", "else_branch"].map { try GraphBuilder.branch($0, branch) })
      }.hasPrefix(start))
  }

  @Test("A name has one origin: a node, an input or an array of the file")
  func origins() {
    let start = "the model is malformed: expected one origin of "
    #expect(
      sentence {
        $0.node("Tanh", "x", to: "y")
        $0.node("Relu", "x", to: "y")
      } == start + "'y', found the node '0' (Tanh) and the node '1' (Relu)")
    #expect(
      sentence {
        $0.node("Tanh", "x", to: "x")
        $0.node("Relu", "x", to: "y")
      } == start + "'x', found an input of the graph and the node '0' (Tanh)")
    #expect(
      sentence {
        $0.numbers("w", [3])
        $0.node("Tanh", "x", to: "w")
      } == start + "'w', found an array of the file and the node '0' (Tanh)")
    #expect(
      sentence {
        $0.numbers("w", [3])
        $0.numbers("w", [3])
      } == "the model is malformed: expected one array 'w', found two")
    #expect(
      sentence { $0.node("Add", "x", "nobody", to: "y") }
        == "node '0' (Add): expected a value of 'nobody', found none")
    #expect(
      sentence { $0.node("Tanh", "x", to: "z") } == "expected a value of 'y', found none")
  }

  @Test("Nodes that are not in order are put in order")
  func sorted() throws {
    func graph(_ order: [Int]) throws -> ONNXModel {
      var graph = GraphBuilder()
      graph.integers("one", [1])
      graph.gru("x", to: "y1", features: 3)
      graph.node("Squeeze", "y1", "one", to: "q")
      graph.gru("q", to: "y2", features: 4)
      graph.node("Squeeze", "y2", "one", to: "y")
      graph.output("y")
      let nodes = graph.model.graph.node
      graph.model.graph.node = order.map { nodes[$0] }
      return try graph.encoded()
    }
    let (plain, mixed) = (try graph([0, 1, 2, 3]), try graph([3, 2, 1, 0]))
    var random = NumPyRandom(seed: testSeed)
    let x: Tensor<Float> = uniform([5, 2, 3], &random)
    let expected = try #require(plain.run(["x": ONNXValue(x)])["y"]?.tensor)
    #expect(try mixed.run(["x": ONNXValue(x)])["y"]?.tensor == expected)
    let networks = try [plain, mixed].map { try $0.network(as: Float.self) }
    #expect(networks[1].network.levels.count == 2)
    #expect(networks[1].report.mappings == networks[0].report.mappings)
  }

  @Test("A final state that is read as it is was not changed on the way")
  func finalState() throws {
    var graph = GraphBuilder()
    graph.gru("x", to: "y1", features: 3)
    graph.gru("y1 final", to: "y2", features: 4)
    graph.output("y2")
    let error = #expect(throws: ModelImportError.self) {
      try graph.encoded().network(as: Float.self)
    }
    #expect(
      error?.description
        == "'GRU': expected the outputs of the layer below, found its final state")
  }
}
#endif
