import Unroll

private let dense = DenseLayer<Float>(
  weights: Tensor(shape: [3, 4], repeating: 0.5), bias: Tensor(shape: [4]))
private let rows = Tensor<Float>(shape: [2, 3], repeating: 1)

private func update(
  _ optimizer: Optimizer = .adam, gradient: [Int] = [4], memory: Optimizer? = nil,
  rate: Double = 0.1, scale: Double = 1, decay: Double = 0
) {
  var parameter = Tensor<Float>(shape: [4], repeating: 1)
  var memory = OptimizerState<Float>(memory ?? optimizer, shape: [4])
  optimizer.update(
    &parameter, with: Tensor(shape: gradient, repeating: 1), state: &memory, rate: rate,
    gradientScale: scale, weightDecay: decay)
  use(parameter)
}

private func embedding(_ rows: Int) -> Embedding<Float> {
  Embedding(vectors: Tensor(shape: [rows, 2], repeating: 1))
}

let trainingMisuses = [
  Misuse("dense-init", "DenseLayer.init: expected shape [4], or [0] for none, got [3].") {
    use(DenseLayer<Float>(weights: Tensor(shape: [3, 4]), bias: Tensor(shape: [3])))
  },
  Misuse("dense-bias", "DenseLayer.bias: expected shape [4], or [0] for none, got [400].") {
    var layer = dense
    layer.bias = Tensor(shape: [400])
    use(layer)
  },
  Misuse("dense-weights", "DenseLayer.weights: expected shape [3, 4], got [3, 400].") {
    var layer = dense
    layer.weights = Tensor(shape: [3, 400])
    use(layer)
  },
  Misuse("dense-weights-axes", "DenseLayer.weights: expected shape [3, 4], got [12].") {
    var layer = dense
    layer.weights = layer.weights.reshaped(to: [12])
    use(layer)
  },
  Misuse("dense-inputs", "DenseLayer: expected inputs whose last axis is 3, got [2, 4].") {
    var outputs = Tensor<Float>(shape: [0, 0])
    dense.forward(Tensor(shape: [2, 4]), into: &outputs, using: Scratch())
  },
  Misuse(
    "dense-gradient", "DenseLayer.backward: expected a gradient of shape [2, 4], got [2, 3]."
  ) {
    var (a, b, c) = (rows, dense.weights, dense.bias)
    dense.backward(
      rows, outputGradient: rows, inputGradient: &a, weightGradient: &b, biasGradient: &c,
      using: Scratch())
  },
  Misuse(
    "dense-adds",
    "DenseLayer.backward: expected gradients to add to, of shapes [3, 4] and [4], got [2, 3] and [4]."
  ) {
    var (a, b, c) = (rows, rows, dense.bias)
    dense.backward(
      rows, outputGradient: Tensor(shape: [2, 4]), inputGradient: &a, weightGradient: &b,
      biasGradient: &c, adds: true, using: Scratch())
  },
  Misuse("targets", "DenseLayer.crossEntropy: expected targets below 4, got 4.") {
    var losses = [0.0, 0]
    dense.crossEntropy(rows, targets: [0, 4], losses: &losses, using: LogitScratch())
  },
  Misuse(
    "targets-count",
    "DenseLayer.crossEntropy: expected rows of 3 for 1 targets and as many losses, got shape [2, 3] and 2."
  ) {
    var losses = [0.0, 0]
    dense.crossEntropy(rows, targets: [0], losses: &losses, using: LogitScratch())
  },
  Misuse("targets-tensor", "Tensor.formCrossEntropyGradient: expected targets below 3, got 3.") {
    var (logits, losses) = (rows, [0.0, 0])
    use(logits.formCrossEntropyGradient(targets: [0, 3], scale: 1, losses: &losses))
  },
  Misuse("look-up", "Embedding.lookUp: expected symbols in 0 ..< 3, got 3.") {
    var result = Tensor<Float>(shape: [0])
    embedding(3).lookUp([0, 3], timeStepCount: 1, into: &result)
  },
  Misuse("embedding-axes", "Embedding.vectors: expected vectors of two axes, got [6].") {
    var table = embedding(3)
    table.vectors = Tensor(shape: [6])
    use(table)
  },
  Misuse("embedding-symbol", "EmbeddingGradient.set: expected symbols in 0 ..< 3, got -1.") {
    var gradient = EmbeddingGradient(like: embedding(3))
    gradient.set(symbols: [-1], gradient: Tensor(shape: [1, 1, 2]))
  },
  Misuse(
    "embedding-descend",
    "EmbeddingGradient.update: expected vectors of shape [300, 2], got [3, 2]."
  ) {
    var (gradient, table) = (EmbeddingGradient(like: embedding(300)), embedding(3))
    gradient.set(symbols: [299], gradient: Tensor(shape: [1, 1, 2], repeating: 1))
    gradient.update(&table, rate: 0.1)
  },
  Misuse(
    "embedding-rate",
    "EmbeddingGradient.update: expected a finite learning rate of at least 0, got nan."
  ) {
    var table = embedding(3)
    EmbeddingGradient(like: table).update(&table, rate: .nan)
  },
  Misuse("rate-nan", "Optimizer.update: expected a finite learning rate of at least 0, got nan.") {
    update(rate: .nan)
  },
  Misuse(
    "rate-negative", "Optimizer.update: expected a finite learning rate of at least 0, got -0.1."
  ) { update(.sgd, rate: -0.1) },
  Misuse(
    "decay-negative",
    "Optimizer.update: expected a finite gradient scale and a finite weight decay of at least 0, got 1.0 and -1.0."
  ) { update(.sgd, decay: -1) },
  Misuse(
    "scale-infinite",
    "Optimizer.update: expected a finite gradient scale and a finite weight decay of at least 0, got inf and 0.0."
  ) { update(.sgd, scale: .infinity) },
  Misuse(
    "beta",
    "Optimizer.update: expected decays in 0 ..< 1 and a finite ε of at least 0, got adam(beta1: 1.0, beta2: 0.999, epsilon: 1e-08)."
  ) { update(.adam(beta1: 1, beta2: 0.999, epsilon: 1e-8)) },
  Misuse(
    "optimizer-gradient",
    "Optimizer.update: expected a gradient of shape [4] and a state of this optimizer for it, got [2], [4] and [4]."
  ) { update(gradient: [2]) },
  Misuse(
    "optimizer-memory",
    "Optimizer.update: expected a gradient of shape [4] and a state of this optimizer for it, got [4], [0] and [0]."
  ) { update(.adam, memory: .sgd) },
  Misuse(
    "optimizer-step", "OptimizerState: expected a step count of at least 0, got -1."
  ) {
    use(
      OptimizerState<Float>(
        .adam, first: Tensor(shape: [4]), second: Tensor(shape: [4]), stepCount: -1))
  },
  Misuse(
    "optimizer-moments",
    "OptimizerState: expected moments of the shapes [4] and [4], got [4] and [3]."
  ) {
    use(
      OptimizerState<Float>(
        .adam, first: Tensor(shape: [4]), second: Tensor(shape: [3]), stepCount: 1))
  },
  Misuse(
    "dropout-rate",
    "Dropout.rate: expected a rate in 0 ..< 1, a stream in 0 ..< 65536 and a step of at least 0, got 1.0, 0 and 0."
  ) {
    var dropout = Dropout(rate: 0.5, seed: 1, stream: 0, step: 0)
    dropout.rate = 1
    use(dropout)
  },
  Misuse(
    "dropout-step",
    "Dropout.step: expected a rate in 0 ..< 1, a stream in 0 ..< 65536 and a step of at least 0, got 0.5, 0 and -1."
  ) {
    var dropout = Dropout(rate: 0.5, seed: 1, stream: 0, step: 0)
    dropout.step = -1
    use(dropout)
  },
  Misuse("dropout-period", "Dropout.apply: expected a period that divides 6, got 4.") {
    var x = rows
    Dropout(rate: 0.5, seed: 1, stream: 0, step: 0).apply(to: &x, period: 4)
  },
  Misuse("dropout-factor", "Dropout.factor: expected an index of at least 0, got -1.") {
    use(Dropout(rate: 0.5, seed: 1, stream: 0, step: 0).factor(at: -1))
  },
]

