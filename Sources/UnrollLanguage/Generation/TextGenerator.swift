// Text generation, symbol by symbol: a step of the layers, logits, a draw.

public import Unroll
internal import UnrollContracts

/// Generates several texts in a batch.
///
/// Allocates nothing after the first symbol. Each text is the same alone and in a batch. Not copyable, because
/// `RecurrentStream` is not.
public struct TextGenerator: ~Copyable {
  private let embedding: Embedding<Float>
  private let softmax: DenseLayer<Float>
  private let projection: DenseLayer<Float>?
  private let count: Int
  /// The symbol at which a text's states are reset; nil for never.
  private let lineEnd: Int32?
  /// The trained initial states, of one row; nil for zero.
  private let first: [RecurrentState<Float>]?
  private var stream: RecurrentStream<Float>
  private var sampler: SymbolSampler
  /// The embedding vectors of the symbols read last.
  private(set) var vectors: Tensor<Float>
  private var outputs: Tensor<Float>
  private var projected = Tensor<Float>(shape: [0])
  private var logits = Tensor<Float>(shape: [0])
  private let scratch = Scratch<Float>()
  private var place = 0
  /// The symbols drawn last, one per text.
  public private(set) var symbols: [Int32]

  /// Starts texts that continue a prompt.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - prompt: The symbols to read first; at least one, such as the end of a line.
  ///   - count: The number of texts.
  ///   - lineEnd: The symbol that ends lines, if the states are reset at every line as in training
  ///     (``StoredModel/resettingSymbol``); nil if states are carried from line to line.
  ///   - options: The sampling options.
  /// - Precondition: The options have no problem, and the prompt's symbols are the model's.
  public init(
    _ model: LanguageModel<Float>, prompt: [Int32], count: Int = 1, lineEnd: Int32? = nil,
    options: SamplingOptions = SamplingOptions()
  ) {
    require(!prompt.isEmpty, "TextGenerator.init: expected a prompt.")
    self.init(model, count: count, lineEnd: lineEnd, options: options)
    for symbol in prompt { read(symbol) }
  }

  /// Starts texts without reading a prompt.
  init(
    _ model: LanguageModel<Float>, count: Int, lineEnd: Int32? = nil, options: SamplingOptions
  ) {
    require(
      options.problem == nil && count > 0,
      "TextGenerator.init: expected at least one text and valid options.")
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

  /// The layers' states after the symbols read so far.
  var states: [RecurrentState<Float>] { stream.states }

  /// Reads one symbol in each text.
  mutating func read(_ symbol: Int32) {
    choose(symbol)
    advance()
  }

  /// Sets the next symbol of each text, without reading it.
  mutating func choose(_ symbol: Int32) {
    for index in symbols.indices { symbols[index] = symbol }
    resetAtLineEnds()
  }

  /// Draws the next symbol of each text and reads it.
  public mutating func next() {
    computeLogits()
    draw()
    advance()
  }

  /// Draws the next symbol of each text from the current logits, without reading it.
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

  /// Resets states at line ends.
  ///
  /// A line end is the first symbol of the next line's sequence.
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

  /// Returns the logits of the next symbol of each text, `[count, V]`.
  public mutating func nextLogits() -> Tensor<Float> {
    computeLogits()
    return logits
  }

  private mutating func computeLogits() {
    if let projection { projection.forward(outputs, into: &projected, using: scratch) }
    softmax.forward(projection == nil ? outputs : projected, into: &logits, using: scratch)
  }

  /// Reads the symbols that were set or drawn.
  mutating func advance() {
    embedding.lookUp(symbols, timeStepCount: 1, into: &vectors)
    stream.step(vectors, into: &outputs)
  }
}
