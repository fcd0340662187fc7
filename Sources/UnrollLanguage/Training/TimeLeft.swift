// How long a run still takes, from the speed so far.

/// An estimate of the time until a session ends by its epochs, its steps or its time budget.
package struct TimeLeft {
  private let training: TrainingConfiguration
  private let budget: Double?
  private let start: ContinuousClock.Instant
  private var lastStep: ContinuousClock.Instant?
  private var validationSeconds = 0.0

  /// An estimate for a session that begins.
  ///
  /// - Parameters:
  ///   - training: The limits of epochs and steps.
  ///   - budget: The session's seconds; nil for no limit.
  ///   - start: When it begins.
  package init(
    _ training: TrainingConfiguration, budget: Double?, start: ContinuousClock.Instant = .now
  ) {
    (self.training, self.budget, self.start) = (training, budget, start)
  }

  /// Takes the time since the last step for that of the validation after an epoch.
  package mutating func noteValidation(at now: ContinuousClock.Instant) {
    if let lastStep { validationSeconds = lastStep.duration(to: now) / .seconds(1) }
  }

  /// The seconds that are left after a step; nil if there is no speed to judge by.
  ///
  /// - Parameters:
  ///   - progress: The run after the step.
  ///   - fraction: The part of the epoch that is done.
  ///   - now: The moment.
  /// - Returns: The least of what epochs, steps and budget leave, at least 0. Validations after epochs are included
  ///   once one was seen; patience is not foreseen.
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
    // Every epoch that ends is validated, and so is the last part of one.
    let validations = (fraction + max(0, epochs)).rounded(.up)
    let seconds = max(0, epochs) * epochSeconds + validations * validationSeconds
    return min(seconds, byBudget ?? .infinity)
  }
}
