internal import ArgumentParser
internal import Unroll
internal import UnrollFigures

struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Show versions, libraries and limits of this build.")

  @OptionGroup var threads: ThreadOptions

  func run() throws {
    var table = TextTable(["what", "value"])
    table.add(["unroll", UnrollVersion.text])
    for (name, value) in BuildInformation.facts { table.add([name, value]) }
    table.add(["MPI", Launcher.library])
    table.add(["gnuplot", Gnuplot.version() ?? "not found; install gnuplot for pictures"])
    print(table.text)
  }
}
