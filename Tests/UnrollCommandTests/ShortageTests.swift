// Runs whose files are truncated by another program, and runs with a low limit on open files.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Runs in need")
struct ShortageTests {
  @Test("A run goes on when its encoded text is cut while it trains", .tags(.slow))
  func shortenedText() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let process = Process()
      let errors = Pipe()
      process.executableURL = CommandTests.binary
      process.arguments =
        ["train", folder + "/text", "--output", folder + "/run", "--epochs", "100000"]
        + LanguageCommandTests.small
      (process.standardOutput, process.standardError) = (FileHandle.nullDevice, errors)
      try process.run()
      let metrics = folder + "/run/metrics.jsonl"
      func lines() -> Int {
        (try? String(contentsOfFile: metrics, encoding: .utf8))?.split(separator: "\n").count ?? 0
      }
      while process.isRunning && lines() < 1 { usleep(5000) }
      for part in ["train", "valid"] { truncate(folder + "/run/corpus/\(part).symbols", 0) }
      let before = lines()
      while process.isRunning && lines() < before + 2 { usleep(5000) }
      kill(process.processIdentifier, SIGTERM)
      let said = String(
        decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(
        process.terminationReason == .exit && process.terminationStatus == 143,
        "\(said.suffix(500))")
    }
  }

  @Test("A run whose large text, which is mapped, is cut ends with its name and exit code 1")
  func shortenedLargeText() throws {
    try withTemporaryFolder { folder in
      let text = folder + "/text.txt"
      try String(repeating: "the cat sees the other\n", count: 420_000)
        .write(toFile: text, atomically: true, encoding: .utf8)
      let process = Process()
      let errors = Pipe()
      process.executableURL = CommandTests.binary
      process.arguments =
        ["train", text, "--unit", "characters", "--output", folder + "/run", "--epochs", "100"]
        + LanguageCommandTests.small
      (process.standardOutput, process.standardError) = (FileHandle.nullDevice, errors)
      try process.run()
      let checkpoints = folder + "/run/checkpoints"
      while process.isRunning && !FileManager.default.fileExists(atPath: checkpoints) {
        usleep(5000)
      }
      truncate(folder + "/run/corpus/train.symbols", 4096)
      let said = String(
        decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationReason == .exit && process.terminationStatus == 1)
      #expect(
        said.contains(
          "Error: \(folder)/run/corpus/train.symbols: another program shortened the file while it was in use"
        ), "\(said.suffix(500))")
    }
  }

  @Test(
    "A run that may open few files ends with its summary, and curves or why there are none",
    .tags(.slow))
  func fewFiles() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      for limit in [12, 16, 24, 64, 300] {
        let process = Process()
        let (output, errors) = (folder + "/out", folder + "/errors")
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        // The shell redirects, so that the command inherits no descriptors from Foundation.
        process.arguments =
          [
            "-c", "ulimit -n \(limit); exec \"$0\" \"$@\" >'\(output)' 2>'\(errors)'",
            CommandTests.binary.path, "train", folder + "/text", "--output",
            folder + "/run-\(limit)", "--epochs", "1",
          ] + LanguageCommandTests.small
        try process.run()
        process.waitUntilExit()
        let told = try String(contentsOfFile: errors, encoding: .utf8)
        #expect(process.terminationReason == .exit, "\(limit): \(told)")
        #expect(process.terminationStatus == 0, "\(limit): \(told)")
        let curves = "\(folder)/run-\(limit)/figures/curves.svg"
        #expect(
          FileManager.default.fileExists(atPath: curves) || told.contains("gnuplot"),
          "\(limit): \(told)")
        #expect(
          try String(contentsOfFile: output, encoding: .utf8).contains("best validation"))
      }
    }
  }
}
