// Reads text of any size as a stream of symbols, a megabyte at a time.
//
// Words end at ASCII white space. Every line ends with <eos>, including the last one if it contains a word. Characters
// are Unicode scalars without normalisation; CR LF counts as one line feed. For words and characters, invalid UTF-8
// becomes U+FFFD and is counted, and a byte order mark at the start is skipped. Bytes are read unchanged.

internal import UnrollFormats
internal import UnrollPlatform

/// The unit that a language model predicts.
public enum SymbolUnit: String, Sendable, Codable, CaseIterable {
  /// Sequences of non-space characters, and `<eos>` at the end of each line.
  case words
  /// Unicode scalars.
  case characters
  /// Bytes, with 256 possible values.
  case bytes
}

/// A range of a file's bytes.
public struct TextPart: Sendable, Equatable {
  /// The file.
  public var path: String
  /// The byte range; nil for the entire file.
  public var range: Range<Int>?

  /// Creates a part.
  public init(path: String, range: Range<Int>? = nil) {
    self.path = path
    self.range = range
  }
}

/// Reads a part of a text, symbol by symbol.
package struct TextReader {
  /// The maximum length of a word in bytes.
  package static let wordLimit = 65_536

  /// The part to read.
  package let part: TextPart
  package let unit: SymbolUnit
  /// Whether to remove spaces at both ends of a line (characters).
  package let trimsLines: Bool
  /// The number of lines read so far.
  private(set) var lineCount = 0
  /// The number of places with invalid UTF-8.
  package private(set) var defectCount = 0
  /// The line of the first invalid place, relative to the part and starting at 1.
  private(set) var firstDefectLine: Int?

  package init(_ part: TextPart, unit: SymbolUnit, trimsLines: Bool = false) {
    self.part = part
    self.unit = unit
    self.trimsLines = trimsLines
  }

  /// Returns whether a byte separates words without ending a line.
  package static func isSpace(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x09, 0x0B, 0x0C, 0x0D, 0x20: true
    default: false
    }
  }

  /// Calls `body` with every symbol.
  package mutating func forEachSymbol(_ body: (Symbol) throws -> Void) throws {
    var source = try ByteSource(part)
    // With the unit bytes, any file is valid.
    if unit != .bytes, let what = TextEncoding.foreign(source.firstBytes()) {
      throw CorpusError(.notUTF8(what), path: part.path)
    }
    switch unit {
    case .words: try readWords(&source, body)
    case .characters: try readCharacters(&source, body)
    case .bytes: while let byte = source.next() { try body(.scalar(UInt32(byte))) }
    }
    if let failure = source.failure { throw CorpusError(.system(failure), path: part.path) }
  }

  /// A symbol as it appears in a text.
  ///
  /// Words are equal only if their bytes are equal; comparison of Swift strings would also accept canonically
  /// equivalent text.
  package enum Symbol: Hashable {
    case word(String)
    /// A Unicode scalar, or a byte.
    case scalar(UInt32)
    case endOfLine

    package static func == (left: Symbol, right: Symbol) -> Bool {
      switch (left, right) {
      case (.word(let a), .word(let b)): a.utf8.elementsEqual(b.utf8)
      case (.scalar(let a), .scalar(let b)): a == b
      case (.endOfLine, .endOfLine): true
      default: false
      }
    }

    package func hash(into hasher: inout Hasher) {
      switch self {
      case .word(let word):
        for byte in word.utf8 { hasher.combine(byte) }
      case .scalar(let value): hasher.combine(value)
      case .endOfLine: hasher.combine(-1)
      }
    }
  }

  /// Returns an error at the current line, counted from the start of the file.
  private func failure(_ problem: CorpusError.Problem) throws -> CorpusError {
    CorpusError(
      problem, path: part.path, line: try ByteSource.lineCount(before: part) + lineCount + 1)
  }

  /// The error for a NUL byte, which text does not contain.
  private static let zeroByte = CorpusError.Problem.notUTF8(
    "found a NUL byte, as in UTF-16 without a byte order mark and in binary data; convert the text, for example with: iconv -f UTF-16LE -t UTF-8 FILE > NEW; a byte model accepts any file"
  )

  private mutating func countDefect() {
    defectCount += 1
    if firstDefectLine == nil { firstDefectLine = lineCount + 1 }
  }

  private mutating func readWords(
    _ source: inout ByteSource, _ body: (Symbol) throws -> Void
  ) throws {
    source.skipByteOrderMark()
    var word: [UInt8] = []
    var lineHasWord = false
    func end(_ reader: inout TextReader) throws {
      guard !word.isEmpty else { return }
      let text = String(decoding: word, as: UTF8.self)
      if text.utf8.count != word.count || text.unicodeScalars.contains("\u{FFFD}") {
        if !text.utf8.elementsEqual(word) { reader.countDefect() }
      }
      try body(.word(text))
      word.removeAll(keepingCapacity: true)
      lineHasWord = true
    }
    while let byte = source.next() {
      if byte == 0x0A {
        try end(&self)
        try body(.endOfLine)
        lineHasWord = false
        lineCount += 1
      } else if Self.isSpace(byte) {
        try end(&self)
      } else {
        if byte == 0 { throw try failure(Self.zeroByte) }
        word.append(byte)
        if word.count > Self.wordLimit {
          throw try failure(.wordTooLong(limit: Self.wordLimit))
        }
      }
    }
    try end(&self)
    if lineHasWord {
      try body(.endOfLine)
      lineCount += 1
    }
  }

  private mutating func readCharacters(
    _ source: inout ByteSource, _ body: (Symbol) throws -> Void
  ) throws {
    source.skipByteOrderMark()
    var parser = Unicode.UTF8.ForwardParser()
    var heldReturn = false
    var heldSpaces = 0
    var isAtStart = true
    func put(_ scalar: UInt32) throws {
      if trimsLines {
        if scalar == 0x20 {
          if !isAtStart { heldSpaces += 1 }
          return
        }
        if scalar != 0x0A { for _ in 0..<heldSpaces { try body(.scalar(0x20)) } }
        heldSpaces = 0
        isAtStart = scalar == 0x0A
      }
      try body(.scalar(scalar))
    }
    reading: while true {
      let scalar: UInt32
      switch parser.parseScalar(from: &source) {
      case .valid(let encoded): scalar = Unicode.UTF8.decode(encoded).value
      case .error:
        scalar = 0xFFFD
        countDefect()
      case .emptyInput: break reading
      }
      if scalar == 0 { throw try failure(Self.zeroByte) }
      if heldReturn {
        heldReturn = false
        if scalar != 0x0A { try put(0x0D) }
      }
      if scalar == 0x0D {
        heldReturn = true
        continue
      }
      if scalar == 0x0A { lineCount += 1 }
      try put(scalar)
    }
    if heldReturn { try put(0x0D) }
  }
}

