// What a trainer tells whoever watches it.

/// How a session of a run ended.
public enum TrainingOutcome: Sendable, Equatable {
  /// All epochs are done.
  case finished
  /// Validation has not improved for as many epochs as patience allows.
  case noGain(epochs: Int)
  /// The most steps are done.
  case reachedSteps
  /// The time is over.
  case reachedTime
  /// Somebody asked to stop.
  case interrupted
  /// The loss or a gradient is no longer a usable number.
  case diverged(step: Int, loss: Double, norm: Double)
}

/// What a trainer reports during training.
public enum TrainingEvent: Sendable {
  /// A step is done: the epoch's mean loss so far, nats, and symbols in a second.
  case step(TrainingProgress, loss: Double, tokensPerSecond: Double, epochFraction: Double)
  /// An epoch is done.
  case epoch(EpochMetrics, isBest: Bool)
  /// A checkpoint is whole.
  case checkpoint(step: Int)
  /// Something that a person should know.
  case note(String)
}
