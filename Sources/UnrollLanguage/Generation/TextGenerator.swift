// Text, symbol by symbol: one step of the layers, logits, a draw.

public import Unroll
internal import UnrollContracts

/// Generates several texts side by side.
///
/// After the first symbol nothing is allocated. The texts are the same alone and beside others. A generator is not
/// copyable, as its `RecurrentStream` is not.
public struct TextGenerator: ~Copyable {
  private let embedding: Embedding<Float>
  private let softmax: DenseLayer<Float>
  private let projection: DenseLayer<Float>?
  private let count: Int
  /// The symbol before which a text's states become the initial ones; nil if they never do.
  private let lineEnd: Int32?
  /// The learned states that texts begin with, of one row; nil for zero.
  private let first: [RecurrentState<Float>]?
  private var stream: RecurrentStream<Float>
  private var sampler: SymbolSampler
  /// The vectors of the symbols that were read last.
  private(set) var vectors: Tensor<Float>
  private var outputs: Tensor<Float>
  private var projected = Tensor<Float>(shape: [0])
  private var logits = Tensor<Float>(shape: [0])
  private let workspace = Workspace<Float>()
  private var place = 0
  /// The symbols drawn last, one for each text.
  public private(set) var symbols: [Int32]

  /// Begins texts after a prompt.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - prompt: Symbols that are read first; at least one, such as the end of a line.
  ///   - count: How many texts.
  ///   - lineEnd: The symbol that ends lines, if every line begins with the model's initial states, as it did in training
  ///     (``StoredModel/resettingSymbol``); nil if states are carried from line to line.
  ///   - options: How symbols are drawn.
  /// - Precondition: The options have no problem, and the prompt's symbols are the model's.
  public init(
    _ model: LanguageModel<Float>, prompt: [Int32], count: Int = 1, lineEnd: Int32? = nil,
    options: SamplingOptions = SamplingOptions()
  ) {
    require(!prompt.isEmpty, "TextGenerator.init: expected a prompt.")
    self.init(model, count: count, lineEnd: lineEnd, options: options)
    for symbol in prompt { read(symbol) }
  }

  /// Begins texts of which nothing has been read.
  init(
    _ model: LanguageModel<Float>, count: Int, lineEnd: Int32? = nil, options: SamplingOptions
  ) {
    require(
      options.problem == nil && count > 0,
      "TextGenerator.init: expected at least one text and options that can be.")
    self.count = count
    self.lineEnd = lineEnd
    embedding = model.embedding
    softmax = model.softmax
    projection = model.projection
    stream = RecurrentStream(cells: model.layers.map(\.cell), batchSize: count)
    first = model.configuration.learnsInitialState ? model.initialStates(batchSize: 1) : nil
    if first != nil { stream.states = model.initialStates(batchSize: count) }
    sampler = SymbolSampler(options, symbolCount: model.configuration.vocabularySize)
    vectors = Tensor(shape: [count, model.configuration.embeddingSize])
    outputs = Tensor(shape: [count, stream.outputSize])
    symbols = [Int32](repeating: 0, count: count)
  }

  /// The layers' states after the symbols that were read.
  var states: [RecurrentState<Float>] { stream.states }

  /// Reads one symbol in every text.
  mutating func read(_ symbol: Int32) {
    choose(symbol)
    advance()
  }

  /// Makes a symbol the next of every text, before it is read.
  mutating func choose(_ symbol: Int32) {
    for index in symbols.indices { symbols[index] = symbol }
    resetAtLineEnds()
  }

  /// Draws the next symbol of every text.
  public mutating func next() {
    computeLogits()
    draw()
    advance()
  }

  /// Draws the next symbol of every text by the logits that were computed last, before it is read.
  mutating func draw() {
    let classes = softmax.outputSize
    logits.withUnsafeElements { logits in
      for index in symbols.indices {
        symbols[index] = sampler.draw(
          UnsafeBufferPointer(start: logits + index * classes, count: classes), sequence: index,
          place: place)
      }
    }
    place += 1
    resetAtLineEnds()
  }

  /// A line end is the first symbol of the next line's sequence: what was before it is not known any more.
  private mutating func resetAtLineEnds() {
    guard let lineEnd else { return }
    for index in symbols.indices where symbols[index] == lineEnd {
      if let first {
        stream.reset(sequence: index, to: first)
      } else {
        stream.reset(sequence: index)
      }
    }
  }

  /// The logits of the next symbol, `[count, V]`.
  public mutating func nextLogits() -> Tensor<Float> {
    computeLogits()
    return logits
  }

  private mutating func computeLogits() {
    if let projection { projection.forward(outputs, into: &projected, using: workspace) }
    softmax.forward(projection == nil ? outputs : projected, into: &logits, using: workspace)
  }

  /// Reads the symbols that were chosen or drawn.
  mutating func advance() {
    embedding.lookUp(symbols, timeStepCount: 1, into: &vectors)
    stream.step(vectors, into: &outputs)
  }
}
