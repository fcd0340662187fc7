// Generation with a stored model; prompts are encoded like training texts.

internal import Unroll

/// An encoded prompt.
public struct Prompt: Sendable, Equatable {
  /// The symbols; at least one.
  public var symbols: [Int32]
  /// The distinct symbols of the text that are not in the vocabulary; they are read as `<unk>`.
  public var unknown: [String]
  /// The unit of the symbols.
  private let unit: SymbolUnit

  init(symbols: [Int32], unknown: [String], unit: SymbolUnit) {
    (self.symbols, self.unknown, self.unit) = (symbols, unknown, unit)
  }

  /// A sentence that lists the unknown symbols; nil if there are none.
  public var note: String? {
    unknown.isEmpty
      ? nil : Vocabulary.sentence(unknown: unknown, unit) + "; read as \(Vocabulary.unknownWord)"
  }
}

extension StoredModel {
  /// The symbol at which states are reset to the initial states; nil if states are carried from line to line.
  ///
  /// It is set for a run that treats lines as separate sequences (``TrainingConfiguration/resetsEachLine``).
  public var resettingSymbol: Int32? {
    configuration.training.resetsEachLine ? vocabulary.endOfLine : nil
  }

  /// Encodes a prompt for generation.
  ///
  /// Words and empty prompts start a new line, so the end of a line is read first.
  ///
  /// - Parameter text: The text.
  /// - Returns: Its symbols, and those that are not in the vocabulary.
  /// - Throws: `CorpusError` with the unknown symbols, if there is no `<unk>`.
  public func prompt(_ text: String) throws -> Prompt {
    var (symbols, unknown) = try vocabulary.read(text)
    if vocabulary.unit == .words || symbols.isEmpty {
      symbols.insert(vocabulary.endOfLine ?? 0, at: 0)
    }
    return Prompt(symbols: symbols, unknown: unknown, unit: vocabulary.unit)
  }

  /// Starts generating texts that continue a prompt.
  ///
  /// - Parameters:
  ///   - prompt: The prompt.
  ///   - count: The number of texts.
  ///   - options: The sampling options.
  ///   - allowsUnknown: Whether `<unk>` may be drawn.
  /// - Returns: A generator that has read the prompt.
  public func generator(
    after prompt: Prompt, count: Int = 1, options: SamplingOptions = SamplingOptions(),
    allowsUnknown: Bool = false
  ) -> TextGenerator {
    TextGenerator(
      model, prompt: prompt.symbols, count: count, lineEnd: resettingSymbol,
      options: banning(options, allowsUnknown))
  }

  /// Starts generating a text with the details of each prediction; nothing has been read yet.
  ///
  /// - Parameters:
  ///   - options: The sampling options; `<unk>` is never drawn.
  ///   - probe: The unit to record.
  ///   - candidateCount: The number of candidates per symbol.
  /// - Returns: The generator.
  public func tracedGenerator(
    options: SamplingOptions = SamplingOptions(), probe: UnitProbe? = nil, candidateCount: Int = 8
  ) -> TracedGenerator {
    TracedGenerator(
      model, lineEnd: resettingSymbol, options: banning(options, false), probe: probe,
      candidateCount: candidateCount)
  }

  /// Generates a text, without its prompt.
  ///
  /// - Parameters:
  ///   - prompt: The prompt.
  ///   - length: The number of symbols to generate.
  ///   - options: The sampling options; `<unk>` is never drawn.
  /// - Returns: The text; invalid UTF-8 becomes U+FFFD.
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

  /// Measures the effective context length; see ``LanguageModel/context(of:longest:predictions:lineEnd:)``.
  ///
  /// - Parameter text: A text of the model's symbols; at least two.
  /// - Returns: The result.
  public func context(of text: EncodedText) -> ContextResult {
    model.context(of: text, lineEnd: resettingSymbol)
  }

  private func banning(_ options: SamplingOptions, _ allowsUnknown: Bool) -> SamplingOptions {
    var options = options
    if !allowsUnknown, let unknown = vocabulary.unknown { options.banned.append(unknown) }
    return options
  }
}
