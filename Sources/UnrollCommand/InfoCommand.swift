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
      With --plan, show how a layer runs instead: the path of its kernels for training, inference and a stream, the \
      number of threads that share it, the memory that it takes, and why.

      EXAMPLES
        unroll info
        unroll info --plan "lstm H=256 B=1 T=1" --threads 2
        unroll info --plan "gru-after D=64 H=8 B=100 T=50 float64"
      """)

  @Option(
    help: ArgumentHelp(
      "Layer to show: a cell, then the sizes H and, as needed, D (default: H), B and T (default: 1), threads, and float32 (default) or float64.",
      valueName: "layer"))
  var plan: String?
  @OptionGroup var threads: ThreadOptions

  func run() throws {
    if let plan {
      print(try PlanDescription(plan, hasThreadOption: threads.threads != nil).table)
      return
    }
    var table = TextTable(["what", "value"])
    // A terminal of 80 columns holds the names and this.
    let width = 60
    table.add(["unroll", UnrollVersion.text])
    for (name, value) in BuildInformation.facts { table.add(name, value, width: width) }
    table.add("HDF5", HDF5Library.summary, width: width)
    table.add("LAPACK", LAPACK.summary, width: width)
    table.add("MPI", MPIRanks.library, width: width)
    table.add(
      "gnuplot", Gnuplot.version() ?? "not found; install gnuplot for pictures", width: width)
    print(table.text)
  }
}
#endif
