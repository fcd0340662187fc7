// `config.json`: the settings of a run.

internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollPlatform

/// The settings of a run.
public struct RunConfiguration: Sendable, Equatable, Codable {
  /// The name of the preset that the settings are based on.
  public var preset: String
  /// The path of the text; nil for the embedded grammar.
  public var corpus: String?
  /// The fractions of a single file for train, valid and test.
  public var split: [Double]
  /// The unit of a symbol.
  public var unit: SymbolUnit
  /// Whether to remove spaces at both ends of lines (characters).
  public var trimsLines: Bool
  /// The maximum size of the vocabulary.
  public var vocabularyLimit: Int?
  /// The minimum count of a symbol in the training text.
  public var minimumCount: Int
  /// The path of pretrained embedding vectors.
  public var vectors: String?
  /// The path of a network file with initial recurrent layers.
  public var weights: String?
  /// The prefix of that network's names, if the file contains several networks.
  public var weightsPrefix: String?
  /// Sizes, cell, dropout.
  public var model: ModelConfiguration
  /// The training settings.
  public var training: TrainingConfiguration
  /// The version of the program that wrote the file.
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

  /// A sentence that describes what is wrong; nil if the settings are valid.
  public var problem: String? {
    if let problem = Settings.problem(in: Settings.run, of: self) { return problem }
    if let problem = CorpusError.problem(ofSplit: split) { return problem }
    if weightsPrefix != nil, weights == nil {
      return "weights_prefix: expected a file of weights to choose from, found none; leave it out"
    }
    return model.problem ?? training.problem ?? chronoProblem
  }

  /// Whether the chrono steps are those of the published rule for the cell and the time steps.
  package var hasPublishedChronoSteps: Bool {
    training.initialization.chronoSteps
      == Initialization.publishedChronoSteps(cell: model.cell, timeSteps: training.timeSteps)
  }

  /// Sets the chrono steps after cell or time steps have changed.
  ///
  /// Another cell takes its published rule. The same cell keeps its chrono steps, unless they were those of the rule:
  /// then they follow the time steps.
  ///
  /// - Parameter earlier: The settings before the change.
  package mutating func updateChronoSteps(since earlier: RunConfiguration) {
    guard model.cell != earlier.model.cell || earlier.hasPublishedChronoSteps else { return }
    training.initialization.applyDefaults(for: model.cell, timeSteps: training.timeSteps)
  }

  private var chronoProblem: String? {
    guard training.initialization.chronoSteps != nil, model.cell.retention == nil else {
      return nil
    }
    return
      "initialization.chrono_steps: expected a cell with a gate that keeps the state, found \(model.cell.rawValue); leave it out"
  }

  /// An estimate of the memory for training in bytes: parameters, gradients, optimizer state, averages and the trace of
  /// a batch.
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

  /// Rejects settings that exceed the memory of this machine.
  ///
  /// - Parameter path: The run's folder, for the message.
  /// - Throws: `RunError` with the estimate, the available memory, and the settings to reduce.
  public func checkMemory(path: String) throws {
    try Self.check(
      memoryEstimate, for: "learning",
      smaller: "hidden_size, embedding_size, batch_size or time_steps", path: path)
  }

  /// Rejects a number of parallel texts that exceeds the memory of this machine.
  ///
  /// - Parameters:
  ///   - count: The number of texts.
  ///   - path: The run's folder, for the message.
  /// - Throws: `RunError` with the estimate, the available memory, and the settings to reduce.
  public func checkMemory(generating count: Int, path: String) throws {
    // Per text: logits, and the layers' inputs, states and outputs.
    let numbers = model.layerSizes.reduce(Double(model.vocabularySize)) {
      $0 + 8 * Double($1.output) + 2 * Double($1.input)
    }
    try Self.check(
      4 * (Double(count) * numbers + 2 * Double(model.parameterCount)), for: "generating",
      smaller: "the number of texts", path: path)
  }

  /// Rejects an ensemble that exceeds the memory of this machine.
  ///
  /// - Parameters:
  ///   - models: The settings of the models' runs.
  ///   - batchSize: The number of parallel sequences.
  ///   - path: The last run's folder, for the message.
  /// - Throws: `RunError` with the estimate, the available memory, and the settings to reduce.
  public static func checkMemory(
    averaging models: [RunConfiguration], batchSize: Int, path: String
  ) throws {
    // Per model: weights, packed weights, and the layers' outputs.
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
    guard !ProcessMemory.holds(needed) else { return }
    let there = ProcessMemory.limit
    let gigabytes = { (bytes: Double) in String(format: "%.1f", bytes / 1e9) }
    throw RunError(
      .impossible(
        "\(what) needs about \(gigabytes(needed)) GB of memory, but this process may use only \(gigabytes(there)); reduce \(smaller)"
      ), path: path)
  }

  /// Returns the contents of the file.
  package func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try Array(encoder.encode(self)) + [0x0A]
  }

  /// Reads a configuration; lines that begin with `//` are comments.
  ///
  /// - Throws: `RunError` if the file cannot be read, or a field is missing or invalid.
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

  /// Decodes a configuration from the bytes of its file.
  ///
  /// - Throws: `RunError.Problem` with the unknown fields, or with the first missing or invalid
  ///   field.
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
    // Report misspelt fields first, since the correct field is then missing.
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
