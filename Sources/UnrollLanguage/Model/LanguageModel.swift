// Embedding, recurrent layers, perhaps a linear layer, softmax. The parameters have one order and
// plain names, by which optimisers, averages and files know them.

public import Unroll
internal import UnrollContracts
internal import UnrollFormats

/// A recurrent language model.
///
/// It predicts each next symbol from those before it.
public struct LanguageModel<Scalar: KernelScalar>: Sendable {
  /// Sizes, cell and dropout.
  public let configuration: ModelConfiguration
  /// The symbols' vectors, `[V, E]`.
  public var embedding: Embedding<Scalar>
  /// The recurrent layers from the input upward.
  public var layers: [RecurrentLayer<Scalar>]
  /// The linear layer below the softmax, `[H, P]` and `[P]`; empty if there is none.
  public var projectionWeights, projectionBias: Tensor<Scalar>
  /// The softmax's weights, `[P, V]`; empty if the embedding's serve.
  public var softmaxWeights: Tensor<Scalar>
  /// The softmax's bias, `[V]`.
  public var softmaxBias: Tensor<Scalar>

  /// Creates a model whose parameters are zero, but gains, which are 1.
  ///
  /// - Precondition: The configuration has no problem.
  public init(_ configuration: ModelConfiguration) {
    if let problem = configuration.problem {
      contractViolation("LanguageModel.init: \(problem).")
    }
    self.configuration = configuration
    let c = configuration
    embedding = Embedding(vectors: Tensor(shape: [c.vocabularySize, c.embeddingSize]))
    layers = c.layerSizes.map { input, output in
      var cell = Cell<Scalar>(
        c.cell, inputSize: input, hiddenSize: output, biasCount: c.biasCount,
        isNormalized: c.isNormalized)
      // The mean, as evaluation and generation want it; training draws masks.
      cell.zoneout = Zoneout(hidden: c.dropout.zoneoutHidden, cell: c.dropout.zoneoutCell)
      return RecurrentLayer(cell: cell)
    }
    let top = c.layerSizes.last?.output ?? 0
    projectionWeights = Tensor(shape: c.projectionSize.map { [top, $0] } ?? [0, 0])
    projectionBias = Tensor(shape: [c.projectionSize ?? 0])
    softmaxWeights = Tensor(shape: c.isTied ? [0, 0] : [c.softmaxInputSize, c.vocabularySize])
    softmaxBias = Tensor(shape: [c.vocabularySize])
  }

  /// Creates a model with first values.
  ///
  /// - Parameters:
  ///   - configuration: Sizes and cell.
  ///   - initialization: The rule for matrices; biases are 0, but those of gates that keep the state, as the rule
  ///     says.
  ///   - random: Where the numbers come from.
  public init(
    _ configuration: ModelConfiguration, initialization: Initialization,
    using random: inout some RandomStream
  ) {
    self.init(configuration)
    let range = Scalar(initialization.embeddingRange)
    embedding.vectors = Initializer.uniform(limit: range).matrix(
      rows: configuration.vocabularySize, columns: configuration.embeddingSize, using: &random)
    for index in layers.indices {
      switch initialization.recurrentRange {
      case .some(let limit):
        let rule = Initializer<Scalar>.uniform(limit: Scalar(limit))
        layers[index].cell.parameters.initialize(input: rule, recurrent: rule, using: &random)
      case nil:
        // The rule of PyTorch's layers.
        let limit = 1 / Double(layers[index].cell.hiddenSize).squareRoot()
        let rule = Initializer<Scalar>.uniform(limit: Scalar(limit))
        layers[index].cell.parameters.initialize(input: rule, recurrent: rule, using: &random)
      }
      if configuration.cell.retention == Retention(.forget) {
        layers[index].cell.parameters[.forget].bias.fill(Scalar(initialization.forgetBias))
      }
      if let longest = initialization.chronoSteps {
        layers[index].cell.initializeChrono(longest: longest, using: &random)
      }
    }
    if configuration.projectionSize != nil {
      projectionWeights = Initializer.glorotUniform.matrix(
        rows: projectionWeights.shape[0], columns: projectionWeights.shape[1], using: &random)
    }
    if !configuration.isTied {
      softmaxWeights = Initializer.uniform(limit: Scalar(initialization.softmaxRange)).matrix(
        rows: softmaxWeights.shape[0], columns: softmaxWeights.shape[1], using: &random)
    }
  }

