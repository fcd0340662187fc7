#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollLab

struct LabCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lab",
    abstract: "Run experiments on what a recurrent network remembers.",
    discussion: """
      Without a subcommand, every experiment of the notebook is run, and a report shows its numbers next to the \
      notebook's.

      EXAMPLES
        unroll lab
        unroll lab memory --cell gru --scale 4
        unroll lab gradients --weights run
        unroll lab serve --open
      """,
    subcommands: [
      NotebookCommand.self, MemoryCommand.self, GradientsCommand.self, SpectrumCommand.self,
      GatesCommand.self, CapacityCommand.self, TrackCommand.self, ParityCommand.self,
      GRUAsRNNCommand.self, ExerciseCommand.self, CheckCommand.self, ServeCommand.self,
    ],
    defaultSubcommand: NotebookCommand.self)
}

/// Runs an experiment; prints the reason if it cannot be done or was interrupted.
func attempt<Result>(_ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let error as LabError {
    switch error.problem {
    case .interrupted:
      Terminal.note("Error: \(error)")
      throw ExitCode(Interruption.exitCode ?? 130)
    // Settings are options here.
    case .outOfRange: throw DataError(description: "--\(error)")
    case .tooLarge, .system: throw DataError(description: "\(error)")
    }
  }
}

/// Checks before any work that the report can be written.
func prepare(_ out: OutputOptions, reading given: WeightsOptions? = nil) throws {
  guard let folder = out.output else { return }
  try prepare(report: folder, reading: [given?.weights, given?.data].compactMap(\.self))
}

/// Checks before any work that a report can be written to a folder.
func prepare(report folder: String, reading inputs: [String] = []) throws {
  try OutputGuard.check(report: folder, reading: inputs)
  try attempt { try ReportFolder.prepare(folder) }
}

/// Writes a report and prints its path.
func write(_ report: LabReport, results: any Encodable, to folder: String) throws {
  let data = try Terminal.json(results)
  let outcome = try attempt {
    try Interruption.noted {
      try ReportFolder.write(report, results: Array(data), to: folder) { done, total in
        Terminal.progress("figures", done, of: total)
        return Interruption.exitCode == nil
      }
    }
  }
  Terminal.note("report: \(outcome.page)")
  if let note = outcome.note { Terminal.note(note) }
}

struct NotebookCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "notebook",
    abstract: "Run every experiment of the notebook and write a report.",
    discussion: """
      A table compares every number with the notebook's. The report has a page, figures and data.

      EXAMPLES
        unroll lab notebook
        unroll lab notebook --output report-2 --seed 2
        unroll lab notebook --scale 0.5:4:log9 --weight-draws 20
      """)

  @Option(
    help: ArgumentHelp(
      "Folder of the report: index.html, results.json, figures/, data/.", valueName: "folder"))
  var output = "report"

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Scales of the sweep; the notebook's own experiments keep theirs. (at least 0; default: 0.25:8:log24)",
      valueName: "scales"))
  var scale: Scales?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Draws of weights that the sweep compares, with the seeds from --seed on; 0 for the seed's own draw alone. (0 ... \(WeightDraws.mostDraws))",
      valueName: "count"))
  var weightDraws = WeightDraws.defaultCount

  @Flag(help: "Print the results as JSON.")
  var json = false

  @Flag(help: "Draw histograms as text; not with --json.")
  var terminal = false

  @OptionGroup var sizes: SizeOptions
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    try DrawOptions.check(weightDraws: weightDraws)
    try OutputOptions.check(terminal: terminal, json: json)
  }

  func run() throws {
    var settings = sizes.applied(to: LabSettings())
    settings.steps = LabSettings.defaultSteps(timeStepCount: settings.timeStepCount)
    try attempt { try settings.validate() }
    try prepare(report: output)
    let result = try attempt { try NotebookRun.run(settings) }
    let scales = scale?.values ?? ScaleSweep.defaultScales
    let sweeps = try [CellKind.rnn, .gruResetBefore, .lstm].map { cell in
      try attempt {
        var settings = settings
        settings.cell = cell
        return try ScaleSweep.run(settings, scales: scales, weightDraws: weightDraws) { done, all in
          Terminal.progress("sweep, \(cell.title)", done, of: all)
        }
      }
    }
    let results = NotebookOutput(
      comparison: result.comparison, notebook: result, sweeps: sweeps)
    if json {
      try Terminal.printJSON(results)
    } else {
      print(Self.table(result.comparison))
      if terminal {
        for set in result.memoryRNN.distances { print("\n\(result.memoryRNN.textHistograms(set))") }
        print("\n\(result.gradientRNN.textHistograms)")
      }
    }
    try write(result.report(sweeps: sweeps), results: results, to: output)
    Terminal.note(Self.suggestions(ProcessInfo.processInfo.environment))
    let failed = result.comparison.count { !$0.holds }
    if failed > 0 {
      throw DataError(description: "\(failed) of \(result.comparison.count) requirements fail")
    }
  }

  /// Suggested next commands; `UNROLL_NAME` replaces the name of the program.
  private static func suggestions(_ environment: [String: String]) -> String {
    let name = environment["UNROLL_NAME"] ?? "unroll"
    let commands = [
      ("lab serve --open", "the experiments as a page with sliders"),
      ("lab memory --cell gru --scale 4", "one experiment with other settings"),
      ("train", "train a language model on an embedded grammar"),
    ]
    return commands.reduce("next:") { text, command in
      let typed = "\(name) \(command.0)".padding(toLength: 40, withPad: " ", startingAt: 0)
      return "\(text)\n  \(typed)  \(command.1)"
    }
  }

  private static func table(_ rows: [ComparisonRow]) -> String {
    var table = TextTable([
      "part", "number", "ours", "printed", "TensorFlow", "required", "verdict",
    ])
    for row in rows {
      table.add([
        row.part, row.quantity, number(row.ours), row.printed.map(number) ?? "-",
        row.reference.map(number) ?? "-", row.requirement, row.holds ? "holds" : "FAILS",
      ])
    }
    return table.text
  }

  private static func number(_ value: Double) -> String {
    value != 0 && abs(value) < 1e-3
      ? scientific(value, digits: 4) : "\((value * 1e6).rounded() / 1e6)"
  }
}

