// `config.json`: everything that a run was started with.

internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollPlatform

/// What a run was started with.
public struct RunConfiguration: Sendable, Equatable, Codable {
  /// The preset it began from.
  public var preset: String
  /// The text; nil: the embedded grammar.
  public var corpus: String?
  /// The fractions of a single file that are train, valid and test.
  public var split: [Double]
  /// What a symbol is.
  public var unit: SymbolUnit
  /// Whether spaces at both ends of lines are left out (characters).
  public var trimsLines: Bool
  /// The most symbols of the vocabulary.
  public var vocabularyLimit: Int?
  /// How often a symbol must stand in the training text to have a number.
  public var minimumCount: Int
  /// A file of vectors that the embedding begins with.
  public var vectors: String?
  /// A file whose recurrent layers the model begins with.
  public var weights: String?
  /// How the names of that network begin, where the file holds several.
  public var weightsPrefix: String?
  /// Sizes, cell, dropout.
  public var model: ModelConfiguration
  /// How it learns.
  public var training: TrainingConfiguration
  /// The program that wrote it.
  public var version: String

  /// Creates a configuration.
  public init(
    preset: Preset, corpus: String?, version: String
  ) {
    self.preset = preset.name
    self.corpus = corpus
    split = [0.9, 0.05, 0.05]
    unit = preset.unit
    trimsLines = preset.trimsLines
    minimumCount = 1
    model = preset.model
    training = preset.training
    self.version = version
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case preset, corpus, split, unit
    case trimsLines = "trims_lines"
    case vocabularyLimit = "vocabulary_limit"
    case minimumCount = "minimum_count"
    case vectors, weights
    case weightsPrefix = "weights_prefix"
    case model, training, version
  }

  /// What is wrong, in one sentence; nil if nothing is.
  public var problem: String? {
    if let limit = vocabularyLimit, !(3...10_000_000).contains(limit) {
      return "vocabulary_limit: expected 3 ... 10000000, found \(limit)"
    }
    guard minimumCount >= 1 else {
      return "minimum_count: expected at least 1, found \(minimumCount)"
    }
    if let problem = CorpusError.problem(ofSplit: split) { return problem }
    let presets = Preset.all.map(\.name)
    guard presets.contains(preset) else {
      return
        "preset: expected one of \(presets.joined(separator: ", ")), found '\(preset)'\(NearestName.hint(for: preset, among: presets))"
    }
    if weightsPrefix != nil, weights == nil {
      return "weights_prefix: expected a file of weights to choose from, found none; leave it out"
    }
    return model.problem ?? training.problem ?? chronoProblem
  }

  private var chronoProblem: String? {
    guard let steps = training.initialization.chronoSteps else { return nil }
    guard (3...1_000_000_000).contains(steps) else {
      return "initialization.chrono_steps: expected 3 ... 1000000000, found \(steps)"
    }
    guard model.cell.retention != nil else {
      return
        "initialization.chrono_steps: expected a cell with a gate that keeps the state, found \(model.cell.rawValue); leave it out"
    }
    return nil
  }

  /// About how much memory learning takes, in bytes: parameters, gradients, the optimiser's memory and
  /// averages, and what a batch leaves for the way back.
  public var memoryEstimate: Double {
    let copies: Double =
      switch training.optimizer {
      case .sgd: 2
      case .momentum, .rmsprop, .averaged: 3
      case .adam: 4
      }
    let pairs = Double(training.batchSize) * Double(training.timeSteps)
    let numbers = model.layerSizes.reduce(0.0) {
      $0 + 14 * Double($1.output) + 2 * Double($1.input)
    }
    return 4 * (copies * Double(model.parameterCount) + pairs * numbers)
  }

  /// Refuses settings that this machine's memory cannot hold.
  ///
  /// - Parameter path: The run's folder, for the sentence.
  /// - Throws: `RunError` with the estimate, what there is, and what to make smaller.
  public func checkMemory(path: String) throws {
    try Self.check(
      memoryEstimate, for: "learning",
      smaller: "hidden_size, embedding_size, batch_size or time_steps", path: path)
  }

