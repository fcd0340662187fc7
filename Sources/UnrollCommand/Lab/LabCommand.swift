#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollLab

struct LabCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lab",
    abstract: "Experiments that show what a recurrent network remembers.",
    discussion: """
      Without a subcommand: every experiment of the notebook, its numbers beside the notebook's, \
      and a report.
      """,
    subcommands: [
      NotebookCommand.self, MemoryCommand.self, GradientsCommand.self, SpectrumCommand.self,
      GatesCommand.self, ParityCommand.self, GRUAsRNNCommand.self, ServeCommand.self,
    ],
    defaultSubcommand: NotebookCommand.self)
}

/// Runs an experiment, turning its refusals into one sentence.
func attempt<Result>(_ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let error as LabError {
    // Settings are options here.
    if case .outOfRange = error.problem { throw DataError(description: "--\(error)") }
    throw DataError(description: "\(error)")
  }
}

/// Finds out whether the report can be written, before any work is done.
func prepare(_ out: OutputOptions, reading given: WeightsOptions? = nil) throws {
  guard let folder = out.output else { return }
  try prepare(report: folder, reading: [given?.weights, given?.data].compactMap(\.self))
}

/// Finds out whether a folder can take a report, before any work is done.
func prepare(report folder: String, reading inputs: [String] = []) throws {
  try OutputGuard.check(report: folder, reading: inputs)
  try attempt { try ReportFolder.prepare(folder) }
}

/// Writes a report and says where it is.
func write(_ report: LabReport, results: any Encodable, to folder: String) throws {
  let data = try Terminal.json(results)
  let outcome = try attempt {
    do {
      return try Interruption.noted {
        try ReportFolder.write(report, results: Array(data), to: folder) { done, total in
          Terminal.progress("figures", done, of: total)
          return Interruption.exitCode == nil
        }
      }
    } catch let error as LabError where error.problem == .interrupted {
      Terminal.note("Error: \(error)")
      throw ExitCode(Interruption.exitCode ?? 130)
    }
  }
  Terminal.note("report: \(outcome.page)")
  if let note = outcome.note { Terminal.note(note) }
}

struct NotebookCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "notebook",
    abstract: "Every experiment of the notebook, a table, and a report (the default).")

  @Option(help: "The folder of the report: index.html, results.json, figures/, data/.")
  var output = "report"

  @OptionGroup var sizes: SizeOptions

  @Option(parsing: .unconditional, help: "The sweep's scales.")
  var scale: Scales?

  @Option(
    parsing: .unconditional,
    help:
      "Number of draws of weights that the sweeps compare, 0 ... \(WeightDraws.mostDraws), with the seeds from --seed on; 0 for the seed's own draw alone."
  )
  var weightDraws = WeightDraws.defaultCount

  @Flag(help: "Print the results as JSON.")
  var json = false

  @Flag(help: "Draw histograms as text; not with --json.")
  var terminal = false

  func validate() throws {
    try LabCellOptions.check(weightDraws: weightDraws)
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

  /// What to do next, as commands that can be typed; `UNROLL_NAME` says under which name.
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

/// The contents of `results.json` of the whole notebook.
private struct NotebookOutput: Encodable {
  let comparison: [ComparisonRow]
  let notebook: NotebookResult
  let sweeps: [ScaleSweepResult]
}

struct ParityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parity",
    abstract: "The own forward pass against TensorFlow's recorded outputs (toy problem).",
    discussion: """
      Recorded are the notebook's toy problem and seed, for RNN and GRU. With other settings, and \
      for the LSTM, the reference is the own float64 result. The weights are TensorFlow's initial \
      ones; all steps are compared.
      """)

  @Option(
    help:
      "One cell: \(CellKind.allValueStrings.joined(separator: ", ")); the notebook's two, both GRUs, if absent."
  )
  var cell: CellKind?

  @OptionGroup var sizes: SizeOptions
  @OptionGroup var out: OutputOptions

  func run() throws {
    try prepare(out)
    var settings = sizes.applied(to: .toy)
    settings.steps = [max(1, settings.timeStepCount) - 1]
    var result = try attempt {
      try ParityExperiment.run(settings, cells: cell.map { [$0] } ?? ParityExperiment.recordedCells)
    }
    // Both precisions are computed, whichever is shown.
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
    commandName: "gru-as-rnn", abstract: "A GRU whose gates make it the RNN (toy problem).")

  @Option(help: "The GRU: gru (reset gate before the product) or gru-after.")
  var cell: CellKind = .gruResetBefore

  @Option(
    parsing: .unconditional, help: "b: the reset gate's bias; the update gate's is −b.")
  var bias: Double = GRUAsRNNExperiment.defaultBias

  @OptionGroup var sizes: SizeOptions
  @OptionGroup var out: OutputOptions

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