  /// The last layer: logits of the next symbol.
  package var softmax: DenseLayer<Scalar> {
    DenseLayer(
      weights: configuration.isTied ? embedding.vectors : softmaxWeights, bias: softmaxBias,
      isTransposed: configuration.isTied)
  }

  var projection: DenseLayer<Scalar>? {
    configuration.projectionSize.map { _ in
      DenseLayer(weights: projectionWeights, bias: projectionBias)
    }
  }

  /// States that are zero.
  public func zeroStates(batchSize: Int) -> [RecurrentState<Scalar>] {
    layers.map { $0.zeroState(batchSize: batchSize) }
  }
}

/// How a model's numbers begin.
public struct Initialization: Sendable, Equatable, Codable {
  /// Embedding: uniform in ± this.
  public var embeddingRange: Double
  /// Layers: uniform in ± this; nil for ± 1 / √H.
  public var recurrentRange: Double?
  /// Softmax: uniform in ± this.
  public var softmaxRange: Double
  /// The bias of an LSTM's or a JANET's forget gate, unless ``chronoSteps`` says otherwise.
  public var forgetBias: Double
  /// Chrono initialisation: the longest time, in steps, that the gate that keeps the state should bridge, at least 3;
  /// nil for biases that are constant.
  ///
  /// See ``Cell/initializeChrono(longest:using:)``.
  public var chronoSteps: Int?

  /// Creates a rule.
  public init(
    embeddingRange: Double = 0.1, recurrentRange: Double? = nil, softmaxRange: Double = 0.1,
    forgetBias: Double = 1, chronoSteps: Int? = nil
  ) {
    self.embeddingRange = embeddingRange
    self.recurrentRange = recurrentRange
    self.softmaxRange = softmaxRange
    self.forgetBias = forgetBias
    self.chronoSteps = chronoSteps
  }

  /// Takes the rule that is published for a kind of cell, where there is one.
  ///
  /// A JANET begins with chrono initialisation over the steps of training's batches (van der Westhuizen and Lasenby
  /// 2018); other cells with constant biases.
  ///
  /// - Parameters:
  ///   - cell: The kind.
  ///   - timeSteps: T, the steps of a batch.
  public mutating func adopt(cell: CellKind, timeSteps: Int) {
    chronoSteps = cell == .janet ? max(3, timeSteps) : nil
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case embeddingRange = "embedding_range"
    case recurrentRange = "recurrent_range"
    case softmaxRange = "softmax_range"
    case forgetBias = "forget_bias"
    case chronoSteps = "chrono_steps"
  }
}

// MARK: - The parameters by name

extension LanguageModel {
  /// Every parameter's name, in the order that all arrays of parameters have.
  public var parameterNames: [String] {
    var names = ["embedding.weights"]
    for (index, layer) in layers.enumerated() {
      names += layer.cell.parameters.names.map {
        "layers.\(index).\(CellParameters<Scalar>.plainName($0))"
      }
    }
    if configuration.projectionSize != nil { names += ["projection.weights", "projection.bias"] }
    if !configuration.isTied { names.append("softmax.weights") }
    return names + ["softmax.bias"]
  }

  /// Every parameter, in the order of `parameterNames`.
  public var parameters: [Tensor<Scalar>] {
    var result: [Tensor<Scalar>] = []
    var copy = self
    copy.forEachParameter { _, parameter in result.append(parameter) }
    return result
  }

  /// Calls `body` with each parameter in place and its index in `parameterNames`.
  public mutating func forEachParameter(
    _ body: (_ index: Int, _ parameter: inout Tensor<Scalar>) throws -> Void
  ) rethrows {
    var index = 0
    func visit(_ tensor: inout Tensor<Scalar>) throws {
      try body(index, &tensor)
      index += 1
    }
    try visit(&embedding.vectors)
    for layer in layers.indices {
      try layers[layer].cell.parameters.modifyEach { try visit(&$1) }
    }
    if configuration.projectionSize != nil {
      try visit(&projectionWeights)
      try visit(&projectionBias)
    }
    if !configuration.isTied { try visit(&softmaxWeights) }
    try visit(&softmaxBias)
  }

  /// The number of trainable numbers.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }
}
