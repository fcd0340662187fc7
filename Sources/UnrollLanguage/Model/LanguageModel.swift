// Embedding, recurrent layers, optional linear layer, softmax.

public import Unroll
internal import UnrollContracts

/// A recurrent language model: predicts each symbol from the preceding ones.
public struct LanguageModel<Scalar: KernelScalar>: Sendable {
  /// Sizes, cell and dropout.
  public let configuration: ModelConfiguration
  /// The parameters.
  package var tensors: ParameterTensors<RecurrentLayer<Scalar>>

  /// The embedding vectors, `[V, E]`.
  public var embedding: Embedding<Scalar> {
    get { tensors.embedding }
    _modify { yield &tensors.embedding }
  }
  /// The recurrent layers from the input upward.
  public var layers: [RecurrentLayer<Scalar>] {
    get { tensors.layers }
    _modify { yield &tensors.layers }
  }

  /// Creates a model whose gains are 1 and whose other parameters are zero.
  ///
  /// - Precondition: The configuration has no problem.
  public init(_ configuration: ModelConfiguration) {
    if let problem = configuration.problem {
      contractViolation("LanguageModel.init: \(problem).")
    }
    self.configuration = configuration
    let layers = configuration.layerSizes.map { input, output in
      RecurrentLayer(
        cell: configuration.makeCell(of: Scalar.self, inputSize: input, hiddenSize: output))
    }
    let layout = ParameterLayout(configuration)
    tensors = ParameterTensors(layout, layers: layers) { index, tensor in
      let shape = layout.entries[index].shape
      if tensor.shape != shape { tensor = Tensor(shape: shape) }
    }
  }

  /// Creates a model with initial values.
  ///
  /// - Parameters:
  ///   - configuration: Sizes and cell.
  ///   - initialization: The rule for matrices. Biases are 0, except those of gates that keep the state, which the rule
  ///     sets.
  ///   - random: The source of randomness.
  public init(
    _ configuration: ModelConfiguration, initialization: Initialization,
    using random: inout some RandomStream
  ) {
    self.init(configuration)
    let range = Scalar(initialization.embeddingRange)
    embedding.vectors = Initializer.uniform(limit: range).matrix(
      rows: configuration.vocabularySize, columns: configuration.embeddingSize, using: &random)
    for index in layers.indices {
      // By default, the rule of PyTorch's layers.
      let limit =
        initialization.recurrentRange ?? 1 / Double(layers[index].cell.hiddenSize).squareRoot()
      let rule = Initializer<Scalar>.uniform(limit: Scalar(limit))
      layers[index].cell.parameters.initialize(input: rule, recurrent: rule, using: &random)
      if configuration.cell.retention == Retention(.forget) {
        layers[index].cell.parameters[.forget].bias.fill(Scalar(initialization.forgetBias))
      }
      if let longest = initialization.chronoSteps {
        layers[index].cell.initializeChrono(longest: longest, using: &random)
      }
    }
    if configuration.projectionSize != nil {
      tensors.projectionWeights = Initializer.glorotUniform.matrix(
        rows: tensors.projectionWeights.shape[0], columns: tensors.projectionWeights.shape[1],
        using: &random)
    }
    if !configuration.isTied {
      tensors.softmaxWeights = Initializer.uniform(limit: Scalar(initialization.softmaxRange))
        .matrix(
          rows: tensors.softmaxWeights.shape[0], columns: tensors.softmaxWeights.shape[1],
          using: &random)
    }
  }

  /// The last layer, which computes the logits of the next symbol.
  package var softmax: DenseLayer<Scalar> {
    DenseLayer(
      weights: configuration.isTied ? embedding.vectors : tensors.softmaxWeights,
      bias: tensors.softmaxBias, isTransposed: configuration.isTied)
  }

  /// The linear layer below the softmax; nil if there is none.
  package var projection: DenseLayer<Scalar>? {
    configuration.projectionSize.map { _ in
      DenseLayer(weights: tensors.projectionWeights, bias: tensors.projectionBias)
    }
  }

  /// Returns the initial states of sequences: the trained ones, or zero.
  public func initialStates(batchSize: Int) -> [RecurrentState<Scalar>] {
    var states = layers.map { $0.zeroState(batchSize: batchSize) }
    if configuration.learnsInitialState { begin(&states) }
    return states
  }

  /// Sets states to the initial states of sequences, reusing their memory.
  func begin(_ states: inout [RecurrentState<Scalar>]) {
    for layer in states.indices {
      states[layer].hidden.fill(0)
      states[layer].cell.fill(0)
      guard configuration.learnsInitialState else { continue }
      let (h, c) = (tensors.initialHidden[layer], tensors.initialCell[layer])
      for row in 0..<states[layer].hidden.shape[0] {
        h.reshaped(to: [1, h.count]).copy(into: &states[layer].hidden, rows: row..<row + 1)
        c.reshaped(to: [1, c.count]).copy(into: &states[layer].cell, rows: row..<row + 1)
      }
    }
  }
}

// MARK: - The parameters by name

extension LanguageModel {
  /// The names of all parameters, in the order used by all lists of parameters.
  public var parameterNames: [String] { tensors.layout.entries.map(\.name) }

  /// Every parameter, in the order of `parameterNames`.
  public var parameters: [Tensor<Scalar>] { tensors.all }

  /// The parameter with a name.
  ///
  /// - Precondition: The name is one of `parameterNames`; a new value has the parameter's shape.
  public subscript(name: String) -> Tensor<Scalar> {
    get { tensors[name] }
    set { tensors[name] = newValue }
  }

  /// Calls `body` with the index in `parameterNames` and each parameter, in place.
  public mutating func forEachParameter(
    _ body: (_ index: Int, _ parameter: inout Tensor<Scalar>) throws -> Void
  ) rethrows { try tensors.modifyEach(body) }
}

/// The initial values of a model.
public struct Initialization: Sendable, Equatable, Codable {
  /// Embedding: uniform in ± this value.
  public var embeddingRange: Double
  /// Layers: uniform in ± this value; nil for ± 1 / √H.
  public var recurrentRange: Double?
  /// Softmax: uniform in ± this value.
  public var softmaxRange: Double
  /// The bias of the forget gate of an LSTM or JANET, unless ``chronoSteps`` is set.
  public var forgetBias: Double
  /// Chrono initialisation: the longest dependency in time steps, at least 3; nil for
  /// constant biases.
  ///
  /// See `Cell.initializeChrono(longest:using:)`.
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

  /// Applies the published initialisation for a kind of cell, if there is one.
  ///
  /// JANET uses chrono initialisation over the time steps of a batch (van der Westhuizen and Lasenby 2018); other cells
  /// use constant biases.
  ///
  /// - Parameters:
  ///   - cell: The kind.
  ///   - timeSteps: T, the time steps of a batch.
  public mutating func applyDefaults(for cell: CellKind, timeSteps: Int) {
    chronoSteps = Self.publishedChronoSteps(cell: cell, timeSteps: timeSteps)
  }

  /// Returns the chrono steps of the published rule for a kind of cell; nil for constant biases.
  package static func publishedChronoSteps(cell: CellKind, timeSteps: Int) -> Int? {
    cell == .janet ? max(3, timeSteps) : nil
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case embeddingRange = "embedding_range"
    case recurrentRange = "recurrent_range"
    case softmaxRange = "softmax_range"
    case forgetBias = "forget_bias"
    case chronoSteps = "chrono_steps"
  }
}
