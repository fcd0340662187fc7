import Foundation
import Testing
import UnrollFigures
import UnrollFormats
import UnrollLab
import UnrollTestSupport

@Suite("The report")
struct ReportTests {
  func report() throws -> LabReport {
    let settings = LabSettings(
      steps: [2, 4], hiddenSize: 3, inputSize: 2, batchSize: 6, timeStepCount: 6)
    return LabReport(
      title: "A <title> & more", introduction: "words",
      sections: [
        try MemoryExperiment.run(settings).section(),
        try GradientExperiment.run(settings).section(),
        try ScaleSweep.run(
          settings, scales: ScaleSweep.logarithmicScales(from: 0.5, to: 4, count: 4)
        )
        .section(),
      ])
  }

  @Test("Page, results, scripts, data and pictures are all there, and nothing else")
  func files() throws {
    try withTemporaryFolder { root in
      let folder = root + "/report"
      let outcome = try ReportFolder.write(report(), results: Array("{}".utf8), to: folder)
      let manager = FileManager.default
      #expect(
        try manager.contentsOfDirectory(atPath: folder).sorted()
          == ["data", "figures", "index.html", "results.json"])
      let figures = try report().sections.flatMap { $0.figures.map(\.figure.name) }
      #expect(figures.count == 7)
      let formats = Gnuplot.path() == nil ? [] : PictureFormat.allCases.map(\.rawValue)
      #expect(
        try manager.contentsOfDirectory(atPath: folder + "/figures").sorted()
          == figures.flatMap { name in (["gp"] + formats).map { "\(name).\($0)" } }.sorted())
      let sections = try report().sections.filter { !$0.arrays.isEmpty }.map { "\($0.id).npz" }
      #expect(
        try manager.contentsOfDirectory(atPath: folder + "/data").sorted()
          == (figures.map { "\($0).csv" } + sections).sorted())
      #expect((outcome.note == nil) == (Gnuplot.path() != nil))
      let archive = try NPZ(try AtomicFile.read(folder + "/data/memory.npz"))
      #expect(try archive.array("norms.step4").shape == [6, 6])
    }
  }

  @Test("The page needs nothing from outside, links only to files that exist, and escapes texts")
  func page() throws {
    try withTemporaryFolder { folder in
      _ = try ReportFolder.write(report(), results: Array("{}".utf8), to: folder)
      let page = try String(contentsOfFile: folder + "/index.html", encoding: .utf8)
      #expect(page.contains("A &lt;title&gt; &amp; more"))
      // A single character in Swift, but a tag in a browser.
      var hostile = try report()
      hostile.title = "m\u{600}<img src=x\u{600}>"
      _ = try ReportFolder.write(hostile, results: Array("{}".utf8), to: folder + "/hostile")
      let text = try String(contentsOfFile: folder + "/hostile/index.html", encoding: .utf8)
      #expect(
        !text.unicodeScalars.map { String($0) }.joined(separator: " ").contains(
          "< i m g   s r c = x"))
      #expect(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"))
      for match in page.matches(of: /href="([^"#]+)"/) {
        #expect(FileManager.default.fileExists(atPath: "\(folder)/\(match.1)"), "\(match.1)")
      }
    }
  }

  @Test("Other files in the folder stay, and a second report replaces the first")
  func replacing() throws {
    try withTemporaryFolder { folder in
      try "mine".write(toFile: folder + "/notes.txt", atomically: true, encoding: .utf8)
      for text in ["1", "2"] {
        _ = try ReportFolder.write(report(), results: Array(text.utf8), to: folder)
        #expect(try String(contentsOfFile: folder + "/results.json", encoding: .utf8) == text)
      }
      #expect(try String(contentsOfFile: folder + "/notes.txt", encoding: .utf8) == "mine")
    }
  }

  @Test("A page that is no report's stays, and a report may be written again")
  func owners() throws {
    try withTemporaryFolder { folder in
      for name in ["index.html", "results.json"] {
        let own = "\(folder)/\(name)-own"
        try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: false)
        try "mine".write(toFile: "\(own)/\(name)", atomically: true, encoding: .utf8)
        let error = #expect(throws: LabError.self) {
          try ReportFolder.write(report(), results: [], to: own)
        }
        #expect(error?.description.contains("\(own)/\(name), which is not a report's") == true)
        #expect(try String(contentsOfFile: "\(own)/\(name)", encoding: .utf8) == "mine")
      }
      for _ in 0..<2 { _ = try ReportFolder.write(report(), results: [], to: folder + "/again") }
    }
  }

  @Test("A place that cannot be written is refused, and nothing is left there")
  func unwritable() throws {
    try withTemporaryFolder { folder in
      try "file".write(toFile: folder + "/taken", atomically: true, encoding: .utf8)
      let error = #expect(throws: LabError.self) {
        try ReportFolder.write(report(), results: [], to: folder + "/taken/report")
      }
      #expect(error?.description.hasPrefix("\(folder)/taken/report: cannot be made") == true)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["taken"])
    }
  }
}
