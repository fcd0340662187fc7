// The training, validation and test texts, and their encoded files.

internal import Foundation
internal import UnrollFormats
internal import UnrollPlatform

/// The texts of a corpus.
public enum CorpusPart: String, Sendable, Codable, CaseIterable {
  /// Training text.
  case train
  /// Validation text, which determines early stopping and the best model.
  case valid
  /// Test text, used once at the end.
  case test
}

/// The files, and byte ranges in them, of the parts of a corpus.
public struct CorpusPlan: Sendable, Equatable {
  /// The parts.
  public var parts: [CorpusPart: TextPart]

  /// Finds the parts in a folder, or splits one file.
  ///
  /// If several files match a part, the one with the fewest components in its name is used: `ptb.train.txt`, not
  /// `ptb.char.train.txt`.
  ///
  /// - Parameters:
  ///   - path: A folder with `train.txt` and `valid.txt`, or names such as `ptb.train.txt`; or one
  ///     file.
  ///   - split: The fractions of a single file for train, valid and test, in file order; cut after a line
  ///     end.
  /// - Throws: `CorpusError` if the folder or file does not exist, a part is missing, or several files match a part
  ///   equally well.
  public init(path: String, split: [Double] = [0.9, 0.05, 0.05]) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CorpusError(.system("no such file or folder"), path: path)
    }
    parts = isFolder.boolValue ? try Self.inFolder(path) : try Self.inFile(path, split)
  }

  private static func inFolder(_ path: String) throws -> [CorpusPart: TextPart] {
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: path).sorted() } catch {
      throw CorpusError(.system("cannot be listed"), path: path)
    }
    var parts: [CorpusPart: TextPart] = [:]
    for part in CorpusPart.allCases {
      let words = part == .valid ? ["valid", "validation", "val", "dev"] : [part.rawValue]
      let pieces = { (name: String) in name.lowercased().split(separator: ".").map(String.init) }
      let matching = names.filter { name in
        guard !name.hasPrefix(".") else { return false }
        let pieces = pieces(name)
        return ["txt", "tokens"].contains(pieces.last)
          && (pieces.dropLast().last.map(words.contains) ?? false)
      }
      let fewest = matching.map { pieces($0).count }.min()
      let found = matching.filter { pieces($0).count == fewest }
      guard found.count <= 1 else {
        throw CorpusError(.severalParts(part.rawValue, found: found), path: path)
      }
      if let found = found.first { parts[part] = TextPart(path: path + "/" + found) }
    }
    for part in [CorpusPart.train, .valid] where parts[part] == nil {
      throw CorpusError(.missingPart(part.rawValue, found: names), path: path)
    }
    return parts
  }

  private static func inFile(_ path: String, _ split: [Double]) throws -> [CorpusPart: TextPart] {
    guard CorpusError.problem(ofSplit: split) == nil else {
      throw CorpusError(.impossibleSplit(split), path: path)
    }
    let file = try FileDescriptor(path)
    let size = file.size
    let first = lineStart(file, near: Int(Double(size) * split[0]), size)
    let second =
      split.count == 2 || split[2] == 0
      ? size : max(first, lineStart(file, near: Int(Double(size) * (split[0] + split[1])), size))
    var parts: [CorpusPart: TextPart] = [
      .train: TextPart(path: path, range: 0..<first),
      .valid: TextPart(path: path, range: first..<second),
    ]
    if split.count == 3 && split[2] > 0 {
      parts[.test] = TextPart(path: path, range: second..<size)
    }
    return parts
  }

  /// Returns the offset after the first line end at or after an offset; if there is none within 64 kB, the start of
  /// a character.
  private static func lineStart(_ file: FileDescriptor, near offset: Int, _ size: Int) -> Int {
    guard offset > 0 else { return 0 }
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = buffer.withUnsafeMutableBytes {
      file.read($0.baseAddress, min($0.count, size - offset), at: offset)
    }
    guard count > 0 else { return size }
    if let index = buffer[..<count].firstIndex(of: 0x0A) { return offset + index + 1 }
    if let index = buffer[..<count].firstIndex(where: { $0 & 0xC0 != 0x80 }) {
      return offset + index
    }
    return offset
  }
}

