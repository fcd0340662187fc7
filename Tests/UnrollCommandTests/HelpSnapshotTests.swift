// Compares the help of every command with its snapshot in Tests/Snapshots/help.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Snapshots of help")
struct HelpSnapshotTests {
  private struct Described: Decodable {
    var commandName: String
    var shouldDisplay: Bool?
    var subcommands: [Described]?
  }

  /// The folder of the snapshots.
  ///
  /// A test run that records them (`UNROLL_RECORD_SNAPSHOTS=1`) fails.
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Snapshots/help")

  /// The paths of all commands shown in help.
  private static func paths(_ command: Described, below path: [String] = []) -> [[String]] {
    let shown = (command.subcommands ?? []).filter {
      $0.shouldDisplay != false && $0.commandName != "help"
    }
    return [path] + shown.flatMap { paths($0, below: path + [$0.commandName]) }
  }

  /// The paths of all commands, without the name of the program; its own is empty.
  static func allPaths() throws -> [[String]] {
    struct Description: Decodable { var command: Described }
    let dump = try CommandTests().run(["--experimental-dump-help"])
    return paths(
      try JSONDecoder().decode(Description.self, from: Data(dump.output.utf8)).command)
  }

  @Test(
    "The help of every command equals its snapshot, and every snapshot has its command")
  func snapshots() throws {
    let command = CommandTests()
    let records = ProcessInfo.processInfo.environment["UNROLL_RECORD_SNAPSHOTS"] == "1"
    var names: Set<String> = []
    for path in try Self.allPaths() {
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
    "No library names an option: its errors name fields, which the command and the page translate")
  func fieldsInLibraries() throws {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Sources")
    var (files, found) = (0, [String]())
    for library in [
      "Unroll", "UnrollFormats", "UnrollFigures", "UnrollLab", "UnrollLanguage", "UnrollMPI",
      "UnrollVerification",
    ] {
      let folder = sources.appendingPathComponent(library)
      let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String }
      // The report's CSS has variables of this form.
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
