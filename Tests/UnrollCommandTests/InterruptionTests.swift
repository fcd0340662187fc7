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
      // Whoever started the tests may ignore closed terminals, which a child would inherit.
      let before = signal(SIGHUP, SIG_DFL)
      defer { signal(SIGHUP, before) }
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

  @Test(
    "SIGINT, SIGTERM, SIGQUIT and SIGHUP end with a checkpoint, their exit code and the sentence how to go on",
    .tags(.slow)
  )
  func signals() throws {
    for (signal, code) in [(SIGINT, Int32(130)), (SIGTERM, 143), (SIGQUIT, 131), (SIGHUP, 129)] {
      try withTemporaryFolder { folder in
        try LanguageCommandTests.writeCorpus(folder + "/text")
        let run = try Running(folder, epochs: 100_000)
        run.stop(signal)
        #expect(run.process.terminationStatus == code && run.process.terminationReason == .exit)
        // The checkpoint is of the step that the sentence names.
        let names = try FileManager.default.contentsOfDirectory(
          atPath: folder + "/run/checkpoints")
        #expect(names.count == 3, "\(names)")
        #expect(
          Running.text(run.errors).contains(
            "go on with: unroll train --resume --output \(folder)/run"))
      }
    }
  }

  @Test("SIGQUIT ends a command that keeps nothing, without the report of a crash")
  func quit() throws {
    let process = Process()
    let errors = Pipe()
    process.executableURL = CommandTests.binary
    process.arguments = ["lab", "memory", "--time", "1000", "--batch", "2000", "--hidden", "64"]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = errors
    try process.run()
    usleep(300_000)
    kill(process.processIdentifier, SIGQUIT)
    let text = String(
      decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGQUIT)
    #expect(!text.contains("crashed"), "\(text)")
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

  @Test("A test that is stopped says so, and the run is not called whole", .tags(.slow))
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
          "training is finished, but the test was interrupted; run it with: unroll evaluate \(folder)/run FILE"
        ), "\(told)")
      #expect(summary.contains("best validation") && !summary.contains("\ntest "))
    }
  }

  /// A run whose standard error nobody reads: it waits, once that is full.
  private func blocked(_ folder: String, _ body: (Process) throws -> Void) throws {
    try LanguageCommandTests.writeCorpus(folder + "/text")
    let (process, errors) = (Process(), Pipe())
    // The smallest pipe that the system has.
    _ = fcntl(errors.fileHandleForWriting.fileDescriptor, 1031, 4096)
    process.executableURL = CommandTests.binary
    process.arguments =
      ["train", folder + "/text", "--output", folder + "/run", "--epochs", "100000"]
      + ["--sample", "100000"] + LanguageCommandTests.small
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let metrics = folder + "/run/metrics.jsonl"
    while process.isRunning && !FileManager.default.fileExists(atPath: metrics) { usleep(5000) }
    usleep(500_000)
    try body(process)
  }

  @Test(
    "A second Ctrl-C ends a run that does not come to its checkpoint; the one before stays",
    .tags(.slow))
  func second() throws {
    try withTemporaryFolder { folder in
      try blocked(folder) { process in
        kill(process.processIdentifier, SIGINT)
        // Twice in a moment counts once: some parents send it so.
        usleep(50_000)
        kill(process.processIdentifier, SIGINT)
        usleep(300_000)
        #expect(process.isRunning)
        kill(process.processIdentifier, SIGINT)
        for _ in 0..<1000 where process.isRunning { usleep(10_000) }
        // Where it has not ended, the expectation below fails.
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
        #expect(process.terminationStatus == SIGINT)
      }
      let resumed = try CommandTests().run([
        "train", "--resume", "--output", folder + "/run", "--max-steps", "1",
      ])
      #expect(resumed.status == 0, "\(resumed.errors)")
    }
  }

  @Test("A closed terminal's second signal does not cut off the checkpoint", .tags(.slow))
  func closedTwice() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let run = try Running(folder, epochs: 100_000)
      run.stop(SIGHUP)
      #expect(run.process.terminationStatus == 129)
      try blocked(folder + "/other") { process in
        for signal in [SIGHUP, SIGHUP, SIGTERM] {
          kill(process.processIdentifier, signal)
          usleep(1_100_000)
        }
        #expect(process.isRunning)
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
      }
    }
  }

  @Test("nohup keeps its meaning: a closed terminal does not stop the run", .tags(.slow))
  func nohup() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/bash")
      process.arguments =
        ["-c", "trap '' HUP; exec \"$@\"", "bash", CommandTests.binary.path]
        + ["train", folder + "/text", "--output", folder + "/run", "--epochs", "100000"]
        + LanguageCommandTests.small
      (process.standardOutput, process.standardError) = (
        FileHandle.nullDevice, FileHandle.nullDevice
      )
      try process.run()
      let metrics = folder + "/run/metrics.jsonl"
      while process.isRunning && !FileManager.default.fileExists(atPath: metrics) { usleep(5000) }
      kill(process.processIdentifier, SIGHUP)
      usleep(500_000)
      #expect(process.isRunning)
      kill(process.processIdentifier, SIGTERM)
      process.waitUntilExit()
      #expect(process.terminationStatus == 143)
    }
  }

  @Test("A signal while the text is read ends at once, with a sentence; the run can be begun again")
  func early() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let text = String(repeating: "the cat sees the other\n", count: 20_000)
      let file = try #require(FileHandle(forWritingAtPath: folder + "/text/train.txt"))
      for _ in 0..<150 { try file.write(contentsOf: Data(text.utf8)) }
      try file.close()
      let (process, errors) = (Process(), Pipe())
      process.executableURL = CommandTests.binary
      process.arguments =
        ["train", folder + "/text", "--output", folder + "/run"] + LanguageCommandTests.small
      (process.standardOutput, process.standardError) = (FileHandle.nullDevice, errors)
      try process.run()
      let lock = folder + "/run/lock"
      while process.isRunning && !FileManager.default.fileExists(atPath: lock) { usleep(1000) }
      kill(process.processIdentifier, SIGTERM)
      process.waitUntilExit()
      #expect(process.terminationReason == .exit && process.terminationStatus == 143)
      #expect(
        Running.text(errors) == "stopped before training began; nothing was trained yet\n")
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let again = try CommandTests().run(
        ["train", folder + "/text", "--output", folder + "/run", "--max-steps", "2"]
          + LanguageCommandTests.small)
      #expect(again.status == 0, "\(again.errors)")
    }
  }
}
