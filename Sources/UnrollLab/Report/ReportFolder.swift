// Writes a report to disk. All files are created in a staging folder and then moved into place, the page last, so that
// an interrupted report leaves the existing one unchanged.

internal import Foundation
internal import UnrollFigures
internal import UnrollFormats

/// Writing of reports into folders.
public enum ReportFolder {
  /// The result of writing a report.
  public struct Outcome: Sendable {
    /// The path of the page.
    public var page: String
    /// The reason why figures are missing, with the remedy; nil if they were drawn.
    public var note: String?
  }

  /// Returns the staging folder, inside the report's folder.
  private static func staging(in folder: String) -> String { "\(folder)/.unroll-part" }

  /// Checks that a report can be written, before any experiment runs.
  ///
  /// A folder created for the check is removed again.
  ///
  /// - Throws: `LabError` if the folder cannot be created or written.
  public static func prepare(_ folder: String) throws(LabError) {
    guard !folder.isEmpty else {
      throw LabError(.outOfRange(expected: "a folder", found: "an empty name"), field: "output")
    }
    var isFolder: ObjCBool = false
    let existed = FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder)
    guard !existed || isFolder.boolValue else {
      throw LabError(
        .outOfRange(expected: "a folder", found: "the file \(folder)"), field: "output")
    }
    try checkOwner(of: folder)
    do {
      try AtomicFile.makeFolder(folder)
      try AtomicFile.makeFolder(staging(in: folder))
    } catch {
      throw LabError(.system("\(error)"), field: "output")
    }
    try? FileManager.default.removeItem(atPath: staging(in: folder))
    if !existed { rmdir(folder) }
  }

  /// Rejects a folder whose page is not a report.
  private static func checkOwner(of folder: String) throws(LabError) {
    let files = ["index.html", "results.json"].filter {
      FileManager.default.fileExists(atPath: "\(folder)/\($0)")
    }
    guard let first = files.first else { return }
    let page = FileManager.default.contents(atPath: "\(folder)/index.html") ?? Data()
    guard page.range(of: Data(ReportPage.mark.utf8)) == nil else { return }
    throw LabError(
      .outOfRange(
        expected: "a folder without other files of these names",
        found: "\(folder)/\(first), which is not a report's; choose another folder"),
      field: "output")
  }

  /// Writes `index.html`, `results.json`, `figures/` and `data/`.
  ///
  /// Without gnuplot, scripts and data are written, and the outcome explains how to draw the figures.
  ///
  /// - Parameters:
  ///   - report: The report.
  ///   - results: The contents of `results.json`.
  ///   - folder: The folder; created if it does not exist. Other files in it are kept.
  ///   - progress: Called with the number of drawn figures and the total; returns false to
  ///     cancel.
  /// - Returns: The path of the page and a note.
  /// - Throws: `LabError` if the folder cannot be written, or if `progress` cancelled; existing files
  ///   are kept.
  public static func write(
    _ report: LabReport, results: [UInt8], to folder: String,
    progress: (Int, Int) -> Bool = { _, _ in true }
  ) throws(LabError) -> Outcome {
    let manager = FileManager.default
    let existed = manager.fileExists(atPath: folder)
    let staging = staging(in: folder)
    func cleanUp() {
      try? manager.removeItem(atPath: staging)
      if !existed { try? manager.removeItem(atPath: folder) }
    }
    do {
      try prepare(folder)
      // Left by an interrupted run.
      try? manager.removeItem(atPath: staging)
      for part in ["figures", "data"] { try AtomicFile.makeFolder("\(staging)/\(part)") }
    } catch {
      cleanUp()
      throw error as? LabError ?? LabError(.system("\(error)"), field: "output")
    }
    do {
      let outcome = try fill(staging, report, results, progress)
      try move(staging, to: folder)
      return Outcome(page: "\(folder)/index.html", note: outcome)
    } catch {
      cleanUp()
      throw error as? LabError ?? LabError(.system("\(folder): \(error)"), field: "output")
    }
  }

  /// Creates all files in the staging folder; returns a note if figures are missing.
  private static func fill(
    _ staging: String, _ report: LabReport, _ results: [UInt8], _ progress: (Int, Int) -> Bool
  ) throws -> String? {
    let figures = report.sections.flatMap { $0.figures.map(\.figure) }
    for figure in figures {
      try AtomicFile.write(Array(figure.script.utf8), to: "\(staging)/figures/\(figure.name).gp")
      try AtomicFile.write(Array(figure.csv.utf8), to: "\(staging)/data/\(figure.name).csv")
    }
    for section in report.sections where !section.arrays.isEmpty {
      try AtomicFile.write(NPZ.encode(section.arrays), to: "\(staging)/data/\(section.id).npz")
    }
    let (pictures, problem) = try draw(figures, in: staging, progress)
    // Results are written even if figures cannot be drawn.
    let note = problem.map {
      "Figures are missing: \($0). Then run unroll lab again, or run gnuplot on each .gp file in figures/."
    }
    let page = ReportPage(report: report, pictures: pictures, note: note)
    try AtomicFile.write(results, to: "\(staging)/results.json")
    try AtomicFile.write(Array(page.html.utf8), to: "\(staging)/index.html")
    return note
  }

  /// Draws the figures; returns the SVGs by name, and the first problem.
  ///
  /// Variants for narrow screens appear only in the page and are drawn in a temporary folder.
  private static func draw(
    _ figures: [Figure], in staging: String, _ progress: (Int, Int) -> Bool
  ) throws(LabError) -> (pictures: [String: [UInt8]], problem: String?) {
    var pictures: [String: [UInt8]] = [:]
    var problem: String?
    guard !figures.isEmpty else { return (pictures, problem) }
    let folder = "\(staging)/figures"
    let narrowFolder = "\(staging)/narrow"
    defer { try? FileManager.default.removeItem(atPath: narrowFolder) }
    let gnuplots: (wide: Gnuplot, narrow: Gnuplot)
    do {
      for part in ["figures", "data"] { try AtomicFile.makeFolder("\(narrowFolder)/\(part)") }
      gnuplots = (try Gnuplot(folder: folder), try Gnuplot(folder: narrowFolder + "/figures"))
    } catch { return (pictures, "\(error)") }
    for (index, figure) in figures.enumerated() {
      do {
        for format in PictureFormat.allCases { try gnuplots.wide.draw(figure, as: format) }
        pictures[figure.name] = try AtomicFile.read("\(folder)/\(figure.name).svg")
        let narrow = figure.narrow()
        let base = "\(narrowFolder)/figures/\(narrow.name)"
        try AtomicFile.write(Array(narrow.script.utf8), to: base + ".gp")
        try AtomicFile.write(Array(narrow.csv.utf8), to: "\(narrowFolder)/data/\(narrow.name).csv")
        try gnuplots.narrow.draw(narrow, as: .svg)
        pictures[narrow.name] = try AtomicFile.read(base + ".svg")
      } catch {
        problem = problem ?? "\(error)"
      }
      guard progress(index + 1, figures.count) else {
        throw LabError(.interrupted, field: "report")
      }
    }
    return (pictures, problem)
  }

  /// Moves every file into place, the page last, and removes the staging folder.
  private static func move(_ staging: String, to folder: String) throws {
    let manager = FileManager.default
    for part in ["figures", "data"] {
      try AtomicFile.makeFolder("\(folder)/\(part)")
      for name in try manager.contentsOfDirectory(atPath: "\(staging)/\(part)").sorted() {
        try rename("\(staging)/\(part)/\(name)", "\(folder)/\(part)/\(name)")
      }
    }
    for name in ["results.json", "index.html"] {
      try rename("\(staging)/\(name)", "\(folder)/\(name)")
    }
    try manager.removeItem(atPath: staging)
  }

  private static func rename(_ source: String, _ target: String) throws {
    guard Foundation.rename(source, target) == 0 else {
      throw LabError(
        .system("\(target): cannot be written: \(String(cString: strerror(errno)))"),
        field: "output")
    }
  }
}
