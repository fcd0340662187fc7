// `model.safetensors`: a model's parameters by their plain names.

internal import Foundation
public import Unroll
internal import UnrollContracts
public import UnrollFormats

extension LanguageModel {
  /// The parameters as arrays, by name.
  public var arrays: [String: StoredArray] {
    Dictionary(
      zip(parameterNames, parameters.map { StoredArray($0) }),
      uniquingKeysWith: { first, _ in first })
  }

  /// Takes parameters from arrays.
  ///
  /// - Parameters:
  ///   - arrays: All parameters by name.
  ///   - path: The file, for errors.
  /// - Throws: `RunError` if a parameter is missing or of another shape.
  public mutating func take(_ arrays: [String: StoredArray], path: String) throws {
    let names = parameterNames
    try forEachParameter { try $1.take(names[$0], of: arrays, path: path) }
  }
}

extension Tensor {
  /// Becomes the array of a name.
  ///
  /// - Throws: `RunError` if it is missing or of another shape.
  mutating func take(_ name: String, of arrays: [String: StoredArray], path: String) throws {
    guard let array = arrays[name], array.shape == shape else {
      throw RunError(
        .parameter(name, expected: shape, found: arrays[name]?.shape), path: path)
    }
    self = array.tensor(of: Scalar.self)
  }
}

/// A model with its vocabulary, as a run folder holds it.
public struct StoredModel: Sendable {
  /// The run's settings.
  public let configuration: RunConfiguration
  /// The symbols.
  public let vocabulary: Vocabulary
  /// The model.
  public let model: LanguageModel<Float>
  /// Words about it: epoch, step, validation loss.
  public let metadata: [String: String]

  /// Reads `config.json`, `vocabulary.json` and `model.safetensors` of a run folder.
  ///
  /// - Parameters:
  ///   - folder: The run's folder.
  ///   - allowsNonFinite: Whether parameters may be infinite or NaN: to look at them, not to predict with them.
  /// - Throws: `RunError` or `CorpusError` with the file and what is wrong with it.
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
      throw RunError(.file("there is no model yet; it comes with the first validation"), path: path)
    }
    let file = try Safetensors(checked: path)
    // Before memory is asked for that a damaged configuration may make impossible.
    let (wanted, found) = (
      configuration.model.parameterCount, file.arrays.values.reduce(0) { $0 + $1.count }
    )
    guard wanted == found else {
      throw RunError(.parameter("all parameters", expected: [wanted], found: [found]), path: path)
    }
    var model = LanguageModel<Float>(configuration.model)
    try model.take(file.arrays, path: path)
    if !allowsNonFinite {
      for (name, parameter) in zip(model.parameterNames, model.parameters) {
        let count = parameter.elements.count { !$0.isFinite }
        guard count == 0 else { throw RunError(.notFinite(name, count: count), path: path) }
      }
    }
    self.model = model
    metadata = file.metadata
  }

  /// How well the model predicts a text, alone or with others.
  ///
  /// The mean of several models' probabilities is never worse than they are on average, and often better than the
  /// best: Zaremba et al. 2014, [arXiv:1409.2329](https://arxiv.org/abs/1409.2329), table 1. All of them are in
  /// memory at once (``RunConfiguration/checkMemory(averaging:batchSize:path:)``).
  ///
  /// - Parameters:
  ///   - text: The text, of the model's symbols.
  ///   - others: Models of the same symbols; the mean of the probabilities of all of them is judged.
  ///   - batchSize: Sequences side by side; with 1 the state is carried through the whole text.
  ///   - ranks: Who shares the work; all of them get the result.
  /// - Returns: The loss over all symbols but the first.
  /// - Throws: `RankError` if a rank is gone.
  /// - Precondition: The others have this model's symbols, and read lines as it does (``problem(averagingWith:)``).
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

  /// Why another model's probabilities cannot be averaged with this one's; nil if they can.
  ///
  /// The words say what was expected, which is what this model is, and what was found.
  public func problem(averagingWith other: StoredModel) -> String? {
    guard vocabulary.unit == other.vocabulary.unit else {
      return "expected a model of \(vocabulary.unit), found one of \(other.vocabulary.unit)"
    }
    // By their bytes: Swift's strings are equal if they are canonically equivalent.
    let sameSymbols = vocabulary.symbols.elementsEqual(other.vocabulary.symbols) {
      $0.utf8.elementsEqual($1.utf8)
    }
    guard sameSymbols else {
      return
        "expected the first model's vocabulary of \(vocabulary.count) symbols, in its order, found another of \(other.vocabulary.count); runs of the same training text and limits have the same"
    }
    // Words have no spaces to leave out.
    guard
      vocabulary.unit != .characters || vocabulary.trimsLines == other.vocabulary.trimsLines
    else {
      return vocabulary.trimsLines
        ? "expected a model that leaves out spaces at both ends of lines, found one that keeps them"
        : "expected a model that keeps spaces at both ends of lines, found one that leaves them out"
    }
    guard
      configuration.training.resetsEachLine == other.configuration.training.resetsEachLine
    else {
      return configuration.training.resetsEachLine
        ? "expected a model that reads each line from its initial states, found one that carries them"
        : "expected a model that carries its states from line to line, found one that does not"
    }
    return nil
  }

  /// How well the model predicts a text from which it learns while it reads; the model stays as it is.
  ///
  /// - Parameters:
  ///   - text: The text, of the model's symbols.
  ///   - dynamic: How it learns.
  /// - Returns: The loss over all symbols but the first; not finite if learning diverged.
  public func evaluate(_ text: EncodedText, learning dynamic: DynamicEvaluation) -> Evaluation {
    dynamic.run(model, text, lineEnd: resettingSymbol)
  }
}
