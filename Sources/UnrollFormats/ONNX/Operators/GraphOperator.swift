internal import Unroll

// The operators of ONNX. One table says how each is evaluated when a graph runs, and how what is known of its inputs passes
// through it when a network is imported. Each family of operators has a file with its rows and its functions.

/// An operator: how a node of it is evaluated, and its transfer function.
struct GraphOperator<Scalar: KernelScalar> {
  typealias Table = [String: GraphOperator]
  typealias Evaluation = (NodeRun<Scalar>) -> () throws(ONNXError) -> [ONNXValue<Scalar>?]
  /// Maps what is known of a node's inputs to what is known of its outputs.
  typealias Transfer = (inout GraphProbe<Scalar>, FlowNode<Scalar>) throws -> [FlowValue<Scalar>]

  /// Evaluates a node; nil if the operator is followed but not evaluated.
  var evaluate: Evaluation?
  /// Whether the results are constants where all inputs are.
  var foldsConstants: Bool
  /// Whether the operator can exchange numbers within an axis.
  var reordersAxis = false
  var transfer: Transfer

  init(
    evaluate: Evaluation? = nil, foldsConstants: Bool = true, transfer: @escaping Transfer
  ) {
    (self.evaluate, self.foldsConstants, self.transfer) = (evaluate, foldsConstants, transfer)
  }

  /// An operator with one output.
  init(
    one: @escaping (NodeRun<Scalar>) -> () throws(ONNXError) -> ONNXValue<Scalar>,
    transfer: @escaping Transfer
  ) {
    self.init(
      evaluate: { node in { () throws(ONNXError) in [try one(node)()] } }, transfer: transfer)
  }

  /// An operator that computes one output of a shape that its inputs determine.
  static func computing(
    _ one: ((NodeRun<Scalar>) -> () throws(ONNXError) -> ONNXValue<Scalar>)? = nil,
    shape: @escaping (FlowNode<Scalar>) -> [Int]?
  ) -> GraphOperator {
    let transfer: Transfer = { $0.computed($1, shape: shape($1)) }
    guard let one else { return GraphOperator(transfer: transfer) }
    return GraphOperator(one: one, transfer: transfer)
  }

  /// Every operator by its name.
  ///
  /// An operator that is not in the table computes numbers of which nothing is known: an import names it in the report, and an
  /// evaluation refuses its node.
  static var table: Table {
    [constants, moves, selections, arithmetic, logic, recurrent, control].reduce(into: [:]) {
      $0.merge($1) { first, _ in first }
    }
  }

  /// An operator that is not in the table.
  static var unknown: GraphOperator { .computing { _ in nil } }
}

extension ONNXModel {
  /// The operators that ``run(_:)`` evaluates, in alphabetical order.
  public static var operators: [String] {
    GraphOperator<Float>.table.filter { $0.value.evaluate != nil }.keys.sortedNames()
  }
}

/// A node of a graph that is imported, and what is known of its inputs.
struct FlowNode<Scalar: KernelScalar> {
  let proto: NodeProto
  /// A value for each input; nil where the input is left out.
  let inputs: [FlowValue<Scalar>?]

  /// The node's name; its operator if it has none.
  var name: String { proto.name.isEmpty ? proto.opType : proto.name }
  /// The inputs that are not left out.
  var given: [FlowValue<Scalar>] { inputs.compactMap(\.self) }
  /// The first input.
  var data: FlowValue<Scalar>? { inputs.first ?? nil }
  /// The shape of the first input.
  var dataShape: [Int]? { data?.shape }

  /// The shape that all inputs are broadcast to.
  var broadcastShape: [Int]? {
    guard var result = dataShape else { return nil }
    for input in inputs.dropFirst() {
      guard let shape = input?.shape, let common = try? NDArray<Int>.common(result, shape) else {
        return nil
      }
      result = common
    }
    return result
  }

  /// The shapes of the first two inputs.
  var twoShapes: (first: [Int], second: [Int])? {
    guard inputs.count > 1, let first = inputs[0]?.shape, let second = inputs[1]?.shape else {
      return nil
    }
    return (first, second)
  }

  /// An attribute that is an integer.
  func integer(_ name: String) -> Int? {
    proto.attribute(name)?.i.map { Int(clamping: $0) }
  }
}
