#if ONNX
internal import Foundation
public import Unroll
internal import UnrollFormats

extension ONNXModel {
  /// Takes the recurrent layers out of a graph: those whose weights are in the file, in their order.
  ///
  /// - Returns: The network, and a line for each array that became part of it.
  /// - Throws: `ONNXError` if there is none, or one has settings that Unroll does not have;
  ///   `ModelImportError` if the layers are not a stack.
  public func network<Scalar: KernelScalar>(
    as type: Scalar.Type = Scalar.self
  ) throws -> (network: RecurrentNetwork<Scalar>, mappings: [String]) {
    let stored = model.graph.initializer.reduce(0) { $0 + $1.byteCount }
    return try ONNXLimits.$numbers.withValue(ONNXLimits.limit(given: stored)) {
      try stack(as: Scalar.self)
    }
  }

  private func stack<Scalar: KernelScalar>(
    as type: Scalar.Type
  ) throws -> (network: RecurrentNetwork<Scalar>, mappings: [String]) {
    var known: [String: ONNXValue<Scalar>] = [:]
    for data in model.graph.initializer { known[data.name] = try ONNXValue(data) }
    var (levels, mappings) = ([[RecurrentLayer<Scalar>]](), [String]())
    var others: [String] = []
    // What each value comes from: the level of the last recurrent layer on the way to it.
    var sources: [String: Int] = [:]
    for node in model.graph.node {
      let name = node.name.isEmpty ? node.opType : node.name
      guard !["Loop", "Scan", "If"].contains(node.opType) else {
        throw ONNXError(.unsupported("a graph with the operator \(node.opType)"), node: name)
      }
      let below = node.input.compactMap { sources[$0] }.max()
      if ONNXCell.Kind(rawValue: node.opType) != nil {
        let settings = try NodeRun<Scalar>.Settings(node)
        var arrays: [String: NDArray<Scalar>] = [:]
        for (array, index) in [("W", 1), ("R", 2), ("B", 3), ("P", 7)] {
          guard index < node.input.count, !node.input[index].isEmpty else { continue }
          guard case .real(let values)? = known[node.input[index]] else {
            throw ONNXError(
              .unsupported("\(array), which is not in the file but computed,"), node: name)
          }
          arrays[array] = values
          mappings.append(
            "\(node.input[index]) \(values.shape) → level \(levels.count), \(Self.effect(array, node.opType))"
          )
        }
        let source = node.input.first.flatMap { sources[$0] }
        guard source == (levels.isEmpty ? nil : levels.count - 1) else {
          throw ModelImportError(
            .doesNotFit("expected a stack, found recurrent layers side by side"), name: name)
        }
        levels.append(try settings.layers(arrays))
        for output in node.output { sources[output] = levels.count - 1 }
        continue
      }
      for output in node.output { if let below { sources[output] = below } }
      if below != nil && !Self.movers.contains(node.opType) { others.append(node.opType) }
      // What depends on constants alone is a constant: weights that are transposed or joined.
      if node.input.allSatisfy({ $0.isEmpty || known[$0] != nil }),
        let results = try? NodeRun(node, opset: opset, known).results()
      {
        for (output, value) in zip(node.output, results) { known[output] = value }
      }
    }
    guard !levels.isEmpty else { throw ONNXError(.noNetwork) }
    if !others.isEmpty {
      mappings.append(
        "left out, for they are no recurrent layers: \(others.joined(separator: ", "))")
    }
    return (try RecurrentNetwork(fitting: levels), mappings)
  }

  /// What only brings numbers into another order or type, as exporters put it between layers.
  private static let movers: Set<String> = [
    "Transpose", "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Identity", "Dropout", "Shape",
    "Gather", "Slice", "Concat", "Cast", "Expand", "Split", "Constant", "ConstantOfShape",
  ]

  private static func effect(_ array: String, _ type: String) -> String {
    let order =
      switch type {
      case "GRU": ", blocks z r h become r z n"
      case "LSTM": ", blocks i o f c become i f g o"
      default: ""
      }
    return switch array {
    case "W": "W, transposed\(order)"
    case "R": "U, transposed\(order)"
    case "B": "b, and what is added in the recurrent product\(order)"
    default: "peepholes, i o f become i f o"
    }
  }
}
#endif
