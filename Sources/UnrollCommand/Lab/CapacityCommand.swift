// Memory capacity as a command.

#if Command
internal import ArgumentParser
internal import Unroll
internal import UnrollLab

struct CapacityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "capacity",
    abstract: "Measure memory capacity: how much of the past inputs a linear readout recovers.",
    discussion: """
      A linear readout of the state is fitted to the input of k steps ago, for every delay k, on half of the sequences; \
      R² is measured on the other half. The memory capacity (Jaeger 2001) is the sum of R² over the delays from 1 on and \
      over the numbers of the input; a negative R² counts as 0. Everything is computed in float64, for several draws of \
      the weights.

      With --weights, every layer of the network is measured with the inputs that it reads. --data then needs at least two \
      sequences. --steps and --dtype are refused.

      EXAMPLES
        unroll lab capacity
        unroll lab capacity --cell gru --delay 60 --output capacity-report
        unroll lab capacity --hidden 50 --orthogonal 0.9 --time 1000
      """)

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Longest delay. (at least 1, less than --time; default: \(MemoryCapacityExperiment.defaultDelay))",
      valueName: "steps"))
  var delay: Int?
  @OptionGroup var cells: LabCellOptions
  @OptionGroup(title: "Cell and sizes") var sizes: LabSizeOptions<CapacityProblem>
  @OptionGroup(title: "Output") var out: OutputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions

  func run() throws {
    try cells.check(sizes)
    try cells.refuseSweep(comparesDraws: true)
    try LabCellOptions.refuse(
      [("--dtype", sizes.dtype != nil)], because: "readouts are computed in float64")
    try LabCellOptions.refuse(
      [("--steps", cells.steps != nil)], because: "readouts are fitted to all steps")
    let settings = cells.settings(sizes, defaultScale: 1, defaults: CapacityProblem.settings)
    // 0 means the draw of the seed alone.
    let draws = max(1, cells.drawn.weightDraws ?? MemoryCapacityExperiment.defaultDraws)
    try InstrumentRun(
      title: "Memory capacity", cells: cells, sizes: sizes, out: out, settings: settings,
      measure: { settings, layer in
        try MemoryCapacityExperiment.run(
          settings, layer: layer, delay: delay ?? MemoryCapacityExperiment.defaultDelay,
          draws: draws
        ) {
          Terminal.progress("capacity, draw", $0, of: draws)
        }
      },
      show: { result in
        result.table.show()
        print(result.statement)
      }, section: { [$0.section(name: $1, weights: $2)] }
    ).run()
  }
}
#endif
