// A text as symbol indices: a memory-mapped file of little-endian 32-bit integers, which may be larger than
// memory.

internal import Foundation
internal import UnrollContracts
internal import UnrollFormats
internal import UnrollPlatform

/// A text as symbols, backed by a mapped file or an array.
public final class EncodedText: @unchecked Sendable {
  // Sendable: immutable after `init`.
  private let symbols: UnsafePointer<Int32>
  /// The number of symbols.
  public let count: Int
  /// The owner of the symbols' memory.
  private let memory: FileMemory?
  private let owned: UnsafeMutablePointer<Int32>?

  /// Maps an encoded file.
  ///
  /// A file of at most 32 MB is read instead, so that truncating it later has no effect.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - vocabularySize: The exclusive upper bound of the symbols; the file is read once to check it.
  /// - Throws: `CorpusError` if the file cannot be mapped or has symbols out of range.
  public convenience init(mapping path: String, vocabularySize: Int) throws {
    try self.init(
      FileDescriptor(path).memory(path), path: path, vocabularySize: vocabularySize)
  }

  fileprivate init(_ memory: FileMemory, path: String, vocabularySize: Int) throws {
    let size = memory.bytes.count
    guard size % 4 == 0 else {
      throw CorpusError(.damaged("expected 4 bytes per symbol, found \(size) bytes"), path: path)
    }
    count = size / 4
    guard let address = memory.bytes.baseAddress else {
      let nothing = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
      (self.memory, owned, symbols) = (nil, nothing, UnsafePointer(nothing))
      return
    }
    (self.memory, owned) = (memory, nil)
    symbols = address.assumingMemoryBound(to: Int32.self)
    for index in 0..<count where symbols[index] < 0 || symbols[index] >= vocabularySize {
      throw CorpusError(
        .damaged("expected symbols below \(vocabularySize), found \(symbols[index])"), path: path)
    }
  }

  /// Creates a text from symbols in memory.
  public init(_ elements: [Int32]) {
    let copy = UnsafeMutablePointer<Int32>.allocate(capacity: max(1, elements.count))
    copy.initialize(from: elements, count: elements.count)
    owned = copy
    symbols = UnsafePointer(copy)
    count = elements.count
    memory = nil
  }

  deinit { owned?.deallocate() }

  /// A checksum of all symbols.
  public var checksum: UInt32 {
    CRC32.checksum(UnsafeRawBufferPointer(start: symbols, count: 4 * count))
  }

  /// The symbol at an index.
  public subscript(index: Int) -> Int32 {
    require(
      index >= 0 && index < count,
      "EncodedText.subscript: expected an index below \(count), got \(index).")
    return symbols[index]
  }
}

/// Writes symbols to a file that appears only when it is complete, or that has no name at all.
struct EncodedTextWriter: ~Copyable {
  private let path: String
  /// The file's name until it is whole; nil for a file without a name.
  private let beside: String?
  private let descriptor: Int32
  private var buffer: [Int32] = []
  private(set) var count = 0

  init(_ path: String) throws(CorpusError) {
    let beside = AtomicFile.unfinished(path)
    (self.path, self.beside) = (path, beside)
    descriptor = open(beside, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    guard descriptor >= 0 else { throw Self.failure(path) }
    buffer.reserveCapacity(1 << 18)
  }

  /// Writes to a file whose name is removed at once, so that nothing stays behind when the process is killed.
  init(temporaryIn folder: String) throws(CorpusError) {
    path = "\(folder)/unroll-\(UUID().uuidString).symbols"
    beside = nil
    descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
    guard descriptor >= 0 else { throw Self.failure(path) }
    unlink(path)
    buffer.reserveCapacity(1 << 18)
  }

  mutating func append(_ symbol: Int32) throws(CorpusError) {
    buffer.append(symbol.littleEndian)
    count += 1
    if buffer.count == 1 << 18 { try flush() }
  }

  private mutating func flush() throws(CorpusError) {
    guard AtomicFile.append(buffer, to: descriptor) else { throw Self.failure(path) }
    buffer.removeAll(keepingCapacity: true)
  }

  /// Moves a finished file with a name to its path.
  mutating func finish() throws(CorpusError) {
    try flush()
    guard let beside else { return }
    guard fsync(descriptor) == 0, rename(beside, path) == 0 else { throw Self.failure(path) }
  }

  /// Returns the text of a file without a name.
  ///
  /// It outlives the writer: small texts are in memory, larger ones mapped.
  func text(vocabularySize: Int) throws -> EncodedText {
    let memory: FileMemory
    do throws(ArrayFileError) {
      memory = try FileMemory(descriptor: descriptor, path: path)
    } catch {
      throw CorpusError(.system("\(error)"), path: path)
    }
    return try EncodedText(memory, path: path, vocabularySize: vocabularySize)
  }

  /// Removes an unfinished file.
  deinit {
    close(descriptor)
    if let beside { unlink(beside) }
  }

  private static func failure(_ path: String) -> CorpusError {
    CorpusError(.system("cannot be written: \(String(cString: strerror(errno)))"), path: path)
  }
}
