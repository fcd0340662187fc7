// Output that cannot be written, and output that fits the terminal.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Standard output and the terminal")
struct OutputTests {
  /// Runs the command in a shell, with redirections.
  private func shell(_ line: String, _ arguments: [String]) throws -> (
    status: Int32, errors: String
  ) {
    let (process, errors) = (Process(), Pipe())
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments =
      ["-c", "set -o pipefail; \(line)", "bash", CommandTests.binary.path] + arguments
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, text)
  }

  /// Trains a small run and returns its folder and text.
  private func withRun(_ body: (_ run: String, _ text: String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let learnt = try CommandTests().run(
        ["train", folder + "/text", "--output", folder + "/run", "--max-steps", "3"]
          + LanguageCommandTests.small)
      #expect(learnt.status == 0, "\(learnt.errors)")
      try body(folder + "/run", folder + "/text/test.txt")
    }
  }

  @Test(
    "Every command reports output that a full disk or a closed stream refuses",
    .needs(.fullDevice))
  func full() throws {
    try withRun { run, text in
      for arguments in [
        ["evaluate", run, text, "--json"], ["evaluate", run, text], ["generate", run], ["info"],
        ["generate", run, "--samples", "2"], ["inspect", run], ["--help"], ["train", "--help"],
        ["help", "lab"], ["--version"],
        ["lab", "gates", "--hidden", "3", "--batch", "2", "--json"],
        ["lab", "memory", "--hidden", "3", "--batch", "2"],
        ["verify", goldenFolder, "--filter", "BasicRNNCell_T5"],
        ["convert", run, run + "/../written.npz"],
        ["train", text, "--output", run + "-2", "--split", "0.8,0.2", "--max-steps", "2"]
          + LanguageCommandTests.small,
      ] {
        for (line, reason) in [
          ("\"$@\" > /dev/full", "No space left on device"), ("\"$@\" >&-", "Bad file descriptor"),
        ] {
          let result = try shell(line, arguments)
          #expect(result.status == 1, "\(arguments)")
          #expect(
            result.errors.contains("Error: standard output cannot be written: \(reason)"),
            "\(arguments): \(result.errors)")
          try? FileManager.default.removeItem(atPath: run + "-2")
        }
      }
    }
  }

  @Test("A closed pipe ends a command without a message")
  func gone() throws {
    try withRun { run, text in
      for arguments in [
        ["inspect", run], ["--help"], ["info"], ["verify", goldenFolder, "--filter", "GRUCell_T5"],
        ["generate", run, "--length", "100000"],
      ] {
        for line in ["\"$@\" | true", "trap '' PIPE; \"$@\" | true"] {
          let errors = try shell(line, arguments).errors
          #expect(errors.isEmpty, "\(arguments)")
        }
      }
      let errors = try shell("\"$@\" | head -n 1", ["inspect", run]).errors
      #expect(errors.isEmpty)
    }
  }

  @Test("With closed standard streams no output ends up in a file of the run", .tags(.slow))
  func closed() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let train = { (run: String) in
        ["train", folder + "/text", "--output", folder + "/" + run, "--epochs", "1"]
          + LanguageCommandTests.small
      }
      #expect(try shell("\"$@\"", train("whole")).status == 0)
      let result = try shell("\"$@\" <&- >&- 2>&-", train("closed"))
      #expect(result.status == 1)
      for name in ["lock", "model.safetensors", "vocabulary.json", "corpus/train.symbols"] {
        let bytes = { (run: String) in
          try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(run)/\(name)"))
        }
        #expect(try bytes("closed") == bytes("whole"), "\(name)")
      }
    }
  }

  #if os(Linux)
  /// The output to a terminal whose width changes.
  private func onTerminal(
    _ arguments: [String], columns: UInt16, then later: UInt16? = nil
  ) throws -> String {
    let main = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    defer { close(main) }
    // Linux's TIOCSPTLCK and TIOCGPTN, which Glibc's module lacks.
    var (lock, number): (Int32, UInt32) = (0, 0)
    #expect(main >= 0 && ioctl(main, 0x4004_5431, &lock) == 0)
    #expect(ioctl(main, 0x8004_5430, &number) == 0)
    var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    #expect(ioctl(main, UInt(TIOCSWINSZ), &size) == 0)
    let terminal = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    let process = Process()
    process.executableURL = CommandTests.binary
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(["TERM": "xterm"]) { $1 }
    let handle = FileHandle(fileDescriptor: terminal, closeOnDealloc: true)
    (process.standardOutput, process.standardError) = (handle, handle)
    try process.run()
    try handle.close()
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(main, &buffer, buffer.count)
      if count <= 0 { break }
      bytes += buffer[..<count]
      if let later, bytes.count > 4000 {
        size.ws_col = later
        _ = ioctl(main, UInt(TIOCSWINSZ), &size)
      }
    }
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test(
    "A progress line fits the terminal, whose width may change; the epoch comes first", .tags(.slow)
  )
  func progress() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      for columns: UInt16 in [20, 80, 200] {
        let text = try onTerminal(
          ["train", folder + "/text", "--output", "\(folder)/run-\(columns)", "--epochs", "2"]
            + LanguageCommandTests.small, columns: columns)
        let drawn = text.replacingOccurrences(of: "\r\n", with: "\n").split(separator: "\r").filter
        { $0.hasPrefix("\u{1B}[Kepoch ") }
        .map { $0.dropFirst(3).prefix { $0 != "\n" } }
        #expect(!drawn.isEmpty)
        #expect(drawn.allSatisfy { $0.count < Int(columns) }, "\(drawn)")
        #expect(drawn.allSatisfy { $0.firstMatch(of: /^epoch \d+\/2 \d+ %/) != nil })
        if columns == 80 { #expect(drawn.allSatisfy { $0.contains(", perplexity ") }) }
        if columns == 200 { #expect(drawn.allSatisfy { $0.contains(", loss ") }) }
      }
    }
  }
  #endif
}
