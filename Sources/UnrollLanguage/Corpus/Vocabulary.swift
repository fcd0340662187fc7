// The vocabulary of a model. Symbols are ordered by descending frequency, then by their bytes.

internal import Foundation
internal import UnrollFormats

/// The symbols of a language model and their indices.
public struct Vocabulary: Sendable, Equatable {
  /// The word that replaces unknown words.
  public static let unknownWord = "<unk>"
  /// The word at the end of each line.
  public static let endOfLineWord = "<eos>"

  /// The unit of the symbols.
  public let unit: SymbolUnit
  /// Whether spaces at both ends of lines are removed (characters).
  public let trimsLines: Bool
  /// The symbols; bytes as two hexadecimal digits.
  public let symbols: [String]
  /// The count of each symbol in the training text; empty for bytes.
  public let counts: [Int]
  private let numbers: [TextReader.Symbol: Int32]
  private let scalars: [UInt32: Int32]

  /// V, the number of symbols.
  public var count: Int { symbols.count }
  /// The index of `<unk>`, if present.
  public let unknown: Int32?
  /// The index of the symbol that ends a line: `<eos>`, or the line feed.
  public let endOfLine: Int32?

  package init(unit: SymbolUnit, trimsLines: Bool, symbols: [String], counts: [Int]) {
    self.unit = unit
    self.trimsLines = trimsLines
    self.symbols = symbols
    self.counts = counts
    numbers = Dictionary(
      symbols.enumerated().map { (.word($1), Int32($0)) }, uniquingKeysWith: { first, _ in first })
    switch unit {
    case .words: scalars = [:]
    case .characters:
      scalars = Dictionary(
        symbols.enumerated().compactMap { index, symbol in
          let scalars = symbol.unicodeScalars
          return scalars.count == 1 ? scalars.first.map { ($0.value, Int32(index)) } : nil
        }, uniquingKeysWith: { first, _ in first })
    case .bytes:
      scalars = Dictionary(uniqueKeysWithValues: (0..<256).map { (UInt32($0), Int32($0)) })
    }
    unknown = unit == .bytes ? nil : numbers[.word(Self.unknownWord)]
    endOfLine = unit == .words ? numbers[.word(Self.endOfLineWord)] : scalars[0x0A]
  }

