// Settings files with comments. Lines that begin with `//` are comments, which the reader treats as blank.

internal import Foundation
package import UnrollFormats

extension RunConfiguration {
  /// The settings as a JSON tree; nil if they contain a number that JSON cannot represent.
  package var tree: JSONTree? { (try? encoded()).flatMap { try? JSONReader.tree($0) } }

  /// Returns a settings file for a new run, with a comment above each field.
  ///
  /// Fields without a value are written as `null`.
  ///
  /// - Parameters:
  ///   - title: The first lines, without comment marks.
  ///   - note: Returns an interface's addition to the comment on the field with a path.
  /// - Returns: The text, terminated by a line end.
  /// - Throws: An encoding error if a setting is a number that JSON cannot represent.
  package func commented(title: [String], note: (String) -> String?) throws -> String {
    let tree = try JSONReader.tree(encoded())
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var lines = title.map { "// \($0)" }
    func write(_ path: [String], _ names: [String], indent: String) throws {
      for (index, name) in names.enumerated() {
        let place = path + [name]
        let field = place.joined(separator: ".")
        let comma = index == names.count - 1 ? "" : ","
        if let setting = Settings.at(field) {
          let facts = [setting.values.range, note(field)].compactMap(\.self)
          let end = facts.isEmpty ? "" : " (\(facts.joined(separator: "; ")))"
          lines.append("\(indent)// \(setting.summary)\(end)")
        }
        if field != "training.schedule", let names = Self.fields.first(where: { $0.path == place })
        {
          lines.append("\(indent)\"\(name)\": {")
          try write(place, names.names, indent: indent + "  ")
          lines.append("\(indent)}\(comma)")
        } else {
          let value = try encoder.encode(tree[place] ?? .null)
          lines.append("\(indent)\"\(name)\": \(String(decoding: value, as: UTF8.self))\(comma)")
        }
      }
    }
    lines.append("{")
    try write([], Self.fields[0].names, indent: "  ")
    return (lines + ["}", ""]).joined(separator: "\n")
  }

  /// Replaces comments with spaces, which preserves line and column numbers.
  static func withoutComments(_ bytes: [UInt8]) -> [UInt8] {
    var result = bytes
    var start = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
      let text = bytes[start..<end].drop { $0 == 0x20 || $0 == 0x09 }
      // JSON strings cannot span lines, so the line is not part of one.
      if text.starts(with: [0x2F, 0x2F]) {
        for index in text.indices { result[index] = 0x20 }
      }
      start = end + 1
    }
    return result
  }
}