/// The encoded texts of a corpus and their vocabulary.
public struct Corpus: Sendable {
  /// The symbols.
  public let vocabulary: Vocabulary
  /// The texts.
  public let texts: [CorpusPart: EncodedText]
  /// Remarks for the user: invalid bytes, and symbols of valid or test that the training text lacks.
  public internal(set) var notes: [String]

  /// Encodes the parts of a corpus, or maps the encoded files of an earlier run.
  ///
  /// Encoded files have 4 bytes per symbol. They are written once, memory-mapped, and reused as long as texts and
  /// vocabulary are unchanged (size, modification time, checksum of the vocabulary).
  ///
  /// - Parameters:
  ///   - plan: The parts.
  ///   - unit: The unit of a symbol.
  ///   - limits: The limits of the vocabulary.
  ///   - trimsLines: Whether to remove spaces at both ends of lines (characters).
  ///   - known: The vocabulary of an earlier run, instead of a new one.
  ///   - folder: The folder for encoded files.
  /// - Throws: `CorpusError` if a text cannot be read or is too short.
  public init(
    _ plan: CorpusPlan, unit: SymbolUnit, limits: Vocabulary.Limits = Vocabulary.Limits(),
    trimsLines: Bool = false, vocabulary known: Vocabulary? = nil, folder: String
  ) throws {
    var notes: [String] = []
    guard let train = plan.parts[.train] else {
      throw CorpusError(.missingPart("train", found: []), path: folder)
    }
    if let known {
      vocabulary = known
    } else {
      var reader = TextReader(train, unit: unit, trimsLines: trimsLines)
      var counted = try Vocabulary.counting(&reader, limits: limits, needsUnknown: false)
      if counted.unknown == nil, unit != .bytes,
        try Self.hasUnknown(plan, counted)
      {
        var again = TextReader(train, unit: unit, trimsLines: trimsLines)
        counted = try Vocabulary.counting(&again, limits: limits, needsUnknown: true)
      }
      vocabulary = counted
    }
    var texts: [CorpusPart: EncodedText] = [:]
    var encodings: [EncodingFacts] = []
    for part in CorpusPart.allCases {
      guard let source = plan.parts[part] else { continue }
      let (text, facts) = try Self.encode(
        source, vocabulary, to: Self.encodedPath(part, in: folder))
      encodings.append(facts)
      if facts.unknown > 0 {
        notes.append(
          "\(source.path) (\(part.rawValue)): \(facts.unknown) of \(unit.counted(facts.count)) became <unk>"
        )
      }
      if part == .test && text.count < 2 {
        notes.append("\(source.path) (test): is empty; the final test is skipped")
        continue
      }
      guard text.count >= 2 else {
        throw CorpusError(
          .tooShort(symbols: text.count, needed: 2, unit: unit),
          path: "\(source.path) (\(part.rawValue))")
      }
      texts[part] = text
    }
    self.texts = texts
    self.notes = notes + EncodingFacts.notes(encodings)
  }

  /// Maps encoded files written by another process.
  ///
  /// - Parameters:
  ///   - folder: The folder of the files.
  ///   - parts: The parts that exist.
  ///   - vocabulary: The vocabulary of the files.
  /// - Throws: `CorpusError` if a file cannot be mapped.
  init(mapping folder: String, parts: [CorpusPart], vocabulary: Vocabulary) throws {
    self.vocabulary = vocabulary
    var texts: [CorpusPart: EncodedText] = [:]
    for part in parts {
      texts[part] = try EncodedText(
        mapping: Self.encodedPath(part, in: folder), vocabularySize: vocabulary.count)
    }
    self.texts = texts
    notes = []
  }

  private static func encodedPath(_ part: CorpusPart, in folder: String) -> String {
    "\(folder)/\(part.rawValue).symbols"
  }

