// The table of the experiments' settings: names, ranges, defaults and controls. Query parsing, the form and the scripts
// use it.

internal import Foundation
internal import Unroll
internal import UnrollLab

/// A row of the table, and the property that it sets.
package struct LabSetting: Sendable {
  package let form: FormSetting
  /// Whether only gated cells have the setting.
  let needsGates: Bool
  /// Parses the field, if present, and sets the property.
  let read: @Sendable (QueryFields, inout LabSettings) throws(WebError) -> Void

  private init(
    _ form: FormSetting, needsGates: Bool = false,
    read: @escaping @Sendable (QueryFields, inout LabSettings) throws(WebError) -> Void
  ) {
    (self.form, self.needsGates, self.read) = (form, needsGates, read)
  }

  private static func integer(
    _ name: String, _ path: any WritableKeyPath<LabSettings, Int> & Sendable,
    _ range: ClosedRange<Int>, label: String = "", control: FormSetting.Control? = nil
  ) -> Self {
    let form = FormSetting(
      name, .integer(range), standard: "\(LabSettings()[keyPath: path])", label: label,
      control: control)
    return Self(form) { (fields, settings) throws(WebError) in
      settings[keyPath: path] = try fields.integer(form) ?? settings[keyPath: path]
    }
  }

  private static func number(
    _ name: String, _ path: any WritableKeyPath<LabSettings, Double> & Sendable,
    _ range: ClosedRange<Double>, label: String = "", control: FormSetting.Control? = nil
  ) -> Self {
    let form = FormSetting(
      name, .number(range), standard: FormSetting.text(LabSettings()[keyPath: path]),
      label: label, control: control)
    return Self(form) { (fields, settings) throws(WebError) in
      settings[keyPath: path] = try fields.number(form) ?? settings[keyPath: path]
    }
  }

  private static func number(
    _ name: String, _ path: any WritableKeyPath<LabSettings, Double?> & Sendable,
    _ range: ClosedRange<Double>, standard: String = "", label: String = "",
    control: FormSetting.Control? = nil, needsGates: Bool = false
  ) -> Self {
    let form = FormSetting(
      name, .number(range), standard: standard, label: label, control: control)
    return Self(form, needsGates: needsGates) { (fields, settings) throws(WebError) in
      settings[keyPath: path] = try fields.number(form)
    }
  }

  private static func word<Word: CaseIterable & RawRepresentable<String> & Sendable>(
    _ name: String, _ path: any WritableKeyPath<LabSettings, Word> & Sendable, label: String = "",
    title: ((Word) -> String)? = nil
  ) -> Self {
    let form = FormSetting(
      name, .word(Word.allCases.map(\.rawValue)),
      standard: LabSettings()[keyPath: path].rawValue, label: label,
      control: title.map { .list(Word.allCases.map($0)) })
    return Self(form) { (fields, settings) throws(WebError) in
      settings[keyPath: path] = try fields.word(name, Word.self) ?? settings[keyPath: path]
    }
  }

  /// All settings, in the order of the form.
  package static let all: [LabSetting] = [
    .word("cell", \.cell, label: "Cell") { cell in
      switch cell {
      case .gruResetBefore: "GRU, reset before the product"
      case .gruResetAfter: "GRU, reset after the product"
      default: cell.title
      }
    },
    .number(
      "scale", \.scale, 0...1000, label: "Scale of the weights",
      control: .logarithmicSlider(-3...4, by: 0.02)),
    step,
    .number(
      "gate-bias", \.gateBias, -1000...1000, standard: "0",
      label: "Offset of the retention gate’s bias", control: .slider(-6...20, by: 0.25),
      needsGates: true),
    .integer("hidden", \.hiddenSize, 1...64, label: "Units H", control: .field()),
    .integer("time", \.timeStepCount, 2...1000, label: "Steps T", control: .field()),
    .integer("batch", \.batchSize, 1...1000, label: "Sequences B", control: .field()),
    .integer("seed", \.seed, 0...4_294_967_295, label: "Seed", control: .field()),
    .word("dtype", \.precision, label: "Arithmetic") { precision in
      switch precision {
      case .float32: "Float (float32)"
      case .float64: "Double (float64)"
      }
    },
    .number("keep-bias", \.keepBias, -1000...1000, needsGates: true),
    Self(
      FormSetting("chrono", .integer(3...1_000_000), standard: ""), needsGates: true
    ) { (fields, settings) throws(WebError) in
      settings.chronoSteps = try fields.integer("chrono", 3...1_000_000)
    },
    .number("orthogonal", \.orthogonalGain, 0...100),
    .word("draws", \.draws),
    .word("initial-weights", \.initialWeights),
    .integer("input", \.inputSize, 1...64),
    .number("input-offset", \.inputOffset, -1000...1000),
  ]

  /// The step of the histograms.
  ///
  /// ``LabQuery`` reads it after T, because it must be within the sequence.
  static let step = LabSetting(
    FormSetting(
      "step", .integer(0...999), standard: "20", label: "Histograms at step t",
      control: .slider(0...Double(LabSettings().timeStepCount - 1), by: 1))
  ) { _, _ in }

  /// The names of the query fields.
  package static let names = Set(all.map(\.form.queryName))
}

/// The table as encoded for the scripts.
struct FormTable: Encodable {
  private struct Row: Encodable {
    let setting: LabSetting

    func encode(to encoder: any Encoder) throws {
      try setting.form.encode(to: encoder)
      var row = encoder.container(keyedBy: Key.self)
      try row.encode(setting.needsGates, forKey: .needsGates)
    }

    private enum Key: String, CodingKey { case needsGates }
  }

  private let lab = LabSetting.all.map { Row(setting: $0) }
  private let writing = GenerationForm.all
  private let gatedCells = CellKind.allCases.filter { $0.retention != nil }.map(\.rawValue)
  private let mostWork = LabQuery.workLimit

  /// Returns the page with the forms and the table inserted.
  static func page(_ template: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    // Encoding of texts and finite numbers cannot fail.
    let table = (try? encoder.encode(FormTable())).map { String(decoding: $0, as: UTF8.self) } ?? ""
    return
      template
      .replacingOccurrences(
        of: "<!-- experiments -->", with: FormSetting.html(LabSetting.all.map(\.form))
      )
      .replacingOccurrences(of: "<!-- writing -->", with: FormSetting.html(GenerationForm.all))
      // A text in JSON must not end the script element.
      .replacingOccurrences(
        of: "<!-- table -->", with: table.replacingOccurrences(of: "<", with: "\\u003c"))
  }
}
