// Keras' names of a model's weights, and its configuration, which says what the weights are for.
//
// The configuration (`model_config` of .h5, `config.json` of .keras) is read, never guessed; weights alone
// have none, and what they do not say is reported.

internal import Foundation
internal import Unroll

/// The names of `keras.layers`.
package struct KerasNames: NetworkNames {
  /// The metadata keys of a file's configuration and version.
  package static let configurationKey = "model_config", versionKey = "keras_version"
  /// The metadata key of the name of a file that is one of several shards.
  static let shardKey = "keras_shard"

  /// Whether the index of Keras 3's sharded weights is next to a file: `m.weights.json` next to `m_00000.weights.h5`.
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
    guard let text = metadata[Self.configurationKey] else {
      return [try plan(cells, shapes, assumptions)]
    }
    guard let own = KerasModel.ownClass(text) else {
      let version = metadata[Self.versionKey]
      return [try plan(cells, shapes, text, version: version, assumptions)]
    }
    // The connections between the layers of a user's own class are only in its program.
    let plan = assumptions.prefix == nil ? nil : try plan(cells, shapes, assumptions)
    guard let plan, Set(plan.layers.map(\.level)).count == 1 else {
      throw Self.choice(
        "the class '\(own)' lists no layers; how they are connected stands in its program", cells,
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
      let own = firsts.sortedNames().flatMap { byFirst[$0] ?? [] }.filter {
        $0.place(in: layer) != nil
      }
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
    // A layer that cannot be read is refused before the order of the layers is examined.
    var levels: [Int: [KerasConfiguration.Level]] = [:]
    let chosen = try KerasChain.select(recurrent, of: model, assumptions.prefix)
    for index in chosen {
      levels[index] = try configuration.levels(of: index, in: model)
      try model.layers[index].checkSettings()
    }
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
        convention.cellClass = try KerasClass(
          shapes[bias]?.count == 2 ? .gruResetAfter : .gruResetBefore)
      }
      plan.layers.append(self.layer(number, direction == 1, arrays, convention))
    }
  }

  /// Arrays of a cell that its equations do not have.
  static func checkSurplus(_ names: [String], _ what: String) throws(ModelImportError) {
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

  /// The plan of one cell.
  func layer(
    _ level: Int, _ isBackward: Bool, _ arrays: KerasCellArrays, _ convention: KerasLayer
  ) -> LayerPlan {
    let hasTwoBiases = convention.cellClass.hasTwoBiases
    var order = convention.cellClass.blocks
    var bias = hasTwoBiases ? "b and c, a row each" : "b"
    if convention.usesCuDNNLayout {
      bias = hasTwoBiases ? "b and c, a half each" : "b, the sum of two halves"
      order += ", from cuDNN's layout"
    }
    return LayerPlan(
      level: level, isBackward: isBackward, convention: convention,
      names: arrays.names.filter { $0.key != "bias" || convention.usesBias },
      effects: ["kernel": "W\(order)", "recurrent_kernel": "U\(order)", "bias": bias + order])
  }

  func convention<Scalar: KernelScalar>(
    for cell: Cell<Scalar>
  ) throws(ModelImportError) -> any CellConvention {
    let parameters = cell.parameters
    let kind = try cell.kind(for: "Keras")
    let layer = try KerasLayer(kind)
    // The activation functions are in the configuration, which weights alone do not have.
    try CellDescription(cell).check(expressibleAs: CellDescription(kind: kind), in: "Keras")
    try parameters.checkPlain(in: "Keras", peepholes: false)
    guard parameters.projection.isEmpty else {
      throw ModelImportError(
        .inexpressible(field: "projection size", value: "\(cell.outputSize)"), name: "Keras")
    }
    return layer
  }

  /// Layers are counted by class: GRUs of both kinds are one.
  func counted(_ kind: CellKind) -> String {
    KerasClass.all.first { $0.kind == kind }?.storedName ?? kind.rawValue
  }

  func name(_ name: String, of cell: CellDescription, at place: LayerPlace) -> String {
    let number = KerasCellArrays.variables.firstIndex(of: name) ?? 0
    let own = counted(cell.kind)
    let layer = place.isBidirectional ? "bidirectional" : own
    let count = place.sameBefore == 0 ? "" : "_\(place.sameBefore)"
    let direction =
      place.isBidirectional ? (place.isBackward ? "backward_layer/" : "forward_layer/") : ""
    return "layers/\(layer)\(count)/\(direction)cell/vars/\(number)"
  }
}