  /// Returns whether valid or test contain symbols that are not in the vocabulary.
  private static func hasUnknown(_ plan: CorpusPlan, _ vocabulary: Vocabulary) throws -> Bool {
    struct Found: Error {}
    for part in [CorpusPart.valid, .test] {
      guard let source = plan.parts[part] else { continue }
      var reader = TextReader(
        source, unit: vocabulary.unit, trimsLines: vocabulary.trimsLines)
      do {
        try reader.forEachSymbol { if !vocabulary.contains($0) { throw Found() } }
      } catch is Found { return true }
    }
    return false
  }

  private static func encode(
    _ source: TextPart, _ vocabulary: Vocabulary, to path: String
  ) throws -> (EncodedText, EncodingFacts) {
    let stampPath = path + ".json"
    let stamp = try stamp(of: source, vocabulary)
    if let old = try? AtomicFile.read(stampPath, limit: 1 << 20),
      let kept = try? JSONDecoder().decode(Stamp.self, from: Data(old)),
      kept.source == stamp.source,
      let text = try? EncodedText(mapping: path, vocabularySize: vocabulary.count),
      text.count == kept.facts.count, text.checksum == kept.checksum
    {
      return (text, kept.facts)
    }
    var writer = try EncodedTextWriter(path)
    let facts = try write(source, vocabulary, into: &writer)
    let text = try EncodedText(mapping: path, vocabularySize: vocabulary.count)
    let kept = Stamp(source: stamp.source, checksum: text.checksum, facts: facts)
    try AtomicFile.write(Array(JSONEncoder().encode(kept)), to: stampPath)
    return (text, facts)
  }

  private struct Stamp: Codable {
    var source: String
    var checksum: UInt32 = 0
    var facts: EncodingFacts
  }

  private static func stamp(of source: TextPart, _ vocabulary: Vocabulary) throws -> Stamp {
    let facts = try? FileManager.default.attributesOfItem(atPath: source.path)
    let size = (facts?[.size] as? Int) ?? 0
    let time = (facts?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
    let symbols = try CRC32.checksum(vocabulary.encoded())
    let range = source.range.map { "\($0)" } ?? "all"
    return Stamp(
      source: "\(source.path) \(size) \(time) \(range) \(symbols)",
      facts: EncodingFacts(path: source.path))
  }

  /// Encodes one text with a vocabulary.
  ///
  /// The result is a mapped file that is already unlinked, so the text may be larger than memory and no file remains.
  ///
  /// - Returns: The text, the number of symbols replaced by `<unk>`, some of them by name, and remarks on the
  ///   encoding.
  /// - Throws: `CorpusError` if the text cannot be read, if it has an unknown symbol and the vocabulary has no
  ///   `<unk>`, or if the folder for temporary files is full.
  public static func encode(
    file path: String, with vocabulary: Vocabulary
  ) throws -> (text: EncodedText, unknown: Int, unknownSymbols: [String], notes: [String]) {
    var writer = try EncodedTextWriter(
      temporaryIn: FileManager.default.temporaryDirectory.path)
    let encoding = try write(TextPart(path: path), vocabulary, into: &writer)
    return (
      try writer.text(vocabularySize: vocabulary.count), encoding.unknown,
      encoding.unknownSymbols, EncodingFacts.notes([encoding])
    )
  }

  /// Writes a text's symbols to a file.
  private static func write(
    _ source: TextPart, _ vocabulary: Vocabulary, into writer: inout EncodedTextWriter
  ) throws -> EncodingFacts {
    var reader = TextReader(source, unit: vocabulary.unit, trimsLines: vocabulary.trimsLines)
    var result = EncodingFacts(path: source.path)
    try reader.forEachSymbol { symbol in
      guard let number = vocabulary.number(of: symbol) else {
        throw CorpusError(.unknownSymbol(Vocabulary.name(of: symbol)), path: source.path)
      }
      if !vocabulary.contains(symbol) {
        result.unknown += 1
        if result.unknownSymbols.count < 8 {
          let name = Vocabulary.name(of: symbol)
          if !result.unknownSymbols.contains(name) { result.unknownSymbols.append(name) }
        }
      }
      try writer.append(number)
    }
    (result.count, result.defects) = (writer.count, reader.defectCount)
    if let line = reader.firstDefectLine {
      result.firstDefectLine = try line + ByteSource.lineCount(before: source)
    }
    try writer.finish()
    return result
  }
}
