// The architecture of a language model. Field names match `config.json`.

public import Unroll

/// The sizes of a language model, and its dropout rates in training.
public struct ModelConfiguration: Sendable, Equatable, Codable {
  /// V, the number of symbols.
  public var vocabularySize: Int
  /// E, the size of a symbol's vector.
  public var embeddingSize: Int
  /// H, the units per layer.
  public var hiddenSize: Int
  /// The units of the last layer, if they differ from H.
  public var topSize: Int?
  /// The number of recurrent layers.
  public var layers: Int
  /// The kind of their cells.
  public var cell: CellKind
  /// The size of a linear layer between the last layer and the softmax; nil for none.
  public var projectionSize: Int?
  /// Whether the softmax shares the embedding's weights.
  ///
  /// Source: Press and Wolf 2017; Inan et al. 2017.
  public var isTied: Bool
  /// Whether the cells are layer-normalised.
  ///
  /// Source: Ba, Kiros and Hinton 2016.
  public var isNormalized: Bool
  /// Dropout rates.
  public var dropout: DropoutRates
  // Nil for false, so that files and fingerprints of runs from before this setting remain unchanged.
  private var learnsState: Bool?

  /// Whether the initial state of sequences is trained; otherwise it is zero.
  public var learnsInitialState: Bool {
    get { learnsState ?? false }
    set { if newValue != learnsInitialState { learnsState = newValue ? true : nil } }
  }

  /// Creates a configuration.
  public init(
    vocabularySize: Int, embeddingSize: Int, hiddenSize: Int, topSize: Int? = nil, layers: Int = 1,
    cell: CellKind = .lstm, projectionSize: Int? = nil, isTied: Bool = false,
    isNormalized: Bool = false, dropout: DropoutRates = DropoutRates(),
    learnsInitialState: Bool = false
  ) {
    self.vocabularySize = vocabularySize
    self.embeddingSize = embeddingSize
    self.hiddenSize = hiddenSize
    self.topSize = topSize
    self.layers = layers
    self.cell = cell
    self.projectionSize = projectionSize
    self.isTied = isTied
    self.isNormalized = isNormalized
    self.dropout = dropout
    self.learnsInitialState = learnsInitialState
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case vocabularySize = "vocabulary_size"
    case embeddingSize = "embedding_size"
    case hiddenSize = "hidden_size"
    case topSize = "top_size"
    case layers, cell
    case projectionSize = "projection_size"
    case isTied = "tied"
    case isNormalized = "layer_normalized"
    case dropout
    case learnsState = "learn_initial_state"
  }

  /// The input and output sizes of the layers, from the input upward.
  public var layerSizes: [(input: Int, output: Int)] {
    var sizes: [(input: Int, output: Int)] = []
    for index in 0..<layers {
      let isTop = index == layers - 1
      sizes.append(
        (sizes.last?.output ?? embeddingSize, isTop ? topSize ?? hiddenSize : hiddenSize))
    }
    return sizes
  }

  /// The size of the softmax's input.
  public var softmaxInputSize: Int { projectionSize ?? layerSizes.last?.output ?? embeddingSize }

  /// A sentence that describes what is wrong; nil if the configuration is valid.
  public var problem: String? {
    if let problem = Settings.problem(in: Settings.model, of: self) { return problem }
    if isTied && softmaxInputSize != embeddingSize {
      return
        "tied: expected the softmax to read vectors of the embedding's size \(embeddingSize), found \(softmaxInputSize); use top_size \(embeddingSize) or projection_size \(embeddingSize)"
    }
    if !cell.hasCellState && dropout.zoneoutCell != 0 {
      return
        "dropout.zoneout_cell: expected 0 for cells other than lstm, found \(dropout.zoneoutCell) for \(cell.rawValue)"
    }
    return nil
  }

  /// Creates a layer's cell whose gains are 1 and whose other parameters are zero.
  func makeCell<Scalar: KernelScalar>(
    of type: Scalar.Type, inputSize: Int, hiddenSize: Int
  ) -> Cell<Scalar> {
    var made = Cell<Scalar>(
      cell, inputSize: inputSize, hiddenSize: hiddenSize,
      // Use a second bias if it is inside the candidate's product.
      biasCount: cell.candidate == .separate ? 2 : 1, isNormalized: isNormalized)
    // Use the mean, for evaluation and generation; training draws masks.
    made.zoneout = Zoneout(hidden: dropout.zoneoutHidden, cell: dropout.zoneoutCell)
    return made
  }

  /// The number of trainable scalars.
  ///
  /// It cannot overflow for a valid configuration.
  public var parameterCount: Int { ParameterLayout(self).count }
}

/// The probabilities of dropping elements in training; others are scaled by 1 / (1 − p).
public struct DropoutRates: Sendable, Equatable, Codable {
  /// Dropout of entire embedding vectors (Gal and Ghahramani 2016).
  public var embedding: Double
  /// Dropout of the first layer's input.
  public var input: Double
  /// Dropout between layers.
  public var hidden: Double
  /// Dropout of the last layer's output.
  public var output: Double
  /// Dropout of recurrent weights, with the same mask for all steps of a batch (weight-drop).
  ///
  /// Source: Merity et al. 2018.
  public var weights: Double
  /// Zoneout of the hidden state.
  ///
  /// Source: Krueger et al. 2017.
  public var zoneoutHidden: Double
  /// Zoneout of an LSTM's cell state.
  public var zoneoutCell: Double
  /// Whether input, hidden and output masks are the same at all steps of a batch.
  ///
  /// Variational dropout (Gal and Ghahramani 2016); otherwise a new mask is drawn for each step, as in Zaremba et
  /// al. 2014.
  public var isVariational: Bool

  /// Creates rates; the defaults are 0.
  public init(
    embedding: Double = 0, input: Double = 0, hidden: Double = 0, output: Double = 0,
    weights: Double = 0, zoneoutHidden: Double = 0, zoneoutCell: Double = 0,
    isVariational: Bool = false
  ) {
    self.embedding = embedding
    self.input = input
    self.hidden = hidden
    self.output = output
    self.weights = weights
    self.zoneoutHidden = zoneoutHidden
    self.zoneoutCell = zoneoutCell
    self.isVariational = isVariational
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case embedding, input, hidden, output, weights
    case zoneoutHidden = "zoneout_hidden"
    case zoneoutCell = "zoneout_cell"
    case isVariational = "variational"
  }
}