let randomMisuses = [
  Misuse("random-count", "NumPyRandom.uniform: expected a count of at least 0, got -1.") {
    var random = NumPyRandom(seed: 1)
    use(random.uniform(count: -1, from: Float(0), to: 1))
  },
  Misuse("random-permutation", "NumPyRandom.permutation: expected a count of at least 0, got -1.") {
    var random = NumPyRandom(seed: 1)
    use(random.permutation(-1))
  },
  Misuse("random-integers", "NumPyRandom.randint: expected low < high, got 3 and 3.") {
    var random = NumPyRandom(seed: 1)
    use(random.randint(3, 3, count: 1))
  },
  Misuse(
    "random-choice",
    "NumPyRandom.choice: expected finite probabilities of at least 0, some of them above 0, got [nan, 1.0]."
  ) {
    var random = NumPyRandom(seed: 1)
    use(random.choice(2, count: 1, probabilities: [.nan, 1]))
  },
  Misuse(
    "random-binomial", "NumPyRandom.binomial: expected trials ≥ 0 and p in 0 ... 1, got 3, nan."
  ) {
    var random = NumPyRandom(seed: 1)
    use(random.binomial(3, .nan))
  },
  Misuse("initializer", "Initializer.matrix: expected sizes of at least 0, got [-2, 3].") {
    var random = NumPyRandom(seed: 1)
    use(Initializer<Float>.glorotUniform.matrix(rows: -2, columns: 3, using: &random))
  },
  Misuse(
    "random-tensorflow",
    "TensorFlowRandom: expected a count in 0 ... 1099511627776 and a run of at least 0, got 3 and -1."
  ) { use(TensorFlowRandom(seed: 1, opSeed: 2, run: -1).uniformFloat(count: 3)) },
]
