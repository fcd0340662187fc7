// The order of a graph's nodes. Each name has one origin: an input, an array of the file or an output of one
// node. Nodes are put in an order in which each reads what is there: some programs write them in another.

extension GraphProto {
  /// The nodes, each after those whose outputs it reads; in the file's order where that satisfies this.
  ///
  /// - Parameter isWhole: Whether names come from this graph alone; a branch reads those of the graph around it.
  /// - Returns: All nodes of the graph.
  /// - Throws: `ONNXError` for a name of two origins or none, and nodes that read each other in a circle.
  func orderedNodes(isWhole: Bool = true) throws(ONNXError) -> [NodeProto] {
    let given = Set(input.map(\.name) + initializer.map(\.name))
    let writers = try writers(given)
    var sources: [[Int]] = []
    for (index, node) in node.enumerated() {
      var own: [Int] = []
      for name in node.readNames where !name.isEmpty {
        if let writer = writers[name] {
          own.append(writer)
        } else if isWhole, !given.contains(name) {
          throw ONNXError(.missing(name), node: node.title(index))
        }
      }
      sources.append(own)
    }
    for name in output.map(\.name) where isWhole && writers[name] == nil && !given.contains(name) {
      throw ONNXError(.missing(name))
    }
    return try order(sources).map { node[$0] }
  }

  /// The node that writes each name.
  private func writers(_ given: Set<String>) throws(ONNXError) -> [String: Int] {
    var arrays: Set<String> = []
    for name in initializer.map(\.name) where !arrays.insert(name).inserted {
      throw ONNXError(.malformed("expected one array '\(name)', found two"))
    }
    var writers: [String: Int] = [:]
    for (index, own) in node.enumerated() {
      for name in own.output where !name.isEmpty {
        let other =
          writers[name].map { "the node \(node[$0].title($0))" }
          ?? (arrays.contains(name)
            ? "an array of the file" : given.contains(name) ? "an input of the graph" : nil)
        if let other {
          throw ONNXError(
            .malformed(
              "expected one origin of '\(name)', found \(other) and the node \(own.title(index))"))
        }
        writers[name] = index
      }
    }
    return writers
  }

  /// An order in which the sources of each node come before it.
  private func order(_ sources: [[Int]]) throws(ONNXError) -> [Int] {
    enum State { case new, open, done }
    var (result, states) = ([Int](), [State](repeating: .new, count: sources.count))
    for root in sources.indices where states[root] == .new {
      var path = [(node: root, next: 0)]
      states[root] = .open
      while let (node, next) = path.last {
        guard next < sources[node].count else {
          states[node] = .done
          result.append(node)
          path.removeLast()
          continue
        }
        path[path.count - 1].next += 1
        let source = sources[node][next]
        switch states[source] {
        case .done: continue
        case .new:
          states[source] = .open
          path.append((source, 0))
        case .open:
          // The path runs from outputs to inputs: each node on it reads the next.
          let circle = path.map(\.node).drop { $0 != source }.reversed()
          let names = circle.map { self.node[$0].title($0) }
          throw ONNXError(
            .malformed(
              "expected nodes in an order, found some that read each other's outputs in a circle: \(Self.shortened(names + names.prefix(1)))"
            ))
        }
      }
    }
    return result
  }

  private static func shortened(_ names: [String]) -> String {
    let shown = names.count > 9 ? names.prefix(7) + ["…"] + names.suffix(1) : names[...]
    return shown.joined(separator: ", ")
  }
}

extension NodeProto {
  /// The node's name, or its place in the graph, and its operator.
  func title(_ index: Int) -> String { "'\(name.isEmpty ? "\(index)" : name)' (\(word))" }

  /// The names that the node reads, also within its branches.
  fileprivate var readNames: [String] { input + attribute.flatMap { $0.freeNames(depth: 0) } }
}

extension AttributeProto {
  /// The names that a branch reads and does not define.
  fileprivate func freeNames(depth: Int) -> [String] {
    guard depth < 9, let g, let graph = try? GraphProto(reading: g.bytes) else { return [] }
    let own = Set(
      (graph.input.map(\.name) + graph.initializer.map(\.name) + graph.node.flatMap(\.output)))
    let read = graph.node.flatMap { node in
      node.input + node.attribute.flatMap { $0.freeNames(depth: depth + 1) }
    }
    return (read + graph.output.map(\.name)).filter { !own.contains($0) }
  }
}
