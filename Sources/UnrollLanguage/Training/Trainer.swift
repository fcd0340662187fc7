// The loop: batches, epochs, validation, the best model, checkpoints.

internal import RealModule
public import Unroll
internal import UnrollContracts

/// Trains a language model, and can stop and resume at any step.
///
/// The same settings and text give the same parameters, to the bit, for any number of threads and
/// however often the run was interrupted.
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
  /// What the ranks have agreed on at the end of a step.
  private var vote = RankVote()

  /// Steps done since this process began.
  public private(set) var sittingSteps = 0
  /// How far the run is.
  public var progress: TrainingProgress { state.progress }
  /// The model as it is.
  public var model: LanguageModel<Float> { state.model }

  /// A trainer for a run whose folder has been begun.
  ///
  /// - Parameters:
  ///   - configuration: The settings; the vocabulary's size is the corpus's.
  ///   - corpus: The texts.
  ///   - folder: Where files go.
  ///   - vectors: What the embedding begins with, `[V, E]`; nil for random numbers.
  ///   - layers: What each recurrent layer begins with, of the model's sizes; nil for random numbers.
  ///   - ranks: The processes that learn together, at most as many as shards; only rank 0 touches the folder.
  /// - Throws: An encoding error if the settings have numbers that JSON has not; `RankError` if a rank is gone.
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
      ranks, changesSums: training.clipValue > 0, mostSymbols: source.mostSymbols)
  }

  /// Gives all ranks rank 0's state; called by all of them before `run`, after rank 0 has resumed.
  ///
  /// - Throws: `RankError` if one of them is gone.
  public func share() throws { try state.share(among: ranks) }

  /// Goes back to the newest checkpoint that is whole; for rank 0.
  ///
  /// - Returns: What was found wrong with newer ones, and with the run's other files.
  /// - Throws: `RunError` if none is whole, or they belong to another text or other settings.
  public func resume() throws -> [String] { try recorder.resume(into: &state) }

  /// Learns until the run ends or is to stop; leaves a checkpoint in both cases.
  ///
  /// - Parameters:
  ///   - timeBudget: Seconds of this sitting; nil for no limit.
  ///   - shouldStop: Asked before each step.
  ///   - observe: Told what happens.
  /// - Returns: How the sitting ended.
  /// - Throws: `RunError` if a file cannot be written; the files that were there stay.
  public func run(
    timeBudget: Double? = nil, shouldStop: () -> Bool = { false },
    observe: (TrainingEvent) -> Void = { _ in }
  ) throws -> TrainingOutcome {
    let start = ContinuousClock.now
    let training = configuration.training
    let isOver = { timeBudget.map { start.duration(to: .now) / .seconds(1) >= $0 } ?? false }
    if state.progress.step == 0 { try checkpoint(observe) }
    var lastCheckpoint = ContinuousClock.now
    // Rank 0's clock is that of all.
    func wanted() -> RankVote {
      RankVote(
        stops: shouldStop(), isOver: ranks.rank == 0 && isOver(),
        keeps: ranks.rank == 0
          && lastCheckpoint.duration(to: .now) / .seconds(1) >= checkpointSeconds)
    }
    vote = try wanted().agreed([], among: ranks).0
    while true {
      if state.progress.epoch > training.epochs { return try end(.finished, observe) }
      if let patience = training.patience, let best = state.progress.bestEpoch,
        state.progress.validations.count - best >= patience
      {
        return try end(.noGain(epochs: patience), observe)
      }
      let stepStart = ContinuousClock.now
      if ranks.count == 1 { vote = wanted() }
      if vote.stops {
        try checkpoint(observe)
        return .interrupted
      }
      if isValidationDue {
        guard let loss = try judge(keeps: true, shouldStop, observe) else {
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
        vote = try wanted().agreed([], among: ranks).0
        continue
      }
      if let diverged = try step(to: next, wanted) {
        guard try goBack(observe) else { return diverged }
        continue
      }
      let seconds = stepStart.duration(to: .now) / .seconds(1)
      state.progress.seconds += seconds
      state.progress.epochSeconds += seconds
      state.progress.unlogged?.seconds += seconds
      try log()
      report(observe)
      if ranks.count == 1 { vote = wanted() }
      if vote.keeps {
        try checkpoint(observe)
        lastCheckpoint = .now
      }
    }
  }

  /// Goes back to the beginning of the epoch, with half the learning rate, if the settings say so.
  ///
  /// - Returns: Whether it did.
  private func goBack(_ observe: (TrainingEvent) -> Void) throws -> Bool {
    let factor = state.progress.rateFactor / 2
    guard configuration.training.halvesOnDivergence, factor > 1e-9 else { return false }
    try recorder.goBack(&state)
    try share()
    state.progress.rateFactor = factor
    observe(
      .note("diverged; back to step \(state.progress.step) with \(factor) of the learning rate"))
    try checkpoint(observe)
    return true
  }

  /// One step; nil unless it diverged.
  private func step(to next: Int, _ wanted: () -> RankVote) throws -> TrainingOutcome? {
    let training = configuration.training
    let dropout = configuration.model.dropout
    let symbols = batch.targetCount
    var losses = try pass.run(
      state.model, batch, targetCount: symbols, states: &state.states,
      masks: ModelPass<Float>.Masks(
        rates: dropout, seed: UInt64(training.seed), step: state.progress.step),
      penalties: training.penalties,
      begins: training.resetsEachLine || state.progress.position == 0)
    if ranks.count > 1 { (vote, losses) = try wanted().agreed(losses, among: ranks) }
    let loss = losses.reduce(0, +) / Double(max(1, symbols))
    if training.clipValue > 0 { pass.clip(to: training.clipValue) }
    let norm = pass.gradients.norm
    let limit = 10 * Double.log(Double(max(2, configuration.model.vocabularySize)))
    guard loss.isFinite, norm.isFinite, loss <= limit else {
      return .diverged(step: state.progress.step + 1, loss: loss, norm: norm)
    }
    let jitter =
      training.isJittered ? Double(batch.timeStepCount) / Double(training.timeSteps) : 1
    state.move(by: pass.gradients, norm: norm, rate: rate * jitter, training)
    sittingSteps += 1
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

  /// Writes a row about the steps since the last one, if it is time.
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

  /// Whether the model is to be validated before the next step of the epoch.
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

  /// Judges the model by validation and writes what is to be kept.
  ///
  /// - Parameters:
  ///   - keeps: Whether the model is written if it is the best.
  ///   - shouldStop: Asked before each batch.
  ///   - observe: Told what happens.
  /// - Returns: The loss; nil if it was stopped.
  /// - Throws: `RunError` if a file cannot be written.
  private func judge(
    keeps: Bool, _ shouldStop: () -> Bool, _ observe: (TrainingEvent) -> Void
  ) throws -> Double? {
    let judged = state.judgedModel
    guard
      let result = try evaluator.run(
        judged, valid, batchSize: min(configuration.training.evaluationBatchSize, valid.count - 1),
        lineEnd: source.lineEnd, ranks: ranks, shouldStop: shouldStop)
    else { return nil }
    guard result.loss.isFinite else { return result.loss }
    var line = metrics
    line.validationLoss = result.loss
    let isBest = result.loss < state.progress.bestLoss ?? .infinity
    try recorder.record(line, at: &state.progress, keeping: isBest && keeps ? judged : nil)
    if isBest && keeps {
      state.progress.bestLoss = result.loss
      state.progress.bestEpoch = state.progress.epoch
    }
    observe(.epoch(line, isBest: isBest && keeps))
    return result.loss
  }

  private func finishEpoch(
    _ shouldStop: () -> Bool, _ observe: (TrainingEvent) -> Void
  ) throws -> Double? {
    guard let loss = try judge(keeps: true, shouldStop, observe) else { return nil }
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

  /// Ends a sitting that may be the run's last.
  ///
  /// In the middle of an epoch the model is judged once more; the checkpoint, from which a longer run
  /// goes on, is from before that.
  private func end(
    _ outcome: TrainingOutcome, _ observe: (TrainingEvent) -> Void
  ) throws -> TrainingOutcome {
    try checkpoint(observe)
    // The best of whole epochs stays: a run that goes on must come to the same file.
    let isFirst = state.progress.bestLoss == nil
    let isValidated = state.progress.validatedStep == state.progress.step
    if isFirst || state.progress.epochSymbols > 0 && !isValidated {
      _ = try judge(keeps: isFirst, { false }, observe)
    }
    return outcome
  }

  /// Writes a checkpoint; called by all ranks, which give rank 0 the states of their rows.
  private func checkpoint(_ observe: (TrainingEvent) -> Void) throws {
    try state.collectStates(pass.plan, among: ranks)
    guard try recorder.checkpoint(state) else { return }
    observe(.checkpoint(step: state.progress.step))
  }

  /// The best model's loss on the test text, its state carried through the whole of it.
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
