#if Command
internal import Foundation
internal import RealModule
internal import UnrollLanguage

/// The report about a run that diverged: observations, settings that can be the cause, and advice.
struct DivergenceReport {
  var settings: RunConfiguration
  /// The vocabulary's unit.
  var unit: SymbolUnit
  var step: Int
  var loss: Double
  var norm: Double
  /// The run's folder.
  var folder: String

  /// One sentence.
  var text: String {
    [
      "diverged at step \(step): \(observation)",
      "the last good checkpoint is kept in \(folder)/checkpoints",
      "settings that can cause it: \(causes.joined(separator: ", "))", advice,
    ].joined(separator: "; ")
  }

  private var training: TrainingConfiguration { settings.training }

  private var observation: String {
    let seen = "loss \(Self.words(loss)), gradient norm \(Self.words(norm))"
    guard loss.isFinite, norm.isFinite else { return seen }
    let guess = Double.log(Double(settings.model.vocabularySize))
    return seen
      + " (a loss above \(Self.words(10 * guess)) nats per \(unit.singular) is divergence)"
  }

  /// The settings that can cause divergence, with their values.
  private var causes: [String] {
    var causes = ["--learning-rate \(training.learningRate)"]
    if training.clipNorm == 0 {
      causes.append("--clip-norm 0 (no limit)")
    } else {
      causes.append("--clip-norm \(training.clipNorm)")
    }
    for (option, value) in [
      ("--weight-decay", training.weightDecay),
      ("--activation-penalty", training.penalties.activation),
      ("--temporal-penalty", training.penalties.temporal),
    ] where value > 0 {
      causes.append("\(option) \(value)")
    }
    switch training.optimizer {
    case .momentum: causes.append("momentum \(training.momentum)")
    case .adam where training.epsilon == 0, .rmsprop where training.epsilon == 0:
      causes.append("epsilon 0")
    default: break
    }
    for (option, path) in [("--vectors", settings.vectors), ("--weights", settings.weights)] {
      if let path { causes.append("\(option) \(path)") }
    }
    return causes
  }

  /// Advice that the settings do not already follow.
  private var advice: String {
    let share = training.learningRate * training.weightDecay
    // Above 2 the weights grow through decay alone, for any gradients.
    if training.optimizer != .rmsprop, share > 2 {
      return
        "a step subtracts rate times decay, \(Self.words(share)) times itself, from every parameter; try a --weight-decay below \(Self.words(1 / training.learningRate))"
    }
    let clipping =
      training.clipNorm == 0
      ? "a --clip-norm such as 5" : "a --clip-norm below \(training.clipNorm)"
    let decay = training.weightDecay > 0 ? ", a smaller --weight-decay" : ""
    return training.halvesOnDivergence
      ? "the learning rate was halved as often as that may help; try a much smaller --learning-rate than \(training.learningRate)\(decay), or \(clipping)"
      : "try a smaller --learning-rate than \(training.learningRate)\(decay), \(clipping), or --on-divergence halve"
  }

  /// A number for display; the sign of NaN is dropped.
  private static func words(_ number: Double) -> String {
    number.isNaN
      ? "not a number" : number.isInfinite ? "infinite" : String(format: "%.4g", number)
  }
}
#endif
