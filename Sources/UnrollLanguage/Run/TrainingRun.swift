// A complete run in the order of its dependencies: folder, lock, text, model, training, test.

internal import Foundation
public import Unroll

/// A run in a folder, from its text to its test.
///
/// It holds the folder's lock until it is released, so that no other process trains in the folder.
public final class TrainingRun {
  /// Returns the initial recurrent layers for settings, of the model's sizes; nil for random values.
  public typealias InitialLayers = (RunConfiguration) throws -> [CellParameters<Float>]?

  /// The folder.
  public let folder: RunFolder
  /// The settings, including the vocabulary's size.
  public let settings: RunConfiguration
  /// The texts.
  public let corpus: Corpus
  private let trainer: Trainer
  // Nil on ranks other than 0, which write no files.
  private let lock: RunLock?

  /// The progress of the run.
  public var progress: TrainingProgress { trainer.progress }
  /// The number of steps since this process started.
  public var sessionSteps: Int { trainer.sessionSteps }

  private init(
    _ folder: RunFolder, _ settings: RunConfiguration, _ corpus: Corpus, _ trainer: Trainer,
    _ lock: RunLock?
  ) {
    (self.folder, self.settings, self.corpus) = (folder, settings, corpus)
    (self.trainer, self.lock) = (trainer, lock)
  }

  /// Creates a run in a new or empty folder.
  ///
  /// - Parameters:
  ///   - path: The folder.
  ///   - settings: The settings.
  ///   - layers: Returns the initial recurrent layers; called before the folder is created.
  ///   - ranks: The processes that train together; the others call ``join(at:ranks:)``.
  ///   - checkpointSeconds: Seconds between two checkpoints within an epoch.
  ///   - note: Receives remarks on the text and the vectors for the user.
  /// - Returns: The run before its first step.
  /// - Throws: `RunError` if the settings, the folder or the memory are unsuitable; `CorpusError` if the text cannot be
  ///   used; `RankError` if a rank is lost.
  public static func create(
    at path: String, settings: RunConfiguration,
    layers: InitialLayers = { _ in nil }, ranks: any Ranks = SingleRank(),
    checkpointSeconds: Double = 60, note: (String) -> Void = { _ in }
  ) throws -> TrainingRun {
    try begin(RunFolder(path), settings, resumes: false, layers, ranks, checkpointSeconds, note)
  }

  /// Resumes the run in a folder from its newest undamaged checkpoint.
  ///
  /// - Parameters:
  ///   - path: The folder.
  ///   - settings: The run's settings with other limits of epochs and steps, or another location of the text; nil for
  ///     unchanged settings.
  ///   - layers: Returns the initial recurrent layers, if there is no checkpoint yet.
  ///   - ranks: The processes that train together; the others call ``join(at:ranks:)``.
  ///   - checkpointSeconds: Seconds between two checkpoints within an epoch.
  ///   - note: Receives remarks for the user, such as damaged checkpoints.
  /// - Returns: The run after the step of the checkpoint.
  /// - Throws: `RunError` if there is no run, or it cannot be resumed; `CorpusError` if the text cannot be used;
  ///   `RankError` if a rank is lost.
  public static func resume(
    at path: String, settings: RunConfiguration? = nil,
    layers: InitialLayers = { _ in nil }, ranks: any Ranks = SingleRank(),
    checkpointSeconds: Double = 60, note: (String) -> Void = { _ in }
  ) throws -> TrainingRun {
    let folder = RunFolder(path)
    guard folder.hasRun else { throw RunError.noRun(at: folder.path) }
    let settings = try settings ?? RunConfiguration(contentsOf: folder.path + "/config.json")
    return try begin(folder, settings, resumes: true, layers, ranks, checkpointSeconds, note)
  }

  /// Joins the run that rank 0 creates or resumes.
  ///
  /// - Parameters:
  ///   - path: The run's folder, which must be visible to this rank.
  ///   - ranks: The processes that train together.
  /// - Returns: The run at rank 0's step.
  /// - Throws: `RankError` if a rank is lost; `CorpusError` if the texts cannot be mapped.
  public static func join(at path: String, ranks: any Ranks) throws -> TrainingRun {
    let folder = RunFolder(path)
    let setup = try RunSetup(from: ranks, in: folder)
    let trainer = try Trainer(setup.settings, setup.corpus, in: folder, ranks: ranks)
    try trainer.share()
    return TrainingRun(folder, setup.settings, setup.corpus, trainer, nil)
  }

  private static func begin(
    _ folder: RunFolder, _ settings: RunConfiguration, resumes: Bool, _ layers: InitialLayers,
    _ ranks: any Ranks, _ checkpointSeconds: Double, _ note: (String) -> Void
  ) throws -> TrainingRun {
    // A run that was stopped before its first checkpoint starts again.
    let isNew = !folder.hasCheckpoint
    if isNew { try settings.checkFiles() }
    let layers = isNew ? try layers(settings) : nil
    if !resumes { try folder.prepare() }
    let lock = try folder.lock()
    var settings = settings
    let corpus = try settings.prepareCorpus(
      in: folder,
      vocabulary: resumes ? Vocabulary(contentsOf: folder.path + "/vocabulary.json") : nil)
    corpus.notes.forEach(note)
    try RunSetup(settings: settings, corpus: corpus).send(to: ranks)
    try settings.checkMemory(path: folder.path)
    let vectors = isNew ? try settings.initialVectors(for: corpus.vocabulary) : nil
    vectors?.notes.forEach(note)
    let trainer = try Trainer(
      settings, corpus, in: folder, vectors: vectors?.vectors, layers: layers, ranks: ranks)
    trainer.checkpointSeconds = checkpointSeconds
    if resumes { try trainer.resume().forEach(note) }
    // New limits apply to later resumptions as well.
    try folder.begin(settings, corpus.vocabulary)
    try trainer.share()
    return TrainingRun(folder, settings, corpus, trainer, lock)
  }

  /// Trains until the run ends or is stopped, and writes a checkpoint in both cases.
  ///
  /// - Parameters:
  ///   - timeBudget: The time budget of this session in seconds; nil for no limit.
  ///   - shouldStop: Called before each step.
  ///   - observe: Receives events.
  /// - Returns: The outcome of the session.
  /// - Throws: `RunError` if a file cannot be written; existing files are kept. `RankError` if a rank is lost.
  public func train(
    timeBudget: Double? = nil, until shouldStop: () -> Bool = { false },
    observe: (TrainingEvent) -> Void = { _ in }
  ) throws -> TrainingOutcome {
    try trainer.run(timeBudget: timeBudget, shouldStop: shouldStop, observe: observe)
  }

  /// Evaluates the best model on the test text, carrying the state through the whole text.
  ///
  /// - Parameter shouldStop: Called before each part.
  /// - Returns: The evaluation; nil if there is no test text, or it was stopped.
  /// - Throws: `RunError` if the model cannot be read; `RankError` if a rank is lost.
  public func test(until shouldStop: () -> Bool = { false }) throws -> Evaluation? {
    try trainer.test(shouldStop: shouldStop)
  }
}
