// MLX's `nn.RNN`, `nn.GRU`, `nn.LSTM`: matrices by output row, as PyTorch's, and one bias.
//
//   RNN    Wxh [H, D], Whh [H, H], bias [H]
//   GRU    Wx [3·H, D], Wh [3·H, H], b [3·H], bhn [H]; blocks r, z, n; reset gate after the product
//   LSTM   Wx [4·H, D], Wh [4·H, H], bias [4·H]; blocks i, f, g, o

internal import Unroll

/// One layer of MLX.
struct MLXCell: CellConvention {
  enum Kind: String {
    case rnn, gru, lstm
  }

  var kind: Kind
  var usesBias = true
  /// `nonlinearity` of `nn.RNN`.
  var activation = Activation.tanh

  func cell<Scalar: KernelScalar>(
    from arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> any RecurrentCell<Scalar> {
    let (input, recurrent) = kind == .rnn ? ("Wxh", "Whh") : ("Wx", "Wh")
    let gates: [Gate] =
      switch kind {
      case .rnn: [.candidate]
      case .gru: GRU<Scalar>.gates
      case .lstm: LSTM<Scalar>.gates
      }
    let u = try array(recurrent, in: arrays, shape: [nil, nil])
    let size = u.shape[1]
    let width = gates.count * size
    _ = try array(recurrent, in: arrays, shape: [width, size])
    let w = try array(input, in: arrays, shape: [width, nil])
    guard size > 0 else {
      throw ModelImportError(
        .wrongShape(expected: [gates.count, 1], found: u.shape), name: recurrent)
    }
    var parameters = CellParameters<Scalar>(
      gates: gates, inputSize: w.shape[1], hiddenSize: size, hasRecurrentBias: kind == .gru)
    (parameters.inputWeights, parameters.recurrentWeights) = (w.transposed, u.transposed)
    if usesBias {
      parameters.bias = try array(kind == .gru ? "b" : "bias", in: arrays, shape: [width])
      if kind == .gru {
        let candidate = try array("bhn", in: arrays, shape: [size])
        parameters.recurrentBias[(2 * size)...] = candidate
      }
    }
    switch kind {
    case .rnn: return BasicRNN(parameters: parameters, activation: activation)
    case .gru: return GRU(parameters: parameters, resetGate: .afterProduct)
    case .lstm: return LSTM(parameters: parameters)
    }
  }

  /// The recurrent biases of a GRU's r and z join its only bias.
  func arrays<Scalar: KernelScalar>(
    from parameters: CellParameters<Scalar>, role: ParameterRole
  ) -> [String: Tensor<Scalar>] {
    let (w, u) = (parameters.inputWeights.transposed, parameters.recurrentWeights.transposed)
    switch kind {
    case .rnn: return ["Wxh": w, "Whh": u, "bias": parameters.bias]
    case .lstm: return ["Wx": w, "Wh": u, "bias": parameters.bias]
    case .gru:
      let size = parameters.hiddenSize
      var (bias, candidate) = (parameters.bias, Tensor<Scalar>(shape: [size]))
      if !parameters.recurrentBias.isEmpty {
        candidate = parameters.recurrentBias[(2 * size)...]
        let gates = 0..<2 * size
        bias[gates] += parameters.recurrentBias[gates]
      }
      return ["Wx": w, "Wh": u, "b": bias, "bhn": candidate]
    }
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
    for (prefix, levels) in groups.sorted(by: { $0.key < $1.key }) {
      // Names such as `bias` are everybody's: only those beside a recurrent matrix count.
      let recurrent = levels.filter { $0.value["Wh"] != nil || $0.value["Whh"] != nil }
      guard !recurrent.isEmpty else { continue }
      var layers: [LayerPlan] = []
      let gaps = try Self.gaps(prefix, recurrent.keys.sorted(), shapes)
      for (level, entry) in recurrent.sorted(by: { $0.key < $1.key }).enumerated() {
        let names = entry.value
        let kind: MLXCell.Kind = names["Whh"] != nil ? .rnn : names["bhn"] != nil ? .gru : .lstm
        let convention = try convention(kind, names, shapes, assumptions)
        try Self.check(names, convention.kind)
        let name = names.values.min() ?? ""
        try Self.checkNeighbours(of: name, shapes)
        layers.append(
          LayerPlan(
            level: level, isBackward: false, convention: convention, names: names,
            effects: Self.effects(convention.kind),
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
    _ names: [String: String], _ kind: MLXCell.Kind
  ) throws(ModelImportError) {
    let known =
      switch kind {
      case .rnn: ["Wxh", "Whh", "bias"]
      case .gru: ["Wx", "Wh", "b", "bhn"]
      case .lstm: ["Wx", "Wh", "bias"]
      }
    for (role, name) in names.sorted(by: { $0.key < $1.key }) where !known.contains(role) {
      throw ModelImportError(
        .doesNotFit("expected \(known.joined(separator: ", ")) of MLX's \(kind.rawValue)"),
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
    for (other, shape) in shapes.sorted(by: { $0.key < $1.key })
    where other.hasPrefix(place) && !shape.isEmpty {
      let last = other.dropFirst(place.count)
      guard !last.contains("."), !roles.contains(String(last)) else { continue }
      throw ModelImportError(
        .doesNotFit(
          "stands beside '\(name)', and no module of MLX has such an array; a hand-written cell computes something else"
        ), name: other)
    }
  }

  /// A GRU without biases has the arrays of an LSTM without them: their shapes tell.
  private func convention(
    _ kind: MLXCell.Kind, _ names: [String: String], _ shapes: [String: [Int]],
    _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> MLXCell {
    let usesBias = names["bias"] != nil || names["b"] != nil
    guard kind == .lstm, let name = names["Wh"], let shape = shapes[name], shape.count == 2,
      shape[0] == 3 * shape[1]
    else {
      return MLXCell(
        kind: kind, usesBias: usesBias, activation: assumptions.activation ?? .tanh)
    }
    return MLXCell(kind: .gru, usesBias: usesBias)
  }

  private static func effects(_ kind: MLXCell.Kind) -> [String: String] {
    let blocks =
      switch kind {
      case .rnn: ""
      case .gru: ", blocks r z n as ours"
      case .lstm: ", blocks i f g o as ours"
      }
    return [
      "Wxh": "W, transposed", "Whh": "U, transposed", "Wx": "W, transposed\(blocks)",
      "Wh": "U, transposed\(blocks)", "bias": "b", "b": "b",
      "bhn": "c of the candidate; zero for r and z",
    ]
  }

  func convention<Scalar: KernelScalar>(
    for cell: any RecurrentCell<Scalar>
  ) throws(ModelImportError) -> any CellConvention {
    let description = try CellDescription(cell)
    var plain = CellDescription(kind: description.kind)
    plain.lstm = description.lstm == nil ? nil : LSTMOptions()
    try description.check(expressibleAs: plain, in: "MLX")
    try cell.parameters.checkPlain(in: "MLX", peepholes: false)
    guard cell.parameters.projection.isEmpty else {
      throw ModelImportError(
        .inexpressible(field: "projection size", value: "\(cell.outputSize)"), name: "MLX")
    }
    switch description.kind {
    case .rnn: return MLXCell(kind: .rnn)
    case .gruAfter: return MLXCell(kind: .gru)
    case .lstm: return MLXCell(kind: .lstm)
    case .gru:
      throw ModelImportError(
        .inexpressible(field: "reset gate", value: "before the product"), name: "MLX")
    }
  }

  func name(_ name: String, of cell: CellDescription, at place: LayerPlace) -> String {
    place.levelCount == 1 ? name : "layers.\(place.level).\(name)"
  }

  /// MLX's layers read forward only.
  var readsBackward: Bool { false }
}
