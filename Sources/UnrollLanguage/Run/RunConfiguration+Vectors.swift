// Pretrained embedding vectors, read from a file.

internal import Foundation
public import Unroll
internal import UnrollFormats

/// Pretrained vectors for an embedding.
public struct InitialVectors: Sendable {
  /// One row per symbol, `[V, E]`.
  public var vectors: Tensor<Float>
  /// The number of symbols with a vector in the file; the others get small random vectors.
  public var foundCount: Int
  /// Remarks for the user: how many symbols have vectors, and which lines were skipped.
  public var notes: [String]
}

extension RunConfiguration {
  /// Reads the pretrained vectors of the embedding; nil if no file is named.
  ///
  /// A `.npy` file contains `[V, E]`, one row per symbol of the vocabulary. Any other file is text in the format of
  /// GloVe, word2vec and fastText: each line has a symbol and its E numbers, and the first line may contain the two
  /// sizes. Symbols that are not in the file get small random vectors.
  ///
  /// - Parameter vocabulary: The symbols.
  /// - Returns: The vectors and the number of symbols found.
  /// - Throws: `RunError` if the file cannot be read, its sizes do not fit, or no symbol has a vector.
  public func initialVectors(for vocabulary: Vocabulary) throws -> InitialVectors? {
    guard let path = vectors else { return nil }
    if FileKind(contentsOf: path) == .npy || FileKind(endingOf: path) == .npy {
      return try arrayVectors(path, vocabulary)
    }
    var reader = VectorReader(path: path, vocabulary: vocabulary, size: model.embeddingSize)
    var random = NumPyRandom(seed: training.seed)
    let count = vocabulary.count * model.embeddingSize
    let values: [Float] = random.uniform(count: count, from: -0.1, to: 0.1)
    return try reader.read(into: values)
  }

  private func arrayVectors(_ path: String, _ vocabulary: Vocabulary) throws -> InitialVectors {
    let expected = [vocabulary.count, model.embeddingSize]
    let array: StoredArray
    do { array = try NPY.decode(AtomicFile.read(path)[...]) } catch {
      throw RunError(.file("\(error)"), path: path)
    }
    guard array.shape == expected else {
      throw RunError(
        .file(
          "expected vectors of shape \(expected), one of model.embedding_size numbers for each symbol, found \(array.shape)"
        ), path: path)
    }
    let vectors = array.tensor(of: Float.self)
    guard vectors.elements.allSatisfy(\.isFinite) else {
      throw RunError(.file("expected finite numbers of float32"), path: path)
    }
    return InitialVectors(
      vectors: vectors, foundCount: vocabulary.count,
      notes: ["\(path): all \(vocabulary.count) symbols have vectors"])
  }
}

/// Reads vectors line by line, because such files may be larger than memory.
private struct VectorReader {
  let path: String
  let vocabulary: Vocabulary
  let size: Int
  private var values: [Float] = []
  private var hasVector: [Bool]
  private var vectorLines = 0
  private var wordsWithSpaces = 0

  init(path: String, vocabulary: Vocabulary, size: Int) {
    (self.path, self.vocabulary, self.size) = (path, vocabulary, size)
    hasVector = [Bool](repeating: false, count: vocabulary.count)
  }

  private func failure(_ what: String) -> RunError { RunError(.file(what), path: path) }

  mutating func read(into values: [Float]) throws -> InitialVectors {
    self.values = values
    do { try readLines() } catch let error as CorpusError {
      throw failure(error.description)
    }
    let (found, all) = (hasVector.count { $0 }, vocabulary.count)
    guard found > 0 else {
      throw failure(
        "expected vectors of symbols of the vocabulary, found none: 0 of \(all) \(vocabulary.unit) have vectors, and the file has \(vectorLines); are they of this language, and in the same case?"
      )
    }
    var note = "\(path): \(found) of \(all) \(vocabulary.unit) have vectors"
    if wordsWithSpaces > 0 {
      note += "; \(wordsWithSpaces) lines were skipped because their words contain spaces"
    }
    return InitialVectors(
      vectors: Tensor(shape: [all, size], elements: self.values), foundCount: found, notes: [note])
  }

  private mutating func readLines() throws {
    var source = try ByteSource(TextPart(path: path))
    let first = source.firstBytes()
    if let what = TextEncoding.foreign(first) {
      throw failure("expected lines of a symbol and its numbers in UTF-8, \(what)")
    }
    if Self.isBinary(first) {
      throw failure(
        "expected lines of a symbol and its numbers, found binary data, as word2vec and fastText write it; convert it to text, for example with gensim: KeyedVectors.load_word2vec_format(FILE, binary=True).save_word2vec_format(NEW)"
      )
    }
    source.skipByteOrderMark()
    var (line, number): ([UInt8], Int) = ([], 0)
    while let byte = source.next() {
      if byte != 0x0A {
        line.append(byte)
        // No vector is this long; a file without line ends must not fill the memory.
        guard line.count <= 1 << 24 else {
          throw failure("line \(number + 1): expected at most \(1 << 24) bytes, found more")
        }
        continue
      }
      number += 1
      try take(line, number)
      line.removeAll(keepingCapacity: true)
    }
    if let reason = source.failure { throw failure(reason) }
    if !line.isEmpty { try take(line, number + 1) }
  }

  /// Returns whether the bytes contain control characters that text does not have.
  private static func isBinary(_ bytes: [UInt8]) -> Bool {
    bytes.contains { $0 < 0x20 && !(0x09...0x0D).contains($0) }
  }

  private mutating func take(_ line: [UInt8], _ number: Int) throws {
    let fields = line.split(whereSeparator: TextReader.isSpace)
    if fields.isEmpty { return }
    // word2vec and fastText files start with a line of the two sizes.
    if number == 1, fields.count == 2 {
      let sizes = fields.compactMap { Int(String(decoding: $0, as: UTF8.self)) }
      if sizes.count == 2, size != 1 || sizes[1] == 1 {
        guard sizes[1] == size else { throw mismatch(sizes[1], line: 1) }
        return
      }
    }
    vectorLines += 1
    if fields.count > size + 1, vectorLines > 1,
      fields.suffix(size).allSatisfy({ Self.number($0) != nil }),
      fields[1..<(fields.count - size)].contains(where: { Self.number($0) == nil })
    {
      // A few words in GloVe's largest files contain spaces.
      wordsWithSpaces += 1
      return
    }
    guard fields.count == size + 1 else { throw mismatch(fields.count - 1, line: number) }
    let name = String(decoding: fields[0], as: UTF8.self)
    guard let symbol = vocabulary.number(named: name).map({ Int($0) }) else { return }
    for (column, field) in fields.dropFirst().enumerated() {
      guard let value = Self.number(field), value.isFinite else {
        throw failure(
          "line \(number): expected a number, found '\(String(decoding: field, as: UTF8.self))'")
      }
      values[symbol * size + column] = value
    }
    hasVector[symbol] = true
  }

  private func mismatch(_ found: Int, line: Int) -> RunError {
    failure(
      "line \(line): expected a symbol and \(size) numbers, found \(found == 1 ? "1 number" : "\(found) numbers"); the vectors must have embedding_size numbers"
    )
  }

  private static func number(_ field: ArraySlice<UInt8>) -> Float? {
    Float(String(decoding: field, as: UTF8.self))
  }
}
