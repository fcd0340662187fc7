import Unroll

/// A custom cell one of whose arrays has the wrong shape.
private struct Misshapen: CustomCell {
  let name = "Misshapen"
  var gates: [Gate] = [.candidate]
  var hasCellState = false
  var retention: Retention?
  /// The array with the wrong shape.
  var wrong = ""

  func step<Scalar>(
    _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
  ) -> CustomStep<Scalar> {
    let h = state.hidden
    let row = Tensor<Scalar>(shape: [1, 4])
    return CustomStep(
      hidden: wrong == "h" ? row : h, cell: wrong == "c" ? h : nil,
      gates: wrong == "count" ? [] : [wrong == "gate" ? row : h])
  }

  func stepBackward<Scalar>(
    _ step: CustomStep<Scalar>, _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>,
    _ parameters: CellParameters<Scalar>, gradient: RecurrentState<Scalar>,
    into gradients: inout CustomGradients<Scalar>
  ) {
    if wrong == "dx" { gradients.input = Tensor(shape: [1]) }
    if wrong == "dh" { gradients.state.hidden = Tensor(shape: [1, 4]) }
    if wrong == "parameters" {
      gradients.parameters = CellParameters(gates: [.output], inputSize: 1, hiddenSize: 1)
    }
  }

  /// Runs a forward and a backward pass of two sequences.
  func run() {
    let layer = RecurrentLayer<Float>(cell: Cell(custom: self, inputSize: 3, hiddenSize: 4))
    let trace = layer.forward(Tensor(shape: [5, 2, 3]), from: layer.zeroState(batchSize: 2))
    use(layer.backward(trace, outputs: trace.outputs))
  }
}

