import Unroll

private let inputs = Tensor<Float>(shape: [5, 2, 3], repeating: 0.5)

/// Runs the forward pass of one cell, and the backward pass of another with its trace.
private func takeBack(
  _ cell: Cell<Float>, _ direction: Direction = .forward,
  by other: Cell<Float>
) {
  let (layer, next) = (
    RecurrentLayer(cell: cell, direction: direction), RecurrentLayer(cell: other)
  )
  use(next.backward(layer.forward(inputs, from: layer.zeroState(batchSize: 2))))
}

private func differing(_ own: String, _ others: String) -> String {
  "RecurrentLayer.backward: expected a trace of this layer, with \(own), got one with \(others)."
}

private func lstm(_ options: CellOptions) -> Cell<Float> {
  Cell(.lstm, inputSize: 3, hiddenSize: 4, options: options)
}

private func zoned(_ rate: Double) -> Cell<Float> {
  var cell = lstm(CellOptions())
  cell.zoneout = Zoneout(hidden: rate)
  return cell
}

private let settings: [(String, Cell<Float>, Cell<Float>, String, String)] =
  [
    (
      "reset-gate", Cell(.gruResetBefore, inputSize: 3, hiddenSize: 4),
      Cell(.gruResetAfter, inputSize: 3, hiddenSize: 4),
      "cell GRU (reset after)", "cell GRU"
    ),
    (
      "activation",
      Cell(.rnn, inputSize: 3, hiddenSize: 4, options: CellOptions(activation: .relu)),
      Cell(.rnn, inputSize: 3, hiddenSize: 4), "activation tanh", "activation relu"
    ),
    (
      "clip",
      Cell(
        .rnn, parameters: Cell(.rnn, inputSize: 3, hiddenSize: 4).parameters,
        options: CellOptions(argumentClip: 3)),
      Cell(.rnn, inputSize: 3, hiddenSize: 4), "argumentClip 0.0", "argumentClip 3.0"
    ),
    (
      "forget-offset", lstm(CellOptions(forgetOffset: 1)), lstm(CellOptions()),
      "forgetOffset 0.0", "forgetOffset 1.0"
    ),
    (
      "coupled", lstm(CellOptions(couplesInputAndForget: true)), lstm(CellOptions()),
      "couplesInputAndForget false", "couplesInputAndForget true"
    ),
    (
      "gate-activation",
      lstm(CellOptions(gateActivation: .hardSigmoid(slope: 0.2, offset: 0.5), cellClip: 2)),
      lstm(CellOptions()), "gateActivation sigmoid, cellClip 0.0",
      "gateActivation hardSigmoid(slope: 0.2, offset: 0.5), cellClip 2.0"
    ),
    (
      "output-activation", lstm(CellOptions(outputActivation: .identity)), lstm(CellOptions()),
      "outputActivation tanh", "outputActivation identity"
    ),
    (
      "peepholes", Cell(.lstm, inputSize: 3, hiddenSize: 4, hasPeepholes: true),
      lstm(CellOptions()),
      "peepholes absent", "peepholes present"
    ),
    (
      "projection", Cell(.lstm, inputSize: 3, hiddenSize: 4, projectionSize: 4),
      lstm(CellOptions()),
      "projection absent", "projection present"
    ),
    (
      "second-bias", Cell(.gruResetAfter, inputSize: 3, hiddenSize: 4, biasCount: 2),
      Cell(.gruResetAfter, inputSize: 3, hiddenSize: 4),
      "recurrentBias absent", "recurrentBias present"
    ),
    (
      "normalised", Cell(.lstm, inputSize: 3, hiddenSize: 4, isNormalized: true),
      lstm(CellOptions()),
      "isNormalized false", "isNormalized true"
    ),
    ("zoneout", zoned(0.5), zoned(0.25), "zoneout.hidden 0.25", "zoneout.hidden 0.5"),
    (
      "cell", Cell(.gruResetAfter, inputSize: 3, hiddenSize: 4), lstm(CellOptions()),
      "cell LSTM", "cell GRU (reset after)"
    ),
  ]

private let layer = RecurrentLayer<Float>(cell: lstm(CellOptions()))
private let state = layer.zeroState(batchSize: 2)
private let stack = RecurrentNetwork<Float>(cells: [
  Cell(.lstm, inputSize: 3, hiddenSize: 4), Cell(.lstm, inputSize: 4, hiddenSize: 2),
])

let traceMisuses =
  settings.map { name, cell, other, own, others in
    Misuse("trace-\(name)", differing(own, others)) { takeBack(cell, by: other) }
  } + [
    Misuse("trace-direction", differing("direction forward", "direction backward")) {
      takeBack(lstm(CellOptions()), .backward, by: lstm(CellOptions()))
    },
    Misuse(
      "trace-size",
      "RecurrentLayer.backward: expected a trace of this layer, with the gates input, forget, candidate, output of 8 units, got one of another."
    ) { takeBack(lstm(CellOptions()), by: Cell(.lstm, inputSize: 3, hiddenSize: 8)) },
    Misuse(
      "trace-empty",
      "RecurrentLayer.backward: expected a trace that forward has filled, got an empty one."
    ) { use(layer.backward(SequenceTrace())) },
    Misuse(
      "trace-gradient",
      "RecurrentLayer.backward: expected output gradients of shape [5, 2, 4], got [2, 5, 4]."
    ) {
      use(layer.backward(layer.forward(inputs, from: state), outputs: Tensor(shape: [2, 5, 4])))
    },
    Misuse(
      "trace-state-gradient",
      "RecurrentLayer.backward: expected states [2, 4] and [2, 4], got [2, 4] and [2, 0]."
    ) {
      use(
        layer.backward(
          layer.forward(inputs, from: state),
          finalState: RecurrentState(hidden: Tensor(shape: [2, 4]))))
    },
    Misuse(
      "trace-gate",
      "SequenceTrace.gate: expected one of the gates input, forget, candidate, output, got update."
    ) { use(layer.forward(inputs, from: state).gate(.update)) },
    Misuse(
      "trace-network",
      "RecurrentNetwork.backward: expected a trace of this network, with 2 layers, got one with 1."
    ) {
      let one = RecurrentNetwork<Float>(cells: [Cell(.lstm, inputSize: 3, hiddenSize: 4)])
      use(stack.backward(one.forward(inputs, from: one.zeroStates(batchSize: 2))))
    },
    Misuse(
      "trace-network-gradient",
      "RecurrentNetwork.backward: expected output gradients of shape [5, 2, 2], got [5, 2, 4]."
    ) {
      let trace = stack.forward(inputs, from: stack.zeroStates(batchSize: 2))
      use(stack.backward(trace, outputs: Tensor(shape: [5, 2, 4])))
    },
    Misuse(
      "trace-network-states",
      "RecurrentNetwork.backward: expected 2 final-state gradients, got 1."
    ) {
      let trace = stack.forward(inputs, from: stack.zeroStates(batchSize: 2))
      use(stack.backward(trace, finalStates: [trace.finalStates[0]]))
    },
  ]
