#if Command
internal import Unroll

/// A stack of layers of one kind with random weights and inputs, for timing.
struct LayerBenchmark<Scalar: KernelScalar> {
  let workload: Workload
  let weights: StreamWeights
  private let layers: [RecurrentLayer<Scalar>]
  private var random = NumPyRandom(seed: 1)

  init(_ workload: Workload, kind: CellKind, weights: StreamWeights = .full) {
    self.workload = workload
    self.weights = weights
    var random = NumPyRandom(seed: 0)
    layers = (0..<workload.layers).map { index in
      RecurrentLayer(
        cell: Self.cell(
          kind, index == 0 ? workload.inputSize : workload.hiddenSize, workload.hiddenSize,
          &random))
    }
  }

  /// A cell with uniform parameters of ± 1/√H, biases included.
  static func cell(
    _ kind: CellKind, _ inputSize: Int, _ hiddenSize: Int, _ random: inout NumPyRandom
  ) -> Cell<Scalar> {
    var cell = Cell<Scalar>(
      kind, inputSize: inputSize, hiddenSize: hiddenSize,
      biasCount: kind.candidate == .separate ? 2 : 1)
    let bound = 1 / Double(hiddenSize).squareRoot()
    for name in cell.parameters.names {
      let shape = cell.parameters[name].shape
      cell.parameters[name] = Tensor(random.uniform(-bound, bound, shape))
    }
    return cell
  }

  mutating func time() -> Stopwatch {
    switch workload.mode {
    case .forward: timeForward()
    case .train: timeTraining()
    case .step: timeStep()
    }
  }

  private mutating func uniform(_ shape: [Int]) -> Tensor<Scalar> {
    Tensor(random.uniform(-1, 1, shape))
  }

  private var outputSize: Int { workload.hiddenSize }

  private mutating func timeForward() -> Stopwatch {
    let frozen = layers.map { $0.frozen() }
    let states = layers.map { $0.zeroState(batchSize: workload.batch) }
    let inputs = uniform([workload.time, workload.batch, workload.inputSize])
    var results = layers.map { _ in SequenceOutputs<Scalar>() }
    return Stopwatch {
      for index in frozen.indices {
        frozen[index].run(
          index == 0 ? inputs : results[index - 1].outputs, from: states[index],
          into: &results[index])
      }
    }
  }

  private mutating func timeTraining() -> Stopwatch {
    let states = layers.map { $0.zeroState(batchSize: workload.batch) }
    let inputs = uniform([workload.time, workload.batch, workload.inputSize])
    let outputGradient = uniform([workload.time, workload.batch, outputSize])
    if layers.count == 1 {
      // A trace in an array would be copied when it is passed on, so a single layer has its own path.
      let (layer, state) = (layers[0], states[0])
      var (trace, gradients) = (SequenceTrace<Scalar>(), LayerGradients<Scalar>())
      return Stopwatch {
        layer.forward(inputs, from: state, into: &trace)
        layer.backward(trace, outputs: outputGradient, into: &gradients)
      }
    }
    var traces = layers.map { _ in SequenceTrace<Scalar>() }
    var gradients = layers.map { _ in LayerGradients<Scalar>() }
    return Stopwatch {
      for index in layers.indices {
        layers[index].forward(
          index == 0 ? inputs : traces[index - 1].outputs, from: states[index],
          into: &traces[index])
      }
      for index in layers.indices.reversed() {
        let above = index == layers.count - 1 ? outputGradient : gradients[index + 1].inputs
        layers[index].backward(traces[index], outputs: above, into: &gradients[index])
      }
    }
  }

  private mutating func timeStep() -> Stopwatch {
    var stream = RecurrentNetwork(cells: layers.map(\.cell))
      .stream(batchSize: workload.batch, weights: weights)
    let input = uniform([workload.batch, workload.inputSize])
    var output = Tensor<Scalar>(shape: [workload.batch, outputSize])
    return Stopwatch { stream.step(input, into: &output) }
  }
}
#endif
