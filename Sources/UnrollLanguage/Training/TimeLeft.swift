// Estimates the remaining time of a run from the speed so far.

/// An estimate of the time until a session ends by its epochs, its steps or its time budget.
package struct TimeLeft {
  private let training: TrainingConfiguration
  private let budget: Double?
  private let start: ContinuousClock.Instant
  private var lastStep: ContinuousClock.Instant?
  private var validationSeconds = 0.0

  /// Creates an estimate for a new session.
  ///
  /// - Parameters:
  ///   - training: The limits of epochs and steps.
  ///   - budget: The time budget of the session in seconds; nil for no limit.
  ///   - start: The start of the session.
  package init(
    _ training: TrainingConfiguration, budget: Double?, start: ContinuousClock.Instant = .now
  ) {
    (self.training, self.budget, self.start) = (training, budget, start)
  }

  /// Records the time since the last step as the duration of a validation after an epoch.
  package mutating func noteValidation(at now: ContinuousClock.Instant) {
    if let lastStep { validationSeconds = lastStep.duration(to: now) / .seconds(1) }
  }

  /// Returns the remaining seconds after a step; nil if the speed is not known yet.
  ///
  /// - Parameters:
  ///   - progress: The progress after the step.
  ///   - fraction: The completed fraction of the epoch.
  ///   - now: The current time.
  /// - Returns: The minimum of the times left by epochs, steps and budget, at least 0. Validations after epochs are
  ///   included once their duration is known; early stopping is not predicted.
  package mutating func seconds(
    after progress: TrainingProgress, epochFraction fraction: Double,
    at now: ContinuousClock.Instant
  ) -> Double? {
    lastStep = now
    let spent = start.duration(to: now) / .seconds(1)
    let byBudget = budget.map { max(0, $0 - spent) }
    guard fraction > 0, progress.epochSeconds > 0, progress.step > 0 else { return byBudget }
    let epochSeconds = progress.epochSeconds / fraction
    var epochs = Double(training.epochs - progress.epoch + 1) - fraction
    if let most = training.maximumSteps {
      let stepSeconds = progress.seconds / Double(progress.step)
      epochs = min(epochs, Double(most - progress.step) * stepSeconds / epochSeconds)
    }
    // Every epoch is validated at its end, and so is the last part of one.
    let validations = (fraction + max(0, epochs)).rounded(.up)
    let seconds = max(0, epochs) * epochSeconds + validations * validationSeconds
    return min(seconds, byBudget ?? .infinity)
  }
}
