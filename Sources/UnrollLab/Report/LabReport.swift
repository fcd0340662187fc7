// A report as data: sections with a paragraph, figures, tables and settings. `ReportPage` writes
// it as HTML, `ReportFolder` puts it on the disk.

internal import Unroll
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
    /// The command that computes this section's numbers; nil if there is none.
    public var command: String?
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
    if let weights { return "\(cellTitle), \(weights)" }
    guard let bias = keptGateBias else {
      return initialWeights == .tensorflow
        ? "\(cellTitle), as TensorFlow initialises it"
        : "\(cellTitle), scale \(shortNumber(scale))"
    }
    return "\(cellTitle) that keeps, gate bias \(shortNumber(bias))"
  }

  /// The settings as the command's options; those that few experiments use only if they are set.
  public func listed(weights: String? = nil) -> [(name: String, value: String)] {
    var list = [(name: "cell", value: customCell ?? cell.rawValue)]
    if let weights {
      list.append(("weights", weights))
    } else {
      list.append(("scale", "\(scale)"))
      if initialWeights != .uniform { list.append(("initial-weights", initialWeights.rawValue)) }
      let set = [
        ("keep-bias", keepBias.map { "\($0)" }), ("gate-bias", gateBias.map { "\($0)" }),
        ("chrono", chronoSteps.map { "\($0)" }), ("orthogonal", orthogonalGain.map { "\($0)" }),
      ]
      list += set.compactMap { name, value in value.map { (name: name, value: $0) } }
    }
    list += [
      ("steps", steps.map(String.init).joined(separator: ",")), ("hidden", "\(hiddenSize)"),
      ("input", "\(inputSize)"), ("batch", "\(batchSize)"), ("time", "\(timeStepCount)"),
      ("seed", "\(seed)"), ("dtype", precision.rawValue),
    ]
    guard weights == nil else { return list }
    if draws != .fresh { list.append(("draws", draws.rawValue)) }
    if inputOffset != 0.5 { list.append(("input-offset", "\(inputOffset)")) }
    return list
  }

  /// The command that computes an experiment with these settings.
  ///
  /// - Parameters:
  ///   - experiment: The command's name under `unroll lab`, such as `memory`.
  ///   - changes: Options with other values than the settings', or to leave out (nil).
  /// - Returns: The command line, each option with its value.
  package func command(
    _ experiment: String, _ changes: [(name: String, value: String?)] = []
  ) -> String {
    // Options without an effect are refused: gates are measured at all steps, in float64, and TensorFlow's initial
    // weights have no scale.
    let unused =
      (experiment == "gates" ? ["steps", "dtype"] : [])
      + (initialWeights == .tensorflow ? ["scale"] : [])
    let used = listed().filter { !unused.contains($0.name) }
    return Self.command(
      experiment,
      used.compactMap { option in
        guard let change = changes.first(where: { $0.name == option.name }) else { return option }
        return change.value.map { (option.name, $0) }
      }
        + changes.compactMap { change in
          used.contains { $0.name == change.name }
            ? nil : change.value.map { (change.name, $0) }
        })
  }

  /// `unroll lab` with an experiment and options.
  static func command(_ experiment: String, _ options: [(name: String, value: String)]) -> String {
    (["unroll lab \(experiment)"]
      // A flag has no value.
      + options.map { $0.value.isEmpty ? "--\($0.name)" : "--\($0.name) \($0.value)" })
      .joined(separator: " ")
  }
}
