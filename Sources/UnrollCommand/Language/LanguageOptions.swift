// Options of `unroll train` about the text and the model. Their names and help are those of the fields they set.

#if Command
public import ArgumentParser
internal import Foundation
internal import Unroll
public import UnrollLanguage

extension LanguageOptimizer: ExpressibleByArgument {}
extension SymbolUnit: ExpressibleByArgument {}

/// Numbers separated by commas.
struct Fractions: ExpressibleByArgument, SettingValue {
  var values: [Double]

  init?(argument: String) {
    let values = argument.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
    guard !values.isEmpty, !values.contains(nil) else { return nil }
    self.values = values.compactMap(\.self)
  }

  var settingValue: Any { values }
}

/// The text's unit and vocabulary, and files that the model begins with.
struct TextOptions: SettingGroup {
  @Option(setting: "unit") var unit: SymbolUnit?
  @Option(setting: "vocabulary_limit") var vocabularySize: Int?
  @Option(setting: "minimum_count") var minCount: Int?
  @Option(setting: "split") var split: Fractions?
  @Flag(setting: "trims_lines") var trimLines: Bool?
  @Option(setting: "vectors") var vectors: String?
  @Option(setting: "weights") var weights: String?
  @Option(setting: "weights_prefix") var weightsPrefix: String?

  /// Refuses options that would have no effect.
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
struct ModelOptions: SettingGroup {
  @Option(setting: "model.cell") var cell: CellKind?
  @Option(setting: "model.layers") var layers: Int?
  @Option(setting: "model.hidden_size") var hiddenSize: Int?
  @Option(setting: "model.embedding_size") var embeddingSize: Int?
  @Option(setting: "model.top_size") var topSize: Int?
  @Option(setting: "model.projection_size") var projectionSize: Int?
  @Flag(setting: "model.tied") var tied: Bool?
  @Flag(setting: "model.layer_normalized") var layerNorm: Bool?
  @Flag(setting: "model.learn_initial_state") var learnInitialState: Bool?
}

/// Dropout, zoneout, weight decay and activation penalties.
struct RegularizationOptions: SettingGroup {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Set the dropout of the input, between layers and of the output to this rate. (0 up to, but not including, 1)",
      valueName: "rate"))
  var dropout: Double?
  @Option(setting: "model.dropout.input") var dropoutInput: Double?
  @Option(setting: "model.dropout.hidden") var dropoutHidden: Double?
  @Option(setting: "model.dropout.output") var dropoutOutput: Double?
  @Option(setting: "model.dropout.embedding") var dropoutEmbedding: Double?
  @Option(setting: "model.dropout.weights") var weightDrop: Double?
  @Flag(setting: "model.dropout.variational") var variational: Bool?
  @Option(setting: "model.dropout.zoneout_hidden") var zoneoutHidden: Double?
  @Option(setting: "model.dropout.zoneout_cell") var zoneoutCell: Double?
  @Option(setting: "training.weight_decay") var weightDecay: Double?
  @Option(setting: "training.penalties.activation") var activationPenalty: Double?
  @Option(setting: "training.penalties.temporal") var temporalPenalty: Double?

  /// The fields that --dropout sets, unless they have options of their own.
  static let fieldsOfDropout: Set = [
    "model.dropout.input", "model.dropout.hidden", "model.dropout.output",
  ]

  func validate() throws {
    if let dropout, !(dropout >= 0 && dropout < 1) {
      throw ValidationError(
        "--dropout: expected 0 up to, but not including, 1, found \(dropout).")
    }
  }
}
#endif
