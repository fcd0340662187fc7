#if Command
internal import RealModule
internal import Unroll

/// One training step of a language model, without corpus or trainer.
///
/// Embedding, stack, softmax with loss, backward, clipping by the global norm, update. States are
/// carried from step to step.
struct LanguageModelBenchmark {
  private let workload: Workload
  private var embedding: Embedding<Float>
  private var embeddingGradient: EmbeddingGradient<Float>
  private var layers: [RecurrentLayer<Float>]
  private var softmax: DenseLayer<Float>
  private let optimizer: Optimizer
  private var optimizerStates: [OptimizerState<Float>]
  private var states: [RecurrentState<Float>]
  private let symbols, targets: [Int32]
  private let logits = LogitScratch<Float>()
  // Scratch of a step.
  private var vectors = Tensor<Float>(shape: [0, 0, 0])
  private var topGradient = Tensor<Float>(shape: [0, 0, 0])
  private var weightGradient = Tensor<Float>(shape: [0, 0])
  private var biasGradient = Tensor<Float>(shape: [0])
  private var losses: [Double]
  private var traces: [SequenceTrace<Float>]
  private var gradients: [LayerGradients<Float>]
  /// The loss of the last step, nats per symbol.
  private(set) var loss = 0.0

  init(_ workload: Workload, kind: CellKind) {
    self.workload = workload
    var random = NumPyRandom(seed: 0)
    embedding = Embedding(
      vectors: Tensor(random.uniform(-0.1, 0.1, [workload.vocabulary, workload.inputSize])))
    embeddingGradient = EmbeddingGradient(like: embedding)
    layers = (0..<workload.layers).map { index in
      RecurrentLayer(
        cell: LayerBenchmark<Float>.cell(
          kind, index == 0 ? workload.inputSize : workload.hiddenSize, workload.hiddenSize,
          &random))
    }
    softmax = DenseLayer(
      weights: workload.isTied
        ? embedding.vectors
        : Tensor(random.uniform(-0.1, 0.1, [workload.hiddenSize, workload.vocabulary])),
      bias: Tensor(shape: [workload.vocabulary]), isTransposed: workload.isTied)
    optimizer = workload.usesAdam ? .adam : .sgd
    let optimizer = optimizer
    let shapes =
      [embedding.vectors.shape, softmax.weights.shape, softmax.bias.shape]
      + layers.flatMap { $0.cell.parameters.all.map(\.shape) }
    optimizerStates = shapes.map { OptimizerState(optimizer, shape: $0) }
    states = layers.map { $0.zeroState(batchSize: workload.batch) }
    // Frequent symbols first, as in a text.
    let count = workload.time * workload.batch
    let vocabulary = Double(workload.vocabulary)
    let draws = random.uniform(0, 1, [2 * count]).elements.map {
      Int32(min(vocabulary - 1, Double.pow(vocabulary, $0) - 1))
    }
    symbols = Array(draws[..<count])
    targets = Array(draws[count...])
    losses = [Double](repeating: 0, count: count)
    traces = layers.map { _ in SequenceTrace() }
    gradients = layers.map { _ in LayerGradients() }
  }

  mutating func time() -> Stopwatch {
    var model = self
    return Stopwatch { model.train() }
  }

  private mutating func train() {
    let pairs = workload.time * workload.batch
    embedding.lookUp(symbols, timeStepCount: workload.time, into: &vectors)
    for index in layers.indices {
      layers[index].forward(
        index == 0 ? vectors : traces[index - 1].outputs, from: states[index],
        into: &traces[index])
    }
    softmax.crossEntropyGradients(
      traces[layers.count - 1].outputs, targets: targets, scale: 1 / Float(pairs), losses: &losses,
      inputGradient: &topGradient, weightGradient: &weightGradient, biasGradient: &biasGradient,
      using: logits)
    loss = losses.reduce(0, +) / Double(pairs)
    for index in layers.indices.reversed() {
      layers[index].backward(
        traces[index],
        outputs: index == layers.count - 1 ? topGradient : gradients[index + 1].inputs,
        into: &gradients[index])
    }
    embeddingGradient.set(symbols: symbols, gradient: gradients[0].inputs)
    update()
    for index in states.indices { states[index] = traces[index].finalState }
  }

  private mutating func update() {
    if workload.isTied { embeddingGradient.add(to: &weightGradient) }
    var squares = weightGradient.sumOfSquares + biasGradient.sumOfSquares
    if !workload.isTied { squares += embeddingGradient.sumOfSquares }
    for gradient in gradients {
      for parameter in gradient.parameters.all { squares += parameter.sumOfSquares }
    }
    let norm = squares.squareRoot()
    let scale = workload.clip > 0 && norm > workload.clip ? workload.clip / norm : 1
    let rate = workload.usesAdam ? 0.001 : 0.1
    if workload.isTied {
      // Both layers share one matrix, which is updated once; drop the embedding's reference, because a second owner
      // would cause a copy.
      embedding.vectors = Tensor(shape: [0, workload.inputSize])
    } else if workload.usesAdam {
      optimizer.update(
        &embedding.vectors, with: embeddingGradient.vectors, state: &optimizerStates[0], rate: rate,
        gradientScale: scale)
    } else {
      embeddingGradient.update(&embedding, rate: rate * scale)
    }
    optimizer.update(
      &softmax.weights, with: weightGradient, state: &optimizerStates[1], rate: rate,
      gradientScale: scale)
    if workload.isTied { embedding.vectors = softmax.weights }
    optimizer.update(
      &softmax.bias, with: biasGradient, state: &optimizerStates[2], rate: rate,
      gradientScale: scale)
    var first = 3
    for index in layers.indices {
      layers[index].cell.parameters.update(by: gradients[index].parameters) {
        optimizer.update(
          &$1, with: $2, state: &optimizerStates[first + $0], rate: rate, gradientScale: scale)
      }
      first += gradients[index].parameters.all.count
    }
  }
}
#endif
