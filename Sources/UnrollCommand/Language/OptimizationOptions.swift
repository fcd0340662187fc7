// Options of `unroll train` about batches, the optimizer, the learning rate and the length of a run. Their names and
// help are those of the fields they set.

#if Command
internal import ArgumentParser
internal import Unroll
internal import UnrollLanguage

/// Batches, optimizer and learning rate.
struct OptimizationOptions: SettingGroup {
  @Option(setting: "training.batch_size") var batchSize: Int?
  @Option(setting: "training.time_steps") var timeSteps: Int?
  @Option(setting: "training.optimizer") var optimizer: LanguageOptimizer?
  @Option(setting: "training.learning_rate") var learningRate: Double?
  @Flag(help: "Keep the learning rate constant.") var constantRate: ConstantRate?
  @Option(setting: "training.schedule.decay.factor") var decay: Double?
  @Option(
    setting: "training.schedule.decay.after_epoch", "Requires --decay.",
    standard: "the preset's, or 1")
  var decayAfter: Int?
  @Option(setting: "training.schedule.plateau.factor") var plateau: Double?
  @Option(setting: "training.clip_norm") var clipNorm: Double?
  @Option(setting: "training.clip_value") var clipValue: Double?
  @Option(setting: "training.momentum") var momentum: Double?
  @Option(setting: "training.beta1") var beta1: Double?
  @Option(setting: "training.beta2") var beta2: Double?
  @Option(setting: "training.epsilon") var epsilon: Double?
  @Option(setting: "training.non_monotone") var nonMonotone: Int?
  @Flag(setting: "training.jittered") var jitter: Bool?
  @Flag(setting: "training.resets_each_line") var resetEachLine: Bool?
  @Option(
    setting: "training.shards",
    standard: "none; under mpirun 8, or as many as processes, without --config")
  var shards: Int?

  func validate() throws {
    let schedules = [
      ("--constant-rate", constantRate != nil), ("--decay", decay != nil),
      ("--plateau", plateau != nil),
    ].filter(\.1).map(\.0)
    if schedules.count > 1 {
      throw ValidationError(
        "\(schedules.joined(separator: " and ")): give one of the \(schedules.count == 2 ? "two" : "three")."
      )
    }
    if decayAfter != nil && decay == nil {
      throw ValidationError("--decay-after: expected --decay with it, found none.")
    }
  }
}

/// The schedule without parts.
enum ConstantRate: EnumerableFlag, SettingValue {
  case constantRate

  var settingValue: Any { RateSchedule.constant }
}

/// What to do when training diverges.
enum DivergenceRule: String, ExpressibleByArgument, CaseIterable, SettingValue {
  case stop, halve

  var settingValue: Any { self == .halve }
}

/// The length of a run, validation and logging.
struct LengthOptions: SettingGroup {
  @Option(setting: "training.epochs") var epochs: Int?
  @Option(setting: "training.maximum_steps") var maxSteps: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Stop after this number of seconds with a checkpoint. (above 0; default: none)",
      valueName: "seconds"))
  var timeBudget: Double?
  @Option(setting: "training.patience") var patience: Int?
  @Option(
    help: ArgumentHelp(
      "What to do when training diverges: stop, or halve (the learning rate, from the beginning of the epoch). (default: stop)",
      valueName: "rule"))
  var onDivergence: DivergenceRule?
  @Option(setting: "training.log_every") var logEvery: Int?
  @Option(setting: "training.validate_every") var validateEvery: Int?
  @Option(setting: "training.evaluation_batch_size") var evaluationBatchSize: Int?

  func validate() throws {
    if let timeBudget, !(timeBudget > 0) {
      throw ValidationError("--time-budget: expected more than 0 seconds, found \(timeBudget).")
    }
  }
}

/// Random numbers and initial values.
struct InitializationOptions: SettingGroup {
  @Option(
    parsing: .unconditional, help: FieldOptions.help("training.seed"),
    transform: { word in
      guard let seed = UInt32(word) else {
        throw ValidationError(
          "expected \(Settings.at("training.seed")?.values.range ?? ""), found '\(word)'.")
      }
      return seed
    })
  var seed: UInt32?
  @Option(setting: "training.initialization.embedding_range") var embeddingRange: Double?
  @Option(setting: "training.initialization.recurrent_range") var recurrentRange: Double?
  @Option(setting: "training.initialization.softmax_range") var softmaxRange: Double?
  @Option(setting: "training.initialization.forget_bias") var forgetBias: Double?
  @Option(
    setting: "training.initialization.chrono_steps",
    standard: "none; of a janet --time-steps, at least 3")
  var chronoSteps: Int?
}
#endif
