// Mistakes show the usage of their command, and `help` works at any position.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Usage and help")
struct UsageTests {
  private let command = CommandTests()

  @Test("A mistake in options is followed by the usage of the command")
  func usage() throws {
    for (arguments, sentence, path, arguments2) in [
      // Mistakes found after and while parsing.
      (
        ["train", "--output", "/nonexistent/x", "--layers", "-1"], "--layers: expected", "train",
        "[<options>]"
      ),
      (["train", "--layers", "x"], "The value 'x' is invalid", "train", "[<options>]"),
      (["train", "--sample", "-1"], "--sample: expected", "train", "[<options>]"),
      (
        ["lab", "memory", "--weight-draws", "3"], "--weight-draws: expected --scale", "lab memory",
        "<options>"
      ),
      (
        ["lab", "spectrum", "--scale", "1,2"], "--scale: expected one scale", "lab spectrum",
        "<options>"
      ),
      (
        ["lab", "memory", "--nosuch", "3"], "Unknown option '--nosuch'", "lab memory", "<options>"
      ),
      (
        ["convert", "a", "b.npz", "--to", "kers"], "--to: expected one of", "convert", "<in> <out>"
      ),
      (["lab", "memry"], "unknown command 'memry'; did you mean 'memory'?", "lab", "<subcommand>"),
      (["help", "lab", "memry"], "did you mean 'memory'?", "lab", "<subcommand>"),
      (["lab", "help", "memry"], "did you mean 'memory'?", "lab", "<subcommand>"),
      (["trian"], "did you mean 'train'?", "", "<subcommand>"),
    ] {
      let outcome = try command.run(arguments)
      #expect(outcome.status == 64 && outcome.output.isEmpty, "\(arguments)")
      let lines = outcome.errors.split(separator: "\n").map(String.init)
      #expect(lines.first?.hasPrefix("Error: ") ?? false)
      #expect(lines.first?.contains(sentence) ?? false, "\(outcome.errors)")
      let name = path.isEmpty ? "unroll" : "unroll \(path)"
      let usage = lines.first { $0.hasPrefix("Usage: ") } ?? ""
      #expect(usage.hasPrefix("Usage: \(name) "), "\(outcome.errors)")
      #expect(usage.contains(arguments2), "\(outcome.errors)")
      #expect(lines.last == "  See '\(name) --help' for more information.")
    }
    // An error in data does not show the usage.
    #expect(try !command.run(["generate", "/nonexistent/run"]).errors.contains("Usage"))
  }

  /// A command in the output of --experimental-dump-help.
  private struct Described: Decodable {
    var commandName: String
    var abstract: String?
    var shouldDisplay: Bool?
    var subcommands: [Described]?

    /// The subcommands that help must list.
    var named: [Described] {
      (subcommands ?? []).filter { $0.shouldDisplay != false && $0.commandName != "help" }
    }
  }

  /// All commands, written out so that a missing one is noticed.
  private static let tree: Set<String> = [
    "lab", "lab notebook", "lab memory", "lab gradients", "lab spectrum", "lab gates",
    "lab capacity", "lab track", "lab parity", "lab gru-as-rnn", "lab exercise", "lab check",
    "lab serve",
    "train", "evaluate", "generate", "inspect", "convert", "verify", "bench", "info",
  ]