  /// The vocabulary of all bytes.
  static var bytes: Vocabulary {
    Vocabulary(
      unit: .bytes, trimsLines: false,
      symbols: (0..<256).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) },
      counts: [])
  }

  /// The limits of a vocabulary.
  public struct Limits: Sendable, Equatable {
    /// The maximum number of symbols including `<unk>`; nil for no limit.
    public var size: Int?
    /// The minimum count of a symbol in the training text.
    public var minimumCount: Int

    /// Creates limits.
    public init(size: Int? = nil, minimumCount: Int = 1) {
      self.size = size
      self.minimumCount = minimumCount
    }
  }

  /// Builds a vocabulary from the symbols of a text.
  ///
  /// It contains `<unk>` if the text does, if the limits exclude symbols, or if `needsUnknown`.
  package static func counting(
    _ reader: inout TextReader, limits: Limits, needsUnknown: Bool
  ) throws -> Vocabulary {
    guard reader.unit != .bytes else { return .bytes }
    var counts: [TextReader.Symbol: Int] = [:]
    try reader.forEachSymbol { counts[$0, default: 0] += 1 }
    var named: [(symbol: String, count: Int)] = counts.map { (name(of: $0.key), $0.value) }
    // The text may contain a literal <eos>.
    if let spelled = counts[.word(endOfLineWord)], let ends = counts[.endOfLine] {
      named.removeAll { $0.symbol == endOfLineWord }
      named.append((endOfLineWord, spelled + ends))
    }
    named.sort {
      $0.count != $1.count
        ? $0.count > $1.count : $0.symbol.utf8.lexicographicallyPrecedes($1.symbol.utf8)
    }
    var kept = named.filter {
      $0.count >= limits.minimumCount || $0.symbol == unknownWord || $0.symbol == endOfLineWord
    }
    if let size = limits.size, kept.count > size { kept = fitted(kept, to: size) }
    let isCut = kept.count < named.count || needsUnknown
    if isCut, !kept.contains(where: { $0.symbol == unknownWord }) {
      if let size = limits.size, kept.count >= size { kept = fitted(kept, to: size - 1) }
      kept.append((unknownWord, 0))
    }
    return Vocabulary(
      unit: reader.unit, trimsLines: reader.trimsLines, symbols: kept.map(\.symbol),
      counts: kept.map(\.count))
  }

  /// Returns the most frequent symbols; `<unk>` and `<eos>` are always kept.
  private static func fitted(
    _ named: [(symbol: String, count: Int)], to size: Int
  ) -> [(symbol: String, count: Int)] {
    let isSpecial = { (symbol: String) in symbol == unknownWord || symbol == endOfLineWord }
    var room = max(0, size - named.count { isSpecial($0.symbol) })
    return named.filter {
      if isSpecial($0.symbol) { return true }
      room -= 1
      return room >= 0
    }
  }

  static func name(of symbol: TextReader.Symbol) -> String {
    switch symbol {
    case .word(let word): word
    case .endOfLine: endOfLineWord
    case .scalar(let value): Unicode.Scalar(value).map { String(Character($0)) } ?? "\u{FFFD}"
    }
  }

  /// Returns the index of a symbol, or that of `<unk>`; nil if the symbol is unknown and there is no `<unk>`.
  func number(of symbol: TextReader.Symbol) -> Int32? {
    switch symbol {
    case .word: numbers[symbol] ?? unknown
    case .endOfLine: endOfLine ?? unknown
    case .scalar(let value): scalars[value] ?? unknown
    }
  }

  /// Returns the index of the symbol whose name in ``symbols`` has the same bytes; nil if there is none.
  public func number(named name: String) -> Int32? { numbers[.word(name)] }

  /// Returns whether the vocabulary contains the symbol.
  func contains(_ symbol: TextReader.Symbol) -> Bool {
    switch symbol {
    case .word: numbers[symbol] != nil
    case .endOfLine: endOfLine != nil
    case .scalar(let value): scalars[value] != nil
    }
  }

  /// Encodes a short text, such as a prompt.
  ///
  /// The symbols are those of a corpus with the same bytes, except that no line end is added after the last line.
  ///
  /// - Throws: `CorpusError` with the unknown symbols, if there is no `<unk>`.
  public func encode(_ text: String) throws -> [Int32] { try read(text).symbols }

  /// Encodes a short text and lists its unknown symbols.
  ///
  /// - Throws: `CorpusError` with the unknown symbols, if there is no `<unk>`.
  func read(_ text: String) throws -> (symbols: [Int32], unknown: [String]) {
    var result: [Int32] = []
    var unknown: [String] = []
    for symbol in Self.symbols(of: text, unit) {
      if let number = number(of: symbol) { result.append(number) }
      guard !contains(symbol) else { continue }
      let name = Self.name(of: symbol)
      if !unknown.contains(where: { $0.utf8.elementsEqual(name.utf8) }) { unknown.append(name) }
    }
    guard unknown.isEmpty || self.unknown != nil else {
      throw CorpusError(.unknownSymbols(unknown, unit: unit), path: "prompt")
    }
    return (result, unknown)
  }

  /// Returns a sentence that lists unknown symbols: `2 words are not in the vocabulary: quuxed, zebra`.
  static func sentence(unknown names: [String], _ unit: SymbolUnit) -> String {
    let what =
      switch unit {
      case .words: names.count == 1 ? "word" : "words"
      case .characters: names.count == 1 ? "character" : "characters"
      case .bytes: names.count == 1 ? "byte" : "bytes"
      }
    let list = names.prefix(10).map { name in
      // Invisible and control characters are shown by code point.
      guard unit == .characters, let scalar = name.unicodeScalars.first else {
        return name.debugDescription.dropFirst().dropLast().description
      }
      let number = String(scalar.value, radix: 16, uppercase: true)
      let code = "U+" + String(repeating: "0", count: max(0, 4 - number.count)) + number
      return scalar.properties.isWhitespace || !scalar.properties.isGraphemeBase
        ? code : "'\(name)'"
    }.joined(separator: ", ")
    let rest = names.count > 10 ? " and \(names.count - 10) more" : ""
    return
      "\(names.count) \(what) \(names.count == 1 ? "is" : "are") not in the vocabulary: \(list)\(rest)"
  }

  /// Splits a short text into symbols.
  private static func symbols(of text: String, _ unit: SymbolUnit) -> [TextReader.Symbol] {
    var result: [TextReader.Symbol] = []
    switch unit {
    case .bytes: for byte in text.utf8 { result.append(.scalar(UInt32(byte))) }
    case .characters:
      var isAfterReturn = false
      for scalar in text.unicodeScalars {
        if isAfterReturn && scalar != "\n" { result.append(.scalar(0x0D)) }
        isAfterReturn = scalar == "\r"
        if !isAfterReturn { result.append(.scalar(scalar.value)) }
      }
      if isAfterReturn { result.append(.scalar(0x0D)) }
    case .words:
      // Split bytes, not characters: Swift merges a space and a combining accent into one character.
      let lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false)
      for (index, line) in lines.enumerated() {
        if index > 0 { result.append(.endOfLine) }
        for word in line.split(whereSeparator: TextReader.isSpace) {
          result.append(.word(String(decoding: word, as: UTF8.self)))
        }
      }
    }
    return result
  }

  /// Returns the bytes of a symbol after another; words are separated by spaces, and lines end with a line feed.
  public func text(of symbol: Int32, after previous: Int32?) -> [UInt8] {
    let name = symbols[Int(symbol)]
    switch unit {
    case .bytes: return [UInt8(symbol)]
    case .characters: return Array(name.utf8)
    case .words:
      if symbol == endOfLine { return [0x0A] }
      let isFirst = previous == nil || previous == endOfLine
      return Array((isFirst ? name : " " + name).utf8)
    }
  }
}

