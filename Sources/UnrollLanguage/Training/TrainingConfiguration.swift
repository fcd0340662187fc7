// How a model learns. The names of the fields are those of `config.json`.

internal import RealModule
internal import Unroll

/// The rule by which gradients update parameters.
public enum LanguageOptimizer: String, Sendable, Codable, CaseIterable {
  /// Plain stochastic gradient descent.
  case sgd
  /// Gradient descent with momentum.
  case momentum
  /// RMSprop.
  case rmsprop
  /// Adam; weight decay is added to the gradient's way as in AdamW.
  case adam
  /// Gradient descent whose parameters are averaged once validation has stopped to improve (NT-ASGD;
  /// Merity et al. 2018).
  case averaged = "nt-asgd"
}

/// How the learning rate changes.
public enum RateSchedule: Sendable, Equatable, Codable {
  /// It does not.
  case constant
  /// From the epoch after `epoch` on, multiplied by `factor` in each (Zaremba et al. 2014).
  case decay(afterEpoch: Int, factor: Double)
  /// Multiplied by `factor` after an epoch that did not improve validation (PyTorch's word language
  /// model: 1/4).
  case plateau(factor: Double)

  /// The rate in an epoch, from 1, of which earlier ones reached these validation losses.
  func rate(_ first: Double, epoch: Int, validations: [Double]) -> Double {
    var rate = first
    switch self {
    case .constant: break
    case .decay(let after, let factor):
      rate *= Double.pow(factor, max(0, epoch - after))
    case .plateau(let factor):
      var best = Double.infinity
      for loss in validations {
        if loss < best { best = loss } else { rate *= factor }
      }
    }
    return rate
  }
}

/// How a model is trained.
public struct TrainingConfiguration: Sendable, Equatable, Codable {
  /// B, sequences side by side.
  public var batchSize = 20
  /// T, the steps of truncated backpropagation through time.
  public var timeSteps = 35
  /// S, the parts of a batch whose gradients are summed in order, so that several processes can have them;
  /// nil for one.
  ///
  /// It belongs to the run: the same number of shards has the same bits on any number of processes.
  public var shards: Int?
  /// Whether T varies from batch to batch: about ± 5, sometimes half.
  ///
  /// The rate varies with it. Source: Merity et al. 2018.
  public var isJittered = false
  /// Whether every line begins with the model's initial states; else states are carried from batch to
  /// batch.
  public var resetsEachLine = false
  /// The rule.
  public var optimizer = LanguageOptimizer.adam
  /// The learning rate, per step of the mean loss in nats.
  public var learningRate = 0.002
  /// How it changes.
  public var schedule = RateSchedule.constant
  /// Momentum, of `momentum` alone.
  public var momentum = 0.9
  /// Adam's β₁, and β₂ of Adam and RMSprop.
  public var beta1 = 0.9, beta2 = 0.999
  /// ε of Adam and RMSprop.
  public var epsilon = 1e-8
  /// Decay of all parameters.
  public var weightDecay = 0.0
  /// Gradients are scaled down to this global norm; 0 for never.
  public var clipNorm = 5.0
  /// Every number of a gradient is limited to ± this; 0 for never.
  public var clipValue = 0.0
  /// AR and TAR.
  public var penalties = ActivationPenalties()
  /// How many epochs without gain make NT-ASGD average.
  public var nonMonotone = 5
  /// The most epochs.
  public var epochs = 20
  /// The most steps; nil for no limit.
  public var maximumSteps: Int?
  /// Epochs without gain in validation after which learning stops; nil for never.
  public var patience: Int?
  /// Steps between two rows of metrics within an epoch; 0 for none, nil for a row about every second of training.
  public var logEvery: Int?
  /// Steps between two validations within an epoch; nil for validation at the end of each epoch only.
  ///
  /// The model is kept if it is the best so far. Schedules and patience count whole epochs.
  public var validateEvery: Int?
  /// Sequences side by side in validation.
  public var evaluationBatchSize = 10
  /// Whether divergence goes back to the beginning of its epoch, with half the learning rate.
  public var halvesOnDivergence = false
  /// First values.
  public var initialization = Initialization()
  /// The seed of all draws.
  public var seed: UInt32 = 0
  /// The seeds that there are, in words.
  package static let seedRange = "\(UInt32.min) ... \(UInt32.max)"

