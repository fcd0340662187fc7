// The test and the messages at the end of a session of `unroll train`.

#if Command
internal import Unroll
internal import UnrollLanguage

/// The end of a session of a run.
struct TrainingEnd {
  private let run: TrainingRun
  private let folder: String
  private let ranks: any Ranks

  /// - Parameters:
  ///   - run: The run.
  ///   - folder: Its folder, as the command line names it.
  ///   - ranks: The processes that trained.
  init(_ run: TrainingRun, folder: String, ranks: any Ranks) {
    (self.run, self.folder, self.ranks) = (run, folder, ranks)
  }

  /// Prints how the session ended and, at the end of the run, tests the model.
  ///
  /// - Returns: The outcome; `interrupted` if the test was interrupted.
  func tell(_ outcome: TrainingOutcome) throws -> TrainingOutcome {
    let (step, unit) = (run.progress.step, run.corpus.vocabulary.unit)
    let goOn = "continue with: unroll train --resume --output \(folder)"
    switch outcome {
    case .interrupted:
      Terminal.note("stopped after step \(step) with a checkpoint; \(goOn)")
      return outcome
    case .diverged(let step, let loss, let norm):
      Terminal.note(
        DivergenceReport(
          settings: run.settings, unit: unit, step: step, loss: loss, norm: norm, folder: folder
        ).text)
      return outcome
    case .noGain(let epochs):
      Terminal.note(
        "stopped early: validation has not improved for \(epochs) \(epochs == 1 ? "epoch" : "epochs")"
      )
    case .reachedTime: Terminal.note("stopped by --time-budget after step \(step); \(goOn)")
    case .reachedSteps: Terminal.note("stopped by --max-steps \(step)")
    case .finished: break
    }
    let test = try run.test { Interruption.exitCode != nil }
    print(TrainingSummary.text(run, test: test, unit: unit, ranks: ranks))
    if let problem = LearningCurves.draw(run: folder) { Terminal.note("no curves: \(problem)") }
    guard test == nil, run.corpus.texts[.test] != nil else {
      Terminal.note(next)
      return outcome
    }
    Terminal.note(
      "training is finished, but the test was interrupted; run it with: unroll evaluate \(folder) FILE"
    )
    return .interrupted
  }

  /// Commands for a finished run.
  private var next: String {
    """
    next:
      unroll generate \(folder)
      unroll evaluate \(folder) FILE
      unroll train --resume --output \(folder) --epochs \(2 * run.settings.training.epochs)
    """
  }
}
#endif
