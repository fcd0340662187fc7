// From settings to symbols: the corpus of a run, and the vectors that its embedding begins with.

internal import Foundation
public import Unroll
internal import UnrollFormats

extension RunConfiguration {
  /// Finds and encodes the run's texts, and sets the vocabulary's size.
  ///
  /// - Parameters:
  ///   - folder: The run's folder.
  ///   - vocabulary: That of the run, if there is one already.
  /// - Returns: The corpus.
  /// - Throws: `CorpusError` or `RunError` with the file and what is wrong.
  public mutating func prepareCorpus(
    in folder: RunFolder, vocabulary: Vocabulary? = nil
  ) throws -> Corpus {
    let path: String
    if let corpus {
      path = corpus
    } else {
      path = folder.path + "/corpus/grammar"
      try Self.writeGrammar(to: path)
    }
    do { try AtomicFile.makeFolder(folder.corpusFolder) } catch {
      throw RunError(.file("\(error)"), path: folder.path)
    }
    let corpus = try Corpus(
      CorpusPlan(path: path, split: split), unit: unit,
      limits: Vocabulary.Limits(size: vocabularyLimit, minimumCount: minimumCount),
      trimsLines: trimsLines, vocabulary: vocabulary, folder: folder.corpusFolder)
    if vocabulary != nil && model.vocabularySize != corpus.vocabulary.count {
      throw RunError(
        .malformedConfiguration(
          "expected \(model.vocabularySize) symbols, as config.json says, found \(corpus.vocabulary.count)"
        ), path: folder.path + "/vocabulary.json")
    }
    model.vocabularySize = corpus.vocabulary.count
    if let problem = model.problem {
      throw RunError(.impossible(problem + "; try --vocabulary-size"), path: path)
    }
    if training.resetsEachLine && corpus.vocabulary.endOfLine == nil {
      throw RunError(
        .impossible("--reset-each-line: the text has no line ends; leave the option out"),
        path: path)
    }
    let rows = training.batchSize
    if let train = corpus.texts[.train], train.count <= 2 * rows {
      throw CorpusError(.tooShort(symbols: train.count, needed: 2 * rows + 1), path: path)
    }
    return corpus
  }

  /// The embedded grammar's texts; a text that is there stays.
  private static func writeGrammar(to path: String) throws {
    do {
      try AtomicFile.makeFolder(path)
      for (seed, part, lines) in [(1, "train", 20_000), (2, "valid", 2000), (3, "test", 2000)] {
        let file = "\(path)/\(part).txt"
        guard !FileManager.default.fileExists(atPath: file) else { continue }
        let text = EmbeddedGrammar.standard.text(lineCount: lines, seed: UInt64(seed))
        try AtomicFile.write(Array(text.utf8), to: file)
      }
    } catch {
      throw RunError(.file("\(error)"), path: path)
    }
  }

  /// Refuses a text or vectors that are not there, which is found out before anything is made.
  ///
  /// - Throws: `CorpusError` if the text or a part of it is missing or cannot be split so, `RunError` if there
  ///   is no file of vectors.
  public func checkFiles() throws {
    if let corpus { _ = try CorpusPlan(path: corpus, split: split) }
    guard let path = vectors, !FileManager.default.fileExists(atPath: path) else { return }
    throw RunError(.file("expected a file of vectors, found none"), path: path)
  }

  /// The vectors that the embedding begins with; nil if no file is named.
  ///
  /// A `.npy` file holds `[V, E]`, a row for each symbol of the vocabulary. Any other file is text: a
  /// symbol and its E numbers on each line; symbols that it lacks get small random vectors.
  ///
  /// - Throws: `RunError` if the file cannot be read or its sizes do not fit.
  public func initialVectors(for vocabulary: Vocabulary) throws -> Tensor<Float>? {
    guard let path = vectors else { return nil }
    let size = model.embeddingSize
    do {
      let bytes = try AtomicFile.read(path)
      if path.hasSuffix(".npy") {
        let array = try NPY.decode(bytes[...])
        guard array.shape == [vocabulary.count, size] else {
          throw RunError(
            .parameter("vectors", expected: [vocabulary.count, size], found: array.shape),
            path: path)
        }
        let vectors = array.tensor(of: Float.self)
        guard vectors.elements.allSatisfy(\.isFinite) else {
          throw RunError(.file("expected finite numbers of float32"), path: path)
        }
        return vectors
      }
      return try Self.textVectors(bytes, vocabulary, size, path, seed: training.seed)
    } catch let error as ArrayFileError {
      throw RunError(.file("\(error)"), path: path)
    }
  }

  private static func textVectors(
    _ bytes: [UInt8], _ vocabulary: Vocabulary, _ size: Int, _ path: String, seed: UInt32
  ) throws -> Tensor<Float> {
    var random = NumPyRandom(seed: seed)
    var values: [Float] = random.uniform(count: vocabulary.count * size, from: -0.1, to: 0.1)
    let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let fields = line.split(whereSeparator: TextReader.isSpace)
        .map { String(decoding: $0, as: UTF8.self) }
      if fields.isEmpty { continue }
      // Some files begin with a line of two counts.
      if index == 0 && fields.count == 2 && size != 1 { continue }
      guard fields.count == size + 1 else {
        throw RunError(
          .file(
            "line \(index + 1): expected a symbol and \(size) numbers, found \(fields.count) fields"
          ),
          path: path)
      }
      guard let symbol = vocabulary.number(named: fields[0]).map({ Int($0) }) else { continue }
      for (column, field) in fields.dropFirst().enumerated() {
        guard let number = Float(field), number.isFinite else {
          throw RunError(
            .file("line \(index + 1): expected a number, found '\(field)'"), path: path)
        }
        values[symbol * size + column] = number
      }
    }
    return Tensor(shape: [vocabulary.count, size], elements: values)
  }
}
