// A text as numbers of a vocabulary: a file of little-endian 32-bit integers, mapped into memory,
// so that a corpus may be larger than that.

internal import Foundation
internal import UnrollContracts
internal import UnrollFormats
internal import UnrollPlatform

/// A text as symbols, held by a file's memory or by an array.
public final class EncodedText: @unchecked Sendable {
  // Sendable: nothing changes after `init`.
  private let symbols: UnsafePointer<Int32>
  /// How many symbols there are.
  public let count: Int
  /// What holds the symbols: a file or an array.
  private let memory: FileMemory?
  private let owned: UnsafeMutablePointer<Int32>?

  /// Maps an encoded file; one of at most 32 MB is read, so that nobody can shorten it afterwards.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - vocabularySize: Every symbol must be below it; the file is read once to see that.
  /// - Throws: `CorpusError` if the file cannot be mapped or holds other numbers.
  public init(mapping path: String, vocabularySize: Int) throws {
    let memory = try FileDescriptor(path).memory(path)
    let size = memory.bytes.count
    guard size % 4 == 0 else {
      throw CorpusError(.damaged("expected 4 bytes a symbol, found \(size) bytes"), path: path)
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

  /// Holds symbols in memory.
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

/// Writes symbols to a file that appears only when it is whole.
struct EncodedTextWriter: ~Copyable {
  private let path: String
  private let beside: String
  private let descriptor: Int32
  private var buffer: [Int32] = []
  private(set) var count = 0

  init(_ path: String) throws(CorpusError) {
    self.path = path
    beside = AtomicFile.unfinished(path)
    descriptor = open(beside, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    guard descriptor >= 0 else { throw Self.failure(path) }
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

  /// Puts the file into its place.
  mutating func finish() throws(CorpusError) {
    try flush()
    guard fsync(descriptor) == 0, rename(beside, path) == 0 else { throw Self.failure(path) }
  }

  /// Removes what was not finished.
  deinit {
    close(descriptor)
    unlink(beside)
  }

  private static func failure(_ path: String) -> CorpusError {
    CorpusError(.system("cannot be written: \(String(cString: strerror(errno)))"), path: path)
  }
}
