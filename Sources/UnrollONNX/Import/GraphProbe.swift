internal import Foundation
internal import Unroll
internal import UnrollFormats

/// A walk through a graph with inputs of certain sizes: what each recurrent layer reads, and what becomes of
/// its outputs.
struct GraphProbe<Scalar: KernelScalar> {
  package typealias Value = FlowValue<Scalar>

  /// A recurrent layer that was found on the way.
  struct Level {
    var node: NodeProto
    var settings: NodeRun<Scalar>.Settings
    /// W, R, B and P, with the names that the graph gives them.
    var arrays: [String: (name: String, values: NDArray<Scalar>)]
  }

  let opset: Int
  let sizes: ProbeSizes
  var values: [String: Value] = [:]
  var levels: [Level] = []
  var sources: [FlowSource] = []
  var report = ImportReport()
  /// Why an array of the file could not be read.
  var unreadable: [String: ONNXError] = [:]
  /// The graph's inputs that the first layer reads.
  var sequenceInputs: Set<String> = []
  private var nextPlace = 1
  private var (total, work) = (0, 0)
  private var depth = 0
  /// How many places all values have that are still needed, and after which node each is not.
  private var livePlaces = 0
  private var lastUses: [String: Int] = [:]

  /// The most places that are kept at a time.
  private static var mostPlaces: Int { 4 * ProbeSizes.limit }

