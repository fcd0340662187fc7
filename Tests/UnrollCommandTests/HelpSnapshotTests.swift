// The help of every command, word for word: what is in Tests/Snapshots/help is what a person reads.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Help, word for word")
struct HelpSnapshotTests {
  private struct Described: Decodable {
    var commandName: String
    var shouldDisplay: Bool?
    var subcommands: [Described]?
  }

  /// Where the texts are; a test that records them (`UNROLL_RECORD_SNAPSHOTS=1`) fails.
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Snapshots/help")

  /// The paths of all commands that help shows.
  private func paths(_ command: Described, below path: [String] = []) -> [[String]] {
    let shown = (command.subcommands ?? []).filter {
      $0.shouldDisplay != false && $0.commandName != "help"
    }
    return [path] + shown.flatMap { paths($0, below: path + [$0.commandName]) }
  }

  @Test(
    "The help of every command is what its snapshot says, and no snapshot is of another command")
  func snapshots() throws {
    struct Description: Decodable { var command: Described }
    let command = CommandTests()
    let dump = try command.run(["--experimental-dump-help"])
    let root = try JSONDecoder().decode(Description.self, from: Data(dump.output.utf8)).command
    let records = ProcessInfo.processInfo.environment["UNROLL_RECORD_SNAPSHOTS"] == "1"
    var names: Set<String> = []
    for path in paths(root) {
      let name = (["unroll"] + path).joined(separator: "-") + ".txt"
      names.insert(name)
      let help = try command.run(path + ["--help"], environment: ["COLUMNS": "100"])
      #expect(help.status == 0 && help.errors.isEmpty, "\(name)")
      let file = Self.folder.appendingPathComponent(name)
      if records {
        try FileManager.default.createDirectory(
          at: Self.folder, withIntermediateDirectories: true)
        try Data(help.output.utf8).write(to: file)
      }
      let kept = try String(contentsOf: file, encoding: .utf8)
      let (found, expected) = (help.output.split(separator: "\n"), kept.split(separator: "\n"))
      let differing = zip(found, expected).first { $0 != $1 }
      #expect(
        help.output == kept,
        "\(name) differs at \(differing.map { "'\($0)', expected '\($1)'" } ?? "its end"); if that is meant, run this test with UNROLL_RECORD_SNAPSHOTS=1 and commit Tests/Snapshots"
      )
    }
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
    #expect(Set(files) == names)
    #expect(!records, "snapshots were recorded; run again without UNROLL_RECORD_SNAPSHOTS")
  }

  @Test(
    "Help of the commands for language models begins with a verb, shows defaults and ends with examples"
  )
  func examples() throws {
    for (name, verb) in [("train", "Train"), ("evaluate", "Measure"), ("generate", "Generate")] {
      let help = try CommandTests().run([name, "--help"]).output
      #expect(help.hasPrefix("OVERVIEW: \(verb) "))
      let examples = try #require(help.range(of: "\nEXAMPLES\n"), "\(name)")
      let usage = try #require(help.range(of: "\nUSAGE: "), "\(name)")
      let lines = help[examples.upperBound..<usage.lowerBound].split(separator: "\n")
      #expect(lines.count >= 3 && lines.allSatisfy { $0.hasPrefix("  unroll \(name)") }, "\(lines)")
      #expect(help.contains("(default: "))
    }
  }

  @Test(
    "No library names an option: its errors name fields, which the command and the page translate")
  func fieldsInLibraries() throws {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Sources")
    var (files, found) = (0, [String]())
    for library in [
      "Unroll", "UnrollFormats", "UnrollFigures", "UnrollLab", "UnrollLanguage", "UnrollMPI",
      "UnrollONNX", "UnrollVerification",
    ] {
      let folder = sources.appendingPathComponent(library)
      let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String }
      // The report's styles have variables of that form.
      for name in names ?? [] where name.hasSuffix(".swift") && !name.hasSuffix("ReportPage.swift")
      {
        files += 1
        let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
        for line in text.split(separator: "\n") where line.contains(/(^|[\s`('])--[a-z]/) {
          if !line.contains(/^\s*\/\//) { found.append("\(library)/\(name): \(line)") }
        }
      }
    }
    #expect(files > 200)
    #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
  }
}
