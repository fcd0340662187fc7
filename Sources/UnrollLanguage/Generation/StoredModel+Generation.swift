// How a run's model reads a prompt and writes: as it read texts in training.

internal import Unroll

/// What a model reads before it writes.
public struct Prompt: Sendable, Equatable {
  /// The symbols; at least one.
  public var symbols: [Int32]
  /// The symbols of the text that the vocabulary does not have, each once; they are read as `<unk>`.
  public var unknown: [String]
  /// What the vocabulary calls its symbols.
  private let unit: SymbolUnit

  init(symbols: [Int32], unknown: [String], unit: SymbolUnit) {
    (self.symbols, self.unknown, self.unit) = (symbols, unknown, unit)
  }

  /// Which symbols are not known, in one sentence; nil if all are.
  public var note: String? {
    unknown.isEmpty
      ? nil : Vocabulary.sentence(unknown: unknown, unit) + "; read as \(Vocabulary.unknownWord)"
  }
}

extension StoredModel {
  /// The symbol before which the layers' states become the initial ones; nil if states are carried from line to line.
  ///
  /// A run whose lines were sequences of their own (``TrainingConfiguration/resetsEachLine``) reads every text so.
  public var resettingSymbol: Int32? {
    configuration.training.resetsEachLine ? vocabulary.endOfLine : nil
  }

  /// A text as the model reads it before it writes.
  ///
  /// Words begin a line, and so does an empty text: a line begins after the end of another.
  ///
  /// - Parameter text: The text.
  /// - Returns: Its symbols, and which of them the vocabulary does not have.
  /// - Throws: `CorpusError` with the symbols that are not known, if no `<unk>` stands for them.
  public func prompt(_ text: String) throws -> Prompt {
    var (symbols, unknown) = try vocabulary.read(text)
    if vocabulary.unit == .words || symbols.isEmpty {
      symbols.insert(vocabulary.endOfLine ?? 0, at: 0)
    }
    return Prompt(symbols: symbols, unknown: unknown, unit: vocabulary.unit)
  }

  /// Begins texts after a prompt.
  ///
  /// - Parameters:
  ///   - prompt: What is read first.
  ///   - count: How many texts.
  ///   - options: How symbols are drawn.
  ///   - allowsUnknown: Whether `<unk>` may be drawn.
  /// - Returns: The generator, which has read the prompt.
  public func generator(
    after prompt: Prompt, count: Int = 1, options: SamplingOptions = SamplingOptions(),
    allowsUnknown: Bool = false
  ) -> TextGenerator {
    TextGenerator(
      model, prompt: prompt.symbols, count: count, lineEnd: resettingSymbol,
      options: banning(options, allowsUnknown))
  }

  /// Begins a text of which all that led to each symbol is told; nothing has been read yet.
  ///
  /// - Parameters:
  ///   - options: How symbols are drawn; `<unk>` is not.
  ///   - probe: What is watched.
  ///   - candidateCount: How many candidates each symbol comes with.
  /// - Returns: The generator.
  public func tracedGenerator(
    options: SamplingOptions = SamplingOptions(), probe: UnitProbe? = nil, candidateCount: Int = 8
  ) -> TracedGenerator {
    TracedGenerator(
      model, lineEnd: resettingSymbol, options: banning(options, false), probe: probe,
      candidateCount: candidateCount)
  }

  /// A whole text, without its prompt.
  ///
  /// - Parameters:
  ///   - prompt: What is read first.
  ///   - length: How many symbols are written.
  ///   - options: How symbols are drawn; `<unk>` is not.
  /// - Returns: The text; bytes that are not UTF-8 are U+FFFD.
  public func text(
    after prompt: Prompt, length: Int, options: SamplingOptions = SamplingOptions()
  ) -> String {
    var generator = generator(after: prompt, options: options)
    var (bytes, previous) = ([UInt8](), prompt.symbols.last)
    for _ in 0..<length {
      generator.next()
      bytes += vocabulary.text(of: generator.symbols[0], after: previous)
      previous = generator.symbols[0]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Measures how far back the model looks; see ``LanguageModel/context(of:longest:predictions:lineEnd:)``.
  ///
  /// - Parameter text: A text of the model's symbols; at least two.
  /// - Returns: What was found.
  public func context(of text: EncodedText) -> ContextResult {
    model.context(of: text, lineEnd: resettingSymbol)
  }

  private func banning(_ options: SamplingOptions, _ allowsUnknown: Bool) -> SamplingOptions {
    var options = options
    if !allowsUnknown, let unknown = vocabulary.unknown { options.banned.append(unknown) }
    return options
  }
}
