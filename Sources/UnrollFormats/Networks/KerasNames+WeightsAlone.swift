// Weights of Keras without a configuration that lists layers: the shapes say what a layer is, and what nothing
// says is assumed and reported.

internal import Foundation
internal import Unroll

extension KerasNames {
  func plan(
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
      cells.map { $0.lastName.prefix { !$0.isNumber }.trimmingCharacters(in: ["_"]) }.sortedNames())
    let places = Self.unique(cells.map { String($0.layer.dropLast($0.lastName.count)) })
    let isOne = kinds.count == 1 && places.count == 1
    if isOne || !cells.contains(where: { $0.wrapper?.kind == nil }) {
      try Self.checkWrappers(cells, assumptions.prefix)
    }
    guard isOne else {
      let names = Self.unique(cells.map(\.layer))
      throw Self.choice(
        "the file has no configuration, which says in what order \(names.joined(separator: ", ")) follow",
        cells)
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
      try Self.checkSurplus(cell.others, "a layer of the class \(convention.cellClass.name)")
      plan.layers.append(layer(level, cell.isBackward, cell, convention))
    }
    try Self.checkStack(cells, shapes)
    plan.assumptions.append(
      "the file has no configuration: activation \(assumptions.activation ?? .tanh), recurrent_activation sigmoid, merge_mode concat, layers in the order of their numbers, each applied once, forwards and from states of zero, nothing between them, no masks"
    )
    return plan
  }

  /// An error for a structure that is only in the program, with the layers to choose from.
  static func choice(
    _ why: String, _ cells: [KerasCellArrays], name: String = "layers"
  ) -> ModelImportError {
    let names = unique(cells.filter { $0.wrapper?.kind == nil }.map(\.layer))
    return ModelImportError(
      .doesNotFit(
        "\(why); choose a part by its prefix: \(names.map { "'\($0)/'" }.joined(separator: ", "))"),
      name: name)
  }

  /// Refuses layers and cells within others, which may change what they read.
  private static func checkWrappers(
    _ cells: [KerasCellArrays], _ prefix: String?
  ) throws(ModelImportError) {
    for cell in cells {
      if cell.isBidirectional, !cell.cell.isEmpty {
        throw ModelImportError(
          .unsupported(field: "layer", value: "a stack of cells in a bidirectional layer"),
          name: cell.layer)
      }
      guard let wrapper = cell.wrapper else { continue }
      if let kind = wrapper.kind {
        throw KerasConfiguration.refuse(wrapper: kind, of: nil, name: wrapper.name)
      }
      let content = KerasChain.parts(wrapper.content)
      guard let prefix, KerasChain.parts(prefix).starts(with: content) else {
        throw ModelImportError(
          .doesNotFit(
            "a layer with another one in it, '\(wrapper.content)/', cannot be expressed; choose the inner one alone by that prefix"
          ), name: wrapper.name)
      }
    }
  }

  /// Refuses layers of which one does not read what the one before it puts out: they are no stack.
  private static func checkStack(
    _ cells: [KerasCellArrays], _ shapes: [String: [Int]]
  ) throws(ModelImportError) {
    func size(_ name: String, of cell: KerasCellArrays) -> Int {
      cell.names[name].flatMap { shapes[$0]?.first } ?? 0
    }
    var outputs: [String: Int] = [:]
    for cell in cells { outputs[cell.layer, default: 0] += size("recurrent_kernel", of: cell) }
    // A stack of cells has sizes of its own.
    let whole = cells.filter(\.cell.isEmpty)
    for (below, cell) in zip(whole, whole.dropFirst()) where below.layer != cell.layer {
      let (found, expected) = (size("kernel", of: cell), outputs[below.layer] ?? 0)
      guard found != expected else { continue }
      throw choice(
        "the file has no configuration, and '\(cell.layer)' reads \(found) features, but '\(below.layer)' before it puts out \(expected): they are no stack",
        cells)
    }
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
      let own = KerasCellArrays.withoutRoots(cell.parts)
      return own.starts(with: parts)
    }
    guard whole.isEmpty, let last = parts.last, !last.isEmpty else { return whole }
    return cells.filter { cell in
      let own = KerasCellArrays.withoutRoots(cell.parts)
      return own.starts(with: parts.dropLast()) && own.count >= parts.count
        && own[parts.count - 1].hasPrefix(last)
    }
  }

  static func unique(_ words: [String]) -> [String] {
    var seen = Set<String>()
    return words.filter { seen.insert($0).inserted }
  }

  /// The settings that the shapes of weights alone reveal: the class, the GRU variant, and cuDNN's layout.
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
    case 1: return try KerasLayer(.rnn, activation: activation, usesBias: bias != nil)
    case 4:
      // cuDNN's layers know no other functions.
      guard !isCuDNN else { return try KerasLayer(.lstm, usesCuDNNLayout: true) }
      return try KerasLayer(.lstm, activation: activation, usesBias: bias != nil)
    case 3:
      guard !isCuDNN else { return try KerasLayer(.gruResetAfter, usesCuDNNLayout: true) }
      guard let bias else {
        throw ModelImportError(
          .unsupported(field: "reset_after", value: "unknown without a bias or a configuration"),
          name: name)
      }
      return try KerasLayer(
        bias.count == 2 ? .gruResetAfter : .gruResetBefore, activation: activation)
    default:
      throw ModelImportError(
        .doesNotFit("\(shape[1]) columns for \(shape[0]) rows; expected 1, 3 or 4 times as many"),
        name: name)
    }
  }
}