/// The bytes of a part, read a megabyte at a time.
struct ByteSource: IteratorProtocol {
  private let descriptor: FileDescriptor
  private var buffer: [UInt8]
  private var position = 0
  private var count = 0
  private var offset: Int
  private let end: Int
  private(set) var failure: String?

  init(_ part: TextPart) throws(CorpusError) {
    descriptor = try FileDescriptor(part.path)
    let size = descriptor.size
    offset = part.range?.lowerBound ?? 0
    end = min(size, part.range?.upperBound ?? size)
    buffer = [UInt8](repeating: 0, count: 1 << 20)
  }

  mutating func next() -> UInt8? {
    if position == count {
      guard refill() else { return nil }
    }
    defer { position += 1 }
    return buffer[position]
  }

  /// Returns the first bytes of the file, whatever the part.
  func firstBytes() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: TextEncoding.sampleSize)
    let count = bytes.withUnsafeMutableBytes { descriptor.read($0.baseAddress, $0.count, at: 0) }
    return Array(bytes.prefix(max(0, count)))
  }

  /// Returns the number of line ends before a part of a file.
  static func lineCount(before part: TextPart) throws(CorpusError) -> Int {
    guard let start = part.range?.lowerBound, start > 0 else { return 0 }
    var source = try ByteSource(TextPart(path: part.path, range: 0..<start))
    var count = 0
    while let byte = source.next() { if byte == 0x0A { count += 1 } }
    return count
  }

  /// Skips U+FEFF at the start of the file.
  mutating func skipByteOrderMark() {
    guard offset == 0, refill() else { return }
    if buffer[..<min(3, count)].elementsEqual([0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  private mutating func refill() -> Bool {
    let wanted = min(buffer.count, end - offset)
    guard wanted > 0 else { return false }
    let got = buffer.withUnsafeMutableBytes {
      descriptor.read($0.baseAddress, wanted, at: offset)
    }
    if got < 0 { failure = "cannot be read: \(String(cString: strerror(errno)))" }
    if got == 0 { failure = "was truncated while it was read" }
    guard got > 0 else { return false }
    position = 0
    count = got
    offset += got
    return true
  }
}

/// An open file, closed on deinitialisation.
final class FileDescriptor: Sendable {
  private let number: Int32

  init(_ path: String) throws(CorpusError) {
    number = open(path, O_RDONLY)
    guard number >= 0 else {
      throw CorpusError(
        .system("cannot be read: \(String(cString: strerror(errno)))"), path: path)
    }
    var status = stat()
    guard fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw CorpusError(.system("expected a file, found something else"), path: path)
    }
  }

  deinit { close(number) }

  var size: Int {
    var status = stat()
    return fstat(number, &status) == 0 ? Int(status.st_size) : 0
  }

  func read(_ buffer: UnsafeMutableRawPointer?, _ count: Int, at offset: Int) -> Int {
    while true {
      let got = pread(number, buffer, count, off_t(offset))
      if got >= 0 || errno != EINTR { return got }
    }
  }

  /// Reads the entire file into memory.
  func memory(_ path: String) throws(CorpusError) -> FileMemory {
    do throws(ArrayFileError) {
      return try FileMemory(descriptor: number, path: path)
    } catch {
      throw CorpusError(.system("\(error)"), path: path)
    }
  }
}
