import Unroll

private func lstm() -> LSTM<Float> { LSTM(inputSize: 3, hiddenSize: 4) }

/// A cell of somebody's own, which lies about its bias.
private struct OwnCell: RecurrentCell {
  var cell = LSTM<Float>(inputSize: 3, hiddenSize: 4)
  static var gates: [Gate] { LSTM<Float>.gates }
  var parameters: CellParameters<Float> {
    get { cell.parameters }
    set { cell.parameters = newValue }
  }
  var zoneout: Zoneout {
    get { cell.zoneout }
    set { cell.zoneout = newValue }
  }
  var cellStateSize: Int { 4000 }
  var auxiliarySize: Int { 0 }
  var inputBias: Tensor<Float> { Tensor(shape: [1]) }
  var settings: CellSettings { cell.settings }
  var fusedKernel: FusedKernel? { nil }
  func step(_ buffers: StepBuffers<Float>) {}
  func stepBackward(_ buffers: StepBuffers<Float>, _ gradients: StepGradients<Float>) {}
}

let parameterMisuses = [
  Misuse("weights-shape", "CellParameters: expected shape [3, 16], got [3, 15].") {
    var cell = lstm()
    cell.parameters.inputWeights = Tensor(shape: [3, 15])
    use(cell)
  },
  Misuse("bias-shape", "CellParameters: expected shape [16], got [4, 4].") {
    var cell = lstm()
    cell.parameters.bias = Tensor(shape: [4, 4])
    use(cell)
  },
  Misuse("peepholes-absent", "CellParameters: expected shape [0, 4], got [3, 4].") {
    var cell = lstm()
    cell.parameters.peepholes = Tensor(shape: [3, 4])
    use(cell)
  },
  Misuse(
    "gain-absent",
    "CellParameters: expected gains of a normalised cell only, got one without normalisation."
  ) {
    var cell = lstm()
    cell.parameters.inputGain = Tensor(shape: [16], repeating: 1)
    use(cell)
  },
  Misuse("gain-shape", "CellParameters: expected gains of shape [16], got [4].") {
    var cell = LSTM<Float>(inputSize: 3, hiddenSize: 4, isNormalized: true)
    cell.parameters.recurrentGain = Tensor(shape: [4])
    use(cell)
  },
  Misuse(
    "gate-wide",
    "CellParameters.subscript: expected the shapes [3, 4], [4, 4] and [4] for the gate input, got [3, 8], [4, 4] and [4]."
  ) {
    var cell = lstm()
    cell.parameters[.input].inputWeights = Tensor(shape: [3, 8], repeating: 7)
    use(cell)
  },
  Misuse(
    "gate-absent",
    "CellParameters: expected one of the gates input, forget, candidate, output, got reset."
  ) { use(lstm().parameters[.reset]) },
  Misuse(
    "parameter-name",
    "CellParameters: expected a name of [\"inputWeights\", \"recurrentWeights\", \"bias\"], got 'weights'."
  ) { use(lstm().parameters["weights"]) },
  Misuse("cell-size", "CellParameters.init: expected sizes of at least 1, got D 3, H 0.") {
    use(LSTM<Float>(inputSize: 3, hiddenSize: 0))
  },
  Misuse(
    "cell-huge",
    "CellParameters.init: expected at most 18014398509481984 units, got 4611686018427387904."
  ) { use(LSTM<Float>(inputSize: 3, hiddenSize: 1 << 62)) },
  Misuse("gru-biases", "GRU.init: expected 1 or 2 biases, got 3.") {
    use(GRU<Float>(inputSize: 3, hiddenSize: 4, resetGate: .afterProduct, biasCount: 3))
  },
  Misuse(
    "cell-parameters",
    "RecurrentLayer.forward: expected parameters of the gates input, forget, candidate, output, got candidate."
  ) {
    var cell = lstm()
    cell.parameters = BasicRNN<Float>(inputSize: 3, hiddenSize: 4).parameters
    let layer = RecurrentLayer(cell: cell)
    use(layer.forward(Tensor(shape: [5, 2, 3]), from: layer.zeroState(batchSize: 2)))
  },
  Misuse(
    "own-cell",
    "RecurrentLayer.forward: expected a BasicRNN, a GRU or an LSTM, got a cell of type OwnCell."
  ) {
    let layer = RecurrentLayer(cell: OwnCell())
    use(layer.forward(Tensor(shape: [5, 2, 3]), from: layer.zeroState(batchSize: 2)))
  },
  Misuse("zoneout-rate", "Zoneout: expected rates in 0 ..< 1, got 1.0 and 0.0.") {
    use(Zoneout(hidden: 1))
  },
  Misuse("zoneout-nan", "Zoneout: expected rates in 0 ..< 1, got 0.5 and nan.") {
    var zoneout = Zoneout(hidden: 0.5)
    zoneout.cell = .nan
    use(zoneout)
  },
  Misuse(
    "zoneout-step",
    "Zoneout.Masks: expected streams in 0 ..< 65536 and a step of at least 0, got 0, 1 and -1."
  ) { use(Zoneout.Masks(seed: 1, step: -1)) },
  Misuse(
    "unusual-zoneout",
    "RecurrentCell: expected the usual functions, no clip and no projection in a cell with layer normalisation or zoneout."
  ) {
    var cell = BasicRNN<Float>(inputSize: 3, hiddenSize: 4, activation: .sigmoid)
    cell.zoneout = Zoneout(hidden: 0.5)
    let layer = RecurrentLayer(cell: cell)
    use(layer.forward(Tensor(shape: [5, 2, 3]), from: layer.zeroState(batchSize: 2)))
  },
]
