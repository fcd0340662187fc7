// The `unroll` command: arguments, terminal output, exit codes. No mathematics lives here.

#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollFormats

@main
struct UnrollCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unroll",
    abstract: "Train, run and study recurrent neural networks on the CPU.",
    discussion: """
      Results have the same bits for any number of threads. --threads or the environment variable UNROLL_THREADS sets \
      the number; the default is all cores that the process may use, or under MPI this rank's share of them. UNROLL_ISA \
      chooses the instruction set of the kernels: plain, baseline, avx2 or avx512 (default: the machine's best).

      EXAMPLES
        unroll lab
        unroll train book.txt --output run
        unroll generate run --prompt "the"
        unroll lab memory --weights run
        unroll inspect model.pt
      """,
    version: UnrollVersion.text,
    subcommands: [
      LabCommand.self, TrainCommand.self, EvaluateCommand.self, GenerateCommand.self,
      InspectCommand.self, ConvertCommand.self, VerifyCommand.self, BenchCommand.self,
      InfoCommand.self,
    ])

  static func main() {
    MappedFiles.reportShortened()
    Interruption.leaveQuitToTheSystem()
    Terminal.reserveStandardStreams()
    // Only rank 0 writes to the terminal.
    let isOneOfMany = ["train", "evaluate"].contains(CommandLine.arguments.dropFirst().first)
    if isOneOfMany { RankOutput.hush() }
    do {
      try MachineSettings.check(ProcessInfo.processInfo.environment)
    } catch {
      // The first rank of every other machine reports it, because its instruction sets and variables may differ from
      // rank 0's.
      if let rank = Launcher.rank, rank > 0, Launcher.isFirstHere, isOneOfMany {
        RankOutput.say("rank \(rank): \(error)")
      }
      end(error)
    }
    // UNROLL_THREADS and --threads take precedence.
    if ProcessInfo.processInfo.environment["UNROLL_THREADS", default: ""].isEmpty,
      let share = Launcher.coreShare
    {
      Threads.count = share
    }
    var command: any ParsableCommand = UnrollCommand()
    do {
      let arguments = Suggestions.askingForHelpFirst(Array(CommandLine.arguments.dropFirst()))
      try Suggestions.checkCommand(arguments)
      command = try parseAsRoot(arguments)
      ThreadOptions.apply(of: command)
      try command.run()
      end(nil)
    } catch {
      end(error, of: type(of: command))
    }
  }

  /// Prints help or an error, reports a failed standard output, and exits.
  ///
  /// - Parameters:
  ///   - error: The reason for ending; nil after success.
  ///   - command: The command that ran; its usage follows a mistake in its options.
  private static func end(
    _ error: (any Error)?, of command: any ParsableCommand.Type = UnrollCommand.self
  ) -> Never {
    var code = error.map { exitCode(for: $0).rawValue } ?? 0
    var message = error.map { fullMessage(for: $0) } ?? ""
    if let mistake = error as? ValidationError {
      message = Suggestions.message(mistake.description, of: command)
    } else if let unknown = error as? UnknownCommand {
      message = Suggestions.message(unknown.description, of: unknown.parent)
      code = ExitCode.validationFailure.rawValue
    }
    if !message.isEmpty {
      if code == 0 { print(message) } else { Terminal.note(Suggestions.improved(message)) }
    }
    if let problem = Terminal.finishOutput() {
      Terminal.note("Error: \(problem)")
      if code == 0 { code = 1 }
    }
    Foundation.exit(code)
  }
}

/// Checks the environment variables of the kernels: the library ignores values that it cannot use, and the command
/// reports them.
///
/// An empty variable counts as unset.
enum MachineSettings {
  struct Refused: Error, CustomStringConvertible {
    let description: String
  }

  static func check(_ environment: [String: String]) throws {
    let environment = environment.filter { !$0.value.isEmpty }
    let levels = InstructionSet.available.map(\.rawValue)
    if let name = environment["UNROLL_ISA"], !levels.contains(name) {
      throw Refused(
        description:
          "UNROLL_ISA: expected one of \(levels.joined(separator: ", ")), which this machine has, found '\(name)'."
      )
    }
    if let text = environment["UNROLL_THREADS"], !(1...256).contains(Int(text) ?? 0) {
      throw Refused(description: "UNROLL_THREADS: expected 1 ... 256, found '\(text)'.")
    }
    if let text = environment["UNROLL_RANK_TIMEOUT"], !(Double(text) ?? 0 > 0) {
      throw Refused(
        description: "UNROLL_RANK_TIMEOUT: expected more than 0 seconds, found '\(text)'.")
    }
  }
}

/// The version of the command.
enum UnrollVersion {
  static let text = "0.1.0"
}
#else
internal import Foundation

/// The program built without the package trait `Command`, which adds ArgumentParser.
@main
enum UnrollCommand {
  static func main() {
    let sentence = """
      unroll: this build has no commands; build it with the package trait Command \
      (./run does): swift build -c release --traits Command --product unroll

      """
    FileHandle.standardError.write(Data(sentence.utf8))
    exit(64)
  }
}
#endif
