// `unroll train --show-config`: a commented file of all settings that reproduces the run.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Settings that the command prints")
struct ShowConfigTests {
  private let command = CommandTests()

  @Test("The printed file reproduces the run of the options that it was printed for")
  func sameRun() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let options =
        LanguageCommandTests.small + [
          "--max-steps", "5", "--optimizer", "adam", "--beta1", "0.8", "--beta2", "0.99",
          "--epsilon", "1e-7", "--embedding-range", "0.2", "--recurrent-range", "0.3",
          "--softmax-range", "0.05", "--forget-bias", "0.5", "--evaluation-batch-size", "4",
          "--constant-rate", "--momentum", "0.5", "--non-monotone", "3",
        ]
      let run = { (name: String) in ["--output", "\(folder)/\(name)"] }
      let shown = try command.run(
        ["train", folder + "/text", "--show-config"] + run("none") + options)
      #expect(shown.status == 0 && shown.errors.isEmpty, "\(shown.errors)")
      #expect(!FileManager.default.fileExists(atPath: folder + "/none"))
      try shown.output.write(toFile: folder + "/settings", atomically: true, encoding: .utf8)
      #expect(
        try command.run(["train", folder + "/text"] + run("options") + options).status == 0)
      let again = try command.run(["train", "--config", folder + "/settings"] + run("file"))
      #expect(again.status == 0, "\(again.errors)")
      for file in ["config.json", "model.safetensors"] {
        #expect(
          FileManager.default.contentsEqual(
            atPath: "\(folder)/options/\(file)", andPath: "\(folder)/file/\(file)"), "\(file)")
      }
      let text = try String(contentsOfFile: folder + "/options/config.json", encoding: .utf8)
      for field in [
        "\"beta1\" : 0.8", "\"beta2\" : 0.99", "\"epsilon\" : 1e-07", "\"embedding_range\" : 0.2",
        "\"recurrent_range\" : 0.3", "\"softmax_range\" : 0.05", "\"forget_bias\" : 0.5",
        "\"evaluation_batch_size\" : 4", "\"momentum\" : 0.5", "\"non_monotone\" : 3",
        "\"constant\"",
      ] {
        #expect(text.contains(field), "\(field) in \(text)")
      }
      // An existing run shows its own settings.
      let resumed = try command.run(["train", "--resume", "--show-config"] + run("file"))
      #expect(resumed.status == 0 && resumed.output.contains("\"beta1\": 0.8"))
      let janet = try command.run(
        ["train", "--show-config", "--cell", "janet", "--chrono-steps", "9"])
      #expect(janet.output.contains("\"chrono_steps\": 9"))
    }
  }

  @Test("Every setting but those that a run finds out by itself has an option, which help shows")
  func options() throws {
    let shown = try command.run(["train", "--show-config"])
    #expect(shown.status == 0)
    let help = try command.run(["train", "--help"]).output
    let lines = shown.output.split(separator: "\n").map { $0.drop { $0 == " " } }
    var without: [String] = []
    for (comment, line) in zip(lines, lines.dropFirst()) {
      guard line.hasPrefix("\""), !line.hasSuffix("{") else { continue }
      let options = comment.matches(of: /--([a-z0-9-]+)/).map { String($0.1) }
      if options.isEmpty { without.append(String(line.dropFirst().prefix { $0 != "\"" })) }
      for option in options {
        #expect(help.contains(try Regex("\\n  --\(option)[ /\\n]")), "\(option)")
      }
    }
    #expect(without == ["corpus", "vocabulary_size", "version"])
  }
}
