// A run's folder:
//
//   config.json         everything that the run was started with
//   vocabulary.json     the symbols in the order of their numbers
//   model.safetensors   the best model so far, by validation
//   metrics.jsonl       a line for each epoch, each validation and some steps
//   events.out.tfevents.…  the same for TensorBoard
//   checkpoints/        the run's last moments, to go on from
//   checkpoints.json    which files in it the run has written
//   corpus/             the texts as numbers
//   figures/, data/     the learning curves, which the command draws, and their numbers
//   lock                held by the process that is at the run; its mark, which its unfinished files have

internal import Foundation
internal import RealModule
internal import Unroll
internal import UnrollFormats

/// A run's folder.
public struct RunFolder: Sendable {
  /// Where it is.
  public let path: String

  /// The folder at a path, as it is.
  public init(_ path: String) {
    // Names beside the folder begin with its path: a slash at its end would make them names in it.
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    self.path = path
  }

  /// Whether there is a run.
  public var hasRun: Bool { FileManager.default.fileExists(atPath: path + "/config.json") }

  /// Where encoded texts go.
  public var corpusFolder: String { path + "/corpus" }

  var metrics: GrowingFile { GrowingFile(path: path + "/metrics.jsonl") }
  var events: GrowingFile { GrowingFile(path: path + "/events.out.tfevents.0.unroll") }
  var checkpoints: CheckpointStore { CheckpointStore(run: path) }

  /// Makes the folder for a new run.
  ///
  /// - Throws: `RunError` if there is a run already, or anything else.
  public func prepare() throws {
    guard !hasRun else { throw RunError(.alreadyThere, path: path) }
    if let found = RunFiles.foreign(in: path) {
      throw RunError(.foreignFolder(found: found), path: path)
    }
    do { try AtomicFile.makeFolder(corpusFolder) } catch {
      throw RunError(.file("\(error)"), path: path)
    }
  }

  /// Holds the folder against other processes, and removes what killed ones left half written.
  ///
  /// - Throws: `RunError` if another process has it.
  public func lock() throws -> RunLock {
    let lock = try RunLock(folder: path)
    RunFiles.removeUnfinished(in: path, of: lock.earlierMarks)
    try lock.keepOwnMark()
    return lock
  }

  /// Whether there is a checkpoint to go on from.
  public var hasCheckpoint: Bool { !checkpoints.isEmpty }

  /// Writes settings and vocabulary; from then on the folder holds a run.
  public func begin(_ configuration: RunConfiguration, _ vocabulary: Vocabulary) throws {
    do {
      try AtomicFile.write(vocabulary.encoded(), to: path + "/vocabulary.json")
      try AtomicFile.write(configuration.encoded(), to: path + "/config.json")
    } catch let error as ArrayFileError {
      throw RunError(.file("\(error)"), path: path)
    }
  }

  /// Writes the model that is kept.
  package func write(_ model: LanguageModel<Float>, metadata: [String: String]) throws {
    try Safetensors(arrays: model.arrays, metadata: metadata)
      .writeChecked(to: path + "/model.safetensors")
  }
}

extension SymbolUnit {
  /// What files call the measure of a model: `perplexity`, `bits_per_character` or `bits_per_byte`.
  public var measure: String {
    switch self {
    case .words: "perplexity"
    case .characters: "bits_per_character"
    case .bytes: "bits_per_byte"
    }
  }

  /// One symbol, as a person says it: `word`, `character` or `byte`.
  public var singular: String {
    switch self {
    case .words: "word"
    case .characters: "character"
    case .bytes: "byte"
    }
  }

  /// A number of symbols, as a person says it: `1 word`, `200 bytes`.
  public func counted(_ count: Int) -> String { "\(count) \(count == 1 ? singular : rawValue)" }

  /// The measure's value for a loss.
  ///
  /// - Parameter loss: Nats per symbol.
  /// - Returns: e to the loss for words, else the loss in bits.
  public func measured(_ loss: Double) -> Double {
    self == .words ? Double.exp(loss) : loss / Double.log(2)
  }
}

/// What is written of an epoch, or of a part of it whose end was validated: a line of `metrics.jsonl`.
public struct EpochMetrics: Sendable, Equatable {
  /// The epoch, from 1, and the steps done at its end.
  public var epoch: Int, step: Int
  /// The learning rate in it.
  public var learningRate: Double
  /// Symbols learnt from in a second.
  public var tokensPerSecond: Double
  /// Seconds of learning since the run began.
  public var seconds: Double
  /// Nats per symbol, of training, as it was while learning, and of validation.
  public var trainLoss: Double, validationLoss: Double
  /// What a symbol is.
  public var unit: SymbolUnit
  /// Whether the epoch came to its end; else the run stopped within it.
  public var isWhole: Bool

  /// The values by the names that files give them.
  public var values: KeyValuePairs<String, Double> {
    let (name, value) = (unit.measure, { (loss: Double) in unit.measured(loss) })
    return [
      "learning_rate": learningRate, "tokens_per_second": tokensPerSecond, "seconds": seconds,
      "train_loss": trainLoss, "validation_loss": validationLoss,
      "train_" + name: value(trainLoss), "validation_" + name: value(validationLoss),
    ]
  }
}
