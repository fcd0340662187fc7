// State tracking as a command.

#if Command
public import ArgumentParser
internal import Unroll
public import UnrollLab

extension TrackingTask: ExpressibleByArgument {}

/// Kinds of cells, separated by commas.
struct CellList: ExpressibleByArgument {
  static var allValueStrings: [String] { CellKind.allValueStrings }

  /// The kinds that are named, each once, in the order of `CellKind`.
  var kinds: [CellKind]

  init?(argument: String) {
    let kinds = argument.split(separator: ",", omittingEmptySubsequences: false).map {
      CellKind(argument: String($0))
    }
    guard !kinds.contains(nil) else { return nil }
    self.kinds = CellKind.allCases.filter(kinds.contains)
  }
}

struct TrackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "track",
    abstract: "Train cells to track a state, and test them on longer sequences.",
    discussion: """
      At every step the network says whether the number of ones so far is odd (parity), or the sum of the numbers so far modulo 3 \
      (modulo-3). Training ends when ten batches of unseen sequences of --time steps have no error, or after --max-steps.

      EXAMPLES
        unroll lab track
        unroll lab track --task modulo-3 --cell rnn,lstm --output track-report
        unroll lab track --hidden 8 --time 10 --test-time 1000
      """)

  @Option(help: ArgumentHelp("Sum to track.", valueName: "task"))
  var task = Self.defaults.task
  @Option(
    help: ArgumentHelp(
      "Cells, separated by commas. (default: \(CellKind.allCases.map(\.rawValue).joined(separator: ",")))",
      valueName: "list"))
  var cell: CellList?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Units H. (\(Self.range(StateTrackingSettings.hiddenSizes)); default: \(Self.defaults.hiddenSize))",
      valueName: "units"))
  var hidden: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Steps of a training sequence. (\(Self.range(StateTrackingSettings.trainingLengths)); default: \(Self.defaults.trainingLength))",
      valueName: "steps"))
  var time: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Steps of a test sequence. (\(Self.range(StateTrackingSettings.testLengths)); default: \(Self.defaults.testLength))",
      valueName: "steps"))
  var testTime: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Sequences per batch. (\(Self.range(StateTrackingSettings.batchSizes)); default: \(Self.defaults.batchSize))",
      valueName: "sequences"))
  var batch: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Maximum number of training steps per cell. (\(Self.range(StateTrackingSettings.stepLimits)); default: \(Self.defaults.stepLimit))",
      valueName: "steps"))
  var maxSteps: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Adam's learning rate. (more than 0, at most 1; default: \(Self.defaults.learningRate))",
      valueName: "rate"))
  var learningRate: Double?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Seed of weights and data. (\(Self.range(StateTrackingSettings.seeds)); default: \(Self.defaults.seed))",
      valueName: "seed"))
  var seed: Int?
  @OptionGroup var out: OutputOptions
  @OptionGroup var threads: ThreadOptions

  private static var defaults: StateTrackingSettings { StateTrackingSettings() }

  private static func range(_ values: ClosedRange<Int>) -> String {
    "\(values.lowerBound) ... \(values.upperBound)"
  }

  private var settings: StateTrackingSettings {
    var settings = Self.defaults
    settings.task = task
    if let cell { settings.cells = cell.kinds }
    if let hidden { settings.hiddenSize = hidden }
    if let time { settings.trainingLength = time }
    if let testTime { settings.testLength = testTime }
    if let batch { settings.batchSize = batch }
    if let maxSteps { settings.stepLimit = maxSteps }
    if let learningRate { settings.learningRate = learningRate }
    if let seed { settings.seed = seed }
    return settings
  }

  func run() throws {
    let settings = settings
    try attempt { try settings.validate() }
    try prepare(out)
    let result = try attempt {
      try Interruption.noted {
        try StateTrackingExperiment.run(settings) { cell, steps, _ in
          Terminal.progress("\(cell.title), training step", steps, of: settings.stepLimit)
          return Interruption.exitCode == nil
        }
      }
    }
    if out.json {
      try Terminal.printJSON(result)
    } else {
      result.table.show()
      print(result.statement)
    }
    guard let folder = out.output else { return }
    try write(
      LabReport(title: "State tracking", introduction: "", sections: [result.section()]),
      results: result, to: folder)
  }
}
#endif
