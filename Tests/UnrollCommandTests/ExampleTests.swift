// The examples in help, typed as a person types them.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Examples in help")
struct ExampleTests {
  /// What became of an example: its exit code, or nil if it was still at work after a while, and what it said.
  private func run(_ line: String, in folder: String) throws -> (status: Int32?, errors: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    // The shell becomes the command, so that ending the process ends it.
    process.arguments = ["-c", "exec \(line)"]
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let binaries = CommandTests.binary.deletingLastPathComponent().path
    process.environment = ProcessInfo.processInfo.environment.merging([
      "PATH": "\(binaries):\(path)"
    ]) { $1 }
    let errors = folder + "/errors"
    try Data().write(to: URL(fileURLWithPath: errors))
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle(forWritingAtPath: errors)
    try process.run()
    // A mistake in the arguments is found at once.
    let end = Date(timeIntervalSinceNow: 3)
    while process.isRunning, Date() < end { usleep(5000) }
    let isAtWork = process.isRunning
    if isAtWork { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    let said = try String(contentsOfFile: errors, encoding: .utf8)
    return (isAtWork ? nil : process.terminationStatus, said)
  }

  @Test(
    "Help of every command begins with a verb and ends with examples, whose options the command takes",
    .tags(.slow))
  func examples() throws {
    let verbs = [
      "": "Train", "lab": "Run", "lab notebook": "Run", "lab memory": "Measure",
      "lab gradients": "Measure", "lab spectrum": "Compute", "lab gates": "Measure",
      "lab parity": "Compare", "lab gru-as-rnn": "Make", "lab serve": "Serve", "train": "Train",
      "evaluate": "Measure", "generate": "Generate", "inspect": "Show", "convert": "Convert",
      "lab capacity": "Measure", "lab track": "Train", "lab exercise": "Write",
      "lab check": "Grade",
      "verify": "Recompute", "bench": "Time", "info": "Show",
    ]
    let paths = try HelpSnapshotTests.allPaths().map { $0.joined(separator: " ") }
    #expect(Set(paths) == Set(verbs.keys))
    try withTemporaryFolder { folder in
      for path in paths {
        let words = path.split(separator: " ").map(String.init)
        let help = try CommandTests().run(words + ["--help"]).output
        #expect(help.hasPrefix("OVERVIEW: \(verbs[path] ?? "")"), "\(path)")
        let examples = try #require(help.range(of: "\nEXAMPLES\n"), "\(path)")
        let usage = try #require(help.range(of: "\nUSAGE: "), "\(path)")
        let lines = help[examples.upperBound..<usage.lowerBound].split(separator: "\n")
        #expect(lines.count >= 2, "\(path)")
        for line in lines {
          let name = path.isEmpty ? "unroll" : "unroll \(path)"
          #expect(line.hasPrefix("  \(name)"), "\(line)")
          let outcome = try run(String(line.dropFirst(2)), in: folder)
          // Files are missing here, which is a mistake in data; 64 is one in the arguments.
          #expect(
            outcome.status != 64 && !outcome.errors.contains("Usage: "),
            "\(line): \(outcome.errors)")
        }
      }
      #expect(try run("unroll train --nosuch 3", in: folder).status == 64)
    }
  }
}
