// Custom cells in layers, networks, streams and checks. CellLawTests, GradientTests and StreamTests
// include them, too.

import Testing
import Unroll
import UnrollTestSupport

@Suite("Users' own cells")
struct CustomCellTests {
  /// A custom cell and the equivalent kind.
  private static let twins: [(own: Cell<Double>, kind: Cell<Double>)] = [
    (
      Cell(custom: OwnGRUAfter(), inputSize: 3, hiddenSize: 4),
      Cell(.gruResetAfter, inputSize: 3, hiddenSize: 4, biasCount: 2)
    ),
    (
      Cell(custom: OwnLSTM(), inputSize: 3, hiddenSize: 4),
      Cell(.lstm, inputSize: 3, hiddenSize: 4)
    ),
  ]

  private func isNear(_ one: Tensor<Double>, _ other: Tensor<Double>) -> Bool {
    one.shape == other.shape && (one - other).maximumMagnitude < 1e-13
  }

  @Test(
    "An own cell has the outputs, states, gates and gradients of the kind with its equations",
    arguments: [Direction.forward, .backward],
    [
      SequenceMask.full, .lengths([6, 0, 4]),
      .lengths([2, 6, 1], paddedOutput: .previous),
      .steps([
        [true, false, true], [false, false, true], [true, true, true], [true, false, false],
        [false, true, true], [true, false, true],
      ]),
    ])
  func twins(direction: Direction, mask: SequenceMask) {
    for (own, kind) in Self.twins {
      var random = NumPyRandom(seed: testSeed)
      var own = RecurrentLayer(cell: own, direction: direction)
      var kind = RecurrentLayer(cell: kind, direction: direction)
      kind.cell.parameters.modifyEach { $1 = uniform($1.shape, &random) }
      for name in kind.cell.parameters.names {
        own.cell.parameters[name] = kind.cell.parameters[name]
      }
      let x: Tensor<Double> = uniform([6, 3, 3], &random)
      let state = randomState(own.cell, batchSize: 3, &random)
      let final = randomState(own.cell, batchSize: 3, &random)
      let weights: Tensor<Double> = uniform([6, 3, 4], &random)
      let (a, b) = (
        own.forward(x, from: state, mask: mask), kind.forward(x, from: state, mask: mask)
      )
      #expect(isNear(a.outputs, b.outputs) && isNear(a.hiddenStates, b.hiddenStates))
      #expect(isNear(a.cellStates, b.cellStates))
      #expect(isNear(a.finalState.hidden, b.finalState.hidden))
      #expect(isNear(a.finalState.cell, b.finalState.cell))
      #expect(a.gates == b.gates)
      for gate in a.gates { #expect(isNear(a.gate(gate), b.gate(gate)), "\(gate)") }
      let (da, db) = (
        own.backward(a, outputs: weights, finalState: final),
        kind.backward(b, outputs: weights, finalState: final)
      )
      for name in own.cell.parameters.names {
        #expect(isNear(da.parameters[name], db.parameters[name]), "\(name)")
      }
      #expect(isNear(da.inputs, db.inputs))
      #expect(isNear(da.initialState.hidden, db.initialState.hidden))
      #expect(isNear(da.initialState.cell, db.initialState.cell))
    }
  }

  @Test("A frozen layer has the bits of the layer", arguments: ownCells(Float.self))
  func frozen(zoo: ZooCell<Float>) {
    var random = NumPyRandom(seed: testSeed)
    let x: Tensor<Float> = uniform([5, 3, 3], &random)
    let state = randomState(zoo.cell, batchSize: 3, &random)
    for direction in [Direction.forward, .backward] {
      for mask in [SequenceMask.full, .lengths([5, 2, 0], paddedOutput: .previous)] {
        let layer = RecurrentLayer(cell: zoo.cell, direction: direction)
        let trace = layer.forward(x, from: state, mask: mask)
        var result = SequenceOutputs<Float>()
        layer.frozen().run(x, from: state, mask: mask, into: &result)
        #expect(result.outputs.isBitwiseEqual(to: trace.outputs))
        #expect(result.finalState == trace.finalState)
      }
    }
  }

  @Test("Own cells and kinds train in one network and step in one stream")
  func mixed() {
    var random = NumPyRandom(seed: testSeed)
    let network = RecurrentNetwork<Double>(cells: [
      Cell(.lstm, inputSize: 2, hiddenSize: 5, using: &random),
      Cell(custom: OwnLSTM(), inputSize: 5, hiddenSize: 3, using: &random),
      Cell(.gruResetAfter, inputSize: 3, hiddenSize: 6, using: &random),
      Cell(custom: OwnRNN(), inputSize: 6, hiddenSize: 2, using: &random),
    ])
    let states = network.layers.map { randomState($0.cell, batchSize: 2, &random) }
    let x: Tensor<Double> = uniform([4, 2, 2], &random)
    let check = network.gradientCheck(
      inputs: x, from: states, mask: .lengths([4, 3]), outputWeights: uniform([4, 2, 2], &random),
      stateWeights: states)
    #expect(check.worstError < 1e-9, "\(check)")
    let whole = network.forward(x, from: states)
    var stream = network.stream(batchSize: 2)
    stream.states = states
    var output = Tensor<Double>(shape: [2, 2])
    for time in 0..<4 {
      stream.step(x[time, ...], into: &output)
      #expect(output.isBitwiseEqual(to: whole.outputs[time, ...]))
    }
    #expect(stream.states == whole.finalStates)
  }

  @Test("What an inactive row holds reaches nothing, not even NaN")
  func inactiveRows() {
    var random = NumPyRandom(seed: testSeed)
    for zoo in ownCells(Double.self) {
      let layer = RecurrentLayer(cell: zoo.cell)
      var x: Tensor<Double> = uniform([3, 2, 3], &random)
      var state = randomState(zoo.cell, batchSize: 2, &random)
      x[0..., 1..<2] = Tensor(shape: [3, 1, 3], repeating: .nan)
      state.hidden[1..<2] = Tensor(shape: [1, 4], repeating: .nan)
      let trace = layer.forward(x, from: state, mask: .lengths([3, 0]))
      let gradients = layer.backward(trace, outputs: Tensor(shape: [3, 2, 4], repeating: 1))
      #expect(gradients.parameters.all.allSatisfy { $0.elements.allSatisfy(\.isFinite) })
      #expect(trace.outputs[0..., 1..<2] == Tensor(shape: [3, 1, 4]))
      #expect(trace.gate(zoo.cell.gates[0])[0..., 1..<2] == Tensor(shape: [3, 1, 4]))
      let empty = layer.forward(Tensor(shape: [0, 2, 3]), from: state)
      #expect(empty.gate(zoo.cell.gates[0]).shape == [0, 2, 4])
    }
    // A step receives only active rows: with zeros for the others, this cell would divide by zero.
    var cell = Cell<Double>(custom: OwnReciprocal(), inputSize: 3, hiddenSize: 4, using: &random)
    cell.parameters.bias = Tensor(shape: [4])
    let layer = RecurrentLayer(cell: cell)
    let trace = layer.forward(
      uniform([3, 2, 3], &random), from: randomState(cell, batchSize: 2, &random),
      mask: .lengths([3, 1]))
    let gradients = layer.backward(trace, outputs: Tensor(shape: [3, 2, 4], repeating: 1))
    #expect(gradients.parameters.all.allSatisfy { $0.elements.allSatisfy(\.isFinite) })
    #expect(gradients.inputs.elements.allSatisfy { $0.isFinite })
  }

  @Test("The plan says that an own cell runs step by step, and what it keeps")
  func plan() {
    let layer = RecurrentLayer<Float>(cell: Cell(custom: OwnLSTM(), inputSize: 3, hiddenSize: 4))
    let plan = layer.plan(for: .training, timeStepCount: 10, batchSize: 2)
    #expect(plan.path == .custom && plan.threadCount == 1 && plan.packedBytes == 0)
    // Four gates, h and c before and after each step, and c once more as one array.
    #expect(plan.traceBytes == 4 * 10 * 2 * (4 * 4 + 2 * 4 + 3 * 4))
    #expect(plan.description.hasPrefix("custom cell, "))
    #expect(plan.description.contains("own LSTM is written with tensors"))
    #expect(layer.plan(for: .stream, timeStepCount: 1, batchSize: 1).traceBytes == 0)
    #expect(layer.trainingMemory(timeStepCount: 10, batchSize: 2) > plan.traceBytes)
  }

  @Test("The check finds nothing in a cell that is right")
  func right() {
    let check = CellCheck(of: OwnGRUAfter())
    #expect(check.isExact && check.wrongParts.isEmpty && !check.mixesSequences)
    // W, U, b and c of three gates, inputs and h.
    #expect(check.parts.count == 14)
    #expect(check.parts.allSatisfy { $0.check.worstError < 1e-9 })
    #expect(
      check.description.hasPrefix("own GRU: 14 gradients agree with central differences"))
    #expect(CellCheck(of: OwnLSTM()).parts.count == 15)
    for kind in CellKind.allCases {
      #expect(CellCheck(of: Cell<Double>(kind, inputSize: 2, hiddenSize: 3)).isExact, "\(kind)")
    }
  }

