// Options of `unroll train` about the text and the model. Their help is that of the fields they set.

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

/// How a text becomes symbols, and files that the model begins with.
struct TextOptions: ParsableArguments {
  @Option(help: .setting("unit")) var unit: SymbolUnit?
  @Option(parsing: .unconditional, help: .setting("vocabulary_limit")) var vocabularySize: Int?
  @Option(parsing: .unconditional, help: .setting("minimum_count")) var minCount: Int?
  @Option(parsing: .unconditional, help: .setting("split")) var split: Fractions?
  @Flag(inversion: .prefixedNo, help: .setting("trims_lines")) var trimLines: Bool?
  @Option(help: .setting("vectors")) var vectors: String?
  @Option(help: .setting("weights")) var weights: String?
  @Option(help: .setting("weights_prefix")) var weightsPrefix: String?

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

/// Cell and sizes.
struct ModelOptions: ParsableArguments {
  @Option(help: .setting("model.cell", "One of \(CellKind.choices).")) var cell: CellKind?
  @Option(parsing: .unconditional, help: .setting("model.layers")) var layers: Int?
  @Option(parsing: .unconditional, help: .setting("model.hidden_size")) var hiddenSize: Int?
  @Option(parsing: .unconditional, help: .setting("model.embedding_size")) var embeddingSize: Int?
  @Option(parsing: .unconditional, help: .setting("model.top_size")) var topSize: Int?
  @Option(parsing: .unconditional, help: .setting("model.projection_size")) var projectionSize: Int?
  @Flag(inversion: .prefixedNo, help: .setting("model.tied")) var tied: Bool?
  @Flag(inversion: .prefixedNo, help: .setting("model.layer_normalized")) var layerNorm: Bool?
  @Flag(inversion: .prefixedNo, help: .setting("model.learn_initial_state"))
  var learnInitialState: Bool?

  func apply(to model: inout ModelConfiguration) {
    if let cell { model.cell = cell }
    if let layers { model.layers = layers }
    if let hiddenSize { model.hiddenSize = hiddenSize }
    if let topSize { model.topSize = topSize }
    if let embeddingSize { model.embeddingSize = embeddingSize }
    if let projectionSize { model.projectionSize = projectionSize }
    if let tied { model.isTied = tied }
    if let layerNorm { model.isNormalized = layerNorm }
    if let learnInitialState { model.learnsInitialState = learnInitialState }
  }
}

/// Dropout, zoneout and other penalties on what a model learns by heart.
struct RegularizationOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Set the dropout of the input, between layers and of the output to this rate, 0 up to, but not including, 1.",
      valueName: "rate"))
  var dropout: Double?
  @Option(parsing: .unconditional, help: .setting("model.dropout.input")) var dropoutInput: Double?
  @Option(parsing: .unconditional, help: .setting("model.dropout.hidden"))
  var dropoutHidden: Double?
  @Option(parsing: .unconditional, help: .setting("model.dropout.output"))
  var dropoutOutput: Double?
  @Option(parsing: .unconditional, help: .setting("model.dropout.embedding"))
  var dropoutEmbedding: Double?
  @Option(parsing: .unconditional, help: .setting("model.dropout.weights")) var weightDrop: Double?
  @Flag(inversion: .prefixedNo, help: .setting("model.dropout.variational")) var variational: Bool?
  @Option(parsing: .unconditional, help: .setting("model.dropout.zoneout_hidden"))
  var zoneoutHidden: Double?
  @Option(parsing: .unconditional, help: .setting("model.dropout.zoneout_cell"))
  var zoneoutCell: Double?
  @Option(parsing: .unconditional, help: .setting("training.weight_decay")) var weightDecay: Double?
  @Option(parsing: .unconditional, help: .setting("training.penalties.activation"))
  var activationPenalty: Double?
  @Option(parsing: .unconditional, help: .setting("training.penalties.temporal"))
  var temporalPenalty: Double?

  func validate() throws {
    if let dropout, !(dropout >= 0 && dropout < 1) {
      throw ValidationError(
        "--dropout: expected 0 up to, but not including, 1, found \(dropout).")
    }
  }

  func apply(to settings: inout RunConfiguration) {
    if let dropout {
      (
        settings.model.dropout.input, settings.model.dropout.hidden, settings.model.dropout.output
      ) = (dropout, dropout, dropout)
    }
    if let dropoutInput { settings.model.dropout.input = dropoutInput }
    if let dropoutHidden { settings.model.dropout.hidden = dropoutHidden }
    if let dropoutOutput { settings.model.dropout.output = dropoutOutput }
    if let dropoutEmbedding { settings.model.dropout.embedding = dropoutEmbedding }
    if let weightDrop { settings.model.dropout.weights = weightDrop }
    if let variational { settings.model.dropout.isVariational = variational }
    if let zoneoutHidden { settings.model.dropout.zoneoutHidden = zoneoutHidden }
    if let zoneoutCell { settings.model.dropout.zoneoutCell = zoneoutCell }
    if let weightDecay { settings.training.weightDecay = weightDecay }
    if let activationPenalty { settings.training.penalties.activation = activationPenalty }
    if let temporalPenalty { settings.training.penalties.temporal = temporalPenalty }
  }
}
#endif
