#if Command
internal import ArgumentParser
internal import Unroll
internal import UnrollFigures
internal import UnrollFormats
internal import UnrollLab
internal import UnrollMPI

struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Show versions, libraries and limits of this build and machine.")

  @OptionGroup var threads: ThreadOptions

  func run() throws {
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
