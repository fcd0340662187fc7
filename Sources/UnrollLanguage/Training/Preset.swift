// Published settings, each with its source and the result to compare with.

internal import Unroll

/// A named set of settings.
public struct Preset: Sendable {
  /// The name on the command line.
  public let name: String
  /// The source and its result.
  public let source: String
  /// The unit of a symbol.
  public let unit: SymbolUnit
  /// Whether to remove spaces at both ends of lines (characters).
  public let trimsLines: Bool
  /// Sizes and dropout; the corpus determines the vocabulary's size.
  public let model: ModelConfiguration
  /// The training settings.
  public let training: TrainingConfiguration

  init(
    _ name: String, _ source: String, unit: SymbolUnit = .words, trimsLines: Bool = false,
    model: ModelConfiguration,
    _ change: (inout TrainingConfiguration) -> Void
  ) {
    self.name = name
    self.source = source
    self.unit = unit
    self.trimsLines = trimsLines
    self.model = model
    var training = TrainingConfiguration()
    change(&training)
    self.training = training
  }

  /// All presets.
  public static let all: [Preset] = [
    grammar, course, zarembaSmall, zarembaMedium, tied200, tied512, awd, charPTB, charShakespeare,
  ]

  /// Returns the preset with a name.
  public static func named(_ name: String) -> Preset? { all.first { $0.name == name } }

  private static func sizes(
    _ embedding: Int, _ hidden: Int, layers: Int = 1, cell: CellKind = .lstm, top: Int? = nil,
    tied: Bool = false, _ dropout: DropoutRates = DropoutRates()
  ) -> ModelConfiguration {
    ModelConfiguration(
      vocabularySize: 1, embeddingSize: embedding, hiddenSize: hidden, topSize: top,
      layers: layers, cell: cell, isTied: tied, dropout: dropout)
  }

  static let grammar = Preset(
    "grammar", "embedded grammar: reaches nearly the optimal perplexity in 20 seconds",
    model: sizes(32, 96, cell: .gruResetAfter)
  ) {
    ($0.batchSize, $0.timeSteps, $0.epochs) = (32, 20, 8)
    $0.learningRate = 0.004
    $0.schedule = .decay(afterEpoch: 3, factor: 0.5)
  }

  static let course = Preset(
    "course",
    "exercise of the notebook: validation perplexity below 175 (Adam, early stopping)",
    model: sizes(50, 400, cell: .gruResetBefore, DropoutRates(input: 0.1, output: 0.5))
  ) {
    ($0.batchSize, $0.timeSteps, $0.epochs) = (128, 10, 20)
    $0.learningRate = 0.002
    $0.schedule = .plateau(factor: 0.25)
    $0.patience = 2
  }

  static let zarembaSmall = Preset(
    "zaremba-small",
    "Zaremba et al. 2014, without dropout, as in TensorFlow's tutorial: test 115.9",
    model: sizes(200, 200, layers: 2)
  ) {
    ($0.batchSize, $0.timeSteps, $0.epochs) = (20, 20, 13)
    ($0.optimizer, $0.learningRate) = (.sgd, 20)
    $0.schedule = .decay(afterEpoch: 4, factor: 0.5)
    $0.clipNorm = 0.25
    $0.initialization = Initialization(
      embeddingRange: 0.1, recurrentRange: 0.1, softmaxRange: 0.1, forgetBias: 0)
  }

  static let zarembaMedium = Preset(
    "zaremba-medium", "Zaremba et al. 2014: test 82.7 after 39 epochs",
    model: sizes(650, 650, layers: 2, DropoutRates(input: 0.5, hidden: 0.5, output: 0.5))
  ) {
    ($0.batchSize, $0.timeSteps, $0.epochs) = (20, 35, 39)
    ($0.optimizer, $0.learningRate) = (.sgd, 35)
    $0.schedule = .decay(afterEpoch: 6, factor: 0.8)
    $0.clipNorm = 5.0 / 35
    $0.initialization = Initialization(
      embeddingRange: 0.05, recurrentRange: 0.05, softmaxRange: 0.05, forgetBias: 0)
  }

  static let tied200 = Preset(
    "tied-200", "PyTorch's word language model, 200 units, tied: test about 87 after 40 epochs",
    model: sizes(
      200, 200, layers: 2, tied: true, DropoutRates(input: 0.2, hidden: 0.2, output: 0.2))
  ) {
    ($0.batchSize, $0.timeSteps, $0.epochs) = (20, 35, 40)
    ($0.optimizer, $0.learningRate) = (.sgd, 20)
    $0.schedule = .plateau(factor: 0.25)
    $0.clipNorm = 0.25
    $0.initialization = Initialization(embeddingRange: 0.1, forgetBias: 0)
  }

  static let tied512 = Preset(
    "tied-512",
    "tied LSTM (Press and Wolf 2017) of 512 units with Adam and dropout 0.5: test about 76 in the literature, 89.6 here",
    model: sizes(
      512, 512, layers: 2, tied: true,
      DropoutRates(input: 0.5, hidden: 0.5, output: 0.5, isVariational: true))
  ) {
    ($0.batchSize, $0.timeSteps, $0.epochs) = (128, 32, 60)
    $0.learningRate = 0.003
    $0.schedule = .plateau(factor: 0.5)
    $0.clipNorm = 1
    $0.initialization = Initialization(embeddingRange: 0.1)
  }

  static let awd = Preset(
    "awd", "AWD-LSTM (Merity et al. 2018): test 57.3 after 500 epochs",
    model: sizes(
      400, 1150, layers: 3, top: 400, tied: true,
      DropoutRates(
        embedding: 0.1, input: 0.4, hidden: 0.25, output: 0.4, weights: 0.5, isVariational: true))
  ) {
    ($0.batchSize, $0.timeSteps, $0.epochs) = (20, 70, 500)
    ($0.optimizer, $0.learningRate) = (.averaged, 30)
    $0.isJittered = true
    $0.clipNorm = 0.25
    $0.weightDecay = 1.2e-6
    $0.penalties = ActivationPenalties(activation: 2, temporal: 1)
    $0.initialization = Initialization(embeddingRange: 0.1, forgetBias: 0)
  }

  static let charPTB = Preset(
    "char-ptb",
    "one LSTM layer on PTB's characters: test 1.36 bits here (Mikolov et al. 2012: 1.41)",
    unit: .characters, trimsLines: true,
    model: sizes(64, 640, DropoutRates(output: 0.15))
  ) {
    ($0.batchSize, $0.timeSteps, $0.epochs) = (32, 64, 10)
    $0.learningRate = 0.002
    $0.schedule = .decay(afterEpoch: 4, factor: 0.65)
    $0.clipNorm = 1
    $0.evaluationBatchSize = 50
  }

  static let charShakespeare = Preset(
    "char-shakespeare",
    "char-rnn on tiny Shakespeare (Karpathy 2015): 1.30 nats here on the last 5 % of its 50 streams",
    unit: .characters,
    model: sizes(64, 384, layers: 2, DropoutRates(hidden: 0.3, output: 0.4))
  ) {
    ($0.batchSize, $0.timeSteps, $0.epochs) = (50, 64, 30)
    $0.learningRate = 0.003
    $0.schedule = .decay(afterEpoch: 10, factor: 0.8)
    $0.clipNorm = 1
    $0.patience = 6
  }
}
