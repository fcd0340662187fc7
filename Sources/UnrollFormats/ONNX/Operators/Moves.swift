internal import Unroll

// Operators that bring numbers into another shape or order, and change none.
extension GraphOperator {
  /// Operators that move all numbers, or copies of all.
  static var moves: Table {
    [
      "Identity": GraphOperator(one: NodeRun.unchanged) { $0.unchanged($1) },
      "Dropout": GraphOperator(one: NodeRun.unchanged) { $0.unchanged($1) },
      "Cast": GraphOperator(one: NodeRun.cast) { $0.cast($1) },
      "Transpose": .moving(NodeRun.transposed),
      "Squeeze": .moving(NodeRun.squeezed, keepsOrder: true),
      "Unsqueeze": .moving(NodeRun.unsqueezed, keepsOrder: true),
      "Reshape": .moving(NodeRun.reshaped),
      "Flatten": .moving(NodeRun.flattened),
      "Expand": .moving(NodeRun.expanded),
      "Tile": .moving(NodeRun.tiled),
    ]
  }

  /// An operator that moves the numbers of its first input.
  ///
  /// - Parameters:
  ///   - one: The evaluation.
  ///   - keepsOrder: Whether the numbers stay in order, so that the operator needs no mention.
  /// - Returns: The operator.
  static func moving(
    _ one: @escaping (NodeRun<Scalar>) -> () throws(ONNXError) -> ONNXValue<Scalar>,
    keepsOrder: Bool = false
  ) -> GraphOperator {
    GraphOperator(one: one) { probe, node in
      guard let data = node.data else { return probe.computed(node, shape: nil) }
      return probe.move(node, data: [data], keepsOrder: keepsOrder)
    }
  }
}

extension GraphProbe {
  /// Moves the places of a node's data as the operator moves numbers; its other inputs must be known.
  ///
  /// - Parameters:
  ///   - node: The node; its first inputs are the data.
  ///   - data: What is known of the data.
  ///   - keepsOrder: Whether the numbers stay in order, so that the operator needs no mention.
  /// - Returns: A value for each output; the places are unknown where an input is.
  func move(_ node: FlowNode<Scalar>, data: [Value], keepsOrder: Bool = false) -> [Value] {
    let proto = node.proto
    var result = Value(joining: data)
    if !keepsOrder, !result.moves.contains(proto.opType) { result.moves.append(proto.opType) }
    let count = max(1, proto.output.count)
    let unknown = Array(repeating: result, count: count)
    var arrays: [String: ONNXValue<Scalar>] = [:]
    for (index, name) in proto.input.enumerated() {
      guard let input = node.inputs[index] else { continue }
      if index < data.count {
        guard let places = input.places else { return unknown }
        arrays[name] = .integers(places)
      } else if case .known(let known) = input.content {
        arrays[name] = known
      } else {
        return unknown
      }
    }
    guard let outputs = try? run(proto, arrays), outputs.count == count else { return unknown }
    let isReal = data.contains(where: \.isReal)
    return outputs.map { output in
      var result = result
      if case .integers(let array)? = output { result.content = .places(array, isReal: isReal) }
      return result
    }
  }

  /// The first input itself; a Dropout in training mode, which is its third input, loses numbers.
  fileprivate mutating func unchanged(_ node: FlowNode<Scalar>) -> [Value] {
    guard let data = node.data else { return computed(node, shape: nil) }
    guard let mode = node.inputs.dropFirst(2).first ?? nil else { return [data] }
    if case .known(.integers(let flag)) = mode.content, flag.elements == [0] { return [data] }
    return computed(node, shape: data.shape)
  }

  /// A change of type computes if it rounds numbers.
  fileprivate mutating func cast(_ node: FlowNode<Scalar>) -> [Value] {
    guard let data = node.data else { return computed(node, shape: nil) }
    return exactCast(node.proto, data).map { [$0] } ?? computed(node, shape: data.shape)
  }

  /// A change of type; nil if it rounds numbers.
  private func exactCast(_ node: NodeProto, _ value: Value) -> Value? {
    let target = node.attribute("to").flatMap {
      ONNXType(rawValue: Int32(clamping: $0.i ?? 0))
    }
    guard let target, target != .bool else { return nil }
    guard case .places(let array, let isReal) = value.content else {
      return target == .double || target == .float ? value : nil
    }
    var value = value
    switch target {
    case .double: break
    case .float where !isReal || Scalar.self == Float.self: break
    case .int64, .int32, .uint64, .uint32: if isReal { return nil }
    default: return nil
    }
    value.content = .places(array, isReal: target.isReal)
    return value
  }
}

extension NodeRun {
  fileprivate func unchanged() throws(ONNXError) -> ONNXValue<Scalar> { try input(0) }

