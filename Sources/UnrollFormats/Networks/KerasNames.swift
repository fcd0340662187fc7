// Keras' names of a model's weights, and its configuration, which says what the weights are for.
//
// The configuration (`model_config` of .h5, `config.json` of .keras) is read, never guessed; weights alone
// have none, and what they do not say is reported.

internal import Foundation
internal import Unroll

/// The names of `keras.layers`.
struct KerasNames: NetworkNames {
  /// Where a file's configuration and version stand in its metadata.
  static let configurationKey = "model_config", versionKey = "keras_version"
  /// Where the name of a file stands that is one of several.
  static let shardKey = "keras_shard"

  /// Whether the index of Keras 3's sharded weights is beside a file: `m.weights.json` beside `m_00000.weights.h5`.
  static func isShard(_ path: String) -> Bool {
    guard let match = path.firstMatch(of: /_[0-9]{5}\.weights\.h5$/) else { return false }
    return AtomicFile.exists(String(path[..<match.range.lowerBound]) + ".weights.json")
  }

  func plans(
    _ shapes: [String: [Int]], _ metadata: [String: String], _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> [NetworkPlan] {
    try Self.checkKeras1(shapes.keys)
    if let shard = metadata[Self.shardKey] {
      throw ModelImportError(
        .doesNotFit(
          "the file is one of several shards; save the weights in one file, without max_shard_size"),
        name: shard)
    }
    let cells = KerasCellArrays.all(in: Array(shapes.keys))
    guard !cells.isEmpty else { return [] }
    if let text = metadata[Self.configurationKey],
      assumptions.prefix == nil || KerasModel.listsLayers(text)
    {
      let version = metadata[Self.versionKey]
      return [try plan(cells, shapes, text, version: version, assumptions)]
    }
    let plan = try plan(cells, shapes, assumptions)
    // How the layers of a user's own class are connected stands in its program.
    guard metadata[Self.configurationKey] == nil || Set(plan.layers.map(\.level)).count == 1 else {
      throw ModelImportError(
        .doesNotFit("the configuration lists no layers; choose one of them by its prefix"),
        name: Self.configurationKey)
    }
    return [plan]
  }

  /// Refuses the names of Keras 1, a matrix for each gate: `lstm_1/lstm_1_W_i:0`.
  private static func checkKeras1(_ names: some Collection<String>) throws(ModelImportError) {
    let gates = names.filter { name in
      ["_W_i", "_U_i", "_W_z", "_U_z"].contains { name.hasSuffix($0) || name.hasSuffix($0 + ":0") }
    }
    guard let name = gates.min(), gates.count > 1 else { return }
    throw ModelImportError(
      .doesNotFit(
        "a recurrent layer of Keras 1, with a matrix for each gate; load the model with Keras 2 and save it again"
      ), name: name)
  }

  // MARK: - With a configuration

  private func plan(
    _ cells: [KerasCellArrays], _ shapes: [String: [Int]], _ text: String, version: String?,
    _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> NetworkPlan {
    let model = try KerasModel(text)
    let configuration = KerasConfiguration(version: version)
    var recurrent: [Int] = []
    var owned: [Int: [KerasCellArrays]] = [:]
    let byFirst = Dictionary(grouping: cells) { $0.parts.first ?? "" }
    for (index, layer) in model.layers.enumerated() where !layer.isModel {
      let firsts = Set([
        layer.storedPath[0], layer.path[0].split(separator: "/").first.map(String.init) ?? "",
      ])
      let own = firsts.sorted().flatMap { byFirst[$0] ?? [] }.filter { $0.place(in: layer) != nil }
      if !own.isEmpty { owned[index] = own }
      if !own.isEmpty || KerasConfiguration.isRecurrent(layer) { recurrent.append(index) }
    }
    func mismatch() -> ModelImportError {
      let count = owned.values.map(\.count).reduce(0, +)
      return ModelImportError(
        .doesNotFit(
          "\(cells.count) recurrent cells have weights, the configuration names the layers of \(count)"
        ), name: Self.configurationKey)
    }
    guard !recurrent.isEmpty else { throw mismatch() }
    // What cannot be read is refused by its own setting before anything is said about the order.
    var levels: [Int: [KerasConfiguration.Level]] = [:]
    let chosen = try KerasChain.select(recurrent, of: model, assumptions.prefix)
    for index in chosen { levels[index] = try configuration.levels(of: index, in: model) }
    let chain = try KerasChain(model, of: chosen, isPart: assumptions.prefix != nil)
    var plan = NetworkPlan(prefix: assumptions.prefix ?? "", layers: [], assumptions: [])
    plan.omissions = chain.omissions
    var number = 0
    for index in chain.layers {
      for level in levels[index] ?? [] {
        let own = owned[index] ?? []
        try add(level, number, model.layers[index], own, shapes, to: &plan)
        number += 1
      }
    }
    guard assumptions.prefix != nil || plan.layers.count == cells.count else { throw mismatch() }
    if let top = chain.layers.last.map({ model.layers[$0] }), !KerasChain.returnsSequences(top) {
      let what =
        top.kind == "Bidirectional"
        ? "the forward layer's last output and the backward layer's first" : "its last output"
      plan.assumptions.append(
        "'\(top.name)' returns \(what) only; the network here returns all")
    }
    return plan
  }

  /// Adds a level, forward before backward.
  private func add(
    _ level: KerasConfiguration.Level, _ number: Int, _ layer: KerasModel.Layer,
    _ all: [KerasCellArrays], _ shapes: [String: [Int]], to plan: inout NetworkPlan
  ) throws(ModelImportError) {
    var own = all
    if let cell = level.cell {
      own = all.filter { arrays in
        (arrays.place(in: layer) ?? []).contains(
          arrays.isByOrder ? cell.storedName : cell.name ?? cell.storedName)
      }
    }
    let count = level.isBidirectional ? 2 : 1
    guard !own.isEmpty else { throw ModelImportError(.missing, name: "\(layer.name)/kernel") }
    guard own.count == count else {
      throw ModelImportError(
        .doesNotFit("expected the arrays of \(count) cells, found \(own.count)"), name: layer.name)
    }
    if level.isBidirectional { own = try Self.directions(own, level, layer) }
    for (direction, arrays) in own.enumerated() {
      let bias = arrays.names["bias"]
      var convention = level.convention
      guard bias != nil || !convention.usesBias else {
        throw ModelImportError(.missing, name: "\(layer.name)/bias")
      }
      let surplus = arrays.others + (convention.usesBias ? [] : bias.map { [$0] } ?? [])
      try Self.checkSurplus(surplus, layer.title)
      if !level.knowsReset {
        guard let bias, convention.usesBias else {
          throw ModelImportError(
            .unsupported(
              field: "reset_after", value: "unknown without a bias or a field of that name"),
            name: layer.name)
        }
        convention.resetAfter = shapes[bias]?.count == 2
      }
      plan.layers.append(self.layer(number, direction == 1, arrays, convention))
    }
  }

  /// Arrays of a cell that its equations do not have.
  private static func checkSurplus(_ names: [String], _ what: String) throws(ModelImportError) {
    guard let name = names.min() else { return }
    throw ModelImportError(
      .doesNotFit("\(what) has no such array by its configuration"), name: name)
  }

  /// The arrays of the forward layer, then of the backward one.
  private static func directions(
    _ own: [KerasCellArrays], _ level: KerasConfiguration.Level, _ layer: KerasModel.Layer
  ) throws(ModelImportError) -> [KerasCellArrays] {
    let places = own.map { $0.place(in: layer) ?? [] }
    let differing = zip(places[0], places[1]).first { $0 != $1 }
    let names = differing.map { [$0.0, $0.1] } ?? ["", ""]
    let forward = level.directions.first ?? nil
    let backward = level.directions.last ?? nil
    let signs: [(isForward: Bool, holds: (String) -> Bool)] = [
      (true, { $0 == "forward_layer" }), (false, { $0 == "backward_layer" }),
      (true, { name in forward.map { name == $0 || name == "forward_" + $0 } ?? false }),
      (
        false,
        { name in
          [backward, forward].contains {
            $0.map { name == "backward_" + $0 || name == $0 && $0 == backward } ?? false
          }
        }
      ), (true, { $0.hasPrefix("forward_") }), (false, { $0.hasPrefix("backward_") }),
    ]
    for (isForward, holds) in signs {
      let found = names.map(holds)
      guard found[0] != found[1] else { continue }
      return found[0] == isForward ? own : own.reversed()
    }
    throw ModelImportError(
      .doesNotFit("expected names that say which layer reads forward, found \(names)"),
      name: layer.name)
  }

  // MARK: - Weights alone

  private func plan(
    _ all: [KerasCellArrays], _ shapes: [String: [Int]], _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> NetworkPlan {
    var cells = all
    if let prefix = assumptions.prefix {
      cells = Self.select(all, prefix)
      guard !cells.isEmpty else {
        throw KerasPrefix.unknown(prefix, Self.unique(all.map(\.layer)))
      }
    }
    let kinds = Self.unique(
      cells.map { $0.lastName.prefix { !$0.isNumber }.trimmingCharacters(in: ["_"]) }.sorted())
    let places = Self.unique(cells.map { String($0.layer.dropLast($0.lastName.count)) })
    guard kinds.count == 1, places.count == 1 else {
      let names = Self.unique(cells.map(\.layer))
      throw ModelImportError(
        .doesNotFit(
          "the file has no configuration, which says in what order \(names.joined(separator: ", ")) follow; choose a part by its prefix: \(names.map { "'\($0)/'" }.joined(separator: ", "))"
        ), name: "layers")
    }
    for cell in cells {
      guard let name = cell.names["kernel"], let rank = shapes[name]?.count, rank > 2 else {
        continue
      }
      throw ModelImportError(
        .doesNotFit("expected a matrix, found \(rank) axes: a convolutional recurrent layer"),
        name: name)
    }
    if assumptions.prefix == nil { try Self.checkWhole(cells) }
    let levels = Self.unique(cells.map { $0.layer + "/" + $0.cell })
    var plan = NetworkPlan(prefix: assumptions.prefix ?? "", layers: [], assumptions: [])
    for cell in cells {
      guard let level = levels.firstIndex(of: cell.layer + "/" + cell.cell) else { continue }
      let convention = try Self.guess(cell, shapes, assumptions)
      try Self.checkSurplus(cell.others, "a layer of the class \(convention.kind.rawValue)")
      plan.layers.append(layer(level, cell.isBackward, cell, convention))
    }
    plan.assumptions.append(
      "the file has no configuration: activation \(assumptions.activation ?? .tanh), recurrent_activation sigmoid, merge_mode concat, layers in the order of their numbers, each applied once, forwards and from states of zero, nothing between them, no masks"
    )
    return plan
  }

  /// Refuses a gap in the numbers that Keras 3 gives the layers of a class: what is missing is in another file.
  private static func checkWhole(_ cells: [KerasCellArrays]) throws(ModelImportError) {
    let names = unique(cells.filter(\.isByOrder).map(\.lastName))
    guard let first = names.first else { return }
    let stem = first.replacing(/_[0-9]+$/, with: "")
    for (index, name) in names.enumerated() {
      let expected = index == 0 ? stem : "\(stem)_\(index)"
      guard name != expected else { continue }
      throw ModelImportError(
        .doesNotFit(
          "expected '\(expected)' before '\(name)', found none: the file is one of several shards, or damaged"
        ), name: "layers")
    }
  }

  private static func select(_ cells: [KerasCellArrays], _ prefix: String) -> [KerasCellArrays] {
    let parts = KerasChain.parts(prefix)
    let whole = cells.filter { cell in
      let own = cell.parts.filter { $0 != "layers" }
      return own.starts(with: parts)
    }
    guard whole.isEmpty, let last = parts.last, !last.isEmpty else { return whole }
    return cells.filter { cell in
      let own = cell.parts.filter { $0 != "layers" }
      return own.starts(with: parts.dropLast()) && own.count >= parts.count
        && own[parts.count - 1].hasPrefix(last)
    }
  }

  private static func unique(_ words: [String]) -> [String] {
    var seen = Set<String>()
    return words.filter { seen.insert($0).inserted }
  }

  private func layer(
    _ level: Int, _ isBackward: Bool, _ arrays: KerasCellArrays, _ convention: KerasLayer
  ) -> LayerPlan {
    var order =
      switch convention.kind {
      case .simpleRNN: ""
      case .gru: ", columns z r h become r z n"
      case .lstm: ", columns i f c o as ours"
      }
    var bias = convention.kind == .gru && convention.resetAfter ? "b and c, a row each" : "b"
    if convention.usesCuDNNLayout {
      bias = convention.kind == .gru ? "b and c, a half each" : "b, the sum of two halves"
      order += ", from cuDNN's layout"
    }
    return LayerPlan(
      level: level, isBackward: isBackward, convention: convention,
      names: arrays.names.filter { $0.key != "bias" || convention.usesBias },
      effects: ["kernel": "W\(order)", "recurrent_kernel": "U\(order)", "bias": bias + order])
  }

  /// What weights without a configuration are: their shapes say the class, where a GRU resets, and cuDNN's layout.
  private static func guess(
    _ cell: KerasCellArrays, _ shapes: [String: [Int]], _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> KerasLayer {
    let name = cell.names["recurrent_kernel"] ?? ""
    guard let shape = shapes[name], shape.count == 2, shape[0] > 0, shape[1] % shape[0] == 0 else {
      throw ModelImportError(
        .doesNotFit("expected a matrix with 1, 3 or 4 times as many columns as rows"), name: name)
    }
    let bias = cell.names["bias"].flatMap { shapes[$0] }
    let activation = assumptions.activation ?? .tanh
    let isCuDNN = bias == [2 * shape[1]]
    switch shape[1] / shape[0] {
    case 1: return KerasLayer(.simpleRNN, activation: activation, usesBias: bias != nil)
    case 3, 4:
      let kind: KerasLayer.Kind = shape[1] == 3 * shape[0] ? .gru : .lstm
      // cuDNN's layers know no other functions.
      guard !isCuDNN else { return KerasLayer(kind, usesCuDNNLayout: true) }
      guard kind == .gru else {
        return KerasLayer(kind, activation: activation, usesBias: bias != nil)
      }
      guard let bias else {
        throw ModelImportError(
          .unsupported(field: "reset_after", value: "unknown without a bias or a configuration"),
          name: name)
      }
      return KerasLayer(kind, activation: activation, resetAfter: bias.count == 2)
    default:
      throw ModelImportError(
        .doesNotFit("\(shape[1]) columns for \(shape[0]) rows; expected 1, 3 or 4 times as many"),
        name: name)
    }
  }

  func convention<Scalar: KernelScalar>(
    for cell: any RecurrentCell<Scalar>
  ) throws(ModelImportError) -> any CellConvention {
    let (description, parameters) = (try CellDescription(cell), cell.parameters)
    var plain = CellDescription(kind: description.kind)
    plain.lstm = description.lstm == nil ? nil : LSTMOptions()
    // Functions stand in the configuration, which weights alone do not have.
    try description.check(expressibleAs: plain, in: "Keras")
    try parameters.checkPlain(in: "Keras", peepholes: false)
    guard parameters.projection.isEmpty else {
      throw ModelImportError(
        .inexpressible(field: "projection size", value: "\(cell.outputSize)"), name: "Keras")
    }
    return KerasLayer(
      description.kind == .rnn ? .simpleRNN : description.kind == .lstm ? .lstm : .gru,
      resetAfter: description.kind == .gruAfter)
  }

  func name(_ name: String, of cell: CellDescription, at place: LayerPlace) -> String {
    let number = KerasCellArrays.variables.firstIndex(of: name) ?? 0
    let own =
      switch cell.kind {
      case .rnn: "simple_rnn"
      case .gru, .gruAfter: "gru"
      case .lstm: "lstm"
      }
    let layer = place.isBidirectional ? "bidirectional" : own
    let count = place.sameBefore == 0 ? "" : "_\(place.sameBefore)"
    let direction =
      place.isBidirectional ? (place.isBackward ? "backward_layer/" : "forward_layer/") : ""
    return "layers/\(layer)\(count)/\(direction)cell/vars/\(number)"
  }
}
