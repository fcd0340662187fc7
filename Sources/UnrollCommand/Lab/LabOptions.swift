#if Command
public import ArgumentParser
internal import RealModule
internal import Unroll
public import UnrollLab

extension LabDraws: ExpressibleByArgument {}

extension LabInitialWeights: ExpressibleByArgument {}

extension LabPrecision: ExpressibleByArgument {
  /// `float32`, `float64`, or Swift's names.
  public init?(argument: String) {
    switch argument.lowercased() {
    case "float32", "float", "f32": self = .float32
    case "float64", "double", "f64": self = .float64
    default: return nil
    }
  }
}

/// One scale, several, or a range of them.
struct Scales: ExpressibleByArgument {
  var values: [Double]

  /// `2`, `0.5,1,2`, `0:4:9` (9 evenly spaced) or `0.25:8:log24` (24 evenly spaced by ratio).
  init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    if parts.count == 1 {
      let values = argument.split(separator: ",", omittingEmptySubsequences: false).map {
        Double($0)
      }
      guard !values.contains(nil) else { return nil }
      self.values = values.compactMap(\.self)
      return
    }
    guard parts.count == 3, let low = Double(parts[0]), let high = Double(parts[1]),
      low.isFinite, high.isFinite, low < high
    else { return nil }
    let isLogarithmic = parts[2].hasPrefix("log")
    guard let count = Int(isLogarithmic ? parts[2].dropFirst(3) : parts[2]),
      (2...10_000).contains(count), !isLogarithmic || low > 0
    else { return nil }
    values =
      isLogarithmic
      ? ScaleSweep.logarithmicScales(from: low, to: high, count: count)
      : (0..<count).map { low + (high - low) * Double($0) / Double(count - 1) }
  }
}

/// Steps separated by commas.
struct Steps: ExpressibleByArgument {
  var values: [Int]

  init?(argument: String) {
    let values = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard !values.isEmpty, !values.contains(nil) else { return nil }
    self.values = values.compactMap(\.self)
  }
}

/// Sizes, seed and arithmetic, whose defaults are the experiment's own, and threads: the options of every
/// experiment.
struct SizeOptions: ParsableArguments {
  @Option(parsing: .unconditional, help: "Units H, at least 1.") var hidden: Int?
  @Option(parsing: .unconditional, help: "Size of an input D, at least 1.") var input: Int?
  @Option(parsing: .unconditional, help: "Sequences B, at least 1.") var batch: Int?
  @Option(parsing: .unconditional, help: "Time steps T, at least 1.") var time: Int?
  @Option(parsing: .unconditional, help: "Seed of all draws, 0 ... 4294967295.") var seed: Int?
  @Option(help: "Arithmetic: float32 or float64.") var dtype: LabPrecision?
  @OptionGroup var threads: ThreadOptions

  /// The settings with what was given put in.
  func applied(to defaults: LabSettings) -> LabSettings {
    var settings = defaults
    if let hidden { settings.hiddenSize = hidden }
    if let input { settings.inputSize = input }
    if let batch { settings.batchSize = batch }
    if let time { settings.timeStepCount = time }
    if let seed { settings.seed = seed }
    if let dtype { settings.precision = dtype }
    return settings
  }
}

/// Cell, scale and steps: the options of memory and gradients.
struct LabCellOptions: ParsableArguments {
  @Option(
    help: """
      The cell: \(CellKind.choices). Default: rnn; of gates, gru.
      """)
  var cell: CellKind?

  @OptionGroup var given: WeightsOptions

  @Option(
    parsing: .unconditional,
    help: """
      Weights are uniform in ±scale/2; at least 0. In memory and gradients several make a sweep: 0.5,1,2 or 0:4:9 or \
      0.25:8:log24.
      """)
  var scale: Scales?

  @Option(
    parsing: .unconditional,
    help:
      "Set the gates so that the cell keeps its state: weights 0, this bias (of a GRU 18 is exact in float32, 38 in float64; an LSTM's c then moves by the input gate, e^−bias a step; an MGU's gate gets the negative)."
  )
  var keepBias: Double?

  @Option(
    parsing: .unconditional,
    help:
      "Added to the bias of the gate that keeps, -1000000 ... 1000000; subtracted for an MGU, which keeps 1 minus its gate."
  )
  var gateBias: Double?
  @Option(
    parsing: .unconditional,
    help:
      "Biases of the gates for memories of up to this number of steps, 3 ... 1000000000 (chrono initialisation)."
  )
  var chrono: Int?
  @Option(
    parsing: .unconditional,
    help: "Recurrent matrices are this gain, 0 ... 1000000, times orthogonal ones.")
  var orthogonal: Double?

  @Option(
    parsing: .unconditional,
    help: """
      Zero-based steps, separated by commas; the last is the gradient's. (default: those of 10, 20 and 30 that \
      the sequence has, or its last step)
      """)
  var steps: Steps?

  @Option(
    help: """
      Order of the random draws: fresh (inputs, weights, states), notebook (the notebook's, whose experiments \
      share one stream) or later-edition (weights, inputs, states). (default: fresh)
      """)
  var draws: LabDraws?
  @Option(
    help: "Initial weights: uniform in ±scale/2, or tensorflow (TensorFlow 1's). (default: uniform)"
  )
  var initialWeights: LabInitialWeights?
  @Option(
    parsing: .unconditional,
    help: "Subtracted from the inputs, which are uniform in 0 ..< 1. (default: 0.5)")
  var inputOffset: Double?
  @Option(
    parsing: .unconditional,
    help: """
      Number of draws of weights that a sweep over scales compares, 0 ... \(WeightDraws.mostDraws), with the seeds from --seed on; 0 for the \
      seed's own draw alone. (default: 100)
      """)
  var weightDraws: Int?

  func validate() throws { try Self.check(weightDraws: weightDraws) }

  static func check(weightDraws: Int?) throws {
    if let weightDraws, !(0...WeightDraws.mostDraws).contains(weightDraws) {
      throw ValidationError(
        "--weight-draws: expected 0 ... \(WeightDraws.mostDraws), found \(weightDraws).")
    }
  }
}

/// Where results go.
struct OutputOptions: ParsableArguments {
  @Option(help: "Write a report (page, figures, data) into this folder.")
  var output: String?

  @Flag(help: "Print the results as JSON.")
  var json = false

  /// Refuses text where JSON is printed.
  static func check(terminal: Bool, json: Bool) throws {
    if terminal && json {
      throw ValidationError("--terminal: draws text, found --json; leave out one of the two.")
    }
  }
}
#endif
