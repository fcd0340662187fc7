// A run's folder:
//
//   config.json         the settings of the run
//   vocabulary.json     the symbols in the order of their numbers
//   model.safetensors   the best model so far, by validation
//   metrics.jsonl       a line for each epoch, each validation and some steps
//   events.out.tfevents.…  the same for TensorBoard
//   checkpoints/        the latest checkpoints
//   checkpoints.json    the names of the checkpoints that the run has written
//   corpus/             the encoded texts
//   figures/, data/     the learning curves, drawn by the command, and their data
//   lock                locked by the process that uses the run; contains the mark of its unfinished files

internal import Foundation
internal import RealModule
internal import Unroll
internal import UnrollFormats

/// A run's folder.
public struct RunFolder: Sendable {
  /// The path.
  public let path: String

  /// Creates a reference to the folder at a path.
  public init(_ path: String) {
    // Remove trailing slashes: names next to the folder are derived from its path.
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    self.path = path
  }

  /// Whether the folder contains a run.
  public var hasRun: Bool { FileManager.default.fileExists(atPath: path + "/config.json") }

  /// The folder for encoded texts.
  public var corpusFolder: String { path + "/corpus" }

  var metrics: GrowingFile { GrowingFile(path: path + "/metrics.jsonl") }
  var events: GrowingFile { GrowingFile(path: path + "/events.out.tfevents.0.unroll") }
  var checkpoints: CheckpointStore { CheckpointStore(run: path) }

  /// Creates the folder for a new run.
  ///
  /// - Throws: `RunError` if the folder already contains a run or other files.
  public func prepare() throws {
    guard !hasRun else { throw RunError(.alreadyThere, path: path) }
    if let found = RunFiles.foreign(in: path) {
      throw RunError(.foreignFolder(found: found), path: path)
    }
    do { try AtomicFile.makeFolder(corpusFolder) } catch {
      throw RunError(.file("\(error)"), path: path)
    }
  }

  /// Locks the folder and removes unfinished files of killed processes.
  ///
  /// - Throws: `RunError` if another process holds the lock.
  public func lock() throws -> RunLock {
    let lock = try RunLock(folder: path)
    RunFiles.removeUnfinished(in: path, of: lock.earlierMarks)
    try lock.keepOwnMark()
    return lock
  }

  /// Whether there is a checkpoint to resume from.
  public var hasCheckpoint: Bool { !checkpoints.isEmpty }

  /// Writes settings and vocabulary, which makes the folder that of a run.
  public func begin(_ configuration: RunConfiguration, _ vocabulary: Vocabulary) throws {
    do {
      try AtomicFile.write(vocabulary.encoded(), to: path + "/vocabulary.json")
      try AtomicFile.write(configuration.encoded(), to: path + "/config.json")
    } catch let error as ArrayFileError {
      throw RunError(.file("\(error)"), path: path)
    }
  }

  /// Writes the best model.
  package func write(_ model: LanguageModel<Float>, metadata: [String: String]) throws {
    try Safetensors(arrays: model.arrays, metadata: metadata)
      .writeChecked(to: path + "/model.safetensors")
  }
}

extension SymbolUnit {
  /// The name of the evaluation measure in files: `perplexity`, `bits_per_character` or `bits_per_byte`.
  public var measure: String {
    switch self {
    case .words: "perplexity"
    case .characters: "bits_per_character"
    case .bytes: "bits_per_byte"
    }
  }

  /// The unit in the singular: `word`, `character` or `byte`.
  public var singular: String {
    switch self {
    case .words: "word"
    case .characters: "character"
    case .bytes: "byte"
    }
  }

  /// Returns a count with its unit: `1 word`, `200 bytes`.
  public func counted(_ count: Int) -> String { "\(count) \(count == 1 ? singular : rawValue)" }

  /// Converts a loss to the evaluation measure.
  ///
  /// - Parameter loss: Nats per symbol.
  /// - Returns: e to the loss for words, otherwise the loss in bits.
  public func measured(_ loss: Double) -> Double {
    self == .words ? Double.exp(loss) : loss / Double.log(2)
  }
}

/// The metrics of an epoch, or of a part of it that ends with a validation: one line of `metrics.jsonl`.
public struct EpochMetrics: Sendable, Equatable {
  /// The epoch, starting at 1, and the number of steps at its end.
  public var epoch: Int, step: Int
  /// The learning rate.
  public var learningRate: Double
  /// Training symbols per second.
  public var tokensPerSecond: Double
  /// Seconds of training since the start of the run.
  public var seconds: Double
  /// Training loss (during training) and validation loss in nats per symbol.
  public var trainLoss: Double, validationLoss: Double
  /// The unit of a symbol.
  public var unit: SymbolUnit
  /// Whether the epoch is complete; otherwise the run stopped within it.
  public var isWhole: Bool

  /// The values with their names in files.
  public var values: KeyValuePairs<String, Double> {
    let (name, value) = (unit.measure, { (loss: Double) in unit.measured(loss) })
    return [
      "learning_rate": learningRate, "tokens_per_second": tokensPerSecond, "seconds": seconds,
      "train_loss": trainLoss, "validation_loss": validationLoss,
      "train_" + name: value(trainLoss), "validation_" + name: value(validationLoss),
    ]
  }
}
