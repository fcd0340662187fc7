#if Command
internal import Foundation
internal import RealModule
internal import Unroll
internal import UnrollLanguage

/// Shows the progress of training: one redrawn line on a terminal, otherwise a line from time to time.
struct TrainingProgressLine {
  private let configuration: RunConfiguration
  private let vocabulary: Vocabulary
  private let samples: Int
  private var timeLeft: TimeLeft
  private var tenths = -1
  private var isOpen = false
  private var shown = ContinuousClock.now

  init(
    _ configuration: RunConfiguration, vocabulary: Vocabulary, samples: Int,
    timeBudget: Double? = nil
  ) {
    self.configuration = configuration
    self.vocabulary = vocabulary
    self.samples = samples
    timeLeft = TimeLeft(configuration.training, budget: timeBudget)
  }

  mutating func show(_ event: TrainingEvent, of folder: String) {
    switch event {
    case .step(let progress, let loss, let speed, let fraction):
      showStep(progress, loss, speed, fraction)
    case .epoch(let metrics, let isBest):
      end()
      timeLeft.noteValidation(at: .now)
      let rate = String(format: "%.3g", metrics.learningRate)
      Terminal.note(
        "\(metrics.isWhole ? "" : "part of ")epoch \(metrics.epoch): train \(quality(metrics.trainLoss)), validation \(quality(metrics.validationLoss))\(isBest ? " (best)" : ""), rate \(rate), \(Int(metrics.tokensPerSecond)) tokens/s, \(duration(metrics.seconds))"
      )
      tenths = -1
      if samples > 0 && isBest { showSample(folder) }
    case .checkpoint: break
    case .note(let text):
      end()
      Terminal.note(text)
    }
  }

  /// Ends the redrawn line.
  mutating func end() {
    if isOpen { Terminal.write("\n") }
    isOpen = false
  }

  private mutating func showStep(
    _ progress: TrainingProgress, _ loss: Double, _ speed: Double, _ fraction: Double
  ) {
    let epochs = configuration.training.epochs
    let left = timeLeft.seconds(after: progress, epochFraction: fraction, at: .now)
    // Patience may end a run earlier.
    let most = configuration.training.patience == nil ? "" : "at most "
    // If not all fit, only the first ones are shown.
    let parts = [
      "epoch \(progress.epoch)/\(epochs) \(Int(fraction * 100)) %", "step \(progress.step)",
      quality(loss), left.map { "\(most)\(duration($0)) left" }, "\(Int(speed)) tokens/s",
      "loss \(String(format: "%.4f", loss))",
    ].compactMap(\.self)
    if Terminal.isInteractive {
      guard shown.duration(to: .now) > .milliseconds(100) else { return }
      shown = .now
      Terminal.write("\r\u{1B}[K" + Terminal.line(parts, columns: Terminal.columns))
      isOpen = true
    } else {
      // Print a line every tenth of an epoch, at most every 10 s and at least every 30 s.
      let tenth = Int(fraction * 10)
      let silence = shown.duration(to: .now)
      guard silence > .seconds(tenth > tenths ? 10 : 30) else { return }
      tenths = tenth
      shown = .now
      Terminal.note(parts.joined(separator: ", "))
    }
  }

  private func showSample(_ folder: String) {
    guard let stored = try? StoredModel(run: folder), let prompt = try? stored.prompt("") else {
      return
    }
    let text = stored.text(after: prompt, length: samples)
    Terminal.note("  " + text.replacingOccurrences(of: "\n", with: "\n  "))
  }

  private func quality(_ loss: Double) -> String { LanguageWords.quality(loss, vocabulary.unit) }
  private func duration(_ seconds: Double) -> String { LanguageWords.duration(seconds) }
}

/// Losses and durations in customary units.
enum LanguageWords {
  /// The loss as perplexity for words, and as bits for characters and bytes.
  static func quality(_ loss: Double, _ unit: SymbolUnit) -> String {
    switch unit {
    case .words: String(format: "perplexity %.2f", Double.exp(loss))
    case .characters: String(format: "%.4f bits per character", loss / Double.log(2))
    case .bytes: String(format: "%.4f bits per byte", loss / Double.log(2))
    }
  }

  static func duration(_ seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    return whole < 60
      ? "\(whole) s"
      : whole < 3600
        ? "\(whole / 60) min \(whole % 60) s"
        : "\(whole / 3600) h \(whole / 60 % 60) min"
  }
}

/// The table printed at the end of a run.
enum TrainingSummary {
  static func text(
    _ run: TrainingRun, test: Evaluation?, unit: SymbolUnit, ranks: any Ranks
  ) -> String {
    let (progress, settings) = (run.progress, run.settings)
    var table = TextTable(["what", "value"])
    table.add(["parameters", "\(settings.model.parameterCount)"])
    table.add(["steps", "\(progress.step)"])
    table.add(["whole epochs", "\(progress.validations.count)"])
    table.add(["training time", LanguageWords.duration(progress.seconds)])
    if progress.seconds > 0 {
      table.add(["tokens/s", "\(Int(Double(progress.symbols) / progress.seconds))"])
    }
    if ranks.count > 1 {
      let shards = settings.training.shards ?? 1
      let steps = Double(max(1, run.sessionSteps))
      let sent = String(format: "%.2f MB a step", Double(ranks.sentBytes) / steps / 1e6)
      let waited = String(format: "%.2f", ranks.waitedSeconds / steps * 1e3)
      table.add(["ranks", "\(ranks.count), of \(shards) shards"])
      table.add([
        "sent by rank 0", ranks.hasSharedMemory ? "nothing: all ranks see one memory" : sent,
      ])
      table.add(["waited for sums", "\(waited) ms a step"])
    }
    if let best = progress.bestLoss {
      let epoch = progress.bestEpoch ?? 0
      let part = epoch > progress.validations.count ? "part of " : ""
      table.add(["best validation", LanguageWords.quality(best, unit) + ", \(part)epoch \(epoch)"])
    }
    if let test { table.add(["test", LanguageWords.quality(test.loss, unit)]) }
    // The grammar's best possible perplexity applies only if no word became <unk>.
    if settings.corpus == nil, unit == .words, settings.vocabularyLimit == nil,
      settings.minimumCount == 1
    {
      table.add([
        "best possible",
        LanguageWords.quality(EmbeddedGrammar.standard.entropyRate, .words)
          + ", the grammar's entropy rate",
      ])
    }
    table.add(["model", run.folder.path + "/model.safetensors"])
    return table.text
  }
}
#endif
