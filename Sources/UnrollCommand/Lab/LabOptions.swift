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

/// The settings that an experiment has unless options say otherwise.
protocol LabDefaults {
  static var settings: LabSettings { get }
  /// The default of --dtype.
  static var precision: String { get }
}

extension LabDefaults {
  static var precision: String { settings.precision.rawValue }
}

/// The notebook's long-term dependency.
enum LongTermProblem: LabDefaults {
  static let settings = LabSettings()
}

/// The sequences of memory capacity.
enum CapacityProblem: LabDefaults {
  static let settings = MemoryCapacityExperiment.defaultSettings
}

/// The notebook's toy problem.
enum ToyProblem: LabDefaults {
  static let settings = LabSettings.toy
}

/// The notebook's toy problem in both precisions.
enum ParityProblem: LabDefaults {
  static let settings = LabSettings.toy
  static let precision = "both"
}

/// Sizes, seed and arithmetic: the options of every experiment.
typealias SizeOptions = LabSizeOptions<LongTermProblem>

/// Sizes, seed and arithmetic, whose defaults help takes from the problem.
struct LabSizeOptions<Defaults: LabDefaults>: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: .size("Units H.", standard: Defaults.settings.hiddenSize, "units"))
  var hidden: Int?
  @Option(
    parsing: .unconditional,
    help: .size("Size of an input D.", standard: Defaults.settings.inputSize, "features"))
  var input: Int?
  @Option(
    parsing: .unconditional,
    help: .size("Sequences B.", standard: Defaults.settings.batchSize, "sequences"))
  var batch: Int?
  @Option(
    parsing: .unconditional,
    help: .size("Time steps T.", standard: Defaults.settings.timeStepCount, "steps"))
  var time: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Seed of all draws. (0 ... 4294967295; default: \(Defaults.settings.seed))",
      valueName: "seed"))
  var seed: Int?
  @Option(
    help: ArgumentHelp(
      "Arithmetic. (default: \(Defaults.precision))", valueName: "type"))
  var dtype: LabPrecision?

  /// The settings with the values that were given.
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

extension ArgumentHelp {
  /// The help of a size of at least 1.
  fileprivate static func size(_ text: String, standard: Int, _ placeholder: String) -> Self {
    Self("\(text) (at least 1; default: \(standard))", valueName: placeholder)
  }
}

/// Cell, weights and steps: the options of the experiments on one cell.
struct LabCellOptions: ParsableArguments {
  // Titles of groups count in groups without a title only.
  @OptionGroup(title: "Cell and sizes") private var choice: CellChoice
  @OptionGroup(title: "Drawn weights and inputs") var drawn: DrawOptions
  @OptionGroup(title: "Trained weights") var given: WeightsOptions

  /// The cell; nil for the experiment's default.
  var cell: CellKind? { choice.cell }
  /// The steps at which states are compared; nil for the default steps.
  var steps: Steps? { choice.steps }
}

/// The cell and the steps at which it is measured.
struct CellChoice: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Recurrent cell; the reset gate of gru comes before the product, that of gru-after after it. (default: rnn; for gates: gru)",
      valueName: "cell"))
  var cell: CellKind?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Zero-based steps at which states are compared, separated by commas; the gradient is that of the last. (default: those of 10, 20 and 30 that the sequence has, or its last step)",
      valueName: "list"))
  var steps: Steps?
}

/// The weights and inputs of a cell that is drawn.
struct DrawOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Draw weights uniformly in plus or minus half of this. In memory and gradients several scales make a sweep: 0.5,1,2 or 0:4:9 or 0.25:8:log24. (at least 0; default: 2; for gradients and capacity: 1)",
      valueName: "scale"))
  var scale: Scales?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Add this to the bias of the update (GRU) or forget gate (LSTM, JANET); for an MGU, which keeps 1 minus its gate, subtract it. (-1000000 ... 1000000; default: 0)",
      valueName: "bias"))
  var gateBias: Double?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Set all weights to 0 and saturate the update or forget gate with this bias, so that the cell keeps its state. A GRU then keeps it exactly from 18 (float32) or 38 (float64) on. (default: none)",
      valueName: "bias"))
  var keepBias: Double?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Chrono initialization (Tallec & Ollivier 2018) for time scales up to this. (3 ... 1000000000; default: none)",
      valueName: "steps"))
  var chrono: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Make recurrent weights orthogonal, with this gain. (0 ... 1000000; default: none)",
      valueName: "gain"))
  var orthogonal: Double?
  @Option(
    help: ArgumentHelp(
      "Initial weights: uniform (see --scale), or TensorFlow 1's. (default: uniform)",
      valueName: "rule"))
  var initialWeights: LabInitialWeights?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Subtract this from the inputs, which are uniform in 0 ..< 1. (default: \(LabSettings().inputOffset))",
      valueName: "number"))
  var inputOffset: Double?
  @Option(
    help: ArgumentHelp(
      "Order of the random draws: fresh (inputs, weights, states), notebook (one stream shared by its experiments) or later-edition (weights, inputs, states). (default: fresh)",
      valueName: "order"))
  var draws: LabDraws?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Draws of weights that a sweep or capacity compares, with the seeds from --seed on; 0 for the seed's own draw alone. (0 ... \(WeightDraws.mostDraws); default: \(WeightDraws.defaultCount); for capacity: \(MemoryCapacityExperiment.defaultDraws))",
      valueName: "count"))
  var weightDraws: Int?

  func validate() throws { try Self.check(weightDraws: weightDraws) }

  static func check(weightDraws: Int?) throws {
    if let weightDraws, !(0...WeightDraws.mostDraws).contains(weightDraws) {
      throw ValidationError(
        "--weight-draws: expected 0 ... \(WeightDraws.mostDraws), found \(weightDraws).")
    }
  }
}

/// Options for the output of results.
struct OutputOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Write a report (page, figures, data) into this folder. (default: none)", valueName: "folder")
  )
  var output: String?

  @Flag(help: "Print the results as JSON.")
  var json = false

  /// Refuses histograms as text together with JSON.
  static func check(terminal: Bool, json: Bool) throws {
    if terminal && json {
      throw ValidationError("--terminal: draws text, found --json; leave out one of the two.")
    }
  }
}
#endif
