// Reads and writes `model.safetensors`: a model's parameters by name.

internal import Foundation
public import Unroll
internal import UnrollContracts
public import UnrollFormats

extension LanguageModel {
  /// The parameters as arrays by name.
  public var arrays: [String: StoredArray] {
    Dictionary(
      zip(parameterNames, parameters.map { StoredArray($0) }),
      uniquingKeysWith: { first, _ in first })
  }

  /// Sets the parameters from arrays.
  ///
  /// - Parameters:
  ///   - arrays: All parameters by name.
  ///   - path: The file, for errors.
  /// - Throws: `RunError` if a parameter is missing or has another shape.
  public mutating func load(_ arrays: [String: StoredArray], path: String) throws {
    let names = parameterNames
    try forEachParameter { try $1.load(names[$0], of: arrays, path: path) }
  }
}

extension Tensor {
  /// Sets the tensor from the array with a name.
  ///
  /// - Throws: `RunError` if it is missing or has another shape.
  mutating func load(_ name: String, of arrays: [String: StoredArray], path: String) throws {
    guard let array = arrays[name], array.shape == shape else {
      throw RunError(
        .parameter(name, expected: shape, found: arrays[name]?.shape), path: path)
    }
    self = array.tensor(of: Scalar.self)
  }
}

/// The model of a run folder, with its vocabulary.
public struct StoredModel: Sendable {
  /// The run's settings.
  public let configuration: RunConfiguration
  /// The symbols.
  public let vocabulary: Vocabulary
  /// The model.
  public let model: LanguageModel<Float>
  /// Metadata: epoch, step, validation loss.
  public let metadata: [String: String]

  /// Reads `config.json`, `vocabulary.json` and `model.safetensors` of a run folder.
  ///
  /// - Parameters:
  ///   - folder: The run's folder.
  ///   - allowsNonFinite: Whether to accept infinite or NaN parameters, for inspection.
  /// - Throws: `RunError` or `CorpusError` with the file and the defect.
  public init(run folder: String, allowsNonFinite: Bool = false) throws {
    guard FileManager.default.fileExists(atPath: folder + "/config.json") else {
      throw RunError.noRun(at: folder)
    }
    configuration = try RunConfiguration(contentsOf: folder + "/config.json")
    vocabulary = try Vocabulary(contentsOf: folder + "/vocabulary.json")
    guard vocabulary.count == configuration.model.vocabularySize else {
      throw RunError(
        .malformedConfiguration(
          "expected a vocabulary of \(configuration.model.vocabularySize) symbols, found \(vocabulary.count)"
        ), path: folder + "/vocabulary.json")
    }
    let path = folder + "/model.safetensors"
    guard FileManager.default.fileExists(atPath: path) else {
      throw RunError(
        .file("there is no model yet; it is written after the first validation"), path: path)
    }
    let file = try Safetensors(checked: path)
    // Checked before allocating memory, because the sizes of a damaged configuration may be impossible.
    let (wanted, found) = (
      configuration.model.parameterCount, file.arrays.values.reduce(0) { $0 + $1.count }
    )
    guard wanted == found else {
      throw RunError(.parameter("all parameters", expected: [wanted], found: [found]), path: path)
    }
    var model = LanguageModel<Float>(configuration.model)
    try model.load(file.arrays, path: path)
    if !allowsNonFinite {
      for (name, parameter) in zip(model.parameterNames, model.parameters) {
        let count = parameter.elements.count { !$0.isFinite }
        guard count == 0 else { throw RunError(.notFinite(name, count: count), path: path) }
      }
    }
    self.model = model
    metadata = file.metadata
  }

  /// Evaluates the model on a text, alone or in an ensemble.
  ///
  /// The loss of an ensemble that averages probabilities is never worse than the mean of its members' losses, and often
  /// better than the best: Zaremba et al. 2014, [arXiv:1409.2329](https://arxiv.org/abs/1409.2329), table 1. All models
  /// are in memory at the same time (``RunConfiguration/checkMemory(averaging:batchSize:path:)``).
  ///
  /// - Parameters:
  ///   - text: The text, of the model's symbols.
  ///   - others: The other models of the ensemble, with the same symbols.
  ///   - batchSize: The number of parallel sequences; with 1 the state is carried through the whole text.
  ///   - ranks: The ranks that share the work; all of them get the result.
  /// - Returns: The loss over all symbols except the first.
  /// - Throws: `RankError` if a rank is lost.
  /// - Precondition: The others have this model's symbols and treatment of lines (``problem(averagingWith:)``).
  public func evaluate(
    _ text: EncodedText, averagingWith others: [StoredModel] = [], batchSize: Int = 1,
    ranks: any Ranks = SingleRank()
  ) throws -> Evaluation {
    for other in others {
      if let problem = problem(averagingWith: other) {
        contractViolation("StoredModel.evaluate: \(problem).")
      }
    }
    var evaluator = Evaluator<Float>()
    return try evaluator.run(
      averaging: [model] + others.map(\.model), text, batchSize: batchSize,
      lineEnd: resettingSymbol,
      ranks: ranks)
      ?? Evaluation(loss: 0, symbols: 0)
  }

  /// Returns the reason why another model's probabilities cannot be averaged with this one's; nil if they can.
  ///
  /// The message gives the property of this model as expected and that of the other as found.
  public func problem(averagingWith other: StoredModel) -> String? {
    guard vocabulary.unit == other.vocabulary.unit else {
      return "expected a model of \(vocabulary.unit), found one of \(other.vocabulary.unit)"
    }
    // Compared by bytes, because Swift strings are equal if they are canonically equivalent.
    let sameSymbols = vocabulary.symbols.elementsEqual(other.vocabulary.symbols) {
      $0.utf8.elementsEqual($1.utf8)
    }
    guard sameSymbols else {
      return
        "expected the first model's vocabulary of \(vocabulary.count) symbols, in the same order, found another of \(other.vocabulary.count); runs with the same training text and limits share it"
    }
    // Words contain no spaces, so trimming does not matter.
    guard
      vocabulary.unit != .characters || vocabulary.trimsLines == other.vocabulary.trimsLines
    else {
      return vocabulary.trimsLines
        ? "expected a model that removes spaces at both ends of lines, found one that keeps them"
        : "expected a model that keeps spaces at both ends of lines, found one that removes them"
    }
    guard
      configuration.training.resetsEachLine == other.configuration.training.resetsEachLine
    else {
      return configuration.training.resetsEachLine
        ? "expected a model that resets its states at each line, found one that carries them"
        : "expected a model that carries its states from line to line, found one that resets them"
    }
    return nil
  }

  /// Evaluates the model on a text with dynamic evaluation; this model is not changed.
  ///
  /// - Parameters:
  ///   - text: The text, of the model's symbols.
  ///   - dynamic: The settings of dynamic evaluation.
  /// - Returns: The loss over all symbols except the first; not finite if training diverged.
  public func evaluate(_ text: EncodedText, dynamic: DynamicEvaluation) -> Evaluation {
    dynamic.run(model, text, lineEnd: resettingSymbol)
  }
}
