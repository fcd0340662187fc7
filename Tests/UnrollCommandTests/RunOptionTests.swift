// Foreign files in a run's folder, symbols that end a text, and units.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Runs by the command")
struct RunOptionTests {
  private let command = CommandTests()

  private func train(_ folder: String, _ run: String, _ more: [String]) throws -> String {
    let outcome = try command.run(
      ["train", folder + "/text", "--output", folder + "/" + run] + LanguageCommandTests.small
        + more)
    #expect(outcome.status == 0, "\(outcome.errors)")
    return outcome.errors
  }

  @Test("A resumed run leaves foreign files alone")
  func files() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      _ = try train(folder, "run", ["--max-steps", "5"])
      let names = [
        "config.json.part-1", "corpus/train.symbols.part-2", "model.safetensors.part-12345",
        "checkpoints/000000000007.safetensors", "checkpoints/000000099999.safetensors",
        "figures/curves.svg.part-3",
      ]
      for name in names {
        try "mine".write(toFile: "\(folder)/run/\(name)", atomically: true, encoding: .utf8)
      }
      let more = try command.run(
        ["train", "--resume", "--output", folder + "/run", "--max-steps", "12"])
      #expect(more.status == 0, "\(more.errors)")
      #expect(more.errors.contains("resuming after step 5"))
      for name in names {
        #expect(
          try String(contentsOfFile: "\(folder)/run/\(name)", encoding: .utf8) == "mine", "\(name)")
      }
      // No run is started in a folder with foreign files.
      for name in ["corpus/train.symbols", "config.json.part-1"] {
        let other = folder + "/other"
        try FileManager.default.createDirectory(
          atPath: other + "/corpus", withIntermediateDirectories: true)
        try "mine".write(toFile: "\(other)/\(name)", atomically: true, encoding: .utf8)
        let refused = try command.run(["train", folder + "/text", "--output", other])
        #expect(
          refused.errors
            == "Error: \(other): expected an empty folder or a run, found \(name); choose another --output\n"
        )
        #expect(try String(contentsOfFile: "\(other)/\(name)", encoding: .utf8) == "mine")
        try FileManager.default.removeItem(atPath: other)
      }
    }
  }

  @Test(
    "A JANET begins with chrono biases, stored in config.json; an older run resumes without them"
  )
  func chrono() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      func settings(_ run: String) throws -> [String: Any] {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(run)/config.json"))
        return try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
      }
      func initialization(_ run: String) throws -> [String: Any] {
        let training = try #require(try settings(run)["training"] as? [String: Any])
        return try #require(training["initialization"] as? [String: Any])
      }
      let notes = try train(folder, "janet", ["--cell", "janet", "--max-steps", "3"])
      #expect(notes.contains("chrono_steps 6"), "\(notes)")
      #expect(try initialization("janet")["chrono_steps"] as? Int == 6)
      _ = try train(folder, "lstm", ["--max-steps", "3"])
      #expect(try initialization("lstm")["chrono_steps"] == nil)
      // A configuration from before this setting existed.
      var old = try settings("janet")
      var training = try #require(old["training"] as? [String: Any])
      var rule = try initialization("janet")
      rule["chrono_steps"] = nil
      training["initialization"] = rule
      old["training"] = training
      let bytes = try JSONSerialization.data(withJSONObject: old)
      try bytes.write(to: URL(fileURLWithPath: folder + "/old.json"))
      let begun = try command.run([
        "train", "--config", folder + "/old.json", "--output", folder + "/old", "--max-steps", "3",
      ])
      #expect(begun.status == 0, "\(begun.errors)")
      #expect(try initialization("old")["chrono_steps"] == nil)
      let resume = ["train", "--resume", "--output", folder + "/old", "--max-steps", "6"]
      for more in [["--cell", "janet"], []] {
        let resumed = try command.run(resume + more)
        #expect(resumed.status == 0 && resumed.errors.contains("resuming after step"))
      }
      #expect(try initialization("old")["chrono_steps"] == nil)
    }
  }

  @Test(
    "Text of a model of bytes stops at a byte, written in hexadecimal or as a character",
    .tags(.slow))
  func stop() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      _ = try train(folder, "bytes", ["--unit", "bytes", "--epochs", "1"])
      func generate(_ stop: [String]) throws -> CommandTests.Outcome {
        try command.run(
          [
            "generate", folder + "/bytes", "--length", "300", "--seed", "3", "--temperature", "0.3",
            "--prompt", "t",
          ]
            + stop)
      }
      let whole = try generate([]).output
      let line = String(
        try #require(whole.split(separator: "\n", omittingEmptySubsequences: false).first))
      #expect(line.utf8.count < 300)
      for name in ["0a", "0A", "\\n", "\n"] {
        #expect(try generate(["--stop", name]).output == line + "\n", "\(name)")
      }
      let word = String(
        try #require(whole.split(separator: "e", omittingEmptySubsequences: false).first))
      for name in ["e", "65"] {
        #expect(try generate(["--stop", name]).output == word + "\n", "\(name)")
      }
      for name in ["é", "0g", "the", "0a0", ""] {
        let refused = try generate(["--stop", name])
        #expect(refused.status == 1)
        #expect(
          refused.errors
            == "Error: --stop: expected one byte, as a character of ASCII or as two hexadecimal digits such as 0a, found '\(name)'\n"
        )
      }
    }
  }

  @Test(
    "Every command names the unit of a model",
    arguments: ["words", "characters", "bytes"])
  func units(unit: String) throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let said = try train(folder, "run", ["--unit", unit, "--max-steps", "2"])
      #expect(said.contains(" \(unit) for training"), "\(said)")
      let (run, text) = (folder + "/run", folder + "/text/test.txt")
      #expect(try command.run(["evaluate", run, text]).output.contains("\n\(unit) predicted  "))
      let memory = try command.run(["lab", "memory", "--weights", run, "--time", "5"])
      #expect(memory.output.contains("\n\(unit) read  "), "\(memory.output)")
      #expect(memory.output.contains(" in a text of "))
      let gradients = try command.run(["lab", "gradients", "--weights", run, "--time", "5"])
      #expect(gradients.output.contains("which earlier \(unit) the gradient"))
      for output in [said, memory.output, gradients.output] {
        let lines = output.split(separator: "\n").filter { $0.contains("symbol") }
        #expect(lines.isEmpty, "\(lines)")
      }
      try "t".write(toFile: folder + "/short.txt", atomically: true, encoding: .utf8)
      if unit != "words" {
        #expect(
          try command.run(["evaluate", run, folder + "/short.txt"]).errors
            .contains("expected at least 2 \(unit), found 1"))
      }
      #expect(
        try command.run(
          ["train", folder + "/text", "--output", folder + "/none", "--unit", unit]
            + ["--batch-size", "100000"]
        ).errors.contains("expected at least 200001 \(unit), found"))
    }
  }

  @Test("A text with zero bytes is refused before a run is created; a model of bytes reads it")
  func zeroBytes() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/t.txt"
      let text = String(repeating: "the cat sat on the mat\n", count: 400)
      let cases: [(name: String, bytes: [UInt8])] = [
        ("UTF-16LE", text.utf8.flatMap { byte in [byte, UInt8(0)] }),
        ("a NUL byte", Array((text + "a\0b\n" + text).utf8)),
      ]
      for (name, bytes) in cases {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let train = ["train", path, "--output", folder + "/run", "--max-steps", "1"]
        for unit in ["words", "characters"] {
          let refused = try command.run(train + ["--unit", unit] + LanguageCommandTests.small)
          #expect(refused.status == 1)
          #expect(
            refused.errors.contains("expected text in UTF-8, found \(name)"), "\(refused.errors)")
          #expect(!FileManager.default.fileExists(atPath: folder + "/run/config.json"))
        }
        #expect(
          try command.run(train + ["--unit", "bytes"] + LanguageCommandTests.small).status == 0)
        try FileManager.default.removeItem(atPath: folder + "/run")
      }
    }
  }
}
