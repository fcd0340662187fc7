internal import Foundation
internal import Unroll

/// Follows a graph with inputs of certain sizes: what each recurrent layer reads, and what happens to
/// its outputs.
struct GraphProbe<Scalar: KernelScalar> {
  package typealias Value = FlowValue<Scalar>

  /// A recurrent layer of the graph.
  struct Level {
    var node: NodeProto
    var settings: NodeRun<Scalar>.Settings
    /// W, R, B and P, with the names that the graph gives them.
    var arrays: [String: (name: String, values: NDArray<Scalar>)]
  }

  let opset: Int
  private let operators = GraphOperator<Scalar>.table
  let sizes: ProbeSizes
  var values: [String: Value] = [:]
  var levels: [Level] = []
  var sources: [FlowSource] = []
  var report = ImportReport()
  /// The error for each array of the file that could not be read.
  var unreadable: [String: ONNXError] = [:]
  /// The graph's inputs that the first layer reads.
  var sequenceInputs: Set<String> = []
  private var nextPlace = 1
  private var (total, work) = (0, 0)
  /// The number of branches around the nodes that are followed.
  var depth = 0
  /// The number of places of all values that a later node reads, and the last node that reads each value.
  private var livePlaces = 0
  private var lastUses: [String: Int] = [:]

  /// The maximum number of places that are stored at a time.
  private static var mostPlaces: Int { 4 * ProbeSizes.limit }

  init(_ model: ModelProto, opset: Int, sizes: ProbeSizes, constants: [String: Value]) {
    (self.opset, self.sizes, values) = (opset, sizes, constants)
    // Branches read outer values by name, so a graph with branches keeps all values.
    if !model.graph.node.contains(where: { $0.opType == "If" }) {
      for (index, node) in model.graph.node.enumerated() {
        for name in node.input + node.output { lastUses[name] = index }
      }
      for output in model.graph.output { lastUses[output.name] = .max }
    }
    for input in model.graph.input where values[input.name] == nil {
      values[input.name] = declared(input)
    }
  }

  /// A new source, and its places in order.
  mutating func source(_ kind: FlowSource.Kind, _ shape: [Int]) -> NDArray<Int>? {
    guard let count = try? NDArray<Int>.count(shape), count > 0,
      livePlaces + count <= Self.mostPlaces
    else { return nil }
    let source = FlowSource(kind: kind, start: nextPlace, shape: shape)
    nextPlace += count
    sources.append(source)
    return NDArray(shape: shape, elements: Array(source.places))
  }

  private mutating func declared(_ input: ValueInfoProto) -> Value {
    var result = Value(.unknown)
    let type = input.type.tensorType
    if type.shape != nil, let array = source(.input(input.name), sizes.shape(of: input)) {
      let isReal = ONNXType(rawValue: type.elemType)?.isReal ?? true
      result = Value(.places(array, isReal: isReal))
      livePlaces += array.elements.count
    }
    result.inputs = [input.name]
    return result
  }

  /// The value of a name; of one that nothing gives, nothing is known.
  func value(_ name: String) -> Value {
    if let value = values[name] { return value }
    var result = Value(.unknown)
    result.inputs = [name]
    return result
  }

  // MARK: - Nodes

  /// Follows nodes in their order.
  ///
  /// - Throws: `ONNXError`, `ModelImportError` for what is no stack of recurrent layers.
  mutating func walk(_ nodes: [NodeProto]) throws {
    for (index, node) in nodes.enumerated() {
      set(node, try follow(node))
      if depth == 0 { release(after: index, node) }
    }
  }

  /// Applies the transfer function of a node's operator to what is known of its inputs.
  private mutating func follow(_ proto: NodeProto) throws -> [Value] {
    let node = FlowNode(proto: proto, inputs: proto.input.map { $0.isEmpty ? nil : value($0) })
    guard !proto.isForeignLayer else {
      throw ONNXError(
        .unsupported(
          "the recurrent operator \(proto.word), which is not one of ONNX's own (RNN, GRU, LSTM),"),
        node: node.name)
    }
    let row = (proto.isStandard ? operators[proto.opType] : nil) ?? .unknown
    guard row.foldsConstants, proto.isStandard else { return try row.transfer(&self, node) }
    let given = node.given
    work += given.reduce(0) { $0 + ($1.shape?.reduce(1, *) ?? 0) }
    guard work <= ONNXLimits.work, total <= 2 * ONNXLimits.numbers else {
      throw ONNXError(
        .wrongValue("expected a graph of less work, found \(total) numbers"), node: node.name)
    }
    return given.allSatisfy(\.isKnown) ? fold(node) : try row.transfer(&self, node)
  }

