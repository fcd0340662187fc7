// Keras' names of a model's weights, and its configuration, which says what the weights are for.
//
//   model_weights/gru/gru/gru_cell/kernel:0           Keras 2's .h5 (without the first part in weights alone)
//   layers/gru_1/cell/vars/0                          .weights.h5 and .keras: by class and order
//   layers/bidirectional/forward_layer/cell/vars/2    kernel, recurrent_kernel, bias are 0, 1, 2
//
// The configuration (`model_config` of .h5, `config.json` of .keras) is read, never guessed; weights alone
// have none, and what they do not say is reported.

internal import Foundation
internal import Unroll

/// The names of `keras.layers`.
struct KerasNames: NetworkNames {
  /// Where a file's configuration and version stand in its metadata.
  static let configurationKey = "model_config", versionKey = "keras_version"
  private static let variables = ["kernel", "recurrent_kernel", "bias"]

  /// The arrays of one cell.
  private struct Group {
    /// The layer's name in the file, such as `gru_1`.
    var layer: String
    /// Whether that name is by class and order, as Keras 3 writes it, and not the layer's own.
    var isByOrder = false
    var isBackward = false
    var names: [String: String] = [:]
    /// Which cell of a stack of cells.
    var cell: Int?
  }

  func plans(
    _ shapes: [String: [Int]], _ metadata: [String: String], _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> [NetworkPlan] {
    let groups = Self.groups(Array(shapes.keys))
    guard !groups.isEmpty else { return [] }
    var plan = NetworkPlan(prefix: "", layers: [], assumptions: [])
    if let text = metadata[Self.configurationKey] {
      let layers = try KerasConfiguration(text, version: metadata[Self.versionKey]).layers
      for (level, layer) in layers.enumerated() {
        let own = groups.filter {
          $0.layer == ($0.isByOrder ? layer.storedName : layer.name) && $0.cell == layer.cell
        }
        guard own.count == (layer.isBidirectional ? 2 : 1) else {
          throw ModelImportError(.missing, name: "\(layer.name)/kernel")
        }
        for group in own {
          guard group.names["bias"] != nil || !layer.convention.usesBias else {
            throw ModelImportError(.missing, name: "\(layer.name)/bias")
          }
          plan.layers.append(self.layer(level, group, layer.convention))
        }
      }
      guard plan.layers.count == groups.count else {
        throw ModelImportError(
          .doesNotFit(
            "\(groups.count) recurrent cells have weights, the configuration names \(plan.layers.count) (models within models are not read)"
          ), name: Self.configurationKey)
      }
      plan.assumptions += KerasConfiguration.notes(layers)
    } else {
      let kinds = Set(
        groups.map { group in
          group.layer.prefix { !$0.isNumber }.trimmingCharacters(in: ["_"])
        })
      guard kinds.count == 1 else {
        throw ModelImportError(
          .unsupported(
            field: "the order of the layers",
            value:
              "unknown (the file has no configuration); \(kinds.sorted().joined(separator: ", "))"),
          name: "layers")
      }
      var names: [String] = []
      for group in groups where !names.contains(group.layer) { names.append(group.layer) }
      for group in groups {
        guard let level = names.firstIndex(of: group.layer) else { continue }
        let convention = try Self.guess(group, shapes, assumptions)
        plan.layers.append(layer(level, group, convention))
      }
      plan.assumptions.append(
        "the file has no configuration: activation \(assumptions.activation ?? .tanh), recurrent_activation sigmoid, merge_mode concat, layers in the order of their numbers"
      )
    }
    return plan.layers.isEmpty ? [] : [plan]
  }

  private func layer(_ level: Int, _ group: Group, _ convention: KerasLayer) -> LayerPlan {
    let order =
      switch convention.kind {
      case .simpleRNN: ""
      case .gru: ", columns z r h become r z n"
      case .lstm: ", columns i f c o as ours"
      }
    let bias = convention.kind == .gru && convention.resetAfter ? "b and c, a row each" : "b"
    return LayerPlan(
      level: level, isBackward: group.isBackward, convention: convention,
      names: group.names.filter { $0.key != "bias" || convention.usesBias },
      effects: ["kernel": "W\(order)", "recurrent_kernel": "U\(order)", "bias": bias + order])
  }

  /// What weights without a configuration are: their shapes say the class, and where a GRU resets.
  private static func guess(
    _ group: Group, _ shapes: [String: [Int]], _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> KerasLayer {
    let name = group.names["recurrent_kernel"] ?? ""
    guard let shape = shapes[name], shape.count == 2, shape[0] > 0, shape[1] % shape[0] == 0 else {
      throw ModelImportError(
        .doesNotFit("expected a matrix with 1, 3 or 4 times as many columns as rows"), name: name)
    }
    let bias = group.names["bias"].flatMap { shapes[$0] }
    let activation = assumptions.activation ?? .tanh
    switch shape[1] / shape[0] {
    case 1: return KerasLayer(.simpleRNN, activation: activation, usesBias: bias != nil)
    case 4: return KerasLayer(.lstm, activation: activation, usesBias: bias != nil)
    case 3:
      guard let bias else {
        throw ModelImportError(
          .unsupported(field: "reset_after", value: "unknown without a bias or a configuration"),
          name: name)
      }
      return KerasLayer(.gru, activation: activation, resetAfter: bias.count == 2)
    default:
      throw ModelImportError(
        .doesNotFit("\(shape[1]) columns for \(shape[0]) rows; expected 1, 3 or 4 times as many"),
        name: name)
    }
  }

  /// The cells whose arrays are there, by layer name in natural order, forward before backward.
  private static func groups(_ names: [String]) -> [Group] {
    var groups: [String: Group] = [:]
    for name in names {
      guard let (key, group, variable) = parse(name) else { continue }
      groups[key, default: group].names[variable] = name
    }
    return groups.values.filter { $0.names["kernel"] != nil && $0.names["recurrent_kernel"] != nil }
      .sorted { a, b in
        let order = a.layer.compare(b.layer, options: .numeric)
        if order != .orderedSame { return order == .orderedAscending }
        return (a.cell ?? 0, a.isBackward ? 1 : 0) < (b.cell ?? 0, b.isBackward ? 1 : 0)
      }
  }

  private static func parse(_ name: String) -> (key: String, group: Group, variable: String)? {
    var parts = name.split(separator: "/").map(String.init)
    guard var last = parts.popLast() else { return nil }
    // What an optimiser keeps of a variable has the variable's name behind its own.
    if let first = parts.first, ["optimizer", "optimizer_weights"].contains(first) { return nil }
    if last.hasSuffix(":0") { last = String(last.dropLast(2)) }
    var variable = last
    // Keras 3 numbers the variables of a cell; other layers have numbers, too, but no cell.
    if let number = Int(last), variables.indices.contains(number), parts.last == "vars",
      parts.dropLast().last == "cell" || parts.dropLast(2).last == "cells"
    {
      variable = variables[number]
    }
    guard variables.contains(variable) else { return nil }
    let isBackward = parts.contains { $0 == "backward_layer" || $0.hasPrefix("backward_") }
    let isByOrder = parts.first == "layers"
    if isByOrder || parts.first == "model_weights" { parts.removeFirst() }
    guard let layer = parts.first else { return nil }
    var group = Group(layer: layer, isByOrder: isByOrder, isBackward: isBackward)
    // The cells of StackedRNNCells: cell, cell_1 under `cells`.
    if let place = parts.firstIndex(of: "cells"), place + 1 < parts.count {
      group.cell = parts[place + 1].split(separator: "_").last.flatMap { Int($0) } ?? 0
    }
    return (parts.joined(separator: "/"), group, variable)
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
    let number = Self.variables.firstIndex(of: name) ?? 0
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