  @Test("Help names every command of the tree, and each has help of its own")
  func everyCommand() throws {
    struct Description: Decodable { var command: Described }
    let dump = try command.run(["--experimental-dump-help"])
    let root = try JSONDecoder().decode(Description.self, from: Data(dump.output.utf8)).command
    var (found, waiting) = (Set<String>(), [(path: [String](), command: root)])
    while let (path, described) = waiting.popLast() {
      let help = try command.run(path + ["--help"])
      let name = (["unroll"] + path).joined(separator: " ")
      #expect(help.status == 0 && help.errors.isEmpty, "\(name)")
      #expect(help.output.contains("\nUSAGE: \(name) "), "\(name)")
      let abstract = try #require(described.abstract, "\(name)")
      let words = help.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      #expect(words.hasPrefix("OVERVIEW: \(abstract)"), "\(name)")
      let lines = help.output.split(separator: "\n")
      for next in described.named {
        let pattern = try Regex("^  \(next.commandName)( \\(default\\))?( |$)")
        #expect(lines.contains { $0.contains(pattern) }, "\(name): \(next.commandName)")
        waiting.append((path + [next.commandName], next))
        found.insert((path + [next.commandName]).joined(separator: " "))
      }
    }
    #expect(found == Self.tree)
  }

  @Test("Help is the same wherever among the commands the word stands")
  func help() throws {
    let root = try command.run(["--help"])
    for arguments in [["help"], ["help", "help"], ["help", "help", "help"]] {
      let outcome = try command.run(arguments)
      #expect(outcome.status == 0 && outcome.output == root.output && outcome.errors.isEmpty)
    }
    for (path, spellings) in [
      (
        ["lab"],
        [["lab", "help"], ["help", "lab"], ["help", "help", "lab"], ["help", "lab", "help"]]
      ),
      (
        ["lab", "memory"],
        [
          ["lab", "help", "memory"], ["help", "lab", "memory"], ["help", "lab", "memory", "help"],
        ]
      ),
      (["train"], [["help", "train"], ["help", "train", "help"]]),
    ] {
      let asked = try command.run(path + ["--help"])
      #expect(asked.output.contains("USAGE: unroll \(path.joined(separator: " ")) "))
      for arguments in spellings {
        let outcome = try command.run(arguments)
        #expect(outcome.status == 0 && outcome.output == asked.output, "\(arguments)")
      }
    }
  }

  @Test("An error about a missing run says what was found and how runs are made")
  func noRun() throws {
    try withTemporaryFolder { folder in
      try "text".write(toFile: folder + "/file", atomically: true, encoding: .utf8)
      for (name, found) in [("nosuch", "no such folder"), ("file", "a file"), ("", "none")] {
        let path = name.isEmpty ? folder : "\(folder)/\(name)"
        for arguments in [
          ["generate", path], ["evaluate", path, folder + "/file"],
          ["train", "--resume", "--output", path],
        ] {
          let outcome = try command.run(arguments)
          #expect(outcome.status == 1)
          #expect(
            outcome.errors
              == "Error: \(path): expected a run with config.json, found \(found); a run is the folder that unroll train leaves (--output)\n"
          )
        }
      }
    }
  }

  @Test("The help of every numeric option states its range")
  func ranges() throws {
    let numbers = [
      // The options of settings are in SettingOptionTests.
      "train": ["dropout", "time-budget", "checkpoint-every", "sample", "threads"],
      "generate": ["length", "temperature", "top-k", "top-p", "seed", "samples", "threads"],
      "evaluate": ["batch-size", "dynamic", "dynamic-steps", "threads"],
      "lab memory": [
        "hidden", "input", "batch", "time", "seed", "layer", "scale", "gate-bias", "chrono",
        "orthogonal", "weight-draws", "threads",
      ],
      "lab spectrum": ["sequences"], "lab notebook": ["weight-draws"], "lab serve": ["port"],
      "bench": ["threads"],
    ]
    for (path, options) in numbers {
      let help = try command.run(path.split(separator: " ").map(String.init) + ["--help"]).output
      for option in options {
        // From the option's own line to the next option's.
        let start = try #require(help.range(of: "\n  --\(option) <"), "\(path) \(option)")
        let rest = help[start.upperBound...]
        let text = rest[..<(rest.range(of: "\n  -")?.lowerBound ?? rest.endIndex)]
          .split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(
          text.contains(/(?i)at least|above 0|up to, but not including|[0-9] \.\.\. [0-9]|from 0/),
          "\(path) --\(option): \(text)")
      }
    }
  }
}