  /// Creates the defaults.
  public init() {}

  enum CodingKeys: String, CodingKey, CaseIterable {
    case batchSize = "batch_size"
    case timeSteps = "time_steps"
    case shards
    case isJittered = "jittered"
    case resetsEachLine = "resets_each_line"
    case optimizer
    case learningRate = "learning_rate"
    case schedule, momentum, beta1, beta2, epsilon
    case weightDecay = "weight_decay"
    case clipNorm = "clip_norm"
    case clipValue = "clip_value"
    case penalties
    case nonMonotone = "non_monotone"
    case epochs
    case maximumSteps = "maximum_steps"
    case patience
    case logEvery = "log_every"
    case validateEvery = "validate_every"
    case evaluationBatchSize = "evaluation_batch_size"
    case halvesOnDivergence = "halves_on_divergence"
    case initialization, seed
  }

  /// What is wrong, in one sentence; nil if nothing is.
  public var problem: String? {
    let counts = [
      ("batch_size", batchSize), ("time_steps", timeSteps), ("epochs", epochs),
      ("maximum_steps", maximumSteps ?? 1), ("patience", patience ?? 1),
      ("evaluation_batch_size", evaluationBatchSize), ("non_monotone", nonMonotone),
      ("shards", shards ?? 1), ("validate_every", validateEvery ?? 1),
    ]
    for (name, count) in counts where !(1...1_000_000_000).contains(count) {
      return "\(name): expected 1 ... 1000000000, found \(count)"
    }
    if let logEvery, !(0...1_000_000_000).contains(logEvery) {
      return "log_every: expected 0 ... 1000000000, found \(logEvery)"
    }
    if let shards, shards > min(batchSize, 256) {
      return
        "shards: expected at most \(min(batchSize, 256)), one for each row of a batch and not above 256, found \(shards)"
    }
    let numbers = [
      ("learning_rate", learningRate), ("clip_norm", clipNorm), ("clip_value", clipValue),
      ("weight_decay", weightDecay), ("epsilon", epsilon),
      ("penalties.activation", penalties.activation), ("penalties.temporal", penalties.temporal),
      ("initialization.embedding_range", initialization.embeddingRange),
      ("initialization.recurrent_range", initialization.recurrentRange ?? 0),
      ("initialization.softmax_range", initialization.softmaxRange),
    ]
    for (name, number) in numbers where !(number >= 0 && number.isFinite) {
      return "\(name): expected a number of at least 0, found \(number)"
    }
    for (name, number) in [("momentum", momentum), ("beta1", beta1), ("beta2", beta2)]
    where !(number >= 0 && number < 1) {
      return "\(name): expected 0 up to, but not including, 1, found \(number)"
    }
    guard initialization.forgetBias.isFinite else {
      return
        "initialization.forget_bias: expected a finite number, found \(initialization.forgetBias)"
    }
    switch schedule {
    case .decay(let epoch, _) where !(0...1_000_000_000).contains(epoch):
      return "schedule.decay.after_epoch: expected 0 ... 1000000000, found \(epoch)"
    case .decay(_, let factor) where !(factor > 0 && factor <= 1):
      return "schedule.decay.factor: expected more than 0 and at most 1, found \(factor)"
    case .plateau(let factor) where !(factor > 0 && factor <= 1):
      return "schedule.plateau.factor: expected more than 0 and at most 1, found \(factor)"
    default: break
    }
    if resetsEachLine && isJittered {
      return
        "jittered: expected batches of a fixed length with resets_each_line, found jittered ones; leave one of the two out"
    }
    return nil
  }

  /// The library's rule.
  var rule: Optimizer {
    switch optimizer {
    case .sgd, .averaged: .sgd
    case .momentum: .momentum(momentum)
    case .rmsprop: .rmsProp(decay: beta2, epsilon: epsilon)
    case .adam: .adam(beta1: beta1, beta2: beta2, epsilon: epsilon)
    }
  }
}
