// The query of a lab request: the command's options as query fields, with limits on the work per
// request.

internal import Foundation
internal import Unroll
internal import UnrollFormats
package import UnrollLab

/// The fields of a query, without duplicates or missing values.
package struct QueryFields {
  private var fields: [String: String] = [:]

  /// Parses a query.
  ///
  /// - Parameters:
  ///   - query: The text after the question mark.
  ///   - known: The known fields.
  ///   - mayBeEmpty: The fields whose value may be empty.
  /// - Throws: `WebError` for a field that is duplicate, unknown, or has no value.
  package init(
    _ query: String?, known: Set<String>, mayBeEmpty: Set<String> = []
  ) throws(WebError) {
    for part in (query ?? "").split(separator: "&") {
      let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let spaced = halves.map {
        $0.replacingOccurrences(of: "+", with: " ").removingPercentEncoding
      }
      guard let name = spaced[0], let value = halves.count > 1 ? spaced[1] : "" else {
        throw WebError(status: 400, sentence: "query: expected UTF-8 in percent-encoding")
      }
      guard known.contains(name) else {
        let names = known.sorted()
        let expected =
          names.isEmpty ? "no fields" : "fields among \(names.joined(separator: ", "))"
        throw .bad("query", expected: expected, found: name, among: names)
      }
      guard fields.updateValue(value, forKey: name) == nil else {
        throw WebError(status: 400, sentence: "\(name): expected one value, found two")
      }
      guard !value.isEmpty || mayBeEmpty.contains(name) else {
        throw WebError(
          status: 400, sentence: "\(name): expected a value, found none; leave the field out")
      }
    }
  }

  /// The text of a field; nil if it is absent.
  package subscript(name: String) -> String? { fields[name] }

  /// Returns a field as an integer in a range.
  package func integer(_ name: String, _ range: ClosedRange<Int>) throws(WebError) -> Int? {
    guard let text = self[name] else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw .bad(name, expected: "\(range.lowerBound) ... \(range.upperBound)", found: text)
    }
    return value
  }

  /// Returns a field as a number in a range.
  package func number(_ name: String, _ range: ClosedRange<Double>) throws(WebError) -> Double? {
    guard let text = self[name] else { return nil }
    guard let value = Double(text), range.contains(value) else {
      throw .bad(name, expected: "\(range.lowerBound) ... \(range.upperBound)", found: text)
    }
    return value
  }

  /// Returns a field with a fixed set of words.
  package func word<Word: CaseIterable & RawRepresentable<String>>(
    _ name: String, _ type: Word.Type
  ) throws(WebError) -> Word? {
    guard let text = self[name] else { return nil }
    return try Self.word(text, of: name, type)
  }

  /// Parses a text with a fixed set of words.
  package static func word<Word: CaseIterable & RawRepresentable<String>>(
    _ text: String, of name: String, _ type: Word.Type
  ) throws(WebError) -> Word {
    let words = Word.allCases.map(\.rawValue)
    guard let word = Word(rawValue: text) else {
      throw .bad(name, expected: words.joined(separator: ", "), found: text, among: words)
    }
    return word
  }

  /// Returns whether a flag is set; its only value is 1.
  package func flag(_ name: String) throws(WebError) -> Bool {
    guard let text = self[name] else { return false }
    guard text == "1" else { throw .bad(name, expected: "1, or no such field", found: text) }
    return true
  }

  /// Returns a field of comma-separated words, without duplicates.
  package func words<Word: CaseIterable & RawRepresentable<String> & Hashable>(
    _ name: String, _ type: Word.Type
  ) throws(WebError) -> [Word]? {
    guard let text = self[name] else { return nil }
    var words: [Word] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let word = try Self.word(String(part), of: name, type)
      guard !words.contains(word) else {
        throw .bad(name, expected: "each at most once", found: text)
      }
      words.append(word)
    }
    return words
  }
}

/// The settings of the page in a query.
package struct LabQuery: Equatable, Sendable {
  /// The parts of the page.
  package enum Part: String, CaseIterable, Sendable {
    case memory, flow, spectrum, gates, phase
  }

  package var settings: LabSettings

  /// The number of sequences that the Lyapunov exponents are averaged over.
  package static let sequenceCount = 2

  /// The maximum of time × batch × hidden × (hidden + input).
  static let workLimit = 100_000_000.0

  package init(_ fields: QueryFields) throws(WebError) {
    settings = LabSettings()
    for setting in LabSetting.all { try setting.read(fields, &settings) }
    let last = settings.timeStepCount - 1
    let standard = min(Int(LabSetting.step.form.standard) ?? 0, last)
    settings.steps = [try fields.integer(LabSetting.step.form.queryName, 0...last) ?? standard]
    let (time, batch) = (Double(settings.timeStepCount), Double(settings.batchSize))
    let (hidden, input) = (Double(settings.hiddenSize), Double(settings.inputSize))
    guard time * batch * hidden * (hidden + input) <= Self.workLimit else {
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

  /// Returns the query with fixed values for settings that do not affect a part.
  ///
  /// A phase diagram shows all scales, and all steps of sequences that are not too long.
  package func relevant(to part: Part) -> LabQuery {
    var query = self
    guard part == .phase else { return query }
    query.settings.scale = LabSettings().scale
    if ScaleSweep.showsEveryStep(of: settings.timeStepCount) {
      query.settings.steps = [settings.timeStepCount - 1]
    }
    return query
  }

  /// The query fields for these settings.
  var fields: [(name: String, value: String)] {
    settings.listed().map { $0.name == "steps" ? ("step", $0.value) : $0 }
  }

  /// Returns the command that computes a part.
  package func command(_ part: Part) -> String {
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
