// The loop: batches, epochs, validation, the best model, checkpoints.

internal import RealModule
public import Unroll
internal import UnrollContracts

/// Trains a language model; training can stop and resume at any step.
///
/// The same settings and text give bit-identical parameters for any number of threads and
/// interruptions.
public final class Trainer {
  /// The settings.
  public let configuration: RunConfiguration
  private let corpus: Corpus
  private let folder: RunFolder
  private let recorder: RunRecorder
  private var state: TrainingState<Float>
  private let ranks: any Ranks
  private var pass: ShardedPass
  private var evaluator = Evaluator<Float>()
  private var batch = LanguageBatch(timeStepCount: 0, batchSize: 0, inputs: [], targets: [])
  private let source: BatchSource
  private let train, valid: EncodedText
  /// Seconds between two checkpoints within an epoch.
  public var checkpointSeconds = 60.0
  /// The combined vote of the ranks at the end of a step.
  private var vote = RankVote()

  /// The number of steps since this process started.
  public private(set) var sessionSteps = 0
  /// The progress of the run.
  public var progress: TrainingProgress { state.progress }
  /// The current model.
  public var model: LanguageModel<Float> { state.model }

  /// Creates a trainer for a run whose folder exists.
  ///
  /// - Parameters:
  ///   - configuration: The settings, including the vocabulary's size.
  ///   - corpus: The texts.
  ///   - folder: The run's folder.
  ///   - vectors: The initial embedding, `[V, E]`; nil for random values.
  ///   - layers: The initial parameters of each recurrent layer, of the model's sizes; nil for random values.
  ///   - ranks: The processes that train together, at most as many as shards; only rank 0 uses the folder.
  /// - Throws: An encoding error if a setting is a number that JSON cannot represent; `RankError` if a rank is lost.
  /// - Precondition: The corpus has texts for train and valid.
  public init(
    _ configuration: RunConfiguration, _ corpus: Corpus, in folder: RunFolder,
    vectors: Tensor<Float>? = nil, layers: [CellParameters<Float>]? = nil,
    ranks: any Ranks = SingleRank()
  ) throws {
    guard let train = corpus.texts[.train], let valid = corpus.texts[.valid] else {
      contractViolation("Trainer.init: expected texts for train and valid.")
    }
    self.configuration = configuration
    self.corpus = corpus
    self.folder = folder
    (self.train, self.valid) = (train, valid)
    self.ranks = ranks
    recorder = try RunRecorder(configuration, corpus, in: folder, rank: ranks.rank)
    let training = configuration.training
    var random = NumPyRandom(seed: training.seed)
    var model = LanguageModel<Float>(
      configuration.model, initialization: training.initialization, using: &random)
    if let vectors { model.embedding.vectors = vectors }
    for (index, parameters) in (layers ?? []).enumerated() {
      model.layers[index].cell.parameters = parameters
    }
    state = TrainingState(model, training)
    source = BatchSource(
      train, batchSize: training.batchSize, timeSteps: training.timeSteps,
      lineEnd: training.resetsEachLine ? corpus.vocabulary.endOfLine : nil,
      jitterSeed: training.isJittered ? training.seed : nil)
    pass = try ShardedPass(
      model,
      ShardPlan(
        shardCount: training.shards ?? 1, batchSize: training.batchSize, rankCount: ranks.count),
      ranks, changesSums: training.clipValue > 0, maximumSymbols: source.maximumSymbols)
  }

  /// Broadcasts rank 0's state; collective, called before `run` and after rank 0 has resumed.
  ///
  /// - Throws: `RankError` if a rank is lost.
  public func share() throws { try state.share(among: ranks) }

  /// Restores the newest undamaged checkpoint; called on rank 0.
  ///
  /// - Returns: The defects of newer checkpoints and of the run's other files.
  /// - Throws: `RunError` if all are damaged, or they belong to another text or other settings.
  public func resume() throws -> [String] { try recorder.resume(into: &state) }

