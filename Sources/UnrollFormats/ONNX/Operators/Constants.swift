internal import Unroll

// Constants, and the shapes of values, which are constants where they are known.
extension GraphOperator {
  /// Operators whose results do not depend on the numbers that they read.
  static var constants: Table {
    [
      "Constant": GraphOperator(one: NodeRun.constant) { _, _ in [FlowValue(.unknown)] },
      "ConstantOfShape": GraphOperator(one: NodeRun.constantOfShape) { [$0.filled($1)] },
      "Shape": GraphOperator(one: NodeRun.shapeOf) { [$0.shape($1)] },
      "Size": GraphOperator { _, _ in [FlowValue(.unknown)] },
    ]
  }
}

extension GraphProbe {
  /// A number repeated in a shape that is not known.
  fileprivate func filled(_ node: FlowNode<Scalar>) -> Value {
    var result = Value(.unknown)
    let value = node.proto.attribute("value").flatMap {
      try? ONNXValue<Scalar>(attribute: $0)
    }
    if case .real(let array)? = value { result.isFilled = array.elements.contains { $0 != 0 } }
    result.isZero = !result.isFilled
    return result
  }

  /// The shape of a value, whose numbers need not be known.
  fileprivate func shape(_ node: FlowNode<Scalar>) -> Value {
    guard let shape = node.given.first?.shape else { return Value(.unknown) }
    let zeros = NDArray(shape: shape, elements: Array(repeating: 0, count: shape.reduce(1, *)))
    let sizes = try? run(node.proto, [node.proto.input[0]: .integers(zeros)]).first
    guard case .some(.some(let sizes)) = sizes else { return Value(.unknown) }
    return Value(known: sizes)
  }
}

extension NodeRun {
  fileprivate func constant() throws(ONNXError) -> ONNXValue<Scalar> {
    if let attribute = attribute("value") { return try ONNXValue(attribute: attribute) }
    if let value = integer("value_int") {
      return .integers(NDArray(shape: [], elements: [value]))
    }
    if let value = number("value_float") {
      return .real(NDArray(shape: [], elements: [Scalar(value)]))
    }
    if let list = integers("value_ints") {
      return .integers(NDArray(shape: [list.count], elements: list))
    }
    if let list = attribute("value_floats")?.floats {
      return .real(NDArray(shape: [list.count], elements: list.map { Scalar(Double($0)) }))
    }
    throw ONNXError(.unsupported("a constant that is neither tensor nor number"))
  }

  fileprivate func constantOfShape() throws(ONNXError) -> ONNXValue<Scalar> {
    let shape = try integers(0).elements
    let count = try NDArray<Int>.count(shape)
    let value: ONNXValue<Scalar> =
      if let attribute = attribute("value") {
        try ONNXValue(attribute: attribute)
      } else {
        .real(NDArray(shape: [1], elements: [0]))
      }
    switch value {
    case .real(let array):
      guard let number = array.elements.first else { throw ONNXError(.missing("value")) }
      return .real(NDArray(shape: shape, elements: Array(repeating: number, count: count)))
    case .integers(let array):
      guard let number = array.elements.first else { throw ONNXError(.missing("value")) }
      return .integers(NDArray(shape: shape, elements: Array(repeating: number, count: count)))
    }
  }

  fileprivate func shapeOf() throws(ONNXError) -> ONNXValue<Scalar> {
    let shape = try input(0).shape
    let range = shape.indices.clamped(
      to: bound(
        "start", 0, shape.count)..<max(
          bound("start", 0, shape.count), bound("end", shape.count, shape.count)))
    return .integers(NDArray(shape: [range.count], elements: Array(shape[range])))
  }

  /// A bound of `Shape`, which may count from the end.
  fileprivate func bound(_ name: String, _ standard: Int, _ rank: Int) -> Int {
    let value = integer(name) ?? standard
    return min(max(value < 0 ? value + rank : value, 0), rank)
  }
}
