// PyTorch's names of a module's arrays: `weight_ih_l0`, `bias_hh_l1_reverse`; a cell's have no suffix.

internal import Unroll

/// The names of `nn.RNN`, `nn.GRU`, `nn.LSTM` and their cells.
struct TorchNames: NetworkNames {
  var choosesByPrefix: Bool { true }

  func plans(
    _ shapes: [String: [Int]], _ metadata: [String: String], _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> [NetworkPlan] {
    let all = TorchGroup.all(shapes.keys)
    var groups = all
    if let prefix = assumptions.prefix {
      groups = all.filter { $0.prefix.hasPrefix(prefix) }
      let exact = groups.filter { $0.prefix == prefix }
      if !exact.isEmpty { groups = exact }
      // A module under weight dropout is also known by the name of what it wraps.
      if groups.isEmpty { groups = all.filter { $0.prefix + "module." == prefix } }
    }
    let used = Set(all.flatMap(\.fileNames))
    var plans: [String: NetworkPlan] = [:]
    for group in groups {
      plans[group.prefix] = try plan(group, shapes, used, assumptions)
    }
    return try TorchStack.joined(plans, shapes, used, prefix: assumptions.prefix)
  }

  /// The network of one module.
  private func plan(
    _ group: TorchGroup, _ shapes: [String: [Int]], _ used: Set<String>,
    _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> NetworkPlan {
    var plan = NetworkPlan(prefix: group.prefix, layers: [], assumptions: [])
    if let cell = try EquinoxGRU.layer(group, shapes) {
      plan.layers = [cell]
      plan.assumptions = [
        "\(group.prefix)bias_n beside one bias: read as Equinox' GRUCell, blocks r z n"
      ]
      try TorchLeftovers.check(group, shapes, used.union(cell.names.values))
      return plan
    }
    try TorchLeftovers.check(group, shapes, used)
    let places = group.names.keys.sorted(byNumber: { $0.isBackward ? 1 : 0 })
      .sorted(byNumber: { $0.level })
    try check(places, group)
    for place in places {
      plan.layers.append(try layer(place, group, shapes, assumptions, &plan.assumptions))
    }
    try checkUniform(plan, shapes)
    return plan
  }

  /// Levels count from 0 without a gap, and all of them read the same ways.
  private func check(
    _ places: [TorchPlace], _ group: TorchGroup
  ) throws(ModelImportError) {
    let (cells, layers) = (places.filter(\.isCell), places.filter { !$0.isCell })
    if let cell = cells.first, let layer = layers.first {
      throw ModelImportError(
        .doesNotFit(
          "expected the arrays of a cell or of a layer, found both: names with '\(layer.suffix)' are beside it"
        ), name: name(of: cell, group))
    }
    let isBidirectional = layers.contains { $0.isBackward }
    for level in 0..<Set(layers.map(\.level)).count {
      for isBackward in isBidirectional ? [false, true] : [false] {
        let place = TorchPlace(level: level, isBackward: isBackward, isCell: false)
        guard group.names[place] != nil else {
          throw ModelImportError(.missing, name: "\(group.prefix)weight_ih\(place.suffix)")
        }
      }
    }
  }

  private func name(of place: TorchPlace, _ group: TorchGroup) -> String {
    group.names[place]?.values.flatMap(\.values).min() ?? group.prefix
  }

  /// A module has cells of one kind and size, and all of them biases or none.
  private func checkUniform(
    _ plan: NetworkPlan, _ shapes: [String: [Int]]
  ) throws(ModelImportError) {
    guard let first = plan.layers.first, let module = first.convention as? TorchModule else {
      return
    }
    let size = shapes[first.fileName("weight_hh")]
    for layer in plan.layers {
      guard let other = layer.convention as? TorchModule else { continue }
      guard module.usesBias == other.usesBias else {
        throw ModelImportError(
          .missing, name: (other.usesBias ? first : layer).fileName("bias_ih"))
      }
      let name = layer.fileName("weight_hh")
      if let size, let found = shapes[name], found != size {
        throw ModelImportError(.wrongShape(expected: size, found: found), name: name)
      }
    }
  }

  private func layer(
    _ place: TorchPlace, _ group: TorchGroup, _ shapes: [String: [Int]],
    _ assumptions: NetworkAssumptions, _ notes: inout [String]
  ) throws(ModelImportError) -> LayerPlan {
    var plan = LayerPlan(
      level: place.level, isBackward: place.isBackward, convention: try TorchModule(.lstm),
      names: [:],
      effects: [:], before: group.prefix, after: place.suffix)
    for (role, forms) in (group.names[place] ?? [:]).inKeyOrder {
      try TorchParameter.add(role, forms, to: &plan)
    }
    for role in ["weight_ih", "weight_hh"] where plan.names[role] == nil {
      throw ModelImportError(.missing, name: plan.fileName(role))
    }
    let usesBias = plan.names["bias_ih"] != nil || plan.names["bias_hh"] != nil
    for role in ["bias_ih", "bias_hh"] where usesBias && plan.names[role] == nil {
      throw ModelImportError(.missing, name: plan.fileName(role))
    }
    let cellClass = try cellClass(plan, shapes)
    let kind = cellClass.kind
    if kind == .rnn && assumptions.activation == nil {
      let note = "nonlinearity of nn.RNN is not in the file: tanh, its default"
      if !notes.contains(note) { notes.append(note) }
    }
    plan.convention = try TorchModule(
      kind, activation: kind == .rnn ? assumptions.activation ?? .tanh : .tanh, usesBias: usesBias,
      projectionSize: plan.names["weight_hr"].flatMap { shapes[$0]?.first })
    plan.effects = Self.effects(cellClass)
    return plan
  }

  /// The class, by the shape of the recurrent matrix.
  private func cellClass(
    _ plan: LayerPlan, _ shapes: [String: [Int]]
  ) throws(ModelImportError) -> TorchClass {
    let name = plan.fileName("weight_hh")
    guard let shape = shapes[name], shape.count == 2, shape[1] > 0 else {
      throw ModelImportError(
        .wrongShape(expected: [4, 1], found: shapes[name] ?? []), name: name)
    }
    if let projection = plan.names["weight_hr"] {
      let expected = [shape[1], shape[0] / 4]
      guard let found = shapes[projection], found == expected, expected[1] > 0 else {
        throw ModelImportError(
          .wrongShape(expected: expected, found: shapes[projection] ?? []), name: projection)
      }
      return try TorchClass(.lstm)
    }
    let blocks = shape[0] % shape[1] == 0 ? shape[0] / shape[1] : 0
    guard let found = TorchClass.all.first(where: { $0.kind.gateCount == blocks }) else {
      throw ModelImportError(
        .doesNotFit(
          "\(shape[0]) rows for \(shape[1]) columns; expected 1, 3 or 4 times as many (RNN, GRU, LSTM)"
        ), name: name)
    }
    return found
  }

  static func effects(_ cellClass: TorchClass) -> [String: String] {
    let blocks = cellClass.blocks
    let second =
      cellClass.kind.candidate == .separate
      ? "c, the bias inside the reset gate's product" : "added to b, rounded once"
    return [
      "weight_ih": "W, transposed\(blocks)", "weight_hh": "U, transposed\(blocks)",
      "bias_ih": "b", "bias_hh": second, "weight_hr": "Q, transposed",
    ]
  }

  func convention<Scalar: KernelScalar>(
    for cell: Cell<Scalar>
  ) throws(ModelImportError) -> any CellConvention {
    let kind = try cell.kind(for: "PyTorch")
    let (description, parameters) = (try CellDescription(cell), cell.parameters)
    var plain = CellDescription(kind: kind)
    if kind == .rnn, cell.options.activation == .relu { plain.options.activation = .relu }
    let module = try TorchModule(
      kind, activation: plain.options.activation,
      projectionSize: parameters.projection.isEmpty ? nil : parameters.outputSize)
    try description.check(expressibleAs: plain, in: "PyTorch")
    try parameters.checkPlain(in: "PyTorch", peepholes: false)
    return module
  }

  func name(_ name: String, of cell: CellDescription, at place: LayerPlace) -> String {
    name + TorchModule.suffix(layer: place.level, isReverse: place.isBackward)
  }
}

extension CellParameters {
  /// Refuses arrays that PyTorch's cells do not have.
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