  /// Refuses to generate more texts side by side than this machine's memory can hold.
  ///
  /// - Parameters:
  ///   - count: How many texts.
  ///   - path: The run's folder, for the sentence.
  /// - Throws: `RunError` with the estimate, what there is, and what to make smaller.
  public func checkMemory(generating count: Int, path: String) throws {
    // Of each text: logits, and what the layers read, keep and put out.
    let numbers = model.layerSizes.reduce(Double(model.vocabularySize)) {
      $0 + 8 * Double($1.output) + 2 * Double($1.input)
    }
    try Self.check(
      4 * (Double(count) * numbers + 2 * Double(model.parameterCount)), for: "generating",
      smaller: "the number of texts", path: path)
  }

  /// Refuses to evaluate by more models at once than this machine's memory can hold.
  ///
  /// - Parameters:
  ///   - models: The settings of their runs.
  ///   - batchSize: Sequences side by side.
  ///   - path: The last run's folder, for the sentence.
  /// - Throws: `RunError` with the estimate, what there is, and what to make smaller.
  public static func checkMemory(
    averaging models: [RunConfiguration], batchSize: Int, path: String
  ) throws {
    // Of each model: weights, the same packed, and what its layers put out.
    let numbers = models.reduce(0.0) { sum, run in
      let outputs = run.model.layerSizes.reduce(0) { $0 + $1.output }
      return sum + 2 * Double(run.model.parameterCount)
        + Double(max(batchSize, Evaluation.longestPart)) * Double(outputs)
    }
    try check(
      4 * numbers, for: "evaluating by \(models.count) models",
      smaller: "batch_size or the number of runs", path: path)
  }

  private static func check(
    _ needed: Double, for what: String, smaller: String, path: String
  ) throws {
    let there = ProcessMemory.limit
    guard needed > 0.9 * there else { return }
    let gigabytes = { (bytes: Double) in String(format: "%.1f", bytes / 1e9) }
    throw RunError(
      .impossible(
        "\(what) needs about \(gigabytes(needed)) GB of memory, this process may use \(gigabytes(there)); make \(smaller) smaller"
      ), path: path)
  }

  /// The file's contents.
  package func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try Array(encoder.encode(self)) + [0x0A]
  }

  /// Reads a configuration; lines that begin with `//` are comments.
  ///
  /// - Throws: `RunError` if the file cannot be read, or a field is missing or impossible.
  public init(contentsOf path: String) throws {
    let bytes: [UInt8]
    do { bytes = try AtomicFile.read(path, limit: 1 << 24) } catch {
      throw RunError(.file("\(error)"), path: path)
    }
    do { self = try Self.decoded(bytes) } catch let error as RunError.Problem {
      throw RunError(error, path: path)
    }
    if let problem { throw RunError(.malformedConfiguration(problem), path: path) }
  }

  /// A configuration from the bytes of its file.
  ///
  /// - Throws: `RunError.Problem` with the fields that are not known, or the one that is missing or has a value that
  ///   cannot be used.
  private static func decoded(_ bytes: [UInt8]) throws -> RunConfiguration {
    if let what = TextEncoding.foreign(bytes) {
      throw RunError.Problem.malformedConfiguration("expected text in UTF-8, \(what)")
    }
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let text = withoutComments(bytes.starts(with: mark) ? Array(bytes.dropFirst(3)) : bytes)
    let data = Data(text)
    let tree: JSONTree
    do throws(JSONReader.Fault) { tree = try JSONReader.tree(text) } catch {
      throw RunError.Problem.malformedConfiguration(error.description)
    }
    guard case .object = tree else {
      throw RunError.Problem.malformedConfiguration(
        "expected an object of settings, found \(tree.kind)")
    }
    // A misspelt field first: the right one is then missing.
    if let what = unknownFields(in: tree) {
      throw RunError.Problem.malformedConfiguration(what)
    }
    func wrong(_ context: DecodingError.Context, _ type: (any Any.Type)? = nil) -> RunError.Problem
    {
      .malformedConfiguration(wrongValue(context, expected: type, in: tree))
    }
    do {
      return try JSONDecoder().decode(RunConfiguration.self, from: data)
    } catch let DecodingError.keyNotFound(key, context) {
      let place = (context.codingPath.map(\.stringValue) + [key.stringValue])
      throw RunError.Problem.malformedConfiguration(
        "expected a field '\(place.joined(separator: "."))'")
    } catch let DecodingError.typeMismatch(type, context) {
      throw wrong(context, type)
    } catch let DecodingError.dataCorrupted(context) {
      throw wrong(context)
    } catch let DecodingError.valueNotFound(type, context) {
      throw wrong(context, type)
    }
  }
}