let customCellMisuses = [
  Misuse(
    "own-no-gates",
    "CustomCell: expected gates of Misshapen, each once, and a retention by one of them, got [] and none."
  ) { Misshapen(gates: []).run() },
  Misuse(
    "own-gate-twice",
    "CustomCell: expected gates of Misshapen, each once, and a retention by one of them, got [reset, reset] and none."
  ) { Misshapen(gates: [.reset, .reset]).run() },
  Misuse(
    "own-retention",
    "CustomCell: expected gates of Misshapen, each once, and a retention by one of them, got [candidate] and update."
  ) { Misshapen(retention: Retention(.update)).run() },
  Misuse(
    "own-h", "CustomCell.step: expected h of shape [2, 4] from Misshapen, got [1, 4]."
  ) { Misshapen(wrong: "h").run() },
  Misuse(
    "own-c",
    "CustomCell.step: expected no c from Misshapen, which has no cell state, got one."
  ) { Misshapen(wrong: "c").run() },
  Misuse(
    "own-no-c", "CustomCell.step: expected c of shape [2, 4] from Misshapen, got none."
  ) { Misshapen(hasCellState: true).run() },
  Misuse(
    "own-gate",
    "CustomCell.step: expected the gate candidate of shape [2, 4] from Misshapen, got [1, 4]."
  ) { Misshapen(wrong: "gate").run() },
  Misuse(
    "own-gate-count",
    "CustomCell.step: expected values of the gates candidate from Misshapen, got 0 arrays."
  ) { Misshapen(wrong: "count").run() },
  Misuse(
    "own-dx",
    "CustomCell.stepBackward: expected a gradient of x of shape [2, 3] from Misshapen, got [1]."
  ) { Misshapen(wrong: "dx").run() },
  Misuse(
    "own-dh",
    "CustomCell.stepBackward: expected a gradient of h of shape [2, 4] from Misshapen, got [1, 4]."
  ) { Misshapen(wrong: "dh").run() },
  Misuse(
    "own-parameters",
    "CustomCell.stepBackward: expected gradients of the cell's parameters from Misshapen, got those of others."
  ) { Misshapen(wrong: "parameters").run() },
  Misuse(
    "own-zoneout",
    "Cell.zoneout: expected none for the cell Misshapen, which is not one of Unroll's kinds, got the rates 0.5 and 0.0."
  ) {
    var cell = Cell<Float>(custom: Misshapen(), inputSize: 3, hiddenSize: 4)
    cell.zoneout = Zoneout(hidden: 0.5)
  },
  Misuse(
    "own-options",
    "Cell.options: expected the defaults of options that the cell Misshapen does not use, got activation relu."
  ) {
    var cell = Cell<Float>(custom: Misshapen(), inputSize: 3, hiddenSize: 4)
    cell.options.activation = .relu
  },
  Misuse(
    "own-sizes",
    "CellParameters.init: expected D of at least 0 and H of at least 1, and P if there is a projection, got D -1, H 4."
  ) { use(Cell<Float>(custom: Misshapen(), inputSize: -1, hiddenSize: 4)) },
  Misuse(
    "own-other-gates",
    "Cell.init: expected parameters of the gates candidate, got reset, update."
  ) {
    use(
      Cell<Float>(
        custom: Misshapen(),
        parameters: CellParameters(gates: [.reset, .update], inputSize: 3, hiddenSize: 4)))
  },
  Misuse(
    "own-other-trace",
    "RecurrentLayer.backward: expected a trace of this layer, with cell GRU, got one with cell Misshapen."
  ) {
    let gates: [Gate] = [.reset, .update, .candidate]
    let parameters = CellParameters<Float>(gates: gates, inputSize: 3, hiddenSize: 4)
    let own = RecurrentLayer(cell: Cell(custom: SameGates(), parameters: parameters))
    let gru = RecurrentLayer(cell: Cell(.gruResetBefore, parameters: parameters))
    use(gru.backward(own.forward(Tensor(shape: [5, 2, 3]), from: own.zeroState(batchSize: 2))))
  },
  Misuse(
    "own-twin-trace",
    "RecurrentLayer.backward: expected a trace of this layer, with the cell Misshapen, got one with another cell of that name."
  ) {
    let layers = [Misshapen(), Misshapen()].map {
      RecurrentLayer<Float>(cell: Cell(custom: $0, inputSize: 3, hiddenSize: 4))
    }
    let trace = layers[0].forward(
      Tensor(shape: [5, 2, 3]), from: layers[0].zeroState(batchSize: 2))
    use(layers[1].backward(trace))
  },
  Misuse(
    "own-bf16",
    "RecurrentStream.init: expected cells of Unroll's kinds for bfloat16 weights, got the cell Misshapen."
  ) {
    let layer = RecurrentLayer<Float>(
      cell: Cell(custom: Misshapen(), inputSize: 3, hiddenSize: 4))
    _ = layer.stream(batchSize: 1, weights: .bfloat16)
  },
  Misuse(
    "check-tolerance",
    "CellCheck.init: expected at least one step and one sequence and a tolerance above 0, got 4, 2 and nan."
  ) { use(CellCheck(of: Misshapen(), tolerance: .nan)) },
  Misuse(
    "memory-sizes",
    "RecurrentLayer.trainingMemory: expected T and B of at least 0 and arrays of at most 281474976710656 numbers, got 1073741824 and 4."
  ) {
    let wide = RecurrentLayer<Float>(cell: Cell(.rnn, inputSize: 1 << 20, hiddenSize: 1))
    use(wide.trainingMemory(timeStepCount: 1 << 30, batchSize: 4))
  },
  Misuse(
    "plan-sizes",
    "LayerPlan.init: expected H of at least 1, D, T and B of at least 0, and arrays of at most 281474976710656 elements, got H 16777216, D 16777216, T 1 and B 1."
  ) {
    let size = 1 << 24
    use(
      LayerPlan(
        of: .lstm, Float.self, inputSize: size, hiddenSize: size, for: .training,
        timeStepCount: 1, batchSize: 1))
  },
]

/// A cell with a GRU's gates.
private struct SameGates: CustomCell {
  let name = "Misshapen"
  let gates: [Gate] = [.reset, .update, .candidate]

  func step<Scalar>(
    _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
  ) -> CustomStep<Scalar> {
    CustomStep(hidden: state.hidden, gates: [state.hidden, state.hidden, state.hidden])
  }

  func stepBackward<Scalar>(
    _ step: CustomStep<Scalar>, _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>,
    _ parameters: CellParameters<Scalar>, gradient: RecurrentState<Scalar>,
    into gradients: inout CustomGradients<Scalar>
  ) {}
}
