// JSON with the place of what is wrong: Foundation's decoder does not say where a file is malformed, and takes the
// last of two fields of one name.

/// Reads JSON of any form (RFC 8259).
package struct JSONReader {
  /// A syntax error: the place, what was expected there, and what was found.
  package struct Fault: Error {
    package let description: String
  }

  /// Lists and objects within each other.
  private static let deepest = 64

  private let bytes: [UInt8]
  private var index = 0
  private var path: [String] = []

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Reads a whole text.
  ///
  /// - Throws: `Fault` for the first place that is malformed, or the first field that an object has twice.
  package static func tree(_ bytes: [UInt8]) throws(Fault) -> JSONTree {
    var reader = JSONReader(bytes)
    let tree = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.next == nil else { throw reader.fault("the end of the file") }
    return tree
  }

  private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func skipSpace() {
    while let byte = next, [0x20, 0x0A, 0x0D, 0x09].contains(byte) { index += 1 }
  }

  private mutating func take(_ character: Character) -> Bool {
    guard next == character.asciiValue else { return false }
    index += 1
    return true
  }

  // MARK: - Sentences

  /// The line of a byte, from 1.
  private func line(_ index: Int) -> Int { bytes[..<index].count { $0 == 0x0A } + 1 }

  /// The line and the column, from 1, of a byte; columns count characters.
  private func place(_ index: Int) -> String {
    let begin = bytes[..<index].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
    let column = bytes[begin..<index].count { $0 & 0xC0 != 0x80 } + 1
    return "line \(line(index)), column \(column)"
  }

  /// The text found at the place where something else was expected.
  private var found: String {
    guard let byte = next else { return "the end of the file" }
    guard byte >= 0x20 else { return byte == 0x0A ? "the end of the line" : "a control character" }
    let word = bytes[index...].prefix(12).prefix { byte in
      byte > 0x20 && ![0x2C, 0x3A, 0x5B, 0x5D, 0x7B, 0x7D, 0x22].contains(byte)
    }
    let whole = word.isEmpty ? bytes[index...index] : word
    return "'\(String(decoding: whole, as: UTF8.self))'"
  }

  private func fault(_ expected: String) -> Fault {
    Fault(description: "\(place(index)): expected \(expected), found \(found)")
  }

  // MARK: - Values

  private mutating func value(depth: Int) throws(Fault) -> JSONTree {
    guard depth < Self.deepest else {
      throw fault("at most \(Self.deepest) lists and objects within each other")
    }
    skipSpace()
    guard let byte = next else { throw fault("a value") }
    switch byte {
    case 0x7B: return try object(depth: depth + 1)
    case 0x5B: return try list(depth: depth + 1)
    case 0x22: return .text(try text("text"))
    case 0x2D, 0x30...0x39: return try number()
    default:
      for (word, value) in [
        ("true", JSONTree.truth(true)), ("false", .truth(false)), ("null", .null),
      ] where bytes[index...].starts(with: word.utf8) {
        index += word.utf8.count
        return value
      }
      throw fault("a value")
    }
  }

  private mutating func object(depth: Int) throws(Fault) -> JSONTree {
    index += 1
    var fields: [String: JSONTree] = [:]
    var lines: [String: Int] = [:]
    skipSpace()
    if take("}") { return .object(fields) }
    while true {
      skipSpace()
      let start = index
      let name = try text("a field's name in quotes")
      let field = (path + [name]).joined(separator: ".")
      if let first = lines[name] {
        throw Fault(
          description:
            "\(place(start)): expected each field once, found '\(field)' again, which line \(line(first)) has already; leave one of them out"
        )
      }
      lines[name] = start
      skipSpace()
      guard take(":") else { throw fault("':' behind '\(field)'") }
      path.append(name)
      fields[name] = try value(depth: depth)
      path.removeLast()
      skipSpace()
      if take("}") { return .object(fields) }
      guard take(",") else { throw fault("',' or '}' behind the value of '\(field)'") }
    }
  }

  private mutating func list(depth: Int) throws(Fault) -> JSONTree {
    index += 1
    var values: [JSONTree] = []
    skipSpace()
    if take("]") { return .list(values) }
    while true {
      values.append(try value(depth: depth))
      skipSpace()
      if take("]") { return .list(values) }
      guard take(",") else { throw fault("',' or ']' in a list") }
    }
  }

  private mutating func number() throws(Fault) -> JSONTree {
    let start = index
    func digits(_ reader: inout JSONReader) throws(Fault) {
      let first = reader.index
      while let byte = reader.next, (0x30...0x39).contains(byte) { reader.index += 1 }
      guard reader.index > first else { throw reader.fault("a digit") }
    }
    _ = take("-")
    if !take("0") { try digits(&self) }
    if take(".") { try digits(&self) }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      try digits(&self)
    }
    let word = String(decoding: bytes[start..<index], as: UTF8.self)
    if let whole = Int(word) { return .whole(whole) }
    return .number(Double(word) ?? .nan)
  }

  private mutating func text(_ expected: String) throws(Fault) -> String {
    guard take("\"") else { throw fault(expected) }
    var units: [UInt8] = []
    while true {
      guard let byte = next, byte >= 0x20 else { throw fault("'\"' at the end of a text") }
      if take("\"") { break }
      if byte != 0x5C {
        units.append(byte)
        index += 1
        continue
      }
      index += 1
      let escapes: [UInt8: UInt8] = [
        0x22: 0x22, 0x5C: 0x5C, 0x2F: 0x2F, 0x62: 8, 0x66: 12, 0x6E: 10, 0x72: 13, 0x74: 9,
      ]
      if let meant = next.flatMap({ escapes[$0] }) {
        units.append(meant)
        index += 1
      } else if take("u") {
        units += try escapedUnit()
      } else {
        throw fault("one of \" \\ / b f n r t u behind '\\'")
      }
    }
    guard let text = String(validating: units, as: UTF8.self) else {
      throw fault("text in UTF-8 before this place")
    }
    return text
  }

  /// The UTF-8 of what stands behind `\u`, both halves of a pair.
  private mutating func escapedUnit() throws(Fault) -> [UInt8] {
    var units = [try hexadecimal()]
    if UTF16.isLeadSurrogate(units[0]), take("\\"), take("u") { units.append(try hexadecimal()) }
    guard let text = String(validating: units, as: UTF16.self) else {
      throw fault("a character's number before this place")
    }
    return Array(text.utf8)
  }

  private mutating func hexadecimal() throws(Fault) -> UInt16 {
    let digits = bytes[index...].prefix(4)
    guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw fault("four hexadecimal digits") }
    index += 4
    return unit
  }
}
