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
    // Values on whose way something else than another order has happened.
    var changed: Set<String> = []
    // What a recurrent operator puts out, directions side by side.
    var sequences: Set<String> = []
    // What is computed while the graph runs from numbers of the file that are not zero.
    var filled: Set<String> = []
    // What is computed of the outputs of recurrent layers, their shapes aside.
    var carried: Set<String> = []
    func isFilled(_ input: String) -> Bool {
      if filled.contains(input) { return true }
      guard case .real(let values)? = known[input] else { return false }
      return values.elements.contains { $0 != 0 }
    }
    var (total, work) = (0, 0)
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
        // A network's layers begin with states that are given, or zero: any other would be lost.
        for (state, index) in [("initial_h", 5), ("initial_c", 6)] where index < node.input.count {
          let input = node.input[index]
          guard !input.isEmpty else { continue }
          if isFilled(input) {
            throw ONNXError(.unsupported("\(state) from numbers in the file"), node: name)
          }
          if carried.contains(input) {
            throw ONNXError(.unsupported("\(state) from another recurrent layer"), node: name)
          }
        }
        let source = node.input.first.flatMap { sources[$0] }
        guard source == (levels.isEmpty ? nil : levels.count - 1) else {
          throw ModelImportError(
            .doesNotFit("expected a stack, found recurrent layers side by side"), name: name)
        }
        if let x = node.input.first, changed.contains(x) {
          throw ModelImportError(
            .doesNotFit(
              "expected the outputs of the layer below, found them changed on the way (\(others.joined(separator: ", ")))"
            ), name: name)
        }
        levels.append(try settings.layers(arrays))
        for output in node.output { sources[output] = levels.count - 1 }
        if let y = node.output.first { sequences.insert(y) }
        // An output that is left out has no name.
        carried.formUnion(node.output.filter { !$0.isEmpty })
        // Final states are no sequence.
        changed.formUnion(node.output.dropFirst())
        continue
      }
      let isChanged =
        below != nil && !Self.movers.contains(node.opType)
        && !Self.takesDirection(node, sequences, known)
        || node.input.contains { changed.contains($0) }
      for output in node.output {
        if let below { sources[output] = below }
        if isChanged { changed.insert(output) }
      }
      if below != nil && !Self.movers.contains(node.opType) && !Self.counters.contains(node.opType)
      {
        others.append(node.opType)
      }
      // A shape says nothing of the numbers.
      if node.opType != "Shape" {
        let outputs = node.output.filter { !$0.isEmpty }
        if node.input.contains(where: isFilled) || Self.holdsNumber(node, as: Scalar.self) {
          filled.formUnion(outputs)
        }
        if node.input.contains(where: carried.contains) { carried.formUnion(outputs) }
      }
      // What depends on constants alone is a constant: weights that are transposed or joined.
      guard node.input.allSatisfy({ $0.isEmpty || known[$0] != nil }) else { continue }
      work += node.input.reduce(0) { $0 + (known[$1]?.count ?? 0) }
      guard work <= ONNXLimits.work else {
        throw ONNXError(.wrongValue("expected constants of less work"), node: name)
      }
      if let results = try? NodeRun(node, opset: opset, known).results() {
        for (output, value) in zip(node.output, results) {
          known[output] = value
          total += value?.count ?? 0
        }
        guard total <= 2 * ONNXLimits.numbers else {
          throw ONNXError(
            .wrongValue("expected fewer constants, found \(total) numbers"), node: name)
        }
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
    "Transpose", "Squeeze", "Unsqueeze", "Reshape", "Identity", "Dropout", "Cast", "Concat",
    "Split",
  ]
  /// What exporters compute sizes with; of a layer's outputs it makes something else.
  private static let counters: Set<String> = [
    "Shape", "Gather", "Slice", "Expand", "Constant", "ConstantOfShape",
  ]

  /// Whether a node fills a shape with a number that is not zero.
  private static func holdsNumber<Scalar: KernelScalar>(
    _ node: Unroll_Onnx_Node, as type: Scalar.Type
  ) -> Bool {
    guard node.opType == "ConstantOfShape",
      let attribute = node.attribute.first(where: { $0.name == "value" }),
      case .real(let values)? = try? ONNXValue<Scalar>(attribute.t)
    else { return false }
    return values.elements.contains { $0 != 0 }
  }

  /// Whether a node takes the directions of `[T, directions, B, H]` apart, as tf2onnx does.
  private static func takesDirection<Scalar>(
    _ node: Unroll_Onnx_Node, _ sequences: Set<String>, _ known: [String: ONNXValue<Scalar>]
  ) -> Bool {
    guard node.opType == "Slice", node.input.count > 3, sequences.contains(node.input[0]),
      case .integers(let axes)? = known[node.input[3]]
    else { return false }
    return axes.elements == [1]
  }

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
