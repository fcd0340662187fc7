// MLX's `nn.RNN`, `nn.GRU`, `nn.LSTM`: matrices by output row, as PyTorch's, and one bias.
//
//   RNN    Wxh [H, D], Whh [H, H], bias [H]
//   GRU    Wx [3·H, D], Wh [3·H, H], b [3·H], bhn [H]; blocks r, z, n; reset gate after the product
//   LSTM   Wx [4·H, D], Wh [4·H, H], bias [4·H]; blocks i, f, g, o

internal import Unroll

/// The classes of `mlx.nn`.
struct MLXClass: CellClass {
  static let program = "MLX"
  static let all = [
    MLXClass(kind: .rnn, name: "rnn", input: "Wxh", recurrent: "Whh", bias: "bias", blocks: ""),
    MLXClass(
      kind: .gruResetAfter, name: "gru", input: "Wx", recurrent: "Wh", bias: "b",
      blocks: ", blocks r z n as ours"),
    MLXClass(
      kind: .lstm, name: "lstm", input: "Wx", recurrent: "Wh", bias: "bias",
      blocks: ", blocks i f g o as ours"),
  ]

  let kind: CellKind
  let name: String
  /// The names of the arrays; `bhn` is a second bias, inside the candidate's product.
  let input, recurrent, bias: String
  /// The order of the row blocks, for reports.
  let blocks: String

  /// The names of all arrays.
  var roles: [String] { [input, recurrent, bias] + (hasSecondBias ? ["bhn"] : []) }

  var hasSecondBias: Bool { kind.candidate == .separate }
}

extension CellParameters {
  /// Two biases as MLX and Equinox have them: those of the other gates in one, and the candidate's second `[H]`.
  var biasesOfOneAndCandidate: (bias: Tensor<Scalar>, candidate: Tensor<Scalar>) {
    var bias = bias
    guard !recurrentBias.isEmpty else { return (bias, Tensor(shape: [hiddenSize])) }
    let columns = columns(of: .candidate)
    let others = 0..<columns.lowerBound
    bias[others] += recurrentBias[others]
    return (bias, recurrentBias[columns])
  }
}

/// One layer of MLX.
struct MLXCell: CellConvention {
  let cellClass: MLXClass
  var usesBias = true
  /// `nonlinearity` of `nn.RNN`.
  var activation = Activation.tanh

  func cell<Scalar: KernelScalar>(
    from arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> Cell<Scalar> {
    let kind = cellClass.kind
    let u = try array(cellClass.recurrent, in: arrays, shape: [nil, nil])
    let size = u.shape[1]
    let width = kind.gateCount * size
    _ = try array(cellClass.recurrent, in: arrays, shape: [width, size])
    let w = try array(cellClass.input, in: arrays, shape: [width, nil])
    guard size > 0 else {
      throw ModelImportError(
        .wrongShape(expected: [kind.gateCount, 1], found: u.shape), name: cellClass.recurrent)
    }
    var parameters = CellParameters<Scalar>(
      gates: kind.gates, inputSize: w.shape[1], hiddenSize: size,
      hasRecurrentBias: cellClass.hasSecondBias)
    (parameters.inputWeights, parameters.recurrentWeights) = (w.transposed, u.transposed)
    if usesBias {
      parameters.bias = try array(cellClass.bias, in: arrays, shape: [width])
      if cellClass.hasSecondBias {
        let candidate = try array("bhn", in: arrays, shape: [size])
        parameters.recurrentBias[parameters.columns(of: .candidate)] = candidate
      }
    }
    return Cell(
      kind, parameters: parameters,
      options: CellOptions(activation: kind == .rnn ? activation : .tanh))
  }

  /// The recurrent biases of a GRU's r and z join its only bias.
  func arrays<Scalar: KernelScalar>(
    from parameters: CellParameters<Scalar>, role: ParameterRole
  ) -> [String: Tensor<Scalar>] {
    let (bias, candidate) = parameters.biasesOfOneAndCandidate
    var result = [
      cellClass.input: parameters.inputWeights.transposed,
      cellClass.recurrent: parameters.recurrentWeights.transposed, cellClass.bias: bias,
    ]
    if cellClass.hasSecondBias { result["bhn"] = candidate }
    return result
  }
}

/// The names of MLX's modules; a stack is a list of layers, `layers.0.Wx`.
struct MLXNames: NetworkNames {
  private static let roles = ["Wxh", "Whh", "Wx", "Wh", "bias", "b", "bhn"]

