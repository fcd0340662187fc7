// Training settings. Field names match `config.json`.

internal import RealModule
internal import Unroll

/// The optimizers of language models.
public enum LanguageOptimizer: String, Sendable, Codable, CaseIterable {
  /// Plain stochastic gradient descent.
  case sgd
  /// Gradient descent with momentum.
  case momentum
  /// RMSprop.
  case rmsprop
  /// Adam; weight decay is decoupled, as in AdamW.
  case adam
  /// Gradient descent that averages parameters once validation has stopped improving (NT-ASGD;
  /// Merity et al. 2018).
  case averaged = "nt-asgd"
}

/// A learning rate schedule.
public enum RateSchedule: Sendable, Equatable, Codable {
  /// A constant learning rate.
  case constant
  /// Multiplies the rate by `factor` in each epoch after `epoch` (Zaremba et al. 2014).
  case decay(afterEpoch: Int, factor: Double)
  /// Multiplies the rate by `factor` after an epoch without improvement in validation (PyTorch's word language
  /// model: 1/4).
  case plateau(factor: Double)

  /// Returns the rate of an epoch, starting at 1, given the validation losses of the earlier epochs.
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

/// The training settings of a model.
public struct TrainingConfiguration: Sendable, Equatable, Codable {
  /// B, the number of parallel sequences.
  public var batchSize = 20
  /// T, the length of truncated backpropagation through time.
  public var timeSteps = 35
  /// S, the number of parts of a batch whose gradients are summed in order; at least the number of processes, and nil
  /// for one.
  ///
  /// A property of the run: results depend on the number of shards, but not on the number of processes.
  public var shards: Int?
  /// Whether T varies from batch to batch: about ± 5, sometimes half.
  ///
  /// The learning rate is scaled accordingly. Source: Merity et al. 2018.
  public var isJittered = false
  /// Whether every line starts from the model's initial states; otherwise states are carried from batch to
  /// batch.
  public var resetsEachLine = false
  /// The optimizer.
  public var optimizer = LanguageOptimizer.adam
  /// The learning rate, per step of the mean loss in nats.
  public var learningRate = 0.002
  /// The learning rate schedule.
  public var schedule = RateSchedule.constant
  /// The momentum of the optimizer `momentum`.
  public var momentum = 0.9
  /// Adam's β₁, and β₂ of Adam and RMSprop.
  public var beta1 = 0.9, beta2 = 0.999
  /// ε of Adam and RMSprop.
  public var epsilon = 1e-8
  /// Weight decay of all parameters.
  public var weightDecay = 0.0
  /// The maximum global norm of gradients, which are scaled down to it; 0 disables clipping.
  public var clipNorm = 5.0
  /// Clips every gradient element to ± this value; 0 disables clipping.
  public var clipValue = 0.0
  /// The penalties AR and TAR.
  public var penalties = ActivationPenalties()
  /// The number of epochs without gain after which NT-ASGD starts averaging.
  public var nonMonotone = 5
  /// The maximum number of epochs.
  public var epochs = 20
  /// The maximum number of steps; nil for no limit.
  public var maximumSteps: Int?
  /// The number of epochs without gain in validation after which training stops; nil for never.
  public var patience: Int?
  /// Steps between two rows of metrics within an epoch; 0 for none, nil for a row about every second of training.
  public var logEvery: Int?
  /// Steps between two validations within an epoch; nil for validation at the end of each epoch only.
  ///
  /// The model is written if it is the best so far. Schedules and patience count whole epochs.
  public var validateEvery: Int?
  /// The number of parallel sequences in validation.
  public var evaluationBatchSize = 10
  /// Whether to return to the start of the epoch with half the learning rate after divergence.
  public var halvesOnDivergence = false
  /// Initial values.
  public var initialization = Initialization()
  /// The seed of all random numbers.
  public var seed: UInt32 = 0

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

  /// A sentence that describes what is wrong; nil if the settings are valid.
  public var problem: String? {
    if let problem = Settings.problem(in: Settings.training, of: self) { return problem }
    if let shards, shards > batchSize {
      return
        "shards: expected at most \(batchSize), one for each row of a batch, found \(shards)"
    }
    if resetsEachLine && isJittered {
      return
        "jittered: expected batches of a fixed length with resets_each_line, found jittered ones; use only one of the two settings"
    }
    return nil
  }

  /// The corresponding rule of the library.
  var rule: Optimizer {
    switch optimizer {
    case .sgd, .averaged: .sgd
    case .momentum: .momentum(momentum)
    case .rmsprop: .rmsProp(decay: beta2, epsilon: epsilon)
    case .adam: .adam(beta1: beta1, beta2: beta2, epsilon: epsilon)
    }
  }
}