  init(_ model: ModelProto, opset: Int, sizes: ProbeSizes, constants: [String: Value]) {
    (self.opset, self.sizes, values) = (opset, sizes, constants)
    // Branches read outer values by their names alone: where there are some, all values are kept.
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

  /// Walks through nodes in their order.
  ///
  /// - Throws: `ONNXError`, `ModelImportError` for what is no stack of recurrent layers.
  mutating func walk(_ nodes: [NodeProto]) throws {
    for (index, node) in nodes.enumerated() {
      defer { if depth == 0 { release(after: index, node) } }
      let name = node.name.isEmpty ? node.opType : node.name
      guard node.isStandard, !node.isForeignLayer else {
        try passForeign(node, name)
        continue
      }
      switch node.opType {
      case "RNN", "GRU", "LSTM": try enter(node, name)
      case "Loop", "Scan":
        throw ONNXError(.unsupported("a graph with the operator \(node.opType)"), node: name)
      case "If": try choose(node, name)
      default: try pass(node, name)
      }
    }
  }

  /// Forgets the places of values that no later node reads.
  private mutating func release(after index: Int, _ node: NodeProto) {
    for name in Set(node.input + node.output) where lastUses[name] == index {
      if case .places(let array, _)? = values[name]?.content {
        livePlaces -= array.elements.count
        values[name]?.content = .unknown
      }
    }
  }

  private mutating func passForeign(_ node: NodeProto, _ name: String) throws {
    guard !node.isForeignLayer else {
      throw ONNXError(
        .unsupported(
          "the recurrent operator \(node.word), which is not one of ONNX's own (RNN, GRU, LSTM),"),
        node: name)
    }
    compute(node, node.input.filter { !$0.isEmpty }.map(value), shape: nil)
  }

  private mutating func pass(_ node: NodeProto, _ name: String) throws {
    let inputs = node.input.map { $0.isEmpty ? nil : value($0) }
    let given = inputs.compactMap(\.self)
    work += given.reduce(0) { $0 + ($1.shape?.reduce(1, *) ?? 0) }
    guard work <= ONNXLimits.work, total <= 2 * ONNXLimits.numbers else {
      throw ONNXError(
        .wrongValue("expected a graph of less work, found \(total) numbers"), node: name)
    }
    if given.allSatisfy(\.isKnown) {
      fold(node, given)
    } else if node.opType == "Shape", let shape = given.first?.shape {
      let size = NodeRun<Scalar>(
        node, opset: opset,
        [node.input[0]: .integers(NDArray(shape: shape, elements: Self.zeros(shape)))])
      if let result = try? size.results().first, let sizes = result {
        set(node, [Value(known: sizes)])
      }
    } else if node.opType == "Shape" || node.opType == "Size" {
      set(node, [Value(.unknown)])
    } else if let moved = moved(node, inputs) {
      set(node, moved)
    } else {
      compute(node, given, shape: outputShape(node, inputs))
    }
  }

  private static func zeros(_ shape: [Int]) -> [Int] {
    Array(repeating: 0, count: shape.reduce(1, *))
  }

  /// Names a node's outputs; those beyond `results` are unknown and made of the same.
  mutating func set(_ node: NodeProto, _ results: [Value]) {
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

  /// What depends on constants alone is a constant: weights that are transposed or joined.
  private mutating func fold(_ node: NodeProto, _ inputs: [Value]) {
    var known: [String: ONNXValue<Scalar>] = [:]
    for name in node.input {
      if case .known(let value)? = values[name]?.content { known[name] = value }
    }
    if let results = try? NodeRun(node, opset: opset, known).results() {
      set(node, results.map { $0.map { Value(known: $0) } ?? Value(.unknown) })
      return
    }
    var result = Value(joining: inputs)
    result.pass(node.word)
    result.isZero = false
    set(node, [result])
  }

  /// The outputs of an operator that computes.
  mutating func compute(_ node: NodeProto, _ inputs: [Value], shape: [Int]?) {
    var result = Value(joining: inputs.map(settled))
    result.pass(node.word)
    (result.moves, result.isZero) = ([], false)
    if let shape, let array = source(.computed, shape) {
      result.content = .places(array, isReal: node.opType != "ArgMax")
    }
    set(node, [result])
  }

  /// Takes what moved a value's numbers into its path, unless they lie as they did in the source.
  func settled(_ value: Value) -> Value {
    guard !value.moves.isEmpty else { return value }
    var value = value
    defer { value.moves = [] }
    let arrangement = value.places.map { Arrangement($0, sources) }
    switch arrangement {
    case .axes, .reshaped: return value
    case .reordered:
      value.reorders = (value.reorders + value.moves.filter(Self.turners.contains)).unique
    case .other, nil: break
    }
    for name in value.moves { value.pass(name) }
    return value
  }

  /// Operators that can exchange numbers within an axis.
  static var turners: Set<String> { ["Slice", "Gather", "Concat", "ReverseSequence"] }

  // MARK: - Branches

  /// Follows the branch that is taken, or both if they do the same.
  private mutating func choose(_ node: NodeProto, _ name: String) throws {
    guard depth < 8 else { throw ONNXError(.unsupported("If within If, 9 deep,"), node: name) }
    depth += 1
    defer { depth -= 1 }
    let condition = node.input.first.map(value) ?? Value(.unknown)
    if case .known(.integers(let array)) = condition.content, let flag = array.elements.first {
      let results = try branch(node, flag != 0 ? "then_branch" : "else_branch", name)
      set(node, results)
      return
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
    if isSame {
      set(node, then)
    } else {
      compute(node, [condition] + then + otherwise, shape: nil)
      // The second output of an If is no mask.
      if let first = node.output.first, let value = values[first] {
        for output in node.output.dropFirst() { values[output] = value }
      }
    }
  }

  private mutating func branch(
    _ node: NodeProto, _ branch: String, _ name: String
  ) throws -> [Value] {
    guard let message = node.attribute.first(where: { $0.name == branch })?.g else {
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

extension NodeProto {
  /// Whether the operator is one of ONNX's own.
  package var isStandard: Bool { domain.isEmpty || domain == "ai.onnx" }

  /// The operator with its domain, if that is not ONNX's own.
  package var word: String { isStandard ? opType : "\(domain)::\(opType)" }

  /// Whether an operator is called like a recurrent layer, but is none of ONNX's own.
  package var isForeignLayer: Bool {
    guard !isStandard || !ONNXClass.contains(opType) else { return false }
    return ["RNN", "GRU", "LSTM"].contains { opType.uppercased().contains($0) }
  }
}
