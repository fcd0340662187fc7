// Options of `unroll train` about batches, the optimizer, the learning rate and the length of a run.

#if Command
internal import ArgumentParser
internal import Unroll
internal import UnrollLanguage

/// Batches, optimizer and learning rate.
struct OptimizationOptions: ParsableArguments {
  @Option(parsing: .unconditional, help: .setting("training.batch_size")) var batchSize: Int?
  @Option(parsing: .unconditional, help: .setting("training.time_steps")) var timeSteps: Int?
  @Option(help: .setting("training.optimizer")) var optimizer: LanguageOptimizer?
  @Option(parsing: .unconditional, help: .setting("training.learning_rate"))
  var learningRate: Double?
  @Flag(help: "Keep the learning rate constant.") var constantRate = false
  @Option(parsing: .unconditional, help: .setting("training.schedule.decay.factor"))
  var decay: Double?
  @Option(
    parsing: .unconditional,
    help: .setting(
      "training.schedule.decay.after_epoch", "Requires --decay. (default: the preset's, or 1)"))
  var decayAfter: Int?
  @Option(parsing: .unconditional, help: .setting("training.schedule.plateau.factor"))
  var plateau: Double?
  @Option(parsing: .unconditional, help: .setting("training.clip_norm")) var clipNorm: Double?
  @Option(parsing: .unconditional, help: .setting("training.clip_value")) var clipValue: Double?
  @Option(parsing: .unconditional, help: .setting("training.momentum")) var momentum: Double?
  @Option(parsing: .unconditional, help: .setting("training.beta1")) var beta1: Double?
  @Option(parsing: .unconditional, help: .setting("training.beta2")) var beta2: Double?
  @Option(parsing: .unconditional, help: .setting("training.epsilon")) var epsilon: Double?
  @Option(parsing: .unconditional, help: .setting("training.non_monotone")) var nonMonotone: Int?
  @Flag(inversion: .prefixedNo, help: .setting("training.jittered")) var jitter: Bool?
  @Flag(inversion: .prefixedNo, help: .setting("training.resets_each_line"))
  var resetEachLine: Bool?
  @Option(
    parsing: .unconditional,
    help: .setting("training.shards", "Under mpirun 8, or as many as processes, without --config."))
  var shards: Int?

  func apply(to training: inout TrainingConfiguration) {
    if let batchSize { training.batchSize = batchSize }
    if let shards { training.shards = shards == 1 ? nil : shards }
    if let timeSteps { training.timeSteps = timeSteps }
    if let jitter { training.isJittered = jitter }
    if let resetEachLine { training.resetsEachLine = resetEachLine }
    if let optimizer { training.optimizer = optimizer }
    if let learningRate { training.learningRate = learningRate }
    if constantRate { training.schedule = .constant }
    if let decay {
      var afterEpoch = decayAfter ?? 1
      if decayAfter == nil, case .decay(let kept, _) = training.schedule { afterEpoch = kept }
      training.schedule = .decay(afterEpoch: afterEpoch, factor: decay)
    }
    if let plateau { training.schedule = .plateau(factor: plateau) }
    if let clipNorm { training.clipNorm = clipNorm }
    if let clipValue { training.clipValue = clipValue }
    if let momentum { training.momentum = momentum }
    if let beta1 { training.beta1 = beta1 }
    if let beta2 { training.beta2 = beta2 }
    if let epsilon { training.epsilon = epsilon }
    if let nonMonotone { training.nonMonotone = nonMonotone }
  }

  func validate() throws {
    let schedules = [
      ("--constant-rate", constantRate), ("--decay", decay != nil), ("--plateau", plateau != nil),
    ].filter(\.1).map(\.0)
    if schedules.count > 1 {
      throw ValidationError(
        "\(schedules.joined(separator: " and ")): give one of the \(schedules.count == 2 ? "two" : "three")."
      )
    }
    if let decayAfter, !(0...1_000_000_000).contains(decayAfter) {
      throw ValidationError("--decay-after: expected 0 ... 1000000000, found \(decayAfter).")
    }
    if decayAfter != nil && decay == nil {
      throw ValidationError("--decay-after: give --decay, too.")
    }
  }
}

/// How long a run is, and what it measures on the way.
struct LengthOptions: ParsableArguments {
  @Option(parsing: .unconditional, help: .setting("training.epochs")) var epochs: Int?
  @Option(parsing: .unconditional, help: .setting("training.maximum_steps")) var maxSteps: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Stop after this number of seconds, above 0, with a checkpoint. (default: none)",
      valueName: "seconds"))
  var timeBudget: Double?
  @Option(parsing: .unconditional, help: .setting("training.patience")) var patience: Int?
  @Option(
    help: ArgumentHelp(
      "What to do when training diverges: stop, or halve (the learning rate, from the beginning of the epoch). (default: stop)",
      valueName: "rule"))
  var onDivergence: DivergenceRule?
  @Option(parsing: .unconditional, help: .setting("training.log_every")) var logEvery: Int?
  @Option(parsing: .unconditional, help: .setting("training.validate_every"))
  var validateEvery: Int?
  @Option(parsing: .unconditional, help: .setting("training.evaluation_batch_size"))
  var evaluationBatchSize: Int?

  func apply(to training: inout TrainingConfiguration) {
    if let epochs { training.epochs = epochs }
    if let maxSteps { training.maximumSteps = maxSteps }
    if let patience { training.patience = patience }
    if let logEvery { training.logEvery = logEvery }
    if let validateEvery { training.validateEvery = validateEvery }
    if let evaluationBatchSize { training.evaluationBatchSize = evaluationBatchSize }
  }

  func validate() throws {
    if let timeBudget, !(timeBudget > 0) {
      throw ValidationError("--time-budget: expected more than 0 seconds, found \(timeBudget).")
    }
  }
}

/// Random numbers and first values.
struct InitializationOptions: ParsableArguments {
  @Option(
    parsing: .unconditional, help: .setting("training.seed"),
    transform: { word in
      guard let seed = UInt32(word) else {
        throw ValidationError("expected \(TrainingConfiguration.seedRange), found '\(word)'.")
      }
      return seed
    })
  var seed: UInt32?
  @Option(parsing: .unconditional, help: .setting("training.initialization.embedding_range"))
  var embeddingRange: Double?
  @Option(parsing: .unconditional, help: .setting("training.initialization.recurrent_range"))
  var recurrentRange: Double?
  @Option(parsing: .unconditional, help: .setting("training.initialization.softmax_range"))
  var softmaxRange: Double?
  @Option(parsing: .unconditional, help: .setting("training.initialization.forget_bias"))
  var forgetBias: Double?
  @Option(
    parsing: .unconditional,
    help: .setting(
      "training.initialization.chrono_steps",
      "A janet begins with --time-steps, at least 3."))
  var chronoSteps: Int?

  /// Sets what was given; after the cell, whose own rule it overrides.
  func apply(to training: inout TrainingConfiguration) {
    if let seed { training.seed = seed }
    if let embeddingRange { training.initialization.embeddingRange = embeddingRange }
    if let recurrentRange { training.initialization.recurrentRange = recurrentRange }
    if let softmaxRange { training.initialization.softmaxRange = softmaxRange }
    if let forgetBias { training.initialization.forgetBias = forgetBias }
    if let chronoSteps { training.initialization.chronoSteps = chronoSteps }
  }
}
#endif
