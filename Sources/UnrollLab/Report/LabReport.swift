// A report as data: sections with a paragraph, figures, tables and settings. `ReportPage` writes
// it as HTML, `ReportFolder` puts it on the disk.

internal import RealModule
public import UnrollFigures
public import UnrollFormats

/// A report of the lab.
public struct LabReport: Sendable {
  /// One experiment.
  public struct Section: Sendable {
    /// The anchor in the page: letters, digits and hyphens.
    public var id: String
    /// The heading.
    public var title: String
    /// What to look for, in one paragraph.
    public var lookFor: String
    /// The settings and the seed, as a person would type them.
    public var settings: [(name: String, value: String)]
    /// The figures, each with a text that says what it shows.
    public var figures: [(figure: Figure, alternative: String)]
    /// Tables: a header, then rows.
    public var tables: [Table]
    /// Arrays for the `.npz` file of this section's name.
    public var arrays: [String: StoredArray]
  }

  /// A table of the page.
  public struct Table: Sendable {
    /// What stands above it.
    public var caption: String
    /// The column heads.
    public var header: [String]
    /// The rows.
    public var rows: [[String]]
  }

  /// The title of the page.
  public var title: String
  /// The paragraph under it.
  public var introduction: String
  /// The experiments.
  public var sections: [Section]

  /// Creates a report.
  public init(title: String, introduction: String, sections: [Section]) {
    self.title = title
    self.introduction = introduction
    self.sections = sections
  }
}

extension LabSettings {
  /// The cell and where its weights come from, for titles.
  func label(weights: String?) -> String {
    if let weights { return "\(cell.title), \(weights)" }
    guard let keepBias else { return "\(cell.title), scale \(shortNumber(scale))" }
    return "\(cell.title) that keeps, gate bias \(shortNumber(keepBias))"
  }

  /// The settings as the command's options.
  public func listed(weights: String? = nil) -> [(name: String, value: String)] {
    var list = [
      ("cell", cell.rawValue), ("scale", "\(scale)"),
      ("steps", steps.map(String.init).joined(separator: ",")), ("hidden", "\(hiddenSize)"),
      ("input", "\(inputSize)"), ("batch", "\(batchSize)"), ("time", "\(timeStepCount)"),
      ("seed", "\(seed)"), ("dtype", precision.rawValue),
    ]
    if let weights { list[1] = ("weights", weights) }
    guard weights == nil else { return list.map { (name: $0.0, value: $0.1) } }
    let set = [
      ("keep-bias", keepBias.map { "\($0)" }), ("gate-bias", gateBias.map { "\($0)" }),
      ("chrono", chronoSteps.map { "\($0)" }), ("orthogonal", orthogonalGain.map { "\($0)" }),
    ]
    list.insert(contentsOf: set.compactMap { name, value in value.map { (name, $0) } }, at: 2)
    return list.map { (name: $0.0, value: $0.1) }
  }
}

/// A number for a table: four significant digits.
func shortNumber(_ value: Double?) -> String {
  guard let value else { return "–" }
  guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
  let magnitude = abs(value)
  if magnitude >= 1e-3, magnitude < 1e5 {
    let digits = Swift.max(0, 3 - Int(Double.log10(magnitude).rounded(.down)))
    let scale = Double.pow(10, Double(digits))
    let rounded = (value * scale).rounded() / scale
    return rounded == rounded.rounded() && magnitude < 1e5 && digits == 0
      ? "\(Int(rounded))" : "\(rounded)"
  }
  var exponent = Int(Double.log10(magnitude).rounded(.down))
  var mantissa = (value / Double.pow(10, Double(exponent)) * 1000).rounded() / 1000
  if abs(mantissa) >= 10 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
  return "\(mantissa)e\(exponent)"
}
