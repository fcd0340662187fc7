// A report as data: sections with a paragraph, figures, tables and settings. `ReportPage` renders it as HTML, and
// `ReportFolder` writes it to disk.

internal import Unroll
public import UnrollFigures
public import UnrollFormats

/// A report on experiments.
public struct LabReport: Sendable {
  /// One experiment.
  public struct Section: Sendable {
    /// The anchor in the page: letters, digits and hyphens.
    public var id: String
    /// The heading.
    public var title: String
    /// A paragraph that interprets the results.
    public var interpretation: String
    /// The settings and the seed, with the command's option names.
    public var settings: [(name: String, value: String)]
    /// The command that computes this section's numbers; nil if there is none.
    public var command: String?
    /// The figures, each with an alternative text.
    public var figures: [(figure: Figure, alternative: String)]
    /// The tables.
    public var tables: [Table]
    /// The arrays of the `.npz` file with this section's name.
    public var arrays: [String: StoredArray]
  }

  /// A table of the report.
  public struct Table: Sendable {
    /// The caption above the table.
    public var caption: String
    /// The column heads.
    public var header: [String]
    /// The rows.
    public var rows: [[String]]
  }

  /// The title of the page.
  public var title: String
  /// The introductory paragraph.
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
  /// Returns the cell and the source of its weights, for titles.
  func label(weights: String?) -> String {
    if let weights { return "\(cellTitle), \(weights)" }
    guard let bias = keptGateBias else {
      return initialWeights == .tensorflow
        ? "\(cellTitle), as TensorFlow initialises it"
        : "\(cellTitle), scale \(shortNumber(scale))"
    }
    return "\(cellTitle) that keeps, gate bias \(shortNumber(bias))"
  }

  /// Returns the settings as options of the command; rarely used options are included only if they are set.
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

  /// Returns the command that computes an experiment with these settings.
  ///
  /// - Parameters:
  ///   - experiment: The subcommand of `unroll lab`, such as `memory`.
  ///   - changes: Options to override, or to omit (nil).
  /// - Returns: The command line, each option with its value.
  package func command(
    _ experiment: String, _ changes: [(name: String, value: String?)] = []
  ) -> String {
    // Options without effect are rejected by the command: gates and readouts use all steps, in float64, and TensorFlow's
    // initial weights have no scale.
    let unused =
      (["gates", "capacity"].contains(experiment) ? ["steps", "dtype"] : [])
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

  /// Returns an `unroll lab` command line for an experiment and options.
  static func command(_ experiment: String, _ options: [(name: String, value: String)]) -> String {
    (["unroll lab \(experiment)"]
      // Flags have no value.
      + options.map { $0.value.isEmpty ? "--\($0.name)" : "--\($0.name) \($0.value)" })
      .joined(separator: " ")
  }
}
