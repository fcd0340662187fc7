// A recurrent layer with a softmax over its state at every step, trained by Adam.

internal import Unroll

/// A recurrent classifier in Float: a class at every step.
struct SequenceClassifier {
  private(set) var layer: RecurrentLayer<Float>
  private var head: DenseLayer<Float>
  private var cellMoments: [OptimizerState<Float>]
  private var weightMoments, biasMoments: OptimizerState<Float>
  // The memory of a step, which the next one of the same sizes uses again.
  private var trace = SequenceTrace<Float>()
  private var gradients = LayerGradients<Float>()
  private var outputGradient = Tensor<Float>(shape: [0])
  private var weightGradient = Tensor<Float>(shape: [0])
  private var biasGradient = Tensor<Float>(shape: [0])
  private var losses: [Double] = []
  private let logitScratch = LogitScratch<Float>()

  private static let optimizer: Optimizer = .adam

  /// Creates a classifier: the cell as `Cell.init(_:…using:)` draws it, a Glorot-uniform head.
  init(
    _ cell: CellKind, inputSize: Int, hiddenSize: Int, classCount: Int,
    using random: inout NumPyRandom
  ) {
    layer = RecurrentLayer(
      cell: Cell(cell, inputSize: inputSize, hiddenSize: hiddenSize, using: &random))
    let limit = (6 / Float(hiddenSize + classCount)).squareRoot()
    head = DenseLayer(
      weights: Tensor(
        shape: [hiddenSize, classCount],
        elements: random.uniform(count: hiddenSize * classCount, from: -limit, to: limit)),
      bias: Tensor(shape: [classCount]))
    cellMoments = layer.cell.parameters.all.map {
      OptimizerState(Self.optimizer, shape: $0.shape)
    }
    weightMoments = OptimizerState(Self.optimizer, shape: head.weights.shape)
    biasMoments = OptimizerState(Self.optimizer, shape: head.bias.shape)
  }

  /// The number of trained numbers.
  var parameterCount: Int {
    layer.cell.parameters.count + head.weights.count + head.bias.count
  }

  /// Trains one step on a batch, with the gradient's norm clipped.
  ///
  /// - Parameters:
  ///   - inputs: `[T, B, D]`.
  ///   - targets: A class for each step of each sequence, in the order `[T, B]`.
  ///   - rate: The learning rate.
  ///   - largestNorm: The norm that a longer gradient is scaled to.
  /// - Returns: The mean cross-entropy in nats, before the update.
  mutating func train(
    _ inputs: Tensor<Float>, _ targets: [Int32], rate: Double, largestNorm: Double
  ) -> Double {
    layer.forward(inputs, from: layer.zeroState(batchSize: inputs.shape[1]), into: &trace)
    let count = Double(targets.count)
    if losses.count != targets.count { losses = [Double](repeating: 0, count: targets.count) }
    head.crossEntropyGradients(
      trace.outputs, targets: targets, scale: Float(1 / count), losses: &losses,
      inputGradient: &outputGradient, weightGradient: &weightGradient,
      biasGradient: &biasGradient, using: logitScratch)
    layer.backward(trace, outputs: outputGradient, into: &gradients)
    let all = gradients.parameters.all + [weightGradient, biasGradient]
    let norm = all.reduce(0) { $0 + $1.sumOfSquares }.squareRoot()
    let scale = norm > largestNorm ? largestNorm / norm : 1
    layer.cell.parameters.update(by: gradients.parameters) { index, parameter, gradient in
      Self.optimizer.update(
        &parameter, with: gradient, state: &cellMoments[index], rate: rate, gradientScale: scale)
    }
    Self.optimizer.update(
      &head.weights, with: weightGradient, state: &weightMoments, rate: rate,
      gradientScale: scale)
    Self.optimizer.update(
      &head.bias, with: biasGradient, state: &biasMoments, rate: rate, gradientScale: scale)
    return losses.reduce(0, +) / count
  }

  /// The share of sequences whose class is right, at every step.
  ///
  /// - Parameters:
  ///   - inputs: `[T, B, D]`.
  ///   - targets: A class for each step of each sequence, in the order `[T, B]`.
  /// - Returns: T shares.
  func accuracy(_ inputs: Tensor<Float>, _ targets: [Int32]) -> [Double] {
    let (steps, rows) = (inputs.shape[0], inputs.shape[1])
    let trace = layer.forward(inputs, from: layer.zeroState(batchSize: rows))
    var logits = Tensor<Float>(shape: [0])
    head.forward(trace.outputs, into: &logits, using: Scratch())
    let (all, classes) = (logits.elements, head.outputSize)
    return (0..<steps).map { step in
      let right = (step * rows..<(step + 1) * rows).count { row in
        let scores = all[row * classes..<(row + 1) * classes]
        let best = scores.indices.max { scores[$0] < scores[$1] } ?? 0
        return best - row * classes == Int(targets[row])
      }
      return Double(right) / Double(rows)
    }
  }
}
