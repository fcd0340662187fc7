#if Command
internal import ArgumentParser
internal import UnrollLab

/// Weights from a file instead of drawn ones.
struct WeightsOptions: ParsableArguments {
  @Option(
    help:
      "Take the weights of a file (whatever unroll inspect reads) or a run's folder, instead of drawing them."
  )
  var weights: String?
  @Option(
    parsing: .unconditional,
    help: "One layer of the file's network, from 0; all of them if absent.")
  var layer: Int?
  @Option(
    help:
      "What the network reads: a .npy file [B, T, D] or [T, D], of a run a text (its own validation text if absent)."
  )
  var data: String?
  @OptionGroup var assumed: AssumptionOptions

  func validate() throws {
    if let layer, layer < 0 {
      throw ValidationError("--layer: expected at least 0, found \(layer).")
    }
    guard weights == nil else { return }
    let given = [("--layer", layer != nil), ("--data", data != nil)] + assumed.given
    if let name = given.first(where: \.1)?.0 {
      throw ValidationError(
        "\(name): says how the network of --weights is read, found no --weights; give both, or leave it out."
      )
    }
  }

  /// Refuses options that say what the weights already are.
  func refuse(_ others: [(name: String, isGiven: Bool)]) throws {
    guard weights != nil else { return }
    for other in others where other.isGiven {
      throw ValidationError("\(other.name): --weights says it already; leave the option out.")
    }
  }
}

extension LabCellOptions {
  /// Refuses options that would change nothing.
  ///
  /// - Parameters:
  ///   - options: Their names, and whether they were given.
  ///   - isCase: Whether they change nothing.
  ///   - reason: Why.
  /// - Throws: `ValidationError` with the first that was given.
  static func refuse(
    _ options: [(name: String, isGiven: Bool)], if isCase: Bool = true, because reason: String
  ) throws {
    guard isCase, let name = options.first(where: \.isGiven)?.name else { return }
    throw ValidationError("\(name): has no effect here, because \(reason); leave the option out.")
  }

  /// Refuses what contradicts weights from a file.
  func check(_ sizes: SizeOptions) throws {
    let readsInputs = given.data != nil || given.weights.map(WeightsOptions.isFolder) ?? false
    try Self.refuse(
      [("--input-offset", inputOffset != nil)], if: readsInputs,
      because: "the inputs are read, not drawn")
    try Self.refuse(
      [("--scale", scale != nil)], if: initialWeights == .tensorflow,
      because: "TensorFlow's initial weights have no scale")
    try given.refuse([
      ("--cell", cell != nil), ("--scale", scale != nil), ("--keep-bias", keepBias != nil),
      ("--gate-bias", gateBias != nil), ("--chrono", chrono != nil),
      ("--orthogonal", orthogonal != nil),
      ("--hidden", sizes.hidden != nil), ("--input", sizes.input != nil),
      ("--draws", draws != nil), ("--initial-weights", initialWeights != nil),
      ("--weight-draws", weightDraws != nil),
    ])
  }
}
#endif