/// The contents of `results.json` for the whole notebook.
private struct NotebookOutput: Encodable {
  let comparison: [ComparisonRow]
  let notebook: NotebookResult
  let sweeps: [ScaleSweepResult]
}

struct ParityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parity",
    abstract: "Compare Unroll's forward pass with TensorFlow's recorded outputs.",
    discussion: """
      TensorFlow's outputs are recorded for the notebook's toy problem and seed, for the RNN and the GRU. For other \
      settings and cells, the reference is Unroll's float64 result. The weights are TensorFlow's initial ones; all \
      steps are compared.

      EXAMPLES
        unroll lab parity
        unroll lab parity --cell lstm --time 20
        unroll lab parity --dtype float32 --json
      """)

  @Option(
    help: ArgumentHelp(
      "Recurrent cell. (default: the recorded ones, \(ParityExperiment.recordedCells.map(\.rawValue).joined(separator: ", ")))",
      valueName: "cell"))
  var cell: CellKind?

  @OptionGroup var sizes: LabSizeOptions<ParityProblem>
  @OptionGroup var out: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func run() throws {
    try prepare(out)
    var settings = sizes.applied(to: .toy)
    settings.steps = [max(1, settings.timeStepCount) - 1]
    var result = try attempt {
      try ParityExperiment.run(settings, cells: cell.map { [$0] } ?? ParityExperiment.recordedCells)
    }
    // Both precisions are always computed; show only the one that was asked for.
    if let dtype = sizes.dtype { result.rows.removeAll { $0.precision != dtype } }
    if out.json {
      try Terminal.printJSON(result)
    } else {
      var table = TextTable([
        "cell", "arithmetic", "relative error", "distance from float64", "reference's",
      ])
      for row in result.rows {
        table.add([
          row.cell.title, row.precision.rawValue, LabNumber.short(row.relativeErrorSum),
          LabNumber.short(row.distanceFromTruth), LabNumber.short(row.referenceDistanceFromTruth),
        ])
      }
      print("reference: \(result.isRecorded ? "TensorFlow 1.13.1, recorded" : "own float64")")
      print(table.text)
    }
    if let folder = out.output {
      try write(
        LabReport(title: "Parity", introduction: "", sections: [result.section]),
        results: result, to: folder)
    }
  }
}

struct GRUAsRNNCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gru-as-rnn", abstract: "Make a GRU compute what an RNN computes, by its gates.",
    discussion: """
      With an open reset gate and a closed update gate a GRU is an RNN. The table shows how far they are apart in the \
      notebook's toy problem for growing biases b.

      EXAMPLES
        unroll lab gru-as-rnn
        unroll lab gru-as-rnn --cell gru-after --bias 10
      """)

  @Option(
    help: ArgumentHelp(
      "The GRU: gru (reset gate before the product) or gru-after.", valueName: "cell"))
  var cell: CellKind = .gruResetBefore

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Bias b of the reset gate; the update gate's is -b.", valueName: "bias"))
  var bias: Double = GRUAsRNNExperiment.defaultBias

  @OptionGroup var sizes: LabSizeOptions<ToyProblem>
  @OptionGroup var out: OutputOptions
  @OptionGroup var threads: ThreadOptions

  func run() throws {
    try prepare(out)
    var settings = sizes.applied(to: .toy)
    settings.cell = cell
    settings.steps = [max(1, settings.timeStepCount) - 1]
    let result = try attempt { try GRUAsRNNExperiment.run(settings, bias: bias) }
    if out.json {
      try Terminal.printJSON(result)
    } else {
      var table = TextTable(["b", "relative error", "largest difference", "all bits equal"])
      for row in result.rows {
        table.add([
          LabNumber.short(row.bias), LabNumber.short(row.relativeError),
          LabNumber.short(row.largestDifference), row.isBitwiseEqual ? "yes" : "no",
        ])
      }
      print(table.text)
      print("untouched GRU: \(LabNumber.short(result.untouched))")
    }
    if let folder = out.output {
      try write(
        LabReport(title: "A GRU that is an RNN", introduction: "", sections: [result.section]),
        results: result, to: folder)
    }
  }
}
#endif
