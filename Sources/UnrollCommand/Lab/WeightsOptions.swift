internal import ArgumentParser

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
    guard weights != nil || (layer == nil && data == nil) else {
      throw ValidationError("--layer, --data: say what of --weights, and what it reads; give both.")
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

extension CellOptions {
  /// Refuses what contradicts weights from a file.
  func check(_ sizes: SizeOptions) throws {
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