  func plans(
    _ shapes: [String: [Int]], _ metadata: [String: String], _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> [NetworkPlan] {
    var groups: [String: [Int: [String: String]]] = [:]
    for name in shapes.keys {
      var parts = name.split(separator: ".", omittingEmptySubsequences: false)
      guard let last = parts.popLast(), Self.roles.contains(String(last)) else { continue }
      var level = 0
      if let number = parts.last.flatMap({ Int($0) }), (0...9999).contains(number) {
        level = number
        parts.removeLast()
      }
      let prefix = parts.map { $0 + "." }.joined()
      groups[prefix, default: [:]][level, default: [:]][String(last)] = name
    }
    var plans: [NetworkPlan] = []
    for (prefix, levels) in groups.inKeyOrder {
      // Names such as `bias` are common: only those next to a recurrent matrix count.
      let recurrent = levels.filter { $0.value["Wh"] != nil || $0.value["Whh"] != nil }
      guard !recurrent.isEmpty else { continue }
      var layers: [LayerPlan] = []
      let gaps = try Self.gaps(prefix, Array(recurrent.keys).sorted(), shapes)
      for (level, entry) in recurrent.sorted(byNumber: { $0.key }).enumerated() {
        let names = entry.value
        let convention = try convention(names, shapes, assumptions)
        try Self.check(names, convention.cellClass)
        let name = names.values.min() ?? ""
        try Self.checkNeighbours(of: name, shapes)
        layers.append(
          LayerPlan(
            level: level, isBackward: false, convention: convention, names: names,
            effects: Self.effects(convention.cellClass),
            before: name.lastIndex(of: ".").map { String(name[...$0]) } ?? ""))
      }
      let hasRNN = recurrent.values.contains { $0["Whh"] != nil }
      plans.append(
        NetworkPlan(
          prefix: prefix, layers: layers,
          assumptions: gaps
            + (hasRNN && assumptions.activation == nil
              ? ["nonlinearity of nn.RNN is not in the file: tanh, its default"] : [])))
    }
    return plans
  }

  /// Places of a list that are between recurrent layers and have none: modules without arrays, such as dropout,
  /// are assumed to change nothing.
  ///
  /// - Throws: `ModelImportError` for one with arrays.
  private static func gaps(
    _ prefix: String, _ levels: [Int], _ shapes: [String: [Int]]
  ) throws(ModelImportError) -> [String] {
    var lines: [String] = []
    for (below, above) in zip(levels, levels.dropFirst()) where above - below > 1 {
      let between = (below + 1)..<above
      let arrays = shapes.keys.filter { name in
        name.hasPrefix(prefix)
          && name.dropFirst(prefix.count).split(separator: ".").first
            .flatMap { Int($0) }.map(between.contains) == true
      }
      if let array = arrays.min() {
        throw ModelImportError(
          .doesNotFit("stands between two recurrent layers, and is not taken over"), name: array)
      }
      lines.append(
        "the modules between \(prefix)\(below) and \(prefix)\(above) have no arrays: they change nothing, as dropout"
      )
    }
    return lines
  }

  /// Refuses arrays that a layer of MLX does not have: it would compute something else.
  private static func check(
    _ names: [String: String], _ cellClass: MLXClass
  ) throws(ModelImportError) {
    let known = cellClass.roles
    for (role, name) in names.inKeyOrder where !known.contains(role) {
      throw ModelImportError(
        .doesNotFit("expected \(known.joined(separator: ", ")) of MLX's \(cellClass.name)"),
        name: name)
    }
  }

  /// Refuses arrays that stand where a layer's own do.
  ///
  /// A hand-written cell has names of this kind, too. A single number is no parameter of a cell.
  private static func checkNeighbours(
    of name: String, _ shapes: [String: [Int]]
  ) throws(ModelImportError) {
    let place = name.lastIndex(of: ".").map { name[...$0] } ?? ""
    for (other, shape) in shapes.inKeyOrder
    where other.hasPrefix(place) && !shape.isEmpty {
      let last = other.dropFirst(place.count)
      guard !last.contains("."), !roles.contains(String(last)) else { continue }
      throw ModelImportError(
        .doesNotFit(
          "stands beside '\(name)', and no module of MLX has such an array; a hand-written cell computes something else"
        ), name: other)
    }
  }

  /// The layer that has such arrays.
  ///
  /// A GRU without biases has the arrays of an LSTM without them: their shapes tell.
  private func convention(
    _ names: [String: String], _ shapes: [String: [Int]], _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> MLXCell {
    let usesBias = names["bias"] != nil || names["b"] != nil
    guard names["Whh"] == nil else {
      return MLXCell(
        cellClass: try MLXClass(.rnn), usesBias: usesBias,
        activation: assumptions.activation ?? .tanh)
    }
    var isGRU = names["bhn"] != nil
    if let name = names["Wh"], let shape = shapes[name], shape.count == 2 {
      isGRU = isGRU || shape[0] == 3 * shape[1]
    }
    return MLXCell(cellClass: try MLXClass(isGRU ? .gruResetAfter : .lstm), usesBias: usesBias)
  }

  private static func effects(_ cellClass: MLXClass) -> [String: String] {
    let blocks = cellClass.blocks
    return [
      "Wxh": "W, transposed", "Whh": "U, transposed", "Wx": "W, transposed\(blocks)",
      "Wh": "U, transposed\(blocks)", "bias": "b", "b": "b",
      "bhn": "c of the candidate; zero for r and z",
    ]
  }

  func convention<Scalar: KernelScalar>(
    for cell: Cell<Scalar>
  ) throws(ModelImportError) -> any CellConvention {
    let kind = try cell.kind(for: "MLX")
    let cellClass = try MLXClass(kind)
    try CellDescription(cell).check(expressibleAs: CellDescription(kind: kind), in: "MLX")
    try cell.parameters.checkPlain(in: "MLX", peepholes: false)
    guard cell.parameters.projection.isEmpty else {
      throw ModelImportError(
        .inexpressible(field: "projection size", value: "\(cell.outputSize)"), name: "MLX")
    }
    return MLXCell(cellClass: cellClass)
  }

  func name(_ name: String, of cell: CellDescription, at place: LayerPlace) -> String {
    place.levelCount == 1 ? name : "layers.\(place.level).\(name)"
  }

  /// MLX's layers read forward only.
  var readsBackward: Bool { false }
}
