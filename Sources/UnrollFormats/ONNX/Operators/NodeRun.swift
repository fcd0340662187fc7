internal import Foundation
internal import Unroll

/// One node with the values that it reads.
struct NodeRun<Scalar: KernelScalar> {
  let node: NodeProto
  let opset: Int
  private let values: [String: ONNXValue<Scalar>]
  private let operators: GraphOperator<Scalar>.Table

  init(
    _ node: NodeProto, opset: Int, _ values: [String: ONNXValue<Scalar>],
    _ operators: GraphOperator<Scalar>.Table
  ) {
    (self.node, self.opset, self.values, self.operators) = (node, opset, values, operators)
  }

  /// Evaluates the node.
  ///
  /// - Returns: A value for each output; nil where the operator does not give one.
  /// - Throws: `ONNXError` for an operator that is not evaluated, or values that do not fit it.
  func results() throws(ONNXError) -> [ONNXValue<Scalar>?] {
    guard let evaluate = operators[node.opType]?.evaluate else {
      throw ONNXError(.unsupported("the operator \(node.opType)"))
    }
    return try evaluate(self)()
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

  func attribute(_ name: String) -> AttributeProto? { node.attribute(name) }

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

  /// An axis that may count from the end.
  static func axis(_ axis: Int, _ rank: Int) throws(ONNXError) -> Int {
    let result = axis < 0 ? axis + rank : axis
    guard (0..<rank).contains(result) else {
      throw ONNXError(.wrongValue("expected an axis below \(rank), found \(axis)"))
    }
    return result
  }
}
