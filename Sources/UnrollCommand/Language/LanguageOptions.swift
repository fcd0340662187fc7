#if Command
public import ArgumentParser
internal import Foundation
internal import Unroll
public import UnrollLanguage

extension LanguageOptimizer: ExpressibleByArgument {}
extension SymbolUnit: ExpressibleByArgument {}

/// Numbers separated by commas.
struct Fractions: ExpressibleByArgument {
  var values: [Double]

  init?(argument: String) {
    let values = argument.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
    guard !values.isEmpty, !values.contains(nil) else { return nil }
    self.values = values.compactMap(\.self)
  }
}

/// How a text becomes symbols.
struct TextOptions: ParsableArguments {
  @Option(help: "What a symbol is: words, characters (Unicode scalars) or bytes.")
  var unit: SymbolUnit?
  @Option(
    parsing: .unconditional,
    help:
      "At most this number of symbols in the vocabulary, 3 ... 10000000; the others become <unk>.")
  var vocabularySize: Int?
  @Option(
    parsing: .unconditional,
    help: "How often a symbol must stand in the training text to be known, at least 1.")
  var minCount: Int?
  @Option(
    parsing: .unconditional,
    help: "The fractions of a single file for train, valid, test, in file order.")
  var split: Fractions?
  @Flag(inversion: .prefixedNo, help: "Leave spaces at both ends of lines out (characters).")
  var trimLines: Bool?
  @Option(help: "A .npy file [V, E], or text lines of a word and its numbers, for the embedding.")
  var vectors: String?
  @Option(
    help: "A file, such as another program's, whose recurrent layers the model begins with.")
  var weights: String?
  @Option(help: "How the names of that network begin, where the file of --weights holds several.")
  var weightsPrefix: String?

  func apply(to settings: inout RunConfiguration) {
    if let unit { settings.unit = unit }
    if let vocabularySize { settings.vocabularyLimit = vocabularySize }
    if let minCount { settings.minimumCount = minCount }
    if let split { settings.split = split.values }
    if let trimLines { settings.trimsLines = trimLines }
    if let vectors { settings.vectors = vectors }
    if let weights { settings.weights = weights }
    if let weightsPrefix { settings.weightsPrefix = weightsPrefix }
  }

  func validate() throws {
    if let vocabularySize, vocabularySize < 3 {
      throw ValidationError("--vocabulary-size: expected at least 3, found \(vocabularySize).")
    }
    if let minCount, minCount < 1 {
      throw ValidationError("--min-count: expected at least 1, found \(minCount).")
    }
    if let split, let problem = CorpusError.problem(ofSplit: split.values) {
      throw ValidationError("--\(problem).")
    }
  }

  /// Refuses what would change nothing.
  func checkUse(in settings: RunConfiguration) throws {
    if settings.unit == .bytes, vocabularySize != nil || minCount != nil {
      throw ValidationError(
        "--vocabulary-size and --min-count: expected words or characters, found bytes, whose symbols are always all 256; leave them out."
      )
    }
    guard split != nil else { return }
    var isFolder: ObjCBool = false
    let isThere = settings.corpus.map {
      FileManager.default.fileExists(atPath: $0, isDirectory: &isFolder)
    }
    if isThere == nil || isFolder.boolValue {
      throw ValidationError(
        "--split: expected one text file to divide, found \(settings.corpus ?? "no text"); leave it out."
      )
    }
  }
}

