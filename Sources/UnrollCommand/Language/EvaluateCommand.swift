#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollLanguage

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Measure how well a trained model predicts a text.",
    discussion: """
      Every word, character or byte but the first is predicted once. With --batch-size 1 the state is carried through \
      the whole text, as the literature does (but not from line to line, if the run has --reset-each-line); \
      a larger batch is faster, but each of its sequences begins without context.

      With --dynamic the model is trained on each part of the text after it has predicted it (dynamic \
      evaluation: Mikolov et al. 2010, Krause et al. 2018). The run itself does not change. Such losses are \
      lower, and not comparable with others.

      With --with, once for each other run of the same vocabulary, the mean of all models' probabilities is \
      evaluated (an ensemble: Zaremba et al. 2014).

      EXAMPLES
        unroll evaluate run test.txt
        unroll evaluate run test.txt --batch-size 32 --json
        unroll evaluate run test.txt --dynamic 0.0003
        unroll evaluate run test.txt --with run-2 --with run-3
      """)

  @Argument(help: ArgumentHelp("A run's folder, made by unroll train.", valueName: "run"))
  var folder: String
  @Argument(help: "A text file.") var file: String
  @Option(
    parsing: .unconditional, help: ArgumentHelp("Batch size, 1 ... 100000.", valueName: "count"))
  var batchSize = 1
  @Option(
    name: .customLong("with"),
    help: ArgumentHelp(
      "Average the probabilities with those of another run; may be repeated.",
      valueName: "run"))
  var others: [String] = []
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Train while reading, by Adam with this learning rate, above 0 and at most 1, such as 0.0003. (default: none)",
      valueName: "rate"))
  var dynamic: Double?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --dynamic: length of a training step, 1 ... 10000. (default: 20)", valueName: "steps"))
  var dynamicSteps: Int?
  @OptionGroup var threads: ThreadOptions
  @Flag(help: "Print the result as JSON.") var json = false

  func validate() throws {
    guard (1...100_000).contains(batchSize) else {
      throw ValidationError("--batch-size: expected 1 ... 100000, found \(batchSize).")
    }
    if let dynamic {
      guard dynamic > 0 && dynamic <= 1 else {
        throw ValidationError(
          "--dynamic: expected a learning rate above 0 and at most 1, found \(dynamic).")
      }
      guard batchSize == 1 else {
        throw ValidationError(
          "--dynamic: expected --batch-size 1, which reads a text in its order, found \(batchSize)."
        )
      }
      guard others.isEmpty else {
        throw ValidationError("--dynamic: expected one model, found --with; leave out one of them.")
      }
    }
    if let dynamicSteps {
      guard (1...10_000).contains(dynamicSteps) else {
        throw ValidationError("--dynamic-steps: expected 1 ... 10000, found \(dynamicSteps).")
      }
      guard dynamic != nil else {
        throw ValidationError("--dynamic-steps: expected --dynamic with it, found none.")
      }
    }
  }

  private struct Result: Encodable {
    var file: String
    var unit: String
    var models: Int
    var symbols: Int
    var unknown: Int
    var dynamic: Double?
    var loss: Double
    var perplexity: Double
    var bits_per_symbol: Double
    /// `bits_per_symbol` under the name of the unit; nil for other units.
    var bits_per_character: Double?
    var bits_per_byte: Double?
    var seconds: Double
  }

  func run() throws {
    try Launcher.ranks { ranks in try LanguageErrors.told { try evaluate(ranks) } }
  }

  private func evaluate(_ ranks: any Ranks) throws {
    guard dynamic == nil || ranks.count == 1 else {
      throw RankError(
        .different(
          "--dynamic: expected one process, found \(ranks.count) ranks; every step needs the one before"
        ))
    }
    // Ranks other than 0 wait until rank 0 has read everything, so that only one of them reports an error.
    if ranks.rank > 0 { _ = try ranks.broadcast(nil) }
    let stored = try StoredModel(run: folder)
    var averaged: [StoredModel] = []
    for folder in others {
      let other = try StoredModel(run: folder)
      if let problem = stored.problem(averagingWith: other) {
        throw RunError(.impossible("--with: \(problem)"), path: folder)
      }
      averaged.append(other)
      try RunConfiguration.checkMemory(
        averaging: [stored.configuration] + averaged.map(\.configuration), batchSize: batchSize,
        path: folder)
    }
    let (text, unknown, unknownSymbols, notes) = try Corpus.encode(
      file: file, with: stored.vocabulary)
    guard text.count >= 2 else {
      throw CorpusError(
        .tooShort(symbols: text.count, needed: 2, unit: stored.vocabulary.unit), path: file)
    }
    if ranks.rank == 0 { _ = try ranks.broadcast([]) }
    let start = ContinuousClock.now
    let result =
      try dynamic.map {
        stored.evaluate(text, dynamic: DynamicEvaluation(rate: $0, timeSteps: dynamicSteps ?? 20))
      }
      ?? stored.evaluate(
        text, averagingWith: averaged, batchSize: min(batchSize, text.count - 1), ranks: ranks)
    guard ranks.rank == 0 else { return }
    guard result.loss.isFinite else {
      throw DataError(
        description:
          "\(file): expected a finite loss, found \(result.loss) after \(stored.vocabulary.unit.counted(result.symbols))"
          + (dynamic.map { "; learning with --dynamic \($0) diverged, try less" } ?? "")
          + (others.isEmpty ? "" : "; evaluate each run alone to see whose numbers they are"))
    }
    let seconds = start.duration(to: .now) / .seconds(1)
    for note in notes { Terminal.note(note) }
    try show(
      result, unit: stored.vocabulary.unit, unknown: unknown, such: unknownSymbols,
      seconds: seconds)
  }

  /// Prints a result as a table or as JSON.
  ///
  /// - Parameters:
  ///   - result: The evaluation.
  ///   - unit: The vocabulary's unit.
  ///   - unknown: The number of symbols that became `<unk>`.
  ///   - some: A few of these symbols.
  ///   - seconds: The time that the evaluation took.
  /// - Throws: An encoding error.
  private func show(
    _ result: Evaluation, unit: SymbolUnit, unknown: Int, such some: [String], seconds: Double
  ) throws {
    let bits = result.bitsPerSymbol
    guard !json else {
      return try Terminal.printJSON(
        Result(
          file: file, unit: unit.rawValue, models: 1 + others.count, symbols: result.symbols,
          unknown: unknown,
          dynamic: dynamic,
          loss: result.loss,
          perplexity: result.perplexity, bits_per_symbol: bits,
          bits_per_character: unit == .characters ? bits : nil,
          bits_per_byte: unit == .bytes ? bits : nil, seconds: seconds))
    }
    var table = TextTable(["what", "value"])
    table.add(["\(unit.rawValue) predicted", "\(result.symbols)"])
    if unknown > 0 {
      let some = some.map { $0.debugDescription.dropFirst().dropLast() }.joined(separator: ", ")
      table.add(["of them <unk> by the vocabulary", "\(unknown), such as \(some)"])
    }
    if !others.isEmpty { table.add(["models averaged", "\(1 + others.count)"]) }
    if let dynamic { table.add(["learning while reading", "rate \(dynamic)"]) }
    table.add(["loss", String(format: "%.6f nats per \(unit.singular)", result.loss)])
    table.add(["quality", LanguageWords.quality(result.loss, unit)])
    table.add(["time", LanguageWords.duration(seconds)])
    print(table.text)
  }
}
#endif
