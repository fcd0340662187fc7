// Runs that are asked to stop: by signals, in their last test, after their reader has gone.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Interrupted runs")
struct InterruptionTests {
  /// A run of the text in a folder, and what it says.
  private struct Running {
    let process = Process()
    let output = Pipe()
    let errors = Pipe()
    private let metrics: String

    init(_ folder: String, epochs: Int) throws {
      metrics = folder + "/run/metrics.jsonl"
      process.executableURL = CommandTests.binary
      process.arguments =
        ["train", folder + "/text", "--output", folder + "/run", "--epochs", "\(epochs)"]
        + LanguageCommandTests.small
      (process.standardOutput, process.standardError) = (output, errors)
      try process.run()
    }

    /// Sends a signal after the first epoch, and waits for the end.
    func stop(_ signal: Int32, after pause: UInt32 = 0) {
      while process.isRunning && !FileManager.default.fileExists(atPath: metrics) { usleep(5000) }
      usleep(pause)
      kill(process.processIdentifier, signal)
      process.waitUntilExit()
    }

    static func text(_ pipe: Pipe) -> String {
      String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }
  }

  @Test("SIGINT and SIGTERM end with a checkpoint, their exit code and the sentence how to go on")
  func signals() throws {
    for (signal, code) in [(SIGINT, Int32(130)), (SIGTERM, 143)] {
      try withTemporaryFolder { folder in
        try LanguageCommandTests.writeCorpus(folder + "/text")
        let run = try Running(folder, epochs: 100_000)
        run.stop(signal)
        #expect(run.process.terminationStatus == code)
        #expect(
          Running.text(run.errors).contains(
            "go on with: unroll train --resume --output \(folder)/run"))
      }
    }
  }

  @Test("Progress that nobody reads any more ends nothing: Ctrl-C still keeps the run")
  func goneReader() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let run = try Running(folder, epochs: 100_000)
      try run.errors.fileHandleForReading.close()
      run.stop(SIGINT, after: 200_000)
      #expect(run.process.terminationReason == .exit && run.process.terminationStatus == 130)
    }
  }

  @Test("A test that is stopped says so, and the run is not called whole")
  func stoppedTest() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      try String(repeating: "the cat sees the other\n", count: 400_000)
        .write(toFile: folder + "/text/test.txt", atomically: true, encoding: .utf8)
      let run = try Running(folder, epochs: 1)
      run.stop(SIGINT)
      let (told, summary) = (Running.text(run.errors), Running.text(run.output))
      #expect(run.process.terminationStatus == 130)
      #expect(
        told.contains(
          "learning is done, but the test was stopped; it is made up for by: unroll evaluate \(folder)/run FILE"
        ), "\(told)")
      #expect(summary.contains("best validation") && !summary.contains("\ntest "))
    }
  }
}
