import Testing
import Unroll
import UnrollTestSupport

@Suite("Networks of layers")
struct RecurrentNetworkTests {
  @Test("A stack feeds each layer what the one below puts out")
  func stack() {
    var random = NumPyRandom(seed: testSeed)
    let cells: [Cell<Float>] = [
      Cell<Float>(.rnn, inputSize: 3, hiddenSize: 4, using: &random),
      Cell<Float>(.lstm, inputSize: 4, hiddenSize: 2, using: &random),
    ]
    let network = RecurrentNetwork(cells: cells)
    let inputs: Tensor<Float> = uniform([5, 2, 3], &random)
    let states = network.zeroStates(batchSize: 2)
    let trace = network.forward(inputs, from: states)
    let first = RecurrentLayer(cell: cells[0]).forward(inputs, from: states[0])
    let second = RecurrentLayer(cell: cells[1]).forward(first.outputs, from: states[1])
    #expect(trace.outputs.isBitwiseEqual(to: second.outputs))
    #expect(trace.finalStates == [first.finalState, second.finalState])
  }

  @Test("The outputs of both directions stand side by side, forward first")
  func bidirectional() {
    var random = NumPyRandom(seed: testSeed)
    let forward = Cell<Float>(.rnn, inputSize: 3, hiddenSize: 4, using: &random)
    let backward = Cell<Float>(.rnn, inputSize: 3, hiddenSize: 2, using: &random)
    let network = RecurrentNetwork<Float>(forward: forward, backward: backward)
    let inputs: Tensor<Float> = uniform([5, 2, 3], &random)
    let states = network.zeroStates(batchSize: 2)
    let outputs = network.forward(inputs, from: states).outputs
    #expect(outputs.shape == [5, 2, 6])
    #expect(
      outputs[..., 0..<4]
        == RecurrentLayer(cell: forward).forward(inputs, from: states[0]).outputs)
    #expect(
      outputs[..., 4..<6]
        == RecurrentLayer(cell: backward, direction: .backward)
        .forward(inputs, from: states[1]).outputs)
  }

  /// Unidirectional, bidirectional and stacked networks, with plain layers among fast ones.
  private func networks<Scalar: KernelScalar>(_ random: inout NumPyRandom) -> [RecurrentNetwork<
    Scalar
  >] {
    func layer(_ cell: Cell<Scalar>, _ direction: Direction = .forward)
      -> RecurrentLayer<Scalar>
    { RecurrentLayer(cell: cell, direction: direction) }
    func gru(_ inputSize: Int, _ hiddenSize: Int) -> Cell<Scalar> {
      Cell(.gruResetAfter, inputSize: inputSize, hiddenSize: hiddenSize, using: &random)
    }
    func lstm(_ inputSize: Int, _ hiddenSize: Int) -> Cell<Scalar> {
      Cell(.lstm, inputSize: inputSize, hiddenSize: hiddenSize, projectionSize: 2, using: &random)
    }
    return [
      RecurrentNetwork(levels: [[layer(gru(3, 4))]]),
      RecurrentNetwork(cells: [gru(3, 4), lstm(4, 5), gru(2, 3)]),
      RecurrentNetwork(levels: [
        [layer(gru(3, 4)), layer(lstm(3, 3), .backward)],
        [layer(gru(6, 2)), layer(gru(6, 5), .backward)],
      ]),
      RecurrentNetwork(levels: [
        [layer(lstm(3, 4))], [layer(gru(2, 2)), layer(lstm(2, 5), .backward)], [layer(gru(4, 3))],
      ]),
    ]
  }

  @Test("Passes in the memory of others have the bits of passes in new memory")
  func reuse() {
    var random = NumPyRandom(seed: testSeed)
    let networks: [RecurrentNetwork<Float>] = networks(&random)
    var (trace, gradients) = (NetworkTrace<Float>(), NetworkGradients<Float>())
    let masks = [SequenceMask.full, .lengths([3, 1, 0, 2])]
    // Each pass follows one with other sizes, another network, another mask and another layout.
    for round in 0..<3 {
      for network in networks {
        for (rows, steps) in [(4, 6), (4, 3), (2, 5)] {
          for layout in [SequenceLayout.timeMajor, .batchMajor] {
            let mask = rows == 4 ? masks[round % 2] : .full
            let shape = layout == .timeMajor ? [steps, rows] : [rows, steps]
            let x: Tensor<Float> = uniform(shape + [3], &random)
            let dy: Tensor<Float> = uniform(shape + [network.outputSize], &random)
            let states = network.layers.map { randomState($0.cell, batchSize: rows, &random) }
            network.forward(x, from: states, mask: mask, layout: layout, into: &trace)
            let fresh = network.forward(x, from: states, mask: mask, layout: layout)
            #expect(trace.outputs.isBitwiseEqual(to: fresh.outputs))
            #expect(trace.finalStates == fresh.finalStates)
            let (dyOrNone, ends) = (round == 2 ? nil : dy, round == 1 ? nil : states)
            network.backward(trace, outputs: dyOrNone, finalStates: ends, into: &gradients)
            let expected = network.backward(fresh, outputs: dyOrNone, finalStates: ends)
            #expect(gradients.inputs.isBitwiseEqual(to: expected.inputs))
            #expect(gradients.inputs.shape == x.shape)
            #expect(gradients.parameters == expected.parameters)
            #expect(gradients.initialStates == expected.initialStates)
          }
        }
      }
    }
  }

  @Test("Gradients of both directions are those of the layers, added up")
  func bidirectionalGradients() {
    var random = NumPyRandom(seed: testSeed)
    let network: RecurrentNetwork<Double> = networks(&random)[2]
    let x: Tensor<Double> = uniform([5, 2, 3], &random)
    let dy: Tensor<Double> = uniform([5, 2, 7], &random)
    let states = network.zeroStates(batchSize: 2)
    let gradients = network.backward(network.forward(x, from: states), outputs: dy)
    // The reference, layer by layer.
    let layers = network.layers
    let lower = (0..<2).map { layers[$0].forward(x, from: states[$0]) }
    let middle = Tensor.concatenatingLastAxis(lower.map(\.outputs))
    let upper = [(2, dy[..., 0..<2]), (3, dy[..., 2...])].map { index, dy in
      layers[index].backward(layers[index].forward(middle, from: states[index]), outputs: dy)
    }
    let dMiddle = upper[0].inputs + upper[1].inputs
    let below = [(0, dMiddle[..., 0..<4]), (1, dMiddle[..., 4...])].map { index, dy in
      layers[index].backward(lower[index], outputs: dy)
    }
    #expect(gradients.inputs == below[0].inputs + below[1].inputs)
    #expect(gradients.parameters == (below + upper).map(\.parameters))
    #expect(gradients.layers.map(\.inputs) == (below + upper).map(\.inputs))
  }

  @Test("A frozen network has the bits of the network, in the memory of other runs, too")
  func frozen() {
    var random = NumPyRandom(seed: testSeed)
    let networks: [RecurrentNetwork<Float>] = networks(&random)
    var result = NetworkOutputs<Float>()
    for network in networks + networks.reversed() {
      let frozen = network.frozen()
      for (rows, steps) in [(4, 6), (3, 1), (4, 0), (2, 5)] {
        for mask in [SequenceMask.full, .lengths((0..<rows).map { min($0, steps) })] {
          let x: Tensor<Float> = uniform([steps, rows, 3], &random)
          let states = network.layers.map { randomState($0.cell, batchSize: rows, &random) }
          let expected = network.forward(x, from: states, mask: mask)
          frozen.run(x, from: states, mask: mask, into: &result)
          #expect(result.outputs.isBitwiseEqual(to: expected.outputs))
          #expect(result.finalStates == expected.finalStates)
        }
      }
    }
  }

  @Test("Parameters that are read and set back change nothing")
  func parameters() {
    var random = NumPyRandom(seed: testSeed)
    var network = RecurrentNetwork<Float>(cells: [
      Cell<Float>(.gruResetAfter, inputSize: 2, hiddenSize: 3, using: &random),
      Cell<Float>(.gruResetBefore, inputSize: 3, hiddenSize: 3, using: &random),
    ])
    let before = network.parameters
    network.parameters = before.map(\.zeros)
    #expect(network.parameters == before.map(\.zeros))
    network.parameters = before
    #expect(network.parameters == before)
  }

  @Test(
    "A trace stays its layer's after an update, in a copy, at other kernels and with other masks")
  func ownTraces() {
    var random = NumPyRandom(seed: testSeed)
    for zoo in cellZoo(Float.self) + ownCells(Float.self) {
      for direction in [Direction.forward, .backward] {
        var layer = RecurrentLayer(cell: zoo.cell, direction: direction)
        let rate = layer.cell.zoneout.hidden
        if rate > 0 { layer.cell.zoneout.masks = Zoneout.Masks(seed: 3, step: 4) }
        let trace = layer.forward(
          uniform([5, 3, 3], &random), from: layer.zeroState(batchSize: 3))
        let expected = layer.backward(trace, outputs: trace.outputs)
        var copy = RecurrentLayer(cell: layer.cell, direction: direction)
        if rate > 0 { copy.cell.zoneout.masks = nil }
        #expect(copy.backward(trace, outputs: trace.outputs).parameters == expected.parameters)
        let plain = InstructionSet.plain.use { copy.backward(trace, outputs: trace.outputs) }
        for (a, b) in zip(plain.parameters.all, expected.parameters.all) {
          #expect((a - b).maximumMagnitude < 1e-4, "\(zoo.name)")
        }
        layer.cell.parameters.bias += Tensor(shape: layer.cell.parameters.bias.shape, repeating: 1)
        _ = layer.backward(trace, outputs: trace.outputs)
      }
    }
  }

  // Swift 6.1 does not support exit tests.
  #if compiler(>=6.2)
  @Test(
    "Another layer's trace, one without inputs and another cell's parameters stop with a sentence")
  func others() async {
    await #expect(processExitsWith: .failure) {
      let (small, large) = (
        RecurrentLayer<Float>(cell: Cell(.lstm, inputSize: 2, hiddenSize: 4)),
        RecurrentLayer<Float>(cell: Cell(.lstm, inputSize: 2, hiddenSize: 8))
      )
      let trace = small.forward(Tensor(shape: [5, 3, 2]), from: small.zeroState(batchSize: 3))
      _ = large.backward(trace)
    }
    await #expect(processExitsWith: .failure) {
      let lstm = RecurrentLayer<Float>(cell: Cell(.lstm, inputSize: 2, hiddenSize: 4))
      let gru = RecurrentLayer<Float>(
        cell: Cell(.gruResetAfter, inputSize: 2, hiddenSize: 4))
      _ = gru.backward(
        lstm.forward(Tensor(shape: [5, 3, 2]), from: lstm.zeroState(batchSize: 3)))
    }
    await #expect(processExitsWith: .failure) {
      let layer = RecurrentLayer<Float>(cell: Cell(.lstm, inputSize: 2, hiddenSize: 4))
      var trace = layer.forward(Tensor(shape: [5, 3, 2]), from: layer.zeroState(batchSize: 3))
      trace.releaseInputs()
      _ = layer.backward(trace, outputs: Tensor(shape: [5, 3, 4], repeating: 1))
    }
    await #expect(processExitsWith: .failure) {
      _ = Cell<Float>(
        .rnn,
        parameters: CellParameters(
          gates: CellKind.rnn.gates, inputSize: 3, hiddenSize: 64, projectionSize: 1))
    }
    await #expect(processExitsWith: .failure) {
      var gru = Cell<Float>(.gruResetBefore, inputSize: 3, hiddenSize: 4)
      gru.parameters = CellParameters(
        gates: CellKind.gruResetBefore.gates, inputSize: 3, hiddenSize: 4, hasPeepholes: true)
      let layer = RecurrentLayer(cell: gru)
      _ = layer.forward(Tensor(shape: [5, 3, 3]), from: layer.zeroState(batchSize: 3))
    }
    await #expect(processExitsWith: .failure) {
      _ = Cell<Float>(
        .lstm,
        parameters: CellParameters(
          gates: CellKind.lstm.gates, inputSize: 3, hiddenSize: 4, hasRecurrentBias: true))
    }
    await #expect(processExitsWith: .failure) {
      var rnn = Cell<Float>(.rnn, inputSize: 3, hiddenSize: 4)
      rnn.parameters = Cell<Float>(.lstm, inputSize: 3, hiddenSize: 4).parameters
      _ = RecurrentStream<Float>(cells: [rnn], batchSize: 1)
    }
    await #expect(processExitsWith: .failure) {
      var dropout = Dropout(rate: 0.5, seed: 1, stream: 0, step: 0)
      dropout.rate = 1
    }
    await #expect(processExitsWith: .failure) {
      var zoneout = Zoneout(hidden: 0.5)
      zoneout.cell = 1
    }
  }

  @Test("Layers that do not fit, wrong inputs and wrong lengths stop with a sentence")
  func traps() async {
    await #expect(processExitsWith: .failure) {
      _ = RecurrentNetwork<Float>(cells: [
        Cell<Float>(.rnn, inputSize: 2, hiddenSize: 3),
        Cell<Float>(.rnn, inputSize: 2, hiddenSize: 3),
      ])
    }
    await #expect(processExitsWith: .failure) {
      let layer = RecurrentLayer<Float>(cell: Cell(.rnn, inputSize: 2, hiddenSize: 3))
      _ = layer.forward(Tensor(shape: [4, 1, 3]), from: layer.zeroState(batchSize: 1))
    }
    await #expect(processExitsWith: .failure) {
      let layer = RecurrentLayer<Float>(cell: Cell(.rnn, inputSize: 2, hiddenSize: 3))
      _ = layer.forward(
        Tensor(shape: [4, 1, 2]), from: layer.zeroState(batchSize: 1), mask: .lengths([5]))
    }
  }
  #endif
}
