#if Command
internal import ArgumentParser
internal import UnrollLab

/// Options for weights from a file instead of random ones.
struct WeightsOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Use weights from a file (anything that unroll inspect reads) or a run's folder instead of random ones. (default: none)",
      valueName: "path"))
  var weights: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Layer of that network. (at least 0; default: all layers)", valueName: "index"))
  var layer: Int?
  @Option(
    help: ArgumentHelp(
      "What the network reads: a .npy file [B, T, D] or [T, D]; for a run a text. (default: random inputs; for a run: its validation text)",
      valueName: "file"))
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

  /// Refuses options that the file of weights already determines.
  func refuse(_ others: [(name: String, isGiven: Bool)]) throws {
    guard weights != nil else { return }
    for other in others where other.isGiven {
      throw ValidationError("\(other.name): --weights says it already; leave the option out.")
    }
  }
}

extension LabCellOptions {
  /// Refuses options that would have no effect.
  ///
  /// - Parameters:
  ///   - options: The options' names, and whether they were given.
  ///   - isCase: Whether they have no effect.
  ///   - reason: The reason, for the message.
  /// - Throws: `ValidationError` naming the first option that was given.
  static func refuse(
    _ options: [(name: String, isGiven: Bool)], if isCase: Bool = true, because reason: String
  ) throws {
    guard isCase, let name = options.first(where: \.isGiven)?.name else { return }
    throw ValidationError("\(name): has no effect here, because \(reason); leave the option out.")
  }

  /// Refuses options that contradict weights from a file.
  func check(_ sizes: LabSizeOptions<some LabDefaults>) throws {
    let readsInputs = given.data != nil || given.weights.map(WeightsOptions.isFolder) ?? false
    try Self.refuse(
      [("--input-offset", drawn.inputOffset != nil)], if: readsInputs,
      because: "the inputs are read, not drawn")
    try Self.refuse(
      [("--scale", drawn.scale != nil)], if: drawn.initialWeights == .tensorflow,
      because: "TensorFlow's initial weights have no scale")
    try given.refuse([
      ("--cell", cell != nil), ("--scale", drawn.scale != nil),
      ("--keep-bias", drawn.keepBias != nil), ("--gate-bias", drawn.gateBias != nil),
      ("--chrono", drawn.chrono != nil), ("--orthogonal", drawn.orthogonal != nil),
      ("--hidden", sizes.hidden != nil), ("--input", sizes.input != nil),
      ("--draws", drawn.draws != nil), ("--initial-weights", drawn.initialWeights != nil),
      ("--weight-draws", drawn.weightDraws != nil),
    ])
  }
}
#endif
