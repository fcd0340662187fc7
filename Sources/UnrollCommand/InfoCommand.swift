#if Command
internal import ArgumentParser
internal import Unroll
internal import UnrollFigures
internal import UnrollFormats
internal import UnrollLab
internal import UnrollMPI

struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Show versions, libraries and limits of this build and machine.",
    discussion: """
      EXAMPLES
        unroll info
        unroll info --plan "lstm H=256 B=1 T=1 threads=2"
        unroll info --plan "gru-after D=64 H=8 B=100 T=50 float64"
      """)

  @Option(
    help: ArgumentHelp(
      "Show how a layer of these sizes runs: a cell, then H, D, B, T and threads.",
      valueName: "layer"))
  var plan: String?
  @OptionGroup var threads: ThreadOptions

  func run() throws {
    if let plan {
      print(try PlanDescription(plan).table)
      return
    }
    var table = TextTable(["what", "value"])
    table.add(["unroll", UnrollVersion.text])
    for (name, value) in BuildInformation.facts { table.add([name, value]) }
    table.add(["HDF5", HDF5Library.summary])
    table.add(["LAPACK", LAPACK.summary])
    table.add(["MPI", MPIRanks.library])
    table.add(["gnuplot", Gnuplot.version() ?? "not found; install gnuplot for pictures"])
    print(table.text)
  }
}
#endif