  fileprivate func cast() throws(ONNXError) -> ONNXValue<Scalar> {
    guard let target = integer("to").flatMap({ ONNXType(rawValue: Int32(clamping: $0)) }) else {
      throw ONNXError(.unsupported("a cast to type \(integer("to") ?? 0)"))
    }
    switch (try input(0), target.isReal) {
    case (.real(let array), true):
      return .real(NDArray(shape: array.shape, elements: array.elements.map(target.rounded)))
    case (.integers(let array), false):
      return .integers(
        target == .bool
          ? NDArray(shape: array.shape, elements: array.elements.map { $0 == 0 ? 0 : 1 }) : array)
    case (.integers(let array), true):
      return .real(
        NDArray(
          shape: array.shape, elements: array.elements.map { target.rounded(Scalar($0)) }))
    case (.real(let array), false) where target == .bool:
      return .integers(
        NDArray(shape: array.shape, elements: array.elements.map { $0 == 0 ? 0 : 1 }))
    case (.real(let array), false):
      var integers: [Int] = []
      for number in array.elements {
        guard let integer = Int(exactly: Double(number).rounded(.towardZero)) else {
          throw ONNXError(.wrongValue("expected numbers that are integers, found \(number)"))
        }
        integers.append(integer)
      }
      return .integers(NDArray(shape: array.shape, elements: integers))
    }
  }

  fileprivate func squeezed() throws(ONNXError) -> ONNXValue<Scalar> {
    let value = try input(0)
    let shape = value.shape
    let axes: Set<Int>
    if let list = try integers("axes", orInput: 1) {
      var set = Set<Int>()
      for axis in list { set.insert(try Self.axis(axis, shape.count)) }
      axes = set
    } else {
      axes = Set(shape.indices.filter { shape[$0] == 1 })
    }
    guard axes.allSatisfy({ shape[$0] == 1 }) else {
      throw ONNXError(.wrongValue("expected axes of size 1, found \(axes.sorted()) of \(shape)"))
    }
    return try reshape(value, to: shape.indices.filter { !axes.contains($0) }.map { shape[$0] })
  }

  fileprivate func unsqueezed() throws(ONNXError) -> ONNXValue<Scalar> {
    let value = try input(0)
    guard let list = try integers("axes", orInput: 1) else { throw ONNXError(.missing("axes")) }
    let rank = value.shape.count + list.count
    var axes = Set<Int>()
    for axis in list { axes.insert(try Self.axis(axis, rank)) }
    guard axes.count == list.count else {
      throw ONNXError(.wrongValue("expected different axes, found \(list)"))
    }
    var sizes = value.shape.makeIterator()
    return try reshape(value, to: (0..<rank).map { axes.contains($0) ? 1 : sizes.next() ?? 1 })
  }

  fileprivate func transposed() throws(ONNXError) -> ONNXValue<Scalar> {
    let value = try input(0)
    let order = integers("perm") ?? Array(value.shape.indices.reversed())
    return try value.rearranged(.transpose(order))
  }

  fileprivate func reshaped() throws(ONNXError) -> ONNXValue<Scalar> {
    let value = try input(0)
    var shape = try integers(1).elements
    let keepsZero = (integer("allowzero") ?? 0) != 0
    for axis in shape.indices where shape[axis] == 0 && !keepsZero {
      guard axis < value.shape.count else {
        throw ONNXError(.wrongValue("expected a size for axis \(axis), found 0"))
      }
      shape[axis] = value.shape[axis]
    }
    let open = shape.indices.filter { shape[$0] == -1 }
    if let axis = open.first, open.count == 1 {
      var known = shape
      known.remove(at: axis)
      let rest = try NDArray<Int>.count(known)
      let total = value.shape.reduce(1, *)
      guard rest > 0, total % rest == 0 else {
        throw ONNXError(.wrongValue("expected a shape of \(total) numbers, found \(shape)"))
      }
      shape[axis] = total / rest
    }
    return try reshape(value, to: shape)
  }

  fileprivate func flattened() throws(ONNXError) -> ONNXValue<Scalar> {
    let value = try input(0)
    let rank = value.shape.count
    let axis = integer("axis") ?? 1
    let place = axis < 0 ? axis + rank : axis
    guard (0...rank).contains(place) else {
      throw ONNXError(.wrongValue("expected an axis of \(value.shape), found \(axis)"))
    }
    return try reshape(
      value, to: [value.shape[..<place].reduce(1, *), value.shape[place...].reduce(1, *)])
  }

  fileprivate func expanded() throws(ONNXError) -> ONNXValue<Scalar> {
    let value = try input(0)
    let shape = try NDArray<Int>.common(value.shape, integers(1).elements)
    return try value.rearranged(.broadcast(shape))
  }

  fileprivate func tiled() throws(ONNXError) -> ONNXValue<Scalar> {
    var value = try input(0)
    let repeats = try integers(1).elements
    guard repeats.count == value.shape.count, repeats.allSatisfy({ $0 >= 0 }) else {
      throw ONNXError(
        .wrongValue("expected \(value.shape.count) numbers of repetitions, found \(repeats)"))
    }
    for (axis, count) in repeats.enumerated() where count != 1 {
      let size = value.shape[axis]
      let (rows, overflow) = size.multipliedReportingOverflow(by: count)
      guard !overflow, rows <= ONNXLimits.numbers else {
        throw ONNXError(.wrongValue("expected fewer repetitions, found \(repeats)"))
      }
      let indices = NDArray<Int>(shape: [rows], elements: (0..<rows).map { $0 % max(1, size) })
      value = try value.rearranged(.gather(indices, axis: axis))
    }
    return value
  }

  fileprivate func reshape(
    _ value: ONNXValue<Scalar>, to shape: [Int]
  ) throws(ONNXError) -> ONNXValue<Scalar> {
    try value.rearranged(.reshape(shape))
  }
}
