// The summary that `unroll train` prints before the first step.

#if Command
internal import Unroll
internal import UnrollLanguage

/// A summary of what a run will do.
struct TrainingHeader {
  private let settings: RunConfiguration
  private let corpus: Corpus
  private let folder: String
  private let timeBudget: Double?

  /// - Parameters:
  ///   - run: The run before its first step.
  ///   - timeBudget: The session's seconds; nil for no limit.
  init(_ run: TrainingRun, timeBudget: Double?) {
    (settings, corpus, folder) = (run.settings, run.corpus, run.folder.path)
    self.timeBudget = timeBudget
  }

  private var model: ModelConfiguration { settings.model }
  private var training: TrainingConfiguration { settings.training }

  /// Lines for model, text, optimization, length and folder.
  var text: String {
    """
    training a language model of \(corpus.vocabulary.unit.rawValue), \(model.parameterCount) parameters
      model     \(modelLine)
      text      \(textLine)
      training  \(trainingLine)
      length    \(lengthLine)
      folder    \(folder)
    """
  }

  private var modelLine: String {
    var words = [
      "\(model.layers) \(model.layers == 1 ? "layer" : "layers") of \(model.cell.rawValue), \(model.hiddenSize) units"
    ]
    if let top = model.topSize { words.append("\(top) in the last") }
    words.append("embedding \(model.embeddingSize)")
    if let projection = model.projectionSize { words.append("projection \(projection)") }
    if model.isTied { words.append("tied") }
    if model.isNormalized { words.append("layer-normalized") }
    if let steps = training.initialization.chronoSteps {
      words.append(
        "chrono biases for up to \(steps) steps"
          + (settings.hasPublishedChronoSteps ? " (as many as time steps)" : ""))
    }
    return words.joined(separator: ", ")
  }

  private var textLine: String {
    let unit = corpus.vocabulary.unit
    let count = { (part: CorpusPart) in corpus.texts[part]?.count ?? 0 }
    var text = "\(settings.corpus ?? "the embedded grammar"): \(unit.counted(count(.train)))"
    text += " for training, \(count(.valid)) for validation"
    if count(.test) > 0 { text += ", \(count(.test)) for testing" }
    return text + "; vocabulary \(corpus.vocabulary.count)"
  }

  private var trainingLine: String {
    let change =
      switch training.schedule {
      case .constant: "constant"
      case .decay(let epoch, let factor): "times \(factor) in every epoch after \(epoch)"
      case .plateau(let factor): "times \(factor) after an epoch without gain"
      }
    return
      "\(training.optimizer.rawValue), rate \(training.learningRate), \(change); batches of \(training.batchSize) × \(training.timeSteps)"
  }

  private var lengthLine: String {
    var limits = ["\(training.epochs) epochs"]
    if let steps = training.maximumSteps { limits.append("\(steps) steps") }
    if let timeBudget { limits.append(LanguageWords.duration(timeBudget)) }
    return "at most " + limits.joined(separator: ", ")
  }
}
#endif
