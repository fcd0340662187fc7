// Settings as a file that explains itself. Lines that begin with `//` are comments, which the reader takes for blank.

internal import Foundation
package import UnrollFormats

extension RunConfiguration {
  /// The settings as the file has them; nil if they hold a number that JSON has not.
  package var tree: JSONTree? { (try? encoded()).flatMap { try? JSONReader.tree($0) } }

  /// The text of a file from which a run with these settings can begin, with a comment above each field.
  ///
  /// Fields without a value are there as `null`.
  ///
  /// - Parameters:
  ///   - title: The first lines, without comment marks.
  ///   - note: What an interface adds to the comment on the field of a path.
  /// - Returns: The text, with a line end at its end.
  /// - Throws: An encoding error if a setting is a number that JSON has not.
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
        let summary = Setting.at(field)?.summary
        let comment = [summary, note(field)].compactMap(\.self).joined(separator: " ")
        if !comment.isEmpty { lines.append("\(indent)// \(comment)") }
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

  /// A file's bytes with spaces in place of comments, so that lines and columns stay what they are.
  static func withoutComments(_ bytes: [UInt8]) -> [UInt8] {
    var result = bytes
    var start = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
      let text = bytes[start..<end].drop { $0 == 0x20 || $0 == 0x09 }
      // No text in quotes goes on in another line, so such a line cannot be a part of one.
      if text.starts(with: [0x2F, 0x2F]) {
        for index in text.indices { result[index] = 0x20 }
      }
      start = end + 1
    }
    return result
  }
}
