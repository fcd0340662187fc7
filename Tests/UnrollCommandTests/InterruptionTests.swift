// Runs that are stopped: by signals, during the final test, after the reader of their output has ended.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Interrupted runs")
struct InterruptionTests {
  /// A run in a folder, and its output.
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
      // The process that started the tests may ignore SIGHUP, and a child would inherit that.
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
    "SIGINT, SIGTERM, SIGQUIT and SIGHUP end with a checkpoint, their exit code and the command to continue",
    .tags(.slow)
  )
  func signals() throws {
    for (signal, code) in [(SIGINT, Int32(130)), (SIGTERM, 143), (SIGQUIT, 131), (SIGHUP, 129)] {
      try withTemporaryFolder { folder in
        try LanguageCommandTests.writeCorpus(folder + "/text")
        let run = try Running(folder, epochs: 100_000)
        run.stop(signal)
        #expect(run.process.terminationStatus == code && run.process.terminationReason == .exit)
        // The checkpoint belongs to the step named in the message.
        let names = try FileManager.default.contentsOfDirectory(
          atPath: folder + "/run/checkpoints")
        #expect(names.count == 3, "\(names)")
        #expect(
          Running.text(run.errors).contains(
            "continue with: unroll train --resume --output \(folder)/run"))
      }
    }
  }

  @Test("SIGQUIT ends a command that has nothing to save, without a crash report")
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

  @Test("A run whose progress has lost its reader continues, and Ctrl-C still saves it")
  func goneReader() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let run = try Running(folder, epochs: 100_000)
      try run.errors.fileHandleForReading.close()
      run.stop(SIGINT, after: 200_000)
      #expect(run.process.terminationReason == .exit && run.process.terminationStatus == 130)
    }
  }

  @Test("An interrupted test is reported, and the run does not count as complete", .tags(.slow))
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

  /// A run whose standard error is not read: it blocks when the pipe is full.
  private func blocked(_ folder: String, _ body: (Process) throws -> Void) throws {
    try LanguageCommandTests.writeCorpus(folder + "/text")
    let (process, errors) = (Process(), Pipe())
    // The smallest possible pipe.
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
    "A second Ctrl-C ends a run before its checkpoint is written; the previous one stays",
    .tags(.slow))
  func second() throws {
    try withTemporaryFolder { folder in
      try blocked(folder) { process in
        kill(process.processIdentifier, SIGINT)
        // Two signals in quick succession count as one, because some parents send a signal twice.
        usleep(50_000)
        kill(process.processIdentifier, SIGINT)
        usleep(300_000)
        #expect(process.isRunning)
        kill(process.processIdentifier, SIGINT)
        for _ in 0..<1000 where process.isRunning { usleep(10_000) }
        // If the process is still running, the expectation below fails.
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

  @Test("A signal while the text is read ends the run at once; it can be started again")
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

  @Test(
    "An evaluation that is killed while it encodes a text leaves no temporary file",
    .needs(.threadFolder))
  func temporaryFiles() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let run = folder + "/run"
      #expect(
        try CommandTests().run(
          ["train", folder + "/text", "--output", run, "--max-steps", "2"]
            + LanguageCommandTests.small
        ).status == 0)
      let text = String(repeating: "the cat sees the other\n", count: 1_000_000)
      try text.write(toFile: folder + "/long.txt", atomically: true, encoding: .utf8)
      let temporary = folder + "/temporary"
      try FileManager.default.createDirectory(
        atPath: temporary, withIntermediateDirectories: true)
      let process = Process()
      process.executableURL = CommandTests.binary
      process.arguments = ["evaluate", run, folder + "/long.txt"]
      process.environment = ProcessInfo.processInfo.environment.merging(["TMPDIR": temporary]) {
        $1
      }
      (process.standardOutput, process.standardError) = (
        FileHandle.nullDevice, FileHandle.nullDevice
      )
      try process.run()
      let files = "/proc/\(process.processIdentifier)/fd"
      var isEncoding = false
      while process.isRunning, !isEncoding {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: files)) ?? []
        isEncoding = names.contains { name in
          let target = try? FileManager.default.destinationOfSymbolicLink(
            atPath: "\(files)/\(name)")
          return target?.contains(".symbols") ?? false
        }
      }
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      #expect(isEncoding && process.terminationReason == .uncaughtSignal)
      #expect(try FileManager.default.contentsOfDirectory(atPath: temporary).isEmpty)
    }
  }
}
