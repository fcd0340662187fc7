internal import Foundation
public import Unroll

// A graph becomes a network if its recurrent layers form a stack. That is proved: the graph's inputs are
// replaced by places (FlowValue), which are moved as the graph moves numbers, once for each of two pairs of
// sizes, and every layer must read exactly what the network's layer would read. What comes before the
// first layer and after the last is named in the report.

extension ONNXModel {
  /// Takes the recurrent layers out of a graph: those whose weights are in the file, in their order.
  ///
  /// - Returns: The network, and a report: a line for each array that became part of it, and for each thing that the
  ///   graph does and the network does not.
  /// - Throws: `ONNXError` if there is none, or one has settings that Unroll does not have;
  ///   `ModelImportError` if the layers are not a stack.
  public func network<Scalar: KernelScalar>(
    as type: Scalar.Type = Scalar.self
  ) throws -> (network: RecurrentNetwork<Scalar>, report: ImportReport) {
    let stored = model.graph.initializer.reduce(0) { $0 + $1.byteCount }
    return try ONNXLimits.$numbers.withValue(ONNXLimits.limit(given: stored)) {
      try stack(as: Scalar.self)
    }
  }

  private func stack<Scalar: KernelScalar>(
    as type: Scalar.Type
  ) throws -> (network: RecurrentNetwork<Scalar>, report: ImportReport) {
    var constants: [String: FlowValue<Scalar>] = [:]
    var unreadable: [String: ONNXError] = [:]
    for data in model.graph.initializer {
      do throws(ONNXError) {
        constants[data.name] = FlowValue(known: try ONNXValue(data))
      } catch {
        // Only an error if a layer needs it.
        (constants[data.name], unreadable[data.name]) = (FlowValue(.unknown), error)
      }
    }
    var first: GraphProbe<Scalar>?
    for sizes in probeSizes(constants) {
      var probe = GraphProbe(model, opset: opset, sizes: sizes, constants: constants)
      probe.unreadable = unreadable
      try probe.walk(model.graph.node)
      probe.conclude(model.graph.output.map(\.name))
      for line in first?.report.notes ?? [] { probe.report.note(line) }
      for line in first?.report.omissions ?? [] { probe.report.omit(line) }
      first = probe
    }
    guard let probe = first, !probe.levels.isEmpty else { throw ONNXError(.noNetwork) }
    var levels: [[RecurrentLayer<Scalar>]] = []
    var mappings: [String] = []
    for (index, level) in probe.levels.enumerated() {
      for (array, stored) in level.arrays.sorted(by: { Self.rank($0.key) < Self.rank($1.key) }) {
        mappings.append(
          "\(stored.name) \(stored.values.shape) → level \(index), \(Self.effect(array, level.node.opType))"
        )
      }
      levels.append(try level.settings.layers(level.arrays.mapValues(\.values)))
    }
    var report = probe.report
    report.mappings = mappings
    return (try RecurrentNetwork(fitting: levels), report)
  }

  /// Sizes for the probes; the features that the first layer reads are known from its weights.
  private func probeSizes<Scalar>(_ constants: [String: FlowValue<Scalar>]) -> [ProbeSizes] {
    var (layers, inputSize) = (Set<Int>(), 0)
    for node in model.graph.node where ONNXClass.contains(node.opType) {
      for index in [1, 2] where index < node.input.count {
        guard let shape = constants[node.input[index]]?.shape, shape.count == 3 else { continue }
        layers.formUnion([shape[2], shape[0] * shape[2]])
        if inputSize == 0, index == 1 { inputSize = shape[2] }
      }
    }
    return ProbeSizes.probes(model.graph, layers: layers, inputSize: max(1, inputSize))
  }

  private static func rank(_ array: String) -> Int {
    ["W", "R", "B", "P"].firstIndex(of: array) ?? 4
  }

  private static func effect(_ array: String, _ type: String) -> String {
    let order = ONNXClass(named: type)?.blocks ?? ""
    return switch array {
    case "W": "W, transposed\(order)"
    case "R": "U, transposed\(order)"
    case "B": "b, and what is added in the recurrent product\(order)"
    default: "peepholes, i o f become i f o"
    }
  }
}

extension GraphProbe {
  /// Reports the operators between the last layer and the graph's outputs.
  mutating func conclude(_ outputs: [String]) {
    guard let last = levels.indices.last else { return }
    for name in outputs {
      let output = value(name)
      guard let level = output.level else {
        if !output.isKnown {
          let made = (output.path + output.moves).unique.joined(separator: ", ")
          report.omit(
            "the output '\(name)', which no recurrent layer computes\(made.isEmpty ? "" : " (\(made))")"
          )
        }
        continue
      }
      if output.path.isEmpty, let places = output.places,
        case .axes(let order, let source) = Arrangement(places, sources), order != order.sorted(),
        case .outputs = sources[source].kind
      {
        report.note(
          "the graph transposes its output '\(name)'; the network puts out [T, B, features]")
      }
      let between = operators(after: output)
      if level < last, !isState(output) || !between.isEmpty {
        report.omit(
          "the output '\(name)', which is level \(level)'s\(between.isEmpty ? "" : " after \(between.joined(separator: ", "))"); the network puts out level \(last)'s"
        )
      } else if !between.isEmpty {
        report.omit(
          "\(between.joined(separator: ", ")), between level \(last) and the graph's output '\(name)'"
        )
      }
    }
  }

  /// Whether places are a level's outputs as its operator puts them out, directions apart.
  private func isRaw(_ places: NDArray<Int>) -> Bool {
    guard let first = places.elements.first,
      let place = sources.index(of: first),
      case .outputs(let index) = sources[place].kind,
      sources[place].count == places.elements.count
    else { return false }
    let source = sources[place]
    let whole = NDArray(shape: source.shape, elements: Array(source.places))
    let level = levels[index]
    let raw = try? Self.raw(whole, level, level.settings.directions.count)
    return raw?.elements == places.elements
  }

  private func isState(_ value: Value) -> Bool {
    guard let places = value.places?.elements else { return false }
    let (used, isComplete) = sources.used(by: places)
    return isComplete && used.allSatisfy { if case .state = $0.kind { true } else { false } }
  }

  /// The operators that changed a layer's outputs, or their order; none if all are there in order.
  private func operators(after output: Value) -> [String] {
    let whole = (output.path + output.moves).unique
    guard output.path.isEmpty, !output.moves.isEmpty, let places = output.places else {
      guard output.places.map({ Arrangement($0, sources).isAxes }) == true else { return whole }
      return output.path.unique
    }
    if isRaw(places) { return [] }
    if Arrangement(places, sources).isAxes { return [] }
    let isAscending = zip(places.elements, places.elements.dropFirst()).allSatisfy { $0 < $1 }
    return isState(output) && isAscending ? [] : whole
  }
}
