// A field of `config.json` as data: its name, the property that holds it, the values it takes and what it does.

internal import UnrollFormats

/// The values that a field of `config.json` takes.
package enum SettingValues: Sendable {
  /// Whole numbers of a range.
  case integers(ClosedRange<Int>)
  /// Whole numbers from a least one on.
  case integersFrom(Int)
  /// Finite numbers of at least 0.
  case nonNegative
  /// Numbers from 0 up to, but not including, 1.
  case fraction
  /// Numbers above 0 and at most 1.
  case factor
  /// Finite numbers.
  case finite
  /// One of these words.
  case words([String])
  /// Anything of its type.
  case any

  /// The range in words, for help; nil for values that are not numbers.
  package var range: String? {
    switch self {
    case .integers(let range): "\(range.lowerBound) ... \(range.upperBound)"
    case .integersFrom(let least): "at least \(least)"
    case .nonNegative: "at least 0"
    case .fraction: "0 up to, but not including, 1"
    case .factor: "above 0 and at most 1"
    case .finite: "a finite number"
    case .words, .any: nil
    }
  }

  /// What is wrong with a value, such as `expected 1 ... 1000, found 0`; nil if nothing is, or if there is no value.
  func problem(of value: Any) -> String? {
    func refusal(unless holds: (Double) -> Bool, _ expected: String) -> String? {
      guard let number = value as? Double, !holds(number) else { return nil }
      return "expected \(expected), found \(number)"
    }
    func whole(unless holds: (Int) -> Bool) -> String? {
      guard let number = value as? Int, !holds(number) else { return nil }
      return "expected \(range ?? ""), found \(number)"
    }
    switch self {
    case .integers(let range): return whole(unless: range.contains)
    case .integersFrom(let least): return whole { $0 >= least }
    case .nonNegative:
      return refusal(unless: { $0 >= 0 && $0.isFinite }, "a number of at least 0")
    case .fraction: return refusal(unless: { $0 >= 0 && $0 < 1 }, range ?? "")
    case .factor: return refusal(unless: { $0 > 0 && $0 <= 1 }, "more than 0 and at most 1")
    case .finite: return refusal(unless: \.isFinite, "a finite number")
    case .words(let words):
      guard let word = value as? String, !words.contains(word) else { return nil }
      return
        "expected one of \(words.joined(separator: ", ")), found '\(word)'\(NearestName.hint(for: word, among: words))"
    case .any: return nil
    }
  }
}

/// A field of `config.json`, or of the object of it that `Root` is.
package struct SettingField<Root>: Sendable {
  /// Its place in the file below `Root`, such as `training.learning_rate`.
  package let path: String
  /// A word for its value, for usage.
  package let placeholder: String
  /// The values that it takes.
  package let values: SettingValues
  /// What it does, in one sentence.
  package let summary: String
  /// The value; an optional without one for none.
  package let value: @Sendable (Root) -> Any
  /// Sets the value; returns whether it is of the property's type.
  package let set: @Sendable (inout Root, Any) -> Bool

  private init(
    _ path: String, _ placeholder: String, _ values: SettingValues, _ summary: String,
    value: @escaping @Sendable (Root) -> Any,
    set: @escaping @Sendable (inout Root, Any) -> Bool
  ) {
    (self.path, self.placeholder, self.values, self.summary) = (path, placeholder, values, summary)
    (self.value, self.set) = (value, set)
  }

  init<Value>(
    _ path: String, _ property: any WritableKeyPath<Root, Value> & Sendable, _ placeholder: String,
    _ summary: String
  ) {
    self.init(path, property, placeholder, .any, summary)
  }

  init<Value>(
    _ path: String, _ property: any WritableKeyPath<Root, Value> & Sendable, _ placeholder: String,
    _ values: SettingValues, _ summary: String
  ) {
    self.init(path, placeholder, values, summary) {
      $0[keyPath: property]
    } set: { root, value in
      guard let value = value as? Value else { return false }
      root[keyPath: property] = value
      return true
    }
  }

  /// The same field as one of a whole that holds `Root` in a property.
  func below<Whole>(
    _ name: String, _ property: any WritableKeyPath<Whole, Root> & Sendable
  ) -> SettingField<Whole> {
    SettingField<Whole>("\(name).\(path)", placeholder, values, summary) { [value] in
      value($0[keyPath: property])
    } set: { [set] whole, value in
      set(&whole[keyPath: property], value)
    }
  }

  /// What is wrong with the value, in one sentence that begins with the path; nil if nothing is.
  func problem(in root: Root) -> String? {
    values.problem(of: value(root)).map { "\(path): \($0)" }
  }
}
