import Unroll

private let inputs = Tensor<Float>(shape: [5, 2, 3], repeating: 0.5)

/// Runs one cell forward, and another backward through that trace.
private func takeBack(
  _ cell: any RecurrentCell<Float>, _ direction: Direction = .forward,
  by other: any RecurrentCell<Float>
) {
  let (layer, next) = (
    RecurrentLayer(cell: cell, direction: direction), RecurrentLayer(cell: other)
  )
  use(next.backward(layer.forward(inputs, from: layer.zeroState(batchSize: 2))))
}

private func differing(_ own: String, _ others: String) -> String {
  "RecurrentLayer.backward: expected a trace of this layer, with \(own), got one with \(others)."
}

private func lstm(_ options: LSTMOptions) -> LSTM<Float> {
  LSTM(inputSize: 3, hiddenSize: 4, options: options)
}

private func zoned(_ rate: Double) -> LSTM<Float> {
  var cell = lstm(LSTMOptions())
  cell.zoneout = Zoneout(hidden: rate)
  return cell
}

private let settings:
  [(String, any RecurrentCell<Float>, any RecurrentCell<Float>, String, String)] =
    [
      (
        "reset-gate", GRU(inputSize: 3, hiddenSize: 4, resetGate: .beforeProduct),
        GRU(inputSize: 3, hiddenSize: 4, resetGate: .afterProduct),
        "resetGate afterProduct", "resetGate beforeProduct"
      ),
      (
        "activation", BasicRNN(inputSize: 3, hiddenSize: 4, activation: .relu),
        BasicRNN(inputSize: 3, hiddenSize: 4), "activation tanh", "activation relu"
      ),
      (
        "clip",
        BasicRNN(parameters: BasicRNN(inputSize: 3, hiddenSize: 4).parameters, argumentClip: 3),
        BasicRNN(inputSize: 3, hiddenSize: 4), "argumentClip 0.0", "argumentClip 3.0"
      ),
      (
        "forget-offset", lstm(LSTMOptions(forgetOffset: 1)), lstm(LSTMOptions()),
        "forgetOffset 0.0", "forgetOffset 1.0"
      ),
      (
        "coupled", lstm(LSTMOptions(couplesInputAndForget: true)), lstm(LSTMOptions()),
        "couplesInputAndForget false", "couplesInputAndForget true"
      ),
      (
        "gate-activation",
        lstm(LSTMOptions(gateActivation: .hardSigmoid(slope: 0.2, offset: 0.5), cellClip: 2)),
        lstm(LSTMOptions()), "gateActivation sigmoid, cellClip 0.0",
        "gateActivation hardSigmoid(slope: 0.2, offset: 0.5), cellClip 2.0"
      ),
      (
        "output-activation", lstm(LSTMOptions(outputActivation: .identity)), lstm(LSTMOptions()),
        "outputActivation tanh", "outputActivation identity"
      ),
      (
        "peepholes", LSTM(inputSize: 3, hiddenSize: 4, hasPeepholes: true), lstm(LSTMOptions()),
        "peepholes absent", "peepholes present"
      ),
      (
        "projection", LSTM(inputSize: 3, hiddenSize: 4, projectionSize: 4), lstm(LSTMOptions()),
        "projection absent", "projection present"
      ),
      (
        "second-bias", GRU(inputSize: 3, hiddenSize: 4, resetGate: .afterProduct, biasCount: 2),
        GRU(inputSize: 3, hiddenSize: 4, resetGate: .afterProduct),
        "recurrentBias absent", "recurrentBias present"
      ),
      (
        "normalised", LSTM(inputSize: 3, hiddenSize: 4, isNormalized: true), lstm(LSTMOptions()),
        "isNormalized false", "isNormalized true"
      ),
      ("zoneout", zoned(0.5), zoned(0.25), "zoneout.hidden 0.25", "zoneout.hidden 0.5"),
      (
        "cell", GRU(inputSize: 3, hiddenSize: 4, resetGate: .afterProduct), lstm(LSTMOptions()),
        "cell LSTM", "cell GRU"
      ),
    ]

private let layer = RecurrentLayer<Float>(cell: lstm(LSTMOptions()))
private let state = layer.zeroState(batchSize: 2)
private let stack = RecurrentNetwork<Float>(cells: [
  LSTM(inputSize: 3, hiddenSize: 4), LSTM(inputSize: 4, hiddenSize: 2),
])

let traceMisuses =
  settings.map { name, cell, other, own, others in
    Misuse("trace-\(name)", differing(own, others)) { takeBack(cell, by: other) }
  } + [
    Misuse("trace-direction", differing("direction forward", "direction backward")) {
      takeBack(lstm(LSTMOptions()), .backward, by: lstm(LSTMOptions()))
    },
    Misuse(
      "trace-size",
      "RecurrentLayer.backward: expected a trace of this layer, with the gates input, forget, candidate, output of 8 units, got one of another."
    ) { takeBack(lstm(LSTMOptions()), by: LSTM(inputSize: 3, hiddenSize: 8)) },
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
      let one = RecurrentNetwork<Float>(cells: [LSTM(inputSize: 3, hiddenSize: 4)])
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
