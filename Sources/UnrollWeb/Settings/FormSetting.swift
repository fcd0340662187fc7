// A setting of the page: the source of the form, of the scripts' table and of query parsing.

/// A row of the settings table.
package struct FormSetting: Sendable {
  /// The allowed values of a setting.
  package enum Values: Sendable, Equatable {
    case integer(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case word([String])
    case text(maximumBytes: Int)
  }

  /// The control of a setting on the page.
  package enum Control: Sendable, Equatable {
    /// A list with titles of the words.
    case list([String])
    case slider(ClosedRange<Double>, by: Double)
    /// A slider for the base-2 logarithm.
    case logarithmicSlider(ClosedRange<Double>, by: Double)
    /// A number field, and the placeholder if it is empty.
    case field(by: Double? = nil, empty: String = "")
    case area
  }

  /// The name in the page's URL, and the identifier of the control.
  package let name: String
  /// The name in queries.
  package let queryName: String
  package let values: Values
  /// The default as text; empty for an optional setting.
  package let standard: String
  /// The label; empty without a control.
  package let label: String
  package let control: Control?

  package init(
    _ name: String, _ values: Values, standard: String, label: String = "",
    control: Control? = nil, queryName: String? = nil
  ) {
    (self.name, self.queryName, self.values) = (name, queryName ?? name, values)
    (self.standard, self.label, self.control) = (standard, label, control)
  }

  // MARK: - The form

  /// Returns the controls of some settings as HTML; adjacent number fields share a line.
  static func html(_ settings: [FormSetting]) -> String {
    var lines: [String] = []
    var isInLine = false
    for setting in settings {
      guard let control = setting.control else { continue }
      var isField = false
      if case .field = control { isField = true }
      if isField != isInLine { lines.append(isField ? "<div class=\"pair\">" : "</div>") }
      isInLine = isField
      lines.append(setting.html(control))
    }
    if isInLine { lines.append("</div>") }
    return lines.joined(separator: "\n")
  }

  private func html(_ control: Control) -> String {
    var output = ""
    let input: String
    switch control {
    case .list(let titles):
      guard case .word(let words) = values else { return "" }
      let options = zip(words, titles).map { word, title in
        "<option value=\"\(word)\"\(word == standard ? " selected" : "")>\(title)</option>"
      }
      input = "<select id=\"\(name)\">\n\(options.joined(separator: "\n"))\n</select>"
    case .slider(let range, let step), .logarithmicSlider(let range, let step):
      output = " <output id=\"\(name)-value\" for=\"\(name)\"></output>"
      input =
        "<input id=\"\(name)\" type=\"range\" min=\"\(Self.text(range.lowerBound))\" max=\"\(Self.text(range.upperBound))\" step=\"\(Self.text(step))\">"
    case .field(let step, let empty):
      let range = bounds.map { " min=\"\($0.low)\" max=\"\($0.high)\"" } ?? ""
      let places = step.map { " step=\"\(Self.text($0))\"" } ?? (isInteger ? "" : " step=\"any\"")
      let placeholder = empty.isEmpty ? "" : " placeholder=\"\(empty)\""
      input =
        "<input id=\"\(name)\" type=\"number\"\(range)\(places)\(placeholder) value=\"\(standard)\">"
    case .area:
      guard case .text(let most) = values else { return "" }
      input = "<textarea id=\"\(name)\" rows=\"2\" maxlength=\"\(most)\"></textarea>"
    }
    return
      "<div class=\"field\" data-name=\"\(name)\"><label for=\"\(name)\">\(label)\(output)</label>\n\(input)</div>"
  }
}

extension FormSetting {
  private var isInteger: Bool {
    if case .integer = values { true } else { false }
  }

  /// The ends of a numeric range as text; nil for words and texts.
  private var bounds: (low: String, high: String)? {
    switch values {
    case .integer(let range): ("\(range.lowerBound)", "\(range.upperBound)")
    case .number(let range): (Self.text(range.lowerBound), Self.text(range.upperBound))
    case .word, .text: nil
    }
  }

  /// Formats a number without trailing zeros: 2 instead of 2.0.
  package static func text(_ value: Double) -> String {
    Int(exactly: value).map(String.init) ?? "\(value)"
  }
}

/// A row as encoded for the scripts.
extension FormSetting: Encodable {
  private enum Key: String, CodingKey {
    case name, query, kind, low, high, words, standard, isLogarithmic, hasControl
  }

  package func encode(to encoder: any Encoder) throws {
    var row = encoder.container(keyedBy: Key.self)
    try row.encode(name, forKey: .name)
    try row.encode(queryName, forKey: .query)
    try row.encode(standard, forKey: .standard)
    try row.encode(control != nil, forKey: .hasControl)
    if case .logarithmicSlider = control { try row.encode(true, forKey: .isLogarithmic) }
    switch values {
    case .integer(let range):
      try row.encode("integer", forKey: .kind)
      try row.encode(range.lowerBound, forKey: .low)
      try row.encode(range.upperBound, forKey: .high)
    case .number(let range):
      try row.encode("number", forKey: .kind)
      try row.encode(range.lowerBound, forKey: .low)
      try row.encode(range.upperBound, forKey: .high)
    case .word(let words):
      try row.encode("word", forKey: .kind)
      try row.encode(words, forKey: .words)
    case .text: try row.encode("text", forKey: .kind)
    }
  }
}

extension QueryFields {
  /// Returns a field as an integer in the range of its setting; nil if it is absent.
  package func integer(_ setting: FormSetting) throws(WebError) -> Int? {
    guard case .integer(let range) = setting.values else { return nil }
    return try integer(setting.queryName, range)
  }

  /// Returns a field as a number in the range of its setting; nil if it is absent.
  package func number(_ setting: FormSetting) throws(WebError) -> Double? {
    guard case .number(let range) = setting.values else { return nil }
    return try number(setting.queryName, range)
  }
}
