internal import Foundation
internal import Unroll

/// One node with the values that it reads.
struct NodeRun<Scalar: KernelScalar> {
  let node: NodeProto
  let opset: Int
  private let values: [String: ONNXValue<Scalar>]

  init(_ node: NodeProto, opset: Int, _ values: [String: ONNXValue<Scalar>]) {
    self.node = node
    self.opset = opset
    self.values = values
  }

  /// A value for each output; nil where the operator does not give one.
  func results() throws(ONNXError) -> [ONNXValue<Scalar>?] {
    switch node.opType {
    case "RNN", "GRU", "LSTM": return try recurrent()
    case "Constant": return [try constant()]
    case "ConstantOfShape": return [try constantOfShape()]
    case "Identity", "Dropout": return [try input(0)]
    case "Shape": return [try shapeOf()]
    case "Cast": return [try cast()]
    case "Squeeze": return [try squeezed()]
    case "Unsqueeze": return [try unsqueezed()]
    case "Transpose": return [try transposed()]
    case "Reshape": return [try reshaped()]
    case "Flatten": return [try flattened()]
    case "Expand": return [try expanded()]
    case "Concat": return [try concatenated()]
    case "Slice": return [try sliced()]
    case "Split": return try split().map { $0 }
    case "Gather": return [try gathered()]
    case "MatMul": return [try matrixProduct()]
    case "Gemm": return [try generalProduct()]
    case "Add", "Sub", "Mul", "Div": return [try arithmetic()]
    case "Softmax", "LogSoftmax": return [try softmax()]
    case "Tanh", "Sigmoid", "Relu": return [try activation()]
    case "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual": return [try comparison()]
    case "And", "Or", "Not": return [try logic()]
    case "Tile": return [try tiled()]
    case "ReverseSequence": return [try reversedSequences()]
    default: throw ONNXError(.unsupported("the operator \(node.opType)"))
    }
  }

  // MARK: Inputs and attributes

  /// Whether there is an input at a place.
  func has(_ index: Int) -> Bool { index < node.input.count && !node.input[index].isEmpty }

  func input(_ index: Int) throws(ONNXError) -> ONNXValue<Scalar> {
    guard has(index) else { throw ONNXError(.missing("input \(index)")) }
    guard let value = values[node.input[index]] else {
      throw ONNXError(.missing(node.input[index]))
    }
    return value
  }

  func real(_ index: Int) throws(ONNXError) -> NDArray<Scalar> {
    guard case .real(let array) = try input(index) else {
      throw ONNXError(
        .wrongValue("expected floating-point numbers in input \(index), found integers"))
    }
    return array
  }

  func integers(_ index: Int) throws(ONNXError) -> NDArray<Int> {
    guard case .integers(let array) = try input(index) else {
      throw ONNXError(
        .wrongValue("expected integers in input \(index), found floating-point numbers"))
    }
    return array
  }

  func attribute(_ name: String) -> AttributeProto? {
    node.attribute.first { $0.name == name }
  }

  func integer(_ name: String) -> Int? {
    attribute(name)?.i.map { Int(clamping: $0) }
  }

  func number(_ name: String) -> Double? {
    attribute(name)?.f.map { Double($0) }
  }

  func integers(_ name: String) -> [Int]? {
    attribute(name).map { $0.ints.map { Int(clamping: $0) } }
  }

  /// Integers that are an attribute in older operators and an input in newer ones.
  func integers(_ name: String, orInput index: Int) throws(ONNXError) -> [Int]? {
    if has(index) { return try integers(index).elements }
    return integers(name)
  }

  // MARK: Constants

  private func constant() throws(ONNXError) -> ONNXValue<Scalar> {
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

  private func constantOfShape() throws(ONNXError) -> ONNXValue<Scalar> {
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
}
