// The settings table and its uses: the page's forms, the scripts' table, and query parsing.

import Foundation
import Testing
import UnrollLab
import UnrollWeb

@Suite("The settings of the page")
struct FormTests {
  private static let page: String = {
    let site = Site(AccessRules(hosts: ["localhost"]), workers: FigureWorkers(count: 1), run: nil)
    var request = HTTPRequest(method: "GET", target: "/")
    request.fields = [HTTPRequest.Field(name: "host", value: "localhost")]
    guard case .bytes(let bytes) = site.respond(to: request).body else { return "" }
    return String(decoding: bytes, as: UTF8.self)
  }()

  /// The table as decoded by the scripts.
  private static func rows(_ form: String) throws -> [[String: Any]] {
    let match = try #require(page.firstMatch(of: /id="table">(?<json>.*)<\/script>/))
    let table = try JSONSerialization.jsonObject(with: Data(match.json.utf8)) as? [String: Any]
    return try #require(table?[form] as? [[String: Any]])
  }

  private func query(_ text: String) throws(WebError) -> LabQuery {
    try LabQuery(QueryFields(text, known: LabSetting.names))
  }

  @Test(
    "Without fields a query has the experiments' own settings, and those of the table are the same")
  func defaults() throws {
    var settings = LabSettings()
    settings.steps = [20]
    #expect(try query("").settings == settings)
    let fields = LabSetting.all.map(\.form).filter {
      !$0.standard.isEmpty && $0.name != "gate-bias"
    }
    let text = fields.map { "\($0.name)=\($0.standard)" }.joined(separator: "&")
    #expect(fields.count >= 11)
    #expect(try query(text).settings == settings)
  }

  @Test("Both ends of each range are accepted, and what is beyond them is refused by name")
  func ranges() throws {
    for form in LabSetting.all.map(\.form) where !["chrono", "step"].contains(form.name) {
      var (good, bad): ([String], [String])
      switch form.values {
      case .integer(let range):
        good = ["\(range.lowerBound)", "\(range.upperBound)"]
        bad = ["\(range.lowerBound - 1)", "\(range.upperBound + 1)", "1.5", "x"]
      case .number(let range):
        good = ["\(range.lowerBound)", "\(range.upperBound)"]
        bad = ["\(range.lowerBound - 1)", "\(range.upperBound + 1)", "nan", "x"]
      case .word(let words): (good, bad) = (words, [words[0] + "x", "X"])
      case .text: (good, bad) = ([], ["a"])
      }
      // Small sizes, which are valid in any combination; a gated cell, and no step beyond the last.
      var others = ["batch": "1", "hidden": "1", "cell": "gru", "step": "0"]
      others[form.name] = nil
      let rest = others.map { "&\($0.key)=\($0.value)" }.joined()
      for value in good {
        #expect(throws: Never.self) { try query("\(form.name)=\(value)\(rest)") }
      }
      for value in bad {
        let error = #expect(throws: WebError.self) { try query("\(form.name)=\(value)\(rest)") }
        #expect(
          error?.sentence.hasPrefix("\(form.name): expected") == true, "\(form.name)=\(value)")
      }
    }
  }

  @Test("The forms have a control for each row that has one, with its label, range and default")
  func forms() throws {
    #expect(!Self.page.contains("<!--"))
    for form in LabSetting.all.map(\.form) + GenerationForm.all {
      let control = Self.page.firstMatch(
        of: try Regex("<(input|select|textarea) id=\"\(form.name)\"[^>]*>"))
      guard form.control != nil else {
        #expect(control == nil, "\(form.name)")
        continue
      }
      let tag = String(Self.page[try #require(control, "\(form.name)").range])
      #expect(Self.page.contains("<label for=\"\(form.name)\">\(form.label)"))
      if case .field = form.control, case .integer(let range) = form.values {
        #expect(tag.contains(" min=\"\(range.lowerBound)\" max=\"\(range.upperBound)\""), "\(tag)")
        #expect(tag.hasSuffix(" value=\"\(form.standard)\">"), "\(tag)")
      }
    }
    #expect(Self.page.contains("<option value=\"lstm\">LSTM</option>"))
    #expect(Self.page.contains("<option value=\"rnn\" selected>RNN</option>"))
    #expect(
      Self.page.contains(
        "id=\"top-k\" type=\"number\" min=\"1\" max=\"1000000\" placeholder=\"all\""))
    #expect(Self.page.contains("id=\"top-p\" type=\"number\" min=\"1e-06\" max=\"1\" step=\"any\""))
  }

  @Test("The scripts get the same rows")
  func table() throws {
    for (name, forms) in [("lab", LabSetting.all.map(\.form)), ("writing", GenerationForm.all)] {
      let rows = try Self.rows(name)
      #expect(rows.map { $0["name"] as? String } == forms.map(\.name))
      #expect(rows.map { $0["standard"] as? String } == forms.map(\.standard))
      for (row, form) in zip(rows, forms) {
        guard case .integer(let range) = form.values else { continue }
        #expect(row["low"] as? Int == range.lowerBound && row["high"] as? Int == range.upperBound)
      }
    }
    let gated = try Self.rows("lab").filter { $0["needsGates"] as? Bool == true }
    #expect(gated.compactMap { $0["name"] as? String } == ["gate-bias", "keep-bias", "chrono"])
    // The page contains no test hooks.
    for script in ["settings", "api", "lab", "model"] {
      let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources/UnrollWeb/Page/\(script).js")
      let text = try String(contentsOf: path, encoding: .utf8)
      #expect(!text.contains(/window\.[a-z]+[A-Z][a-zA-Z]* *=/), "\(script)")
    }
  }
}