  /// Trains until the run ends or is stopped, and writes a checkpoint in both cases.
  ///
  /// - Parameters:
  ///   - timeBudget: The time budget of this session in seconds; nil for no limit.
  ///   - shouldStop: Called before each step.
  ///   - observe: Receives events.
  /// - Returns: The outcome of the session.
  /// - Throws: `RunError` if a file cannot be written; existing files are kept.
  public func run(
    timeBudget: Double? = nil, shouldStop: () -> Bool = { false },
    observe: (TrainingEvent) -> Void = { _ in }
  ) throws -> TrainingOutcome {
    let start = ContinuousClock.now
    let training = configuration.training
    let isOver = { timeBudget.map { start.duration(to: .now) / .seconds(1) >= $0 } ?? false }
    if state.progress.step == 0 { try checkpoint(observe) }
    var lastCheckpoint = ContinuousClock.now
    // Rank 0's clock decides for all.
    func proposal() -> RankVote {
      RankVote(
        stops: shouldStop(), isOver: ranks.rank == 0 && isOver(),
        keeps: ranks.rank == 0
          && lastCheckpoint.duration(to: .now) / .seconds(1) >= checkpointSeconds)
    }
    vote = try proposal().agreed([], among: ranks).0
    while true {
      if state.progress.epoch > training.epochs { return try end(.finished, observe) }
      if let patience = training.patience, let best = state.progress.bestEpoch,
        state.progress.validations.count - best >= patience
      {
        return try end(.noGain(epochs: patience), observe)
      }
      let stepStart = ContinuousClock.now
      if ranks.count == 1 { vote = proposal() }
      if vote.stops {
        try checkpoint(observe)
        return .interrupted
      }
      if isValidationDue {
        guard let loss = try validate(writesBest: true, shouldStop, observe) else {
          try checkpoint(observe)
          return .interrupted
        }
        if !loss.isFinite {
          guard try goBack(observe) else { return diverged(loss) }
          continue
        }
        state.progress.validatedStep = state.progress.step
      }
      if let most = training.maximumSteps, state.progress.step >= most {
        return try end(.reachedSteps, observe)
      }
      if vote.isOver { return try end(.reachedTime, observe) }
      guard
        let next = source.fill(
          &batch, at: state.progress.position, step: state.progress.step)
      else {
        guard let loss = try finishEpoch(shouldStop, observe) else {
          try checkpoint(observe)
          return .interrupted
        }
        if !loss.isFinite, try !goBack(observe) { return diverged(loss) }
        lastCheckpoint = .now
        vote = try proposal().agreed([], among: ranks).0
        continue
      }
      if let diverged = try step(to: next, proposal) {
        guard try goBack(observe) else { return diverged }
        continue
      }
      let seconds = stepStart.duration(to: .now) / .seconds(1)
      state.progress.seconds += seconds
      state.progress.epochSeconds += seconds
      state.progress.unlogged?.seconds += seconds
      try log()
      report(observe)
      if ranks.count == 1 { vote = proposal() }
      if vote.keeps {
        try checkpoint(observe)
        lastCheckpoint = .now
      }
    }
  }

  /// Returns to the start of the epoch with half the learning rate, if the settings allow it.
  ///
  /// - Returns: Whether it did.
  private func goBack(_ observe: (TrainingEvent) -> Void) throws -> Bool {
    let factor = state.progress.rateFactor / 2
    guard configuration.training.halvesOnDivergence, factor > 1e-9 else { return false }
    try recorder.goBack(&state)
    try share()
    state.progress.rateFactor = factor
    observe(
      .note("diverged; returned to step \(state.progress.step) with \(factor) of the learning rate")
    )
    try checkpoint(observe)
    return true
  }

