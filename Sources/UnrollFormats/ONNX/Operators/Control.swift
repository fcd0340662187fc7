internal import Unroll

// Operators that contain graphs: the branches of If are followed, loops are refused.
extension GraphOperator {
  /// Operators that contain graphs.
  static var control: Table {
    let loop = GraphOperator(foldsConstants: false) { _, node in
      throw ONNXError(
        .unsupported("a graph with the operator \(node.proto.opType)"), node: node.name)
    }
    return [
      "If": GraphOperator(foldsConstants: false) { try $0.choose($1) }, "Loop": loop, "Scan": loop,
    ]
  }
}

extension GraphProbe {
  /// Follows the branch that is taken, or both if they do the same.
  fileprivate mutating func choose(_ flow: FlowNode<Scalar>) throws -> [Value] {
    let (node, name) = (flow.proto, flow.name)
    guard depth < 8 else { throw ONNXError(.unsupported("If within If, 9 deep,"), node: name) }
    depth += 1
    defer { depth -= 1 }
    let condition = flow.data ?? Value(.unknown)
    if case .known(.integers(let array)) = condition.content, let flag = array.elements.first {
      return try branch(node, flag != 0 ? "then_branch" : "else_branch", name)
    }
    let count = levels.count
    let then = try branch(node, "then_branch", name)
    let otherwise = try branch(node, "else_branch", name)
    guard levels.count == count else {
      throw ONNXError(.unsupported("a recurrent layer inside an If"), node: name)
    }
    let isSame =
      then.count == otherwise.count
      && zip(then, otherwise).allSatisfy { a, b in
        guard case .places(let a, _) = a.content, case .places(let b, _) = b.content else {
          return false
        }
        return a.shape == b.shape && a.elements == b.elements
      }
    if isSame { return then }
    let mixture = FlowNode(proto: node, inputs: [condition] + then + otherwise)
    return Array(repeating: computed(mixture, shape: nil)[0], count: max(1, node.output.count))
  }

  private mutating func branch(
    _ node: NodeProto, _ branch: String, _ name: String
  ) throws -> [Value] {
    guard let message = node.attribute(branch)?.g else {
      throw ONNXError(.malformed("expected a graph in \(branch)"), node: name)
    }
    let graph: GraphProto
    do { graph = try GraphProto(reading: message.bytes) } catch {
      throw ONNXError(error.problem, node: name)
    }
    let outer = values
    defer { values = outer }
    for data in graph.initializer {
      values[data.name] = (try? ONNXValue(data)).map { Value(known: $0) } ?? Value(.unknown)
    }
    try walk(graph.orderedNodes(isWhole: false))
    return graph.output.map { value($0.name) }
  }
}