/// Sizes, cell and dropout.
struct ModelOptions: ParsableArguments {
  @Option(
    help:
      "\(CellKind.choices). A janet begins with chrono initialisation: forget biases log u, u uniform in 1 ... T - 1, T being --time-steps, at least 3."
  )
  var cell: CellKind?
  @Option(parsing: .unconditional, help: "Recurrent layers, 1 ... 1000.")
  var layers: Int?
  @Option(parsing: .unconditional, help: "Units of a layer, 1 ... 10000000.")
  var hiddenSize: Int?
  @Option(
    parsing: .unconditional, help: "Units of the last layer, if they differ, 1 ... 10000000.")
  var topSize: Int?
  @Option(parsing: .unconditional, help: "Size of a symbol's vector, 1 ... 10000000.")
  var embeddingSize: Int?
  @Option(
    parsing: .unconditional, help: "Size of a linear layer below the softmax, 1 ... 10000000.")
  var projectionSize: Int?
  @Flag(inversion: .prefixedNo, help: "The softmax uses the embedding's vectors.")
  var tied: Bool?
  @Option(
    parsing: .unconditional,
    help:
      "Dropout of the input, between layers and of the output, all three: 0 up to, but not including, 1."
  )
  var dropout: Double?
  @Option(
    parsing: .unconditional,
    help: "Dropout of the first layer's input, 0 up to, but not including, 1.")
  var dropoutInput: Double?
  @Option(parsing: .unconditional, help: "Dropout between layers, 0 up to, but not including, 1.")
  var dropoutHidden: Double?
  @Option(
    parsing: .unconditional,
    help: "Dropout of the last layer's output, 0 up to, but not including, 1.")
  var dropoutOutput: Double?
  @Option(parsing: .unconditional, help: "Dropout of whole symbols, 0 up to, but not including, 1.")
  var dropoutEmbedding: Double?
  @Option(
    parsing: .unconditional, help: "Dropout of recurrent weights, 0 up to, but not including, 1.")
  var weightDrop: Double?
  @Option(
    parsing: .unconditional,
    help: "How often units keep their hidden state, 0 up to, but not including, 1.")
  var zoneoutHidden: Double?
  @Option(
    parsing: .unconditional,
    help: "How often an LSTM's units keep their cell state, 0 up to, but not including, 1.")
  var zoneoutCell: Double?
  @Flag(inversion: .prefixedNo, help: "Layer-normalised cells.") var layerNorm: Bool?
  @Flag(
    inversion: .prefixedNo,
    help: "Train the state that sequences begin with; otherwise it is zero.")
  var learnInitialState: Bool?
  @Flag(inversion: .prefixedNo, help: "One dropout mask for all steps of a batch.")
  var variational: Bool?

  func validate() throws {
    if let dropout, !(dropout >= 0 && dropout < 1) {
      throw ValidationError(
        "--dropout: expected 0 up to, but not including, 1, found \(dropout).")
    }
  }

  func apply(to model: inout ModelConfiguration) {
    if let cell { model.cell = cell }
    if let layers { model.layers = layers }
    if let hiddenSize { model.hiddenSize = hiddenSize }
    if let topSize { model.topSize = topSize }
    if let embeddingSize { model.embeddingSize = embeddingSize }
    if let projectionSize { model.projectionSize = projectionSize }
    if let tied { model.isTied = tied }
    if let dropout {
      (model.dropout.input, model.dropout.hidden, model.dropout.output) = (
        dropout, dropout, dropout
      )
    }
    if let dropoutInput { model.dropout.input = dropoutInput }
    if let dropoutHidden { model.dropout.hidden = dropoutHidden }
    if let dropoutOutput { model.dropout.output = dropoutOutput }
    if let dropoutEmbedding { model.dropout.embedding = dropoutEmbedding }
    if let weightDrop { model.dropout.weights = weightDrop }
    if let zoneoutHidden { model.dropout.zoneoutHidden = zoneoutHidden }
    if let zoneoutCell { model.dropout.zoneoutCell = zoneoutCell }
    if let layerNorm { model.isNormalized = layerNorm }
    if let learnInitialState { model.learnsInitialState = learnInitialState }
    if let variational { model.dropout.isVariational = variational }
  }
}