  @Test("The check names the gate and the array of a wrong gradient")
  func wrong() {
    let gradient = CellCheck(of: OwnRNN(.gradient))
    #expect(!gradient.isExact)
    #expect(
      gradient.wrongParts.map(\.name) == [
        "inputWeights of the gate only", "recurrentWeights of the gate only",
        "bias of the gate only", "inputs", "the initial hidden state",
      ])
    #expect(
      gradient.description.hasPrefix(
        "own RNN: the gradient of inputWeights of the gate only is wrong, with an error of "))
    #expect(gradient.timeStepCount == 1)
    // A gradient that is not propagated makes all others wrong over several steps, but not over one.
    #expect(CellCheck(of: OwnRNN(.state)).wrongParts.map(\.name) == ["the initial hidden state"])
    #expect(CellCheck(of: OwnRNN(.notANumber)).wrongParts.count == 5)
    // Only the wrong gate, and gradients computed from it, are reported.
    let forget = CellCheck(of: OwnLSTM(.forgetGate)).wrongParts
    #expect(forget.allSatisfy { $0.gate == .forget || $0.gate == nil })
    #expect(
      forget.map(\.array) == ["inputWeights", "recurrentWeights", "bias", "inputs", "hidden"])
    #expect(
      CellCheck(of: OwnLSTM(.cellState)).wrongParts.map(\.name) == ["the initial cell state"])
    let nan = CellCheck(of: OwnLSTM(.notANumber)).wrongParts
    #expect(nan.map(\.name) == ["inputWeights of the gate input"])
    #expect(
      nan.allSatisfy { $0.check.worstError.isNaN && $0.check.worstElement == "element [0, 0]" })
    #expect(CellCheck(of: OwnLSTM(.mixed)).mixesSequences)
    let mixed = CellCheck(of: OwnRNN(.mixed))
    #expect(mixed.mixesSequences && !mixed.isExact)
    #expect(
      mixed.description.hasSuffix(
        "own RNN: the states of a sequence depend on the other sequences of its batch"))
  }

  @Test("A cell keeps its equations in another precision")
  func precision() {
    var random = NumPyRandom(seed: testSeed)
    let double = Cell<Double>(custom: OwnLSTM(), inputSize: 3, hiddenSize: 4, using: &random)
    var parameters = CellParameters<Float>(gates: double.gates, inputSize: 3, hiddenSize: 4)
    for name in parameters.names { parameters[name] = Tensor(double.parameters[name]) }
    let single = Cell<Float>(like: double, parameters: parameters)
    #expect(single.title == "own LSTM" && single.kind == nil && single.cellStateSize == 4)
    let x: Tensor<Double> = uniform([5, 2, 3], &random)
    let (a, b) = (RecurrentLayer(cell: double), RecurrentLayer(cell: single))
    let difference =
      Tensor<Double>(b.forward(Tensor(x), from: b.zeroState(batchSize: 2)).outputs)
      - a.forward(x, from: a.zeroState(batchSize: 2)).outputs
    #expect(difference.maximumMagnitude < 1e-6)
  }
}
