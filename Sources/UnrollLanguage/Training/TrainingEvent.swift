// The events and outcomes that a trainer reports.

/// The outcome of a training session.
public enum TrainingOutcome: Sendable, Equatable {
  /// All epochs are complete.
  case finished
  /// Validation has not improved for as many epochs as patience allows.
  case noGain(epochs: Int)
  /// The maximum number of steps was reached.
  case reachedSteps
  /// The time budget is used up.
  case reachedTime
  /// Training was asked to stop.
  case interrupted
  /// The loss or the gradient norm diverged.
  case diverged(step: Int, loss: Double, norm: Double)
}

/// An event of training.
public enum TrainingEvent: Sendable {
  /// A step was completed; mean loss of the epoch so far in nats, and symbols per second.
  case step(TrainingProgress, loss: Double, tokensPerSecond: Double, epochFraction: Double)
  /// An epoch was completed.
  case epoch(EpochMetrics, isBest: Bool)
  /// A checkpoint was written.
  case checkpoint(step: Int)
  /// A remark for the user.
  case note(String)
}
