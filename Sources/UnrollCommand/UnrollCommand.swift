// The `unroll` command: arguments, terminal output, exit codes. No mathematics lives here.

internal import ArgumentParser

@main
struct UnrollCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unroll",
    abstract: "Recurrent neural networks on the CPU: a lab of what they remember.",
    discussion: """
      `unroll lab` computes every experiment of the notebook and leaves a report; \
      `unroll verify DIR` recomputes arrays that other frameworks computed.
      """,
    version: UnrollVersion.text,
    subcommands: [
      LabCommand.self, VerifyCommand.self, BenchCommand.self, InfoCommand.self,
    ])
}

/// The version of the command.
enum UnrollVersion {
  static let text = "0.1.0"
}