/// Batches, rule, rate and their limits.
struct TrainingOptions: ParsableArguments {
  @Option(parsing: .unconditional, help: "Sequences side by side, 1 ... 1000000000.")
  var batchSize: Int?
  @Option(
    parsing: .unconditional,
    help:
      "Parts of a batch whose gradients are summed in order, 1 ... 256: at least one for each process of an MPI job. Default: 1, or what --config has; under mpirun 8, or as many as processes."
  )
  var shards: Int?
  @Option(
    parsing: .unconditional,
    help: "Steps of truncated backpropagation through time, 1 ... 1000000000.")
  var timeSteps: Int?
  @Flag(inversion: .prefixedNo, help: "Vary the steps from batch to batch.")
  var jitter: Bool?
  @Flag(
    inversion: .prefixedNo,
    help: "Begin every line with the initial state instead of carrying it from line to line.")
  var resetEachLine: Bool?
  @Option(help: "sgd, momentum, rmsprop, adam, nt-asgd.") var optimizer: LanguageOptimizer?
  @Option(parsing: .unconditional, help: "Learning rate, at least 0.")
  var learningRate: Double?
  @Option(
    parsing: .unconditional,
    help: "Multiply the rate by this, above 0 and at most 1, in every epoch after --decay-after.")
  var decay: Double?
  @Option(
    parsing: .unconditional,
    help: "The epoch after which --decay begins, 0 ... 1000000000. Default: the preset's, or 1.")
  var decayAfter: Int?
  @Option(
    parsing: .unconditional,
    help: "Multiply the rate by this, above 0 and at most 1, after an epoch without gain.")
  var plateau: Double?
  @Option(
    parsing: .unconditional, help: "Decay of all parameters, at least 0 (with adam as in AdamW).")
  var weightDecay: Double?
  @Option(
    parsing: .unconditional, help: "Largest global norm of a gradient, at least 0; 0 for no limit.")
  var clipNorm: Double?
  @Option(
    parsing: .unconditional,
    help: "Clip every number of a gradient to plus or minus this, at least 0; 0 for no limit.")
  var clipValue: Double?
  @Option(
    parsing: .unconditional,
    help: "AR: this, at least 0, times the mean square of the last layer's output.")
  var activationPenalty: Double?
  @Option(
    parsing: .unconditional, help: "TAR: this, at least 0, times the mean square of its changes.")
  var temporalPenalty: Double?
  @Option(parsing: .unconditional, help: "Maximum number of epochs, 1 ... 1000000000.")
  var epochs: Int?
  @Option(parsing: .unconditional, help: "Maximum number of steps, 1 ... 1000000000.")
  var maxSteps: Int?
  @Option(
    parsing: .unconditional,
    help: "Epochs without gain after which training stops, 1 ... 1000000000.")
  var patience: Int?
  @Option(
    parsing: .unconditional,
    help:
      "Write loss, learning rate, gradient norm and tokens/s to metrics.jsonl and TensorBoard every this number of steps, 0 ... 1000000000; 0 for never. Default: about once per second."
  )
  var logEvery: Int?
  @Option(
    parsing: .unconditional,
    help:
      "Validate within an epoch every this number of steps, 1 ... 1000000000, and keep the model if it is the best so far. Default: only after each epoch."
  )
  var validateEvery: Int?
  @Option(
    parsing: .unconditional,
    help: "The seed of all draws, \(TrainingConfiguration.seedRange).",
    transform: { word in
      guard let seed = UInt32(word) else {
        throw ValidationError("expected \(TrainingConfiguration.seedRange), found '\(word)'.")
      }
      return seed
    })
  var seed: UInt32?

  func apply(to training: inout TrainingConfiguration) {
    if let batchSize { training.batchSize = batchSize }
    if let shards { training.shards = shards == 1 ? nil : shards }
    if let timeSteps { training.timeSteps = timeSteps }
    if let jitter { training.isJittered = jitter }
    if let resetEachLine { training.resetsEachLine = resetEachLine }
    if let optimizer { training.optimizer = optimizer }
    if let learningRate { training.learningRate = learningRate }
    if let decay {
      var afterEpoch = decayAfter ?? 1
      if decayAfter == nil, case .decay(let kept, _) = training.schedule { afterEpoch = kept }
      training.schedule = .decay(afterEpoch: afterEpoch, factor: decay)
    }
    if let plateau { training.schedule = .plateau(factor: plateau) }
    if let weightDecay { training.weightDecay = weightDecay }
    if let clipNorm { training.clipNorm = clipNorm }
    if let clipValue { training.clipValue = clipValue }
    if let activationPenalty { training.penalties.activation = activationPenalty }
    if let temporalPenalty { training.penalties.temporal = temporalPenalty }
    if let epochs { training.epochs = epochs }
    if let maxSteps { training.maximumSteps = maxSteps }
    if let patience { training.patience = patience }
    if let logEvery { training.logEvery = logEvery }
    if let validateEvery { training.validateEvery = validateEvery }
    if let seed { training.seed = seed }
  }

  func validate() throws {
    if decay != nil && plateau != nil {
      throw ValidationError("--decay and --plateau: give one of the two.")
    }
    if let decayAfter, !(0...1_000_000_000).contains(decayAfter) {
      throw ValidationError("--decay-after: expected 0 ... 1000000000, found \(decayAfter).")
    }
    if decayAfter != nil && decay == nil {
      throw ValidationError("--decay-after: give --decay, too.")
    }
  }
}
#endif
