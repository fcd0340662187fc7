// Preparation of a run's corpus and of the initial embedding vectors.

internal import Foundation
internal import Unroll
internal import UnrollFormats

extension RunConfiguration {
  /// Finds and encodes the run's texts, and sets the vocabulary's size.
  ///
  /// - Parameters:
  ///   - folder: The run's folder.
  ///   - vocabulary: The run's vocabulary, if it already exists.
  /// - Returns: The corpus.
  /// - Throws: `CorpusError` or `RunError` with the file and the defect.
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
    let plan = try CorpusPlan(path: path, split: split)
    for part in plan.parts.values where RunFiles.isEncoded(part.path, in: folder.path) {
      throw CorpusError(.overwritten, path: part.path)
    }
    var corpus = try Corpus(
      plan, unit: unit,
      limits: Vocabulary.Limits(size: vocabularyLimit, minimumCount: minimumCount),
      trimsLines: trimsLines, vocabulary: vocabulary, folder: folder.corpusFolder)
    if vocabulary != nil && model.vocabularySize != corpus.vocabulary.count {
      throw RunError(
        .malformedConfiguration(
          "expected \(model.vocabularySize) symbols (config.json), found \(corpus.vocabulary.count)"
        ), path: folder.path + "/vocabulary.json")
    }
    model.vocabularySize = corpus.vocabulary.count
    if let problem = model.problem {
      throw RunError(.impossible(problem + "; reduce it with vocabulary_limit"), path: path)
    }
    if training.resetsEachLine && corpus.vocabulary.endOfLine == nil {
      throw RunError(
        .impossible("resets_each_line: expected a text with line ends, found none; leave it out"),
        path: path)
    }
    let rows = training.batchSize
    if let train = corpus.texts[.train], train.count <= 2 * rows {
      throw CorpusError(
        .tooShort(symbols: train.count, needed: 2 * rows + 1, unit: unit), path: path)
    }
    if let note = longLines(in: corpus) { corpus.notes.append(note) }
    return corpus
  }

  /// Returns a note on lines of the training text that are longer than a sequence and thus cut, so that the state is
  /// also reset in the middle of a line; nil if there are none, or if states are carried from line to line.
  private func longLines(in corpus: Corpus) -> String? {
    guard training.resetsEachLine, let end = corpus.vocabulary.endOfLine,
      let text = corpus.texts[.train]
    else { return nil }
    var (lines, long, longest, length) = (0, 0, 0, 0)
    // The first symbol is read but not predicted.
    for index in 1..<text.count {
      length += 1
      guard text[index] == end || index == text.count - 1 else { continue }
      lines += 1
      if length > training.timeSteps { long += 1 }
      (longest, length) = (max(longest, length), 0)
    }
    guard long > 0 else { return nil }
    return
      "\(long) of \(lines) lines are longer than \(training.timeSteps) time steps and are cut, which resets the state in the middle of a line; the longest line has \(unit.counted(longest)), time_steps \(longest) would avoid cuts"
  }

  /// Writes the texts of the embedded grammar; existing texts are kept.
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

  /// Rejects missing texts or vectors before anything is created.
  ///
  /// - Throws: `CorpusError` if the text or a part of it is missing or cannot be split, `RunError` if the file of
  ///   vectors does not exist.
  public func checkFiles() throws {
    if let corpus { _ = try CorpusPlan(path: corpus, split: split) }
    guard let path = vectors, !FileManager.default.fileExists(atPath: path) else { return }
    throw RunError(.file("expected a file of vectors, found none"), path: path)
  }
}
