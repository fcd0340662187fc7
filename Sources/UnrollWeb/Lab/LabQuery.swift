// What a request asks of the lab: the command's own options as query fields, with limits that keep one
// request short.

internal import Foundation
internal import UnrollLab

/// The fields of a query, each at most once.
struct QueryFields {
  private var fields: [String: String] = [:]

  /// Takes a query apart.
  ///
  /// - Throws: `WebError` for a field that comes twice or is not one of those that are known.
  init(_ query: String?, known: Set<String>) throws(WebError) {
    for part in (query ?? "").split(separator: "&") {
      let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let spaced = halves.map {
        $0.replacingOccurrences(of: "+", with: " ").removingPercentEncoding
      }
      guard let name = spaced[0], let value = halves.count > 1 ? spaced[1] : "" else {
        throw WebError(status: 400, sentence: "query: expected UTF-8 in percent-encoding")
      }
      guard known.contains(name) else {
        throw WebError(
          status: 400,
          sentence:
            "query: expected fields among \(known.sorted().joined(separator: ", ")), found '\(name.prefix(40))'"
        )
      }
      guard fields.updateValue(value, forKey: name) == nil else {
        throw WebError(status: 400, sentence: "\(name): expected one value, found two")
      }
    }
  }

  /// A field's text; nil if it is absent or empty.
  subscript(name: String) -> String? { fields[name].flatMap { $0.isEmpty ? nil : $0 } }

  /// A field as a number in a range.
  func integer(_ name: String, _ range: ClosedRange<Int>) throws(WebError) -> Int? {
    guard let text = self[name] else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw .bad(name, expected: "\(range.lowerBound) ... \(range.upperBound)", found: text)
    }
    return value
  }

  /// A field as a number in a range.
  func number(_ name: String, _ range: ClosedRange<Double>) throws(WebError) -> Double? {
    guard let text = self[name] else { return nil }
    guard let value = Double(text), range.contains(value) else {
      throw .bad(name, expected: "\(range.lowerBound) ... \(range.upperBound)", found: text)
    }
    return value
  }
}

/// The settings of a page, from its query.
struct LabQuery: Equatable, Sendable {
  /// The parts of the page that are computed.
  enum Part: String, CaseIterable, Sendable {
    case memory, flow, spectrum, gates, phase
  }

  static let settingNames: Set<String> = [
    "cell", "scale", "keep-bias", "gate-bias", "chrono", "orthogonal", "step", "hidden", "input",
    "batch", "time", "seed", "dtype", "draws", "initial-weights", "input-offset",
  ]

  var settings: LabSettings

  /// How many sequences the Lyapunov exponents are the mean of.
  static let sequenceCount = 2

  /// The most multiplications of one pass over the sequences.
  private static let workLimit = 400_000_000.0

  init(_ fields: QueryFields) throws(WebError) {
    settings = LabSettings()
    if let text = fields["cell"] {
      guard let cell = LabCell(rawValue: text) else {
        throw .bad(
          "cell", expected: LabCell.allCases.map(\.rawValue).joined(separator: ", "), found: text)
      }
      settings.cell = cell
    }
    if let text = fields["dtype"] {
      guard let precision = LabPrecision(rawValue: text) else {
        throw .bad("dtype", expected: "float32 or float64", found: text)
      }
      settings.precision = precision
    }
    if let text = fields["draws"] {
      guard let draws = LabDraws(rawValue: text) else {
        throw .bad(
          "draws", expected: LabDraws.allCases.map(\.rawValue).joined(separator: ", "), found: text)
      }
      settings.draws = draws
    }
    if let text = fields["initial-weights"] {
      guard let weights = LabInitialWeights(rawValue: text) else {
        throw .bad("initial-weights", expected: "uniform or tensorflow", found: text)
      }
      settings.initialWeights = weights
    }
    settings.inputOffset = try fields.number("input-offset", -1000...1000) ?? settings.inputOffset
    settings.scale = try fields.number("scale", 0...1000) ?? settings.scale
    settings.keepBias = try fields.number("keep-bias", -1000...1000)
    settings.gateBias = try fields.number("gate-bias", -1000...1000)
    settings.chronoSteps = try fields.integer("chrono", 3...1_000_000)
    settings.orthogonalGain = try fields.number("orthogonal", 0...100)
    settings.hiddenSize = try fields.integer("hidden", 1...64) ?? settings.hiddenSize
    settings.inputSize = try fields.integer("input", 1...64) ?? settings.inputSize
    settings.batchSize = try fields.integer("batch", 1...1000) ?? settings.batchSize
    settings.timeStepCount = try fields.integer("time", 2...1000) ?? settings.timeStepCount
    settings.seed = try fields.integer("seed", 0...4_294_967_295) ?? settings.seed
    let last = settings.timeStepCount - 1
    settings.steps = [try fields.integer("step", 0...last) ?? min(20, last)]
    let (time, batch) = (Double(settings.timeStepCount), Double(settings.batchSize))
    let (hidden, input) = (Double(settings.hiddenSize), Double(settings.inputSize))
    guard time * batch * 4 * hidden * (hidden + input) <= Self.workLimit else {
      throw WebError(
        status: 413,
        sentence:
          "sizes: expected time × batch × hidden × (hidden + input) of at most 100 million, found \(Int(time * batch * hidden * (hidden + input))); the command line has no such limit"
      )
    }
    do { try settings.validate() } catch {
      throw WebError(status: 400, sentence: error.description)
    }
  }

  /// The command that computes a part.
  func command(_ part: Part) -> String {
    let names: [Part: String] = [
      .memory: "memory", .flow: "gradients", .spectrum: "spectrum", .gates: "gates",
      .phase: "memory",
    ]
    let changes: [Part: [(name: String, value: String?)]] = [
      .spectrum: [("sequences", "\(Self.sequenceCount)")],
      .phase: [("scale", "0.25:8:log24"), ("weight-draws", "0")],
    ]
    return settings.command(names[part] ?? "memory", changes[part] ?? [])
  }
}