  /// Runs one step; returns nil unless it diverged.
  private func step(to next: Int, _ proposal: () -> RankVote) throws -> TrainingOutcome? {
    let training = configuration.training
    let dropout = configuration.model.dropout
    let symbols = batch.targetCount
    var losses = try pass.run(
      state.model, batch, targetCount: symbols, states: &state.states,
      masks: ModelPass<Float>.Masks(
        rates: dropout, seed: UInt64(training.seed), step: state.progress.step),
      penalties: training.penalties,
      fromInitialStates: training.resetsEachLine || state.progress.position == 0)
    if ranks.count > 1 { (vote, losses) = try proposal().agreed(losses, among: ranks) }
    let loss = losses.reduce(0, +) / Double(max(1, symbols))
    if training.clipValue > 0 { pass.clip(to: training.clipValue) }
    let norm = pass.gradients.norm
    let limit = 10 * Double.log(Double(max(2, configuration.model.vocabularySize)))
    guard loss.isFinite, norm.isFinite, loss <= limit else {
      return .diverged(step: state.progress.step + 1, loss: loss, norm: norm)
    }
    let jitter =
      training.isJittered ? Double(batch.timeStepCount) / Double(training.timeSteps) : 1
    state.update(with: pass.gradients, norm: norm, rate: rate * jitter, training)
    sessionSteps += 1
    state.progress.position = next
    state.progress.epochLoss += loss * Double(symbols)
    state.progress.epochSymbols += symbols
    state.progress.symbols += symbols
    var totals = state.progress.unlogged ?? StepTotals()
    totals.steps += 1
    totals.symbols += symbols
    totals.loss += loss * Double(symbols)
    totals.norm += norm
    state.progress.unlogged = totals
    return nil
  }

  /// Writes a row about the steps since the last row, if one is due.
  private func log() throws {
    guard let totals = state.progress.unlogged else { return }
    let every = configuration.training.logEvery
    guard every.map({ $0 > 0 && state.progress.step % $0 == 0 }) ?? (totals.seconds >= 1)
    else { return }
    state.progress.unlogged = nil
    try recorder.record(
      [
        "loss": totals.loss / Double(max(1, totals.symbols)), "learning_rate": rate,
        "gradient_norm": totals.norm / Double(totals.steps),
        "tokens_per_second": totals.seconds > 0 ? Double(totals.symbols) / totals.seconds : 0,
        "seconds": state.progress.seconds,
      ], at: &state.progress, waits: false)
  }

  /// Whether to validate the model before the next step of the epoch.
  private var isValidationDue: Bool {
    let progress = state.progress
    guard let every = configuration.training.validateEvery else { return false }
    return progress.step % every == 0 && progress.validatedStep != progress.step
      && progress.position > 0 && progress.position < source.end
  }

  private func diverged(_ loss: Double) -> TrainingOutcome {
    .diverged(step: state.progress.step, loss: loss, norm: pass.gradients.norm)
  }

  /// The learning rate of this epoch.
  private var rate: Double {
    let progress = state.progress
    return configuration.training.schedule.rate(
      configuration.training.learningRate, epoch: progress.epoch,
      validations: progress.validations) * progress.rateFactor
  }

  private var metrics: EpochMetrics {
    let progress = state.progress
    let symbols = Double(progress.epochSymbols)
    return EpochMetrics(
      epoch: progress.epoch, step: progress.step, learningRate: rate,
      tokensPerSecond: progress.epochSeconds > 0 ? symbols / progress.epochSeconds : 0,
      seconds: progress.seconds, trainLoss: symbols > 0 ? progress.epochLoss / symbols : 0,
      validationLoss: 0, unit: corpus.vocabulary.unit, isWhole: progress.position >= source.end)
  }

  private func report(_ observe: (TrainingEvent) -> Void) {
    let now = metrics
    observe(
      .step(
        state.progress, loss: now.trainLoss, tokensPerSecond: now.tokensPerSecond,
        epochFraction: min(1, Double(state.progress.position) / Double(max(1, source.end)))))
  }