  /// Releases the places of values that no later node reads.
  private mutating func release(after index: Int, _ node: NodeProto) {
    for name in Set(node.input + node.output) where lastUses[name] == index {
      if case .places(let array, _)? = values[name]?.content {
        livePlaces -= array.elements.count
        values[name]?.content = .unknown
      }
    }
  }

  /// Evaluates a node on some values.
  func run(
    _ node: NodeProto, _ values: [String: ONNXValue<Scalar>]
  ) throws(ONNXError) -> [ONNXValue<Scalar>?] {
    try NodeRun(node, opset: opset, values, operators).results()
  }

  /// Stores the values of a node's outputs; outputs beyond `results` are unknown and depend on the same inputs.
  private mutating func set(_ node: NodeProto, _ results: [Value]) {
    for (index, name) in node.output.enumerated() where !name.isEmpty {
      var value = index < results.count ? results[index] : Value(.unknown)
      if index >= results.count, let first = results.first {
        value = Value(joining: [first])
        value.pass(node.word)
      }
      if case .places(let array, _) = value.content {
        if livePlaces + array.elements.count <= Self.mostPlaces {
          livePlaces += array.elements.count
        } else {
          value.content = .unknown
        }
      } else {
        total += value.shape?.reduce(1, *) ?? 0
      }
      values[name] = value
    }
  }

  /// Evaluates a node whose inputs are constants, such as weights that are transposed or joined.
  private func fold(_ node: FlowNode<Scalar>) -> [Value] {
    var known: [String: ONNXValue<Scalar>] = [:]
    for (name, input) in zip(node.proto.input, node.inputs) {
      if case .known(let value)? = input?.content { known[name] = value }
    }
    if let results = try? run(node.proto, known) {
      return results.map { $0.map { Value(known: $0) } ?? Value(.unknown) }
    }
    var result = Value(joining: node.given)
    result.pass(node.proto.word)
    result.isZero = false
    return [result]
  }

  /// The output of an operator that computes: a new source, if its shape is known.
  mutating func computed(_ node: FlowNode<Scalar>, shape: [Int]?) -> [Value] {
    var result = Value(joining: node.given.map(settled))
    result.pass(node.proto.word)
    (result.moves, result.isZero) = ([], false)
    if let shape, let array = source(.computed, shape) {
      result.content = .places(array, isReal: true)
    }
    return [result]
  }

  /// Appends the operators that moved a value's numbers to its path, unless the order of the source is restored.
  private func settled(_ value: Value) -> Value {
    guard !value.moves.isEmpty else { return value }
    var value = value
    defer { value.moves = [] }
    let arrangement = value.places.map { Arrangement($0, sources) }
    switch arrangement {
    case .axes, .reshaped: return value
    case .reordered:
      value.reorders = (value.reorders + value.moves.filter(reordersAxis)).unique
    case .other, nil: break
    }
    for name in value.moves { value.pass(name) }
    return value
  }

  /// Whether an operator can exchange numbers within an axis.
  func reordersAxis(_ name: String) -> Bool { operators[name]?.reordersAxis == true }
}

extension NodeProto {
  /// Whether the operator is one of ONNX's own.
  package var isStandard: Bool { domain.isEmpty || domain == "ai.onnx" }

  /// An attribute.
  func attribute(_ name: String) -> AttributeProto? { attribute.first { $0.name == name } }

  /// The operator with its domain, if that is not ONNX's own.
  package var word: String { isStandard ? opType : "\(domain)::\(opType)" }

  /// Whether an operator is named like a recurrent layer but is not one of ONNX's own.
  package var isForeignLayer: Bool {
    guard !isStandard || !ONNXClass.contains(opType) else { return false }
    return ["RNN", "GRU", "LSTM"].contains { opType.uppercased().contains($0) }
  }
}
