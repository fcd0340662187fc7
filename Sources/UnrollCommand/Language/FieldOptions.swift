// The options of `unroll train` that set a field of `config.json`: their names and help come from the table of settings.

#if Command
internal import ArgumentParser
internal import UnrollContracts
internal import UnrollFormats
internal import UnrollLanguage

enum FieldOptions {
  /// The options whose names the rule of ``name(of:)`` does not give.
  private static let otherNames = [
    "trims_lines": "trim-lines", "vocabulary_limit": "vocabulary-size",
    "minimum_count": "min-count", "model.layer_normalized": "layer-norm",
    "model.dropout.embedding": "dropout-embedding", "model.dropout.input": "dropout-input",
    "model.dropout.hidden": "dropout-hidden", "model.dropout.output": "dropout-output",
    "model.dropout.weights": "weight-drop", "training.jittered": "jitter",
    "training.resets_each_line": "reset-each-line", "training.schedule": "constant-rate",
    "training.schedule.decay.factor": "decay",
    "training.schedule.decay.after_epoch": "decay-after",
    "training.schedule.plateau.factor": "plateau",
    "training.penalties.activation": "activation-penalty",
    "training.penalties.temporal": "temporal-penalty", "training.maximum_steps": "max-steps",
    "training.halves_on_divergence": "on-divergence",
  ]

  /// The fields without an option: an argument, and what a run finds out by itself.
  private static let withoutOption: Set = ["corpus", "model.vocabulary_size", "version"]

  /// The option of a field, without hyphens in front; nil if it has none.
  ///
  /// It is the field's name with hyphens in place of underscores, except for a few.
  static func name(of path: String) -> String? {
    guard !withoutOption.contains(path) else { return nil }
    if let name = otherNames[path] { return name }
    return path.split(separator: ".").last.map { String($0.replacing("_", with: "-")) }
  }

  /// The option of a field as errors name it, whose path may begin below `model` or `training`.
  static func name(ofField field: String) -> String? {
    Settings.named(field).flatMap { name(of: $0.path) }
  }

  /// The settings as a file that `--config` reads, with the option of each field.
  static func file(_ settings: RunConfiguration) throws -> String {
    try settings.commented(
      title: [
        "Settings for unroll train --config. Lines that begin with // are comments.",
        "An option on the command line has precedence over this file.",
      ]
    ) { field in
      guard field != "corpus" else { return "CORPUS" }
      // A schedule is set by several options.
      let fields = field == "training.schedule" ? Settings.all.map(\.path) : [field]
      let options = fields.filter { $0.hasPrefix(field) }.compactMap { name(of: $0) }
      return options.isEmpty ? nil : options.map { "--\($0)" }.joined(separator: ", ")
    }
  }

  /// The settings of the preset for a text, whose values help shows as defaults.
  private static let defaults = Preset.named("course")
    .flatMap { RunConfiguration(preset: $0, corpus: nil, version: "").tree }

  /// The help of an option that sets a field: what it does, its range and its default.
  ///
  /// - Parameters:
  ///   - path: The field.
  ///   - more: A sentence after the field's summary.
  ///   - standard: The default in words; nil for the value of the preset for a text.
  /// - Returns: The help.
  static func help(_ path: String, _ more: String = "", standard: String? = nil) -> ArgumentHelp {
    guard let setting = Settings.at(path) else { contractViolation("No setting '\(path)'.") }
    var facts = [setting.values.range].compactMap(\.self)
    if let standard {
      facts.append("default: \(standard)")
    } else if !path.hasPrefix("training.schedule.") {
      // A part of a schedule has no default of its own.
      let value = defaults?[path.split(separator: ".").map(String.init)]
      let none = setting.placeholder == "yes" ? "no" : "none"
      facts.append("default: \(value?.words ?? none)")
    }
    let text = [setting.summary, more, facts.isEmpty ? "" : "(\(facts.joined(separator: "; ")))"]
    return ArgumentHelp(
      "\(text.filter { !$0.isEmpty }.joined(separator: " "))", valueName: setting.placeholder)
  }

  fileprivate static func specification(_ path: String) -> NameSpecification {
    guard let name = name(of: path) else { contractViolation("No option for '\(path)'.") }
    return .customLong(name)
  }
}

extension Option {
  /// An option that sets a field of `config.json`.
  ///
  /// - Parameters:
  ///   - path: The field, which gives the option its name and its help.
  ///   - more: A sentence after the field's summary.
  ///   - standard: The default in words; nil for the value of the preset for a text.
  init<Field: ExpressibleByArgument>(
    setting path: String, _ more: String = "", standard: String? = nil
  ) where Value == Field? {
    // A negative number must not be taken for an option.
    let isNumeric = Field.self is any Numeric.Type || Field.self == Fractions.self
    self.init(
      name: FieldOptions.specification(path), parsing: isNumeric ? .unconditional : .next,
      help: FieldOptions.help(path, more, standard: standard))
  }
}

extension Flag where Value == Bool? {
  /// A flag that sets a field of `config.json` to yes or, with `no-` in front, to no.
  init(setting path: String) {
    self.init(
      name: FieldOptions.specification(path), inversion: .prefixedNo,
      help: FieldOptions.help(path))
  }
}

// MARK: - Values that were given

/// Options that set fields of `config.json`.
///
/// The name of a property is the option's in camel case.
protocol SettingGroup: ParsableArguments {}

extension SettingGroup {
  /// The values that were given, by option.
  var givenValues: [String: Any] {
    var values: [String: Any] = [:]
    for child in Mirror(reflecting: self).children {
      guard let label = child.label, let value = (child.value as? any GivenValue)?.given else {
        continue
      }
      values[Self.option(ofProperty: label)] = (value as? any SettingValue)?.settingValue ?? value
    }
    return values
  }

  /// The option of a property wrapper's storage: `batch-size` for `_batchSize`.
  private static func option(ofProperty label: String) -> String {
    label.drop { $0 == "_" }.reduce(into: "") { name, letter in
      name += letter.isUppercase ? "-\(letter.lowercased())" : "\(letter)"
    }
  }
}

/// A value of an option that stands for a value of another type in `config.json`.
protocol SettingValue {
  var settingValue: Any { get }
}

/// An option or flag that may have been given.
private protocol GivenValue {
  var given: Any? { get }
}

extension Option: GivenValue {
  fileprivate var given: Any? { unwrapped(wrappedValue) }
}

extension Flag: GivenValue {
  fileprivate var given: Any? { unwrapped(wrappedValue) }
}

/// The wrapped value of an optional; other values unchanged.
private func unwrapped(_ value: Any) -> Any? {
  let mirror = Mirror(reflecting: value)
  return mirror.displayStyle == .optional ? mirror.children.first?.value : value
}
#endif