  /// Validates the model and writes the metrics and the best model.
  ///
  /// - Parameters:
  ///   - writesBest: Whether to write the model if it is the best.
  ///   - shouldStop: Called before each batch.
  ///   - observe: Receives events.
  /// - Returns: The loss; nil if it was stopped.
  /// - Throws: `RunError` if a file cannot be written.
  private func validate(
    writesBest: Bool, _ shouldStop: () -> Bool, _ observe: (TrainingEvent) -> Void
  ) throws -> Double? {
    let judged = state.evaluationModel
    guard
      let result = try evaluator.run(
        judged, valid, batchSize: min(configuration.training.evaluationBatchSize, valid.count - 1),
        lineEnd: source.lineEnd, ranks: ranks, shouldStop: shouldStop)
    else { return nil }
    guard result.loss.isFinite else { return result.loss }
    var line = metrics
    line.validationLoss = result.loss
    let isBest = result.loss < state.progress.bestLoss ?? .infinity
    try recorder.record(line, at: &state.progress, keeping: isBest && writesBest ? judged : nil)
    if isBest && writesBest {
      state.progress.bestLoss = result.loss
      state.progress.bestEpoch = state.progress.epoch
    }
    observe(.epoch(line, isBest: isBest && writesBest))
    return result.loss
  }

  private func finishEpoch(
    _ shouldStop: () -> Bool, _ observe: (TrainingEvent) -> Void
  ) throws -> Double? {
    guard let loss = try validate(writesBest: true, shouldStop, observe) else { return nil }
    guard loss.isFinite else { return loss }
    let training = configuration.training
    if training.optimizer == .averaged, state.averages.isEmpty {
      let earlier = state.progress.validations.dropLast(training.nonMonotone)
      if state.progress.validations.count > training.nonMonotone, let best = earlier.min(),
        loss > best
      {
        state.startAveraging()
        observe(.note("averaging begins after epoch \(state.progress.epoch)"))
      }
    }
    state.progress.validations.append(loss)
    state.progress.epoch += 1
    state.progress.position = 0
    (state.progress.epochLoss, state.progress.epochSymbols) = (0, 0)
    state.progress.epochSeconds = 0
    state.states = state.model.initialStates(batchSize: training.batchSize)
    try checkpoint(observe)
    return loss
  }

  /// Ends a session that may be the run's last.
  ///
  /// In the middle of an epoch the model is validated once more. The checkpoint from which a longer run
  /// continues was taken before that.
  private func end(
    _ outcome: TrainingOutcome, _ observe: (TrainingEvent) -> Void
  ) throws -> TrainingOutcome {
    try checkpoint(observe)
    // Keep the best model of whole epochs, so that a resumed run produces the same file.
    let isFirst = state.progress.bestLoss == nil
    let isValidated = state.progress.validatedStep == state.progress.step
    if isFirst || state.progress.epochSymbols > 0 && !isValidated {
      _ = try validate(writesBest: isFirst, { false }, observe)
    }
    return outcome
  }

  /// Writes a checkpoint; collective, because rank 0 needs the states of all rows.
  private func checkpoint(_ observe: (TrainingEvent) -> Void) throws {
    try state.collectStates(pass.plan, among: ranks)
    guard try recorder.checkpoint(state) else { return }
    observe(.checkpoint(step: state.progress.step))
  }

  /// Evaluates the best model on the test text, carrying the state through the whole text.
  ///
  /// - Returns: The evaluation; nil if there is no test text, or it was stopped.
  /// - Throws: `RunError` if the model cannot be read.
  public func test(shouldStop: () -> Bool = { false }) throws -> Evaluation? {
    guard let text = corpus.texts[.test] else { return nil }
    var best = ranks.rank == 0 ? try StoredModel(run: folder.path).model : state.model
    try best.share(among: ranks)
    return try evaluator.run(
      best, text, batchSize: 1, lineEnd: source.lineEnd, ranks: ranks, shouldStop: shouldStop)
  }
}
