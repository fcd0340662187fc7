// Runs that are asked to stop: by signals, in their last test, after their reader has gone.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Interrupted runs")
struct InterruptionTests {
  @Test("SIGINT and SIGTERM end with a checkpoint, their exit code and the sentence how to go on")
  func signals() throws {
    for (signal, code) in [(SIGINT, Int32(130)), (SIGTERM, 143)] {
      try withTemporaryFolder { folder in
        try LanguageCommandTests.writeCorpus(folder + "/text")
        let process = Process()
        process.executableURL = CommandTests.binary
        process.arguments =
          ["train", folder + "/text", "--output", folder + "/run", "--epochs", "100000"]
          + LanguageCommandTests.small
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        while !FileManager.default.fileExists(atPath: folder + "/run/metrics.jsonl") {
          usleep(20_000)
        }
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        #expect(process.terminationStatus == code)
        let text = String(decoding: errors.fileHandleForReading.availableData, as: UTF8.self)
        #expect(text.contains("go on with: unroll train --resume --output \(folder)/run"))
      }
    }
  }

  @Test("Progress that nobody reads any more ends nothing: Ctrl-C still keeps the run")
  func goneReader() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let process = Process()
      process.executableURL = CommandTests.binary
      process.arguments =
        ["train", folder + "/text", "--output", folder + "/run", "--epochs", "100000"]
        + LanguageCommandTests.small
      let errors = Pipe()
      process.standardError = errors
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      try errors.fileHandleForReading.close()
      while !FileManager.default.fileExists(atPath: folder + "/run/metrics.jsonl") {
        usleep(20_000)
        guard process.isRunning else { break }
      }
      usleep(200_000)
      kill(process.processIdentifier, SIGINT)
      process.waitUntilExit()
      #expect(process.terminationReason == .exit && process.terminationStatus == 130)
    }
  }

  @Test("A test that is stopped says so, and the run is not called whole")
  func stoppedTest() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let sentence = "the cat sees the other\n"
      try String(repeating: sentence, count: 400_000)
        .write(toFile: folder + "/text/test.txt", atomically: true, encoding: .utf8)
      let process = Process()
      process.executableURL = CommandTests.binary
      process.arguments =
        ["train", folder + "/text", "--output", folder + "/run", "--epochs", "1"]
        + LanguageCommandTests.small
      let (errors, output) = (Pipe(), Pipe())
      process.standardError = errors
      process.standardOutput = output
      try process.run()
      while !FileManager.default.fileExists(atPath: folder + "/run/metrics.jsonl") {
        usleep(5_000)
        guard process.isRunning else { break }
      }
      kill(process.processIdentifier, SIGINT)
      process.waitUntilExit()
      let told = String(
        decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      let summary = String(
        decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      #expect(process.terminationStatus == 130)
      #expect(
        told.contains(
          "learning is done, but the test was stopped; it is made up for by: unroll evaluate \(folder)/run FILE"
        ), "\(told)")
      #expect(summary.contains("best validation") && !summary.contains("\ntest "))
    }
  }
}
