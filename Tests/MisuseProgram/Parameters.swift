import Unroll

private func lstm() -> Cell<Float> { Cell(.lstm, inputSize: 3, hiddenSize: 4) }

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
    var cell = Cell<Float>(.lstm, inputSize: 3, hiddenSize: 4, isNormalized: true)
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
  Misuse(
    "cell-size",
    "CellParameters.init: expected D of at least 0 and H of at least 1, and P if there is a projection, got D 3, H 0."
  ) {
    use(Cell<Float>(.lstm, inputSize: 3, hiddenSize: 0))
  },
  Misuse(
    "cell-huge",
    "CellParameters.init: expected at most 18014398509481984 units, got 4611686018427387904."
  ) { use(Cell<Float>(.lstm, inputSize: 3, hiddenSize: 1 << 62)) },
  Misuse("gru-biases", "Cell.init: expected 1 or 2 biases, got 3.") {
    use(Cell<Float>(.gruResetAfter, inputSize: 3, hiddenSize: 4, biasCount: 3))
  },
  Misuse(
    "cell-parameters",
    "RecurrentLayer.forward: expected parameters of the gates input, forget, candidate, output, got candidate."
  ) {
    var cell = lstm()
    cell.parameters = Cell<Float>(.rnn, inputSize: 3, hiddenSize: 4).parameters
    let layer = RecurrentLayer(cell: cell)
    use(layer.forward(Tensor(shape: [5, 2, 3]), from: layer.zeroState(batchSize: 2)))
  },
  Misuse(
    "gru-peepholes",
    "Cell.init: expected a cell of the kind GRU (reset after) without peepholes, got one with peepholes."
  ) { use(Cell<Float>(.gruResetAfter, inputSize: 3, hiddenSize: 4, hasPeepholes: true)) },
  Misuse(
    "rnn-parts",
    "Cell.init: expected a cell of the kind RNN without a second bias and a projection, got one with a second bias and a projection."
  ) {
    use(Cell<Float>(.rnn, inputSize: 3, hiddenSize: 4, biasCount: 2, projectionSize: 2))
  },
  Misuse(
    "lstm-biases",
    "Cell.init: expected a cell of the kind LSTM without a second bias, got one with a second bias."
  ) { use(Cell<Float>(.lstm, inputSize: 3, hiddenSize: 4, biasCount: 2)) },
  Misuse(
    "cell-kind",
    "Cell.init: expected parameters of the gates reset, update, candidate, got input, forget, candidate, output."
  ) { use(Cell(.gruResetBefore, parameters: lstm().parameters)) },
  Misuse(
    "unused-options",
    "Cell.init: expected the defaults of options that a cell of the kind RNN does not use, got gateActivation relu, cellClip 2.0."
  ) {
    use(
      Cell<Float>(
        .rnn, inputSize: 3, hiddenSize: 4,
        options: CellOptions(activation: .relu, gateActivation: .relu, cellClip: 2)))
  },
  Misuse(
    "unused-option",
    "Cell.options: expected the defaults of options that a cell of the kind GRU does not use, got forgetOffset 1.0."
  ) {
    var cell = Cell<Float>(.gruResetBefore, inputSize: 3, hiddenSize: 4)
    cell.options.forgetOffset = 1
    use(cell)
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
]