// MARK: - The file

extension Vocabulary {
  private struct File: Codable {
    var unit: SymbolUnit
    var trims_lines: Bool
    var normalization: String
    var unknown: String?
    var end_of_line: String?
    var symbols: [String]
    var counts: [Int]
  }

  /// Returns the contents of `vocabulary.json`.
  public func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
    return try Array(
      encoder.encode(
        File(
          unit: unit, trims_lines: trimsLines, normalization: "none",
          unknown: unknown.map { symbols[Int($0)] },
          end_of_line: endOfLine.map { symbols[Int($0)] }, symbols: symbols, counts: counts)))
  }

  /// Reads `vocabulary.json`.
  ///
  /// - Throws: `CorpusError` if the file is malformed.
  public init(contentsOf path: String) throws {
    let bytes: [UInt8]
    do { bytes = try AtomicFile.read(path, limit: 1 << 30) } catch {
      throw CorpusError(.malformedVocabulary("\(error)"), path: path)
    }
    try self.init(decoding: bytes, path: path)
  }

  /// Parses the contents of a `vocabulary.json`.
  ///
  /// - Throws: `CorpusError` if the contents are malformed.
  package init(decoding bytes: [UInt8], path: String) throws {
    let file: File
    do { file = try JSONDecoder().decode(File.self, from: Data(bytes)) } catch {
      throw CorpusError(
        .malformedVocabulary("expected the JSON fields of a vocabulary"), path: path)
    }
    guard Set(file.symbols.map(TextReader.Symbol.word)).count == file.symbols.count,
      !file.symbols.isEmpty,
      file.counts.isEmpty || file.counts.count == file.symbols.count,
      file.unit != .bytes || file.symbols == Vocabulary.bytes.symbols
    else {
      throw CorpusError(.malformedVocabulary("expected distinct symbols"), path: path)
    }
    self.init(
      unit: file.unit, trimsLines: file.trims_lines, symbols: file.symbols, counts: file.counts)
  }
}
