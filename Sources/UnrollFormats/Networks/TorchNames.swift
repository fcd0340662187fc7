// PyTorch's names of a module's arrays: `weight_ih_l0`, `bias_hh_l1_reverse`; a cell's have no suffix.

internal import Unroll

/// The names of `nn.RNN`, `nn.GRU`, `nn.LSTM` and their cells.
struct TorchNames: NetworkNames {
  private static let roles = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"]

  /// A name taken apart.
  private struct Place: Hashable {
    var prefix: String
    var level: Int
    var isBackward: Bool
  }

  func plans(
    _ shapes: [String: [Int]], _ metadata: [String: String], _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> [NetworkPlan] {
    var groups: [String: [Place: [String: String]]] = [:]
    for name in shapes.keys {
      guard let (role, place) = Self.parse(name) else { continue }
      groups[place.prefix, default: [:]][place, default: [:]][role] = name
    }
    var plans: [NetworkPlan] = []
    for (prefix, places) in groups.sorted(by: { $0.key < $1.key }) {
      var plan = NetworkPlan(prefix: prefix, layers: [], assumptions: [])
      for (place, names) in places {
        plan.layers.append(try layer(place, names, shapes, assumptions, &plan.assumptions))
      }
      try check(plan)
      plans.append(plan)
    }
    return plans
  }

  /// Levels count from 0 without a gap.
  private func check(_ plan: NetworkPlan) throws(ModelImportError) {
    let levels = Set(plan.layers.map(\.level))
    for level in 0..<levels.count where !levels.contains(level) {
      throw ModelImportError(.missing, name: "\(plan.prefix)weight_ih_l\(level)")
    }
  }

  private func layer(
    _ place: Place, _ names: [String: String], _ shapes: [String: [Int]],
    _ assumptions: NetworkAssumptions, _ notes: inout [String]
  ) throws(ModelImportError) -> LayerPlan {
    let suffix = TorchModule.suffix(layer: place.level, isReverse: place.isBackward)
    guard let recurrent = names["weight_hh"], let shape = shapes[recurrent] else {
      throw ModelImportError(.missing, name: "\(place.prefix)weight_hh\(suffix)")
    }
    guard shape.count == 2, shape[1] > 0 else {
      throw ModelImportError(.wrongShape(expected: [4, 1], found: shape), name: recurrent)
    }
    let projection = names["weight_hr"].flatMap { shapes[$0] }
    if let projection, projection.count != 2 || projection[0] == 0 {
      throw ModelImportError(
        .wrongShape(expected: [shape[1], shape[0] / 4], found: projection),
        name: names["weight_hr"] ?? "")
    }
    let kind: TorchModule.Kind
    switch (projection, shape[0] % shape[1] == 0 ? shape[0] / shape[1] : 0) {
    case (.some, _), (nil, 4): kind = .lstm
    case (nil, 3): kind = .gru
    case (nil, 1): kind = .rnn
    default:
      throw ModelImportError(
        .doesNotFit(
          "\(shape[0]) rows for \(shape[1]) columns; expected 1, 3 or 4 times as many (RNN, GRU, LSTM)"
        ),
        name: recurrent)
    }
    let activation = assumptions.activation ?? .tanh
    if kind == .rnn && assumptions.activation == nil {
      let note = "nonlinearity of nn.RNN is not in the file: tanh, its default (--activation relu)"
      if !notes.contains(note) { notes.append(note) }
    }
    return LayerPlan(
      level: place.level, isBackward: place.isBackward,
      convention: TorchModule(
        kind, activation: kind == .rnn ? activation : .tanh,
        usesBias: names["bias_ih"] != nil || names["bias_hh"] != nil,
        projectionSize: projection?.first),
      names: names, effects: Self.effects(kind))
  }

  private static func effects(_ kind: TorchModule.Kind) -> [String: String] {
    let blocks =
      switch kind {
      case .rnn: ""
      case .gru: ", blocks r z n as ours"
      case .lstm: ", blocks i f g o as ours"
      }
    let second =
      kind == .gru
      ? "c, the bias inside the reset gate's product" : "added to b, rounded once"
    return [
      "weight_ih": "W, transposed\(blocks)", "weight_hh": "U, transposed\(blocks)",
      "bias_ih": "b", "bias_hh": second, "weight_hr": "Q, transposed",
    ]
  }

  private static func parse(_ name: String) -> (role: String, place: Place)? {
    let last = name.split(separator: ".", omittingEmptySubsequences: false).last ?? ""
    guard let role = roles.first(where: { last.hasPrefix($0) }) else { return nil }
    let prefix = String(name.dropLast(last.count))
    var suffix = last.dropFirst(role.count)
    if suffix.isEmpty { return (role, Place(prefix: prefix, level: 0, isBackward: false)) }
    let isBackward = suffix.hasSuffix("_reverse")
    if isBackward { suffix = suffix.dropLast("_reverse".count) }
    guard suffix.hasPrefix("_l"), let level = Int(suffix.dropFirst(2)), (0...9999).contains(level)
    else { return nil }
    return (role, Place(prefix: prefix, level: level, isBackward: isBackward))
  }

  func convention<Scalar: KernelScalar>(
    for cell: any RecurrentCell<Scalar>
  ) throws(ModelImportError) -> any CellConvention {
    let (description, parameters) = (try CellDescription(cell), cell.parameters)
    let module: TorchModule
    switch description.kind {
    case .rnn:
      let isRelu = description.activation == .relu
      module = TorchModule(.rnn, activation: isRelu ? .relu : .tanh)
    case .gruAfter: module = TorchModule(.gru)
    case .gru:
      throw ModelImportError(
        .inexpressible(field: "reset gate", value: "before the product"), name: "PyTorch")
    case .lstm:
      module = TorchModule(
        .lstm, projectionSize: parameters.projection.isEmpty ? nil : parameters.outputSize)
    }
    var plain = CellDescription(kind: description.kind)
    plain.activation = module.kind == .rnn ? module.activation : .tanh
    plain.lstm = description.lstm == nil ? nil : LSTMOptions()
    try description.check(expressibleAs: plain, in: "PyTorch")
    try parameters.checkPlain(in: "PyTorch", peepholes: false)
    return module
  }

  func name(_ name: String, of cell: CellDescription, at place: LayerPlace) -> String {
    name + TorchModule.suffix(layer: place.level, isReverse: place.isBackward)
  }
}

extension CellDescription {
  /// A cell of a kind with its usual functions.
  init(kind: Kind) { self.kind = kind }
}

extension CellParameters {
  /// Refuses what most programs' cells do not have.
  func checkPlain(in target: String, peepholes: Bool) throws(ModelImportError) {
    if isNormalized {
      throw ModelImportError(
        .inexpressible(field: "layer normalisation", value: "on"), name: target)
    }
    if !peepholes && !self.peepholes.isEmpty {
      throw ModelImportError(.inexpressible(field: "peepholes", value: "on"), name: target)
    }
  }
}
