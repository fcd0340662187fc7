// What a language model is made of. The names of the fields are those of `config.json`.

public import Unroll

/// The sizes of a language model, and where dropout acts in training.
public struct ModelConfiguration: Sendable, Equatable, Codable {
  /// V, the number of symbols.
  public var vocabularySize: Int
  /// E, the size of a symbol's vector.
  public var embeddingSize: Int
  /// H, the units of a layer.
  public var hiddenSize: Int
  /// The units of the last layer, if they differ from H.
  public var topSize: Int?
  /// The number of recurrent layers.
  public var layers: Int
  /// Their kind.
  public var cell: CellKind
  /// The size of a linear layer between the last layer and the softmax; nil for none.
  public var projectionSize: Int?
  /// Whether the softmax uses the embedding's vectors.
  ///
  /// Source: Press and Wolf 2017; Inan et al. 2017.
  public var isTied: Bool
  /// Whether the cells are layer-normalised.
  ///
  /// Source: Ba, Kiros and Hinton 2016.
  public var isNormalized: Bool
  /// Dropout rates.
  public var dropout: DropoutRates
  // Nil for false, so that files and fingerprints of runs from before this setting stay as they are.
  private var learnsState: Bool?

  /// Whether the state that sequences begin with is trained; otherwise it is zero.
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

  /// The sizes of the layers from the input upward: what each reads and puts out.
  public var layerSizes: [(input: Int, output: Int)] {
    var sizes: [(input: Int, output: Int)] = []
    for index in 0..<layers {
      let isTop = index == layers - 1
      sizes.append(
        (sizes.last?.output ?? embeddingSize, isTop ? topSize ?? hiddenSize : hiddenSize))
    }
    return sizes
  }

  /// What the softmax reads.
  public var softmaxInputSize: Int { projectionSize ?? layerSizes.last?.output ?? embeddingSize }

  /// What is wrong with the configuration, in one sentence; nil if nothing is.
  public var problem: String? {
    let sizes: [(String, Int)] = [
      ("vocabulary_size", vocabularySize), ("embedding_size", embeddingSize),
      ("hidden_size", hiddenSize), ("top_size", topSize ?? 1),
      ("projection_size", projectionSize ?? 1),
    ]
    for (name, size) in sizes where !(1...10_000_000).contains(size) {
      return "\(name): expected 1 ... 10000000, found \(size)"
    }
    guard (1...1000).contains(layers) else { return "layers: expected 1 ... 1000, found \(layers)" }
    if isTied && softmaxInputSize != embeddingSize {
      return
        "tied: expected the softmax to read vectors of the embedding's size \(embeddingSize), found \(softmaxInputSize); use top_size \(embeddingSize) or projection_size \(embeddingSize)"
    }
    if !cell.hasCellState && dropout.zoneoutCell != 0 {
      return
        "dropout.zoneout_cell: expected 0 for a cell that is no lstm, found \(dropout.zoneoutCell) for \(cell.rawValue)"
    }
    return dropout.problem
  }

  /// A layer's cell, its parameters zero but for gains, which are 1.
  func makeCell<Scalar: KernelScalar>(
    of type: Scalar.Type, inputSize: Int, hiddenSize: Int
  ) -> Cell<Scalar> {
    var made = Cell<Scalar>(
      cell, inputSize: inputSize, hiddenSize: hiddenSize,
      // A second bias where one is inside the candidate's product.
      biasCount: cell.candidate == .separate ? 2 : 1, isNormalized: isNormalized)
    // The mean, as evaluation and generation want it; training draws masks.
    made.zoneout = Zoneout(hidden: dropout.zoneoutHidden, cell: dropout.zoneoutCell)
    return made
  }

  /// The number of trainable numbers.
  ///
  /// Sizes that a configuration without a problem may have do not overflow it.
  public var parameterCount: Int { ParameterLayout(self).count }
}

/// Probabilities with which numbers become 0 in training; the others grow by 1 / (1 − p).
public struct DropoutRates: Sendable, Equatable, Codable {
  /// Of whole symbols' vectors (Gal and Ghahramani 2016).
  public var embedding: Double
  /// Of the first layer's input.
  public var input: Double
  /// Of what goes from layer to layer.
  public var hidden: Double
  /// Of the last layer's output.
  public var output: Double
  /// Of recurrent weights, the same for all steps of a batch: weight-drop.
  ///
  /// Source: Merity et al. 2018.
  public var weights: Double
  /// How often units keep their hidden state (zoneout).
  ///
  /// Source: Krueger et al. 2017.
  public var zoneoutHidden: Double
  /// How often an LSTM's units keep their cell state (zoneout).
  public var zoneoutCell: Double
  /// Whether input, hidden and output masks are the same at all steps of a batch.
  ///
  /// Variational dropout (Gal and Ghahramani 2016); else they are new at each step, as in Zaremba et
  /// al. 2014.
  public var isVariational: Bool

  /// Creates rates; 0 where nothing is given.
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

  var problem: String? {
    let rates = [
      ("dropout.embedding", embedding), ("dropout.input", input), ("dropout.hidden", hidden),
      ("dropout.output", output), ("dropout.weights", weights),
      ("dropout.zoneout_hidden", zoneoutHidden),
      ("dropout.zoneout_cell", zoneoutCell),
    ]
    for (name, rate) in rates where !(rate >= 0 && rate < 1) {
      return "\(name): expected 0 up to, but not including, 1, found \(rate)"
    }
    return nil
  }
}
