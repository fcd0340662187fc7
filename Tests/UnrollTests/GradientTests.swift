// Compares every gradient of every cell with central differences, in Double.

import Testing
import Unroll
import UnrollTestSupport

@Suite("Gradients against central differences")
struct GradientTests {
  // A central difference with step 1e-5 has an error of about 1e-10 for numbers of order 1. 1e-8 allows for sums of
  // many terms and is far below any real error.
  let bound = 1e-8

  func check(
    _ network: RecurrentNetwork<Double>, mask: SequenceMask = .full, steps: Int = 5, rows: Int = 3
  ) -> GradientCheck {
    var random = NumPyRandom(seed: testSeed &+ 2)
    let inputs: Tensor<Double> = uniform([steps, rows, network.layers[0].inputSize], &random)
    return network.gradientCheck(
      inputs: inputs,
      from: network.layers.map { randomState($0.cell, batchSize: rows, &random) }, mask: mask,
      outputWeights: uniform([steps, rows, network.outputSize], &random),
      stateWeights: network.layers.map { randomState($0.cell, batchSize: rows, &random) },
      // Smaller near the kink of a clip, so that no step crosses it.
      step: network.layers.contains { $0.cell.options.projectionClip > 0 } ? 1e-5 : 1e-4)
  }

  @Test(
    "Of one layer, from outputs and final state together", .tags(.slow),
    arguments: cellZoo(Double.self) + ownCells(Double.self))
  func layer(zoo: ZooCell<Double>) {
    let result = check(RecurrentNetwork(cells: [zoo.cell]))
    #expect(result.worstError < bound, "\(result)")
  }

  @Test(
    "With ragged lengths, 0 among them, in both directions", .tags(.slow),
    arguments: cellZoo(Double.self) + ownCells(Double.self))
  func ragged(zoo: ZooCell<Double>) {
    for direction in [Direction.forward, .backward] {
      let network = RecurrentNetwork(
        levels: [[RecurrentLayer(cell: zoo.cell, direction: direction)]])
      let result = check(network, mask: .lengths([0, 5, 2]))
      #expect(result.worstError < bound, "\(direction) \(result)")
    }
  }

  @Test(
    "With any mask, and outputs that repeat", .tags(.slow),
    arguments: cellZoo(Double.self) + ownCells(Double.self))
  func masked(zoo: ZooCell<Double>) {
    let active = [
      [false, true, true], [true, false, true], [false, false, true], [true, true, false],
      [false, true, false],
    ]
    let cases: [(Direction, SequenceMask.PaddedOutput)] = Sweep.size(
      [(.forward, .zero), (.forward, .previous), (.backward, .zero), (.backward, .previous)],
      debug: [(.forward, .zero), (.backward, .previous)])
    for (direction, padded) in cases {
      let network = RecurrentNetwork(
        levels: [[RecurrentLayer(cell: zoo.cell, direction: direction)]])
      let result = check(network, mask: .steps(active, paddedOutput: padded))
      #expect(result.worstError < bound, "\(direction) \(padded) \(result)")
    }
  }

  @Test("Of a bidirectional stack, with ragged lengths")
  func stack() throws {
    var random = NumPyRandom(seed: testSeed)
    func level(_ inputSize: Int) -> [RecurrentLayer<Double>] {
      [
        RecurrentLayer(
          cell: Cell<Double>(.lstm, inputSize: inputSize, hiddenSize: 3, using: &random)),
        RecurrentLayer(
          cell: Cell<Double>(
            .gruResetAfter, inputSize: inputSize, hiddenSize: 2, biasCount: 2,
            using: &random), direction: .backward),
      ]
    }
    let network = RecurrentNetwork(levels: [level(3), level(5)])
    let result = check(network, mask: .lengths([4, 0, 5]))
    #expect(result.worstError < bound, "\(result)")
    #expect(result.elementCount > 300)
  }

  @Test("With functions other than tanh and σ, and clipped arguments")
  func activations() {
    var random = NumPyRandom(seed: testSeed)
    var gru = Cell<Double>(.gruResetBefore, inputSize: 3, hiddenSize: 4, using: &random)
    gru.options.gateActivation = .hardSigmoid(slope: 0.2, offset: 0.5)
    gru.options.activation = .sigmoid
    var lstm = Cell<Double>(.lstm, inputSize: 3, hiddenSize: 4, hasPeepholes: true, using: &random)
    lstm.options.argumentClip = 0.6
    lstm.options.outputActivation = .identity
    var rnn = Cell<Double>(.rnn, inputSize: 3, hiddenSize: 4, using: &random)
    rnn.options.argumentClip = 0.5
    for cell in [gru, lstm, rnn] {
      let result = check(RecurrentNetwork(cells: [cell]))
      #expect(result.worstError < bound, "\(result)")
    }
  }

  @Test("With every function that has parameters, rising or falling, clipped or not")
  func functions() {
    var random = NumPyRandom(seed: testSeed)
    let functions: [Activation] = [
      .leakyRelu(slope: 0.1), .elu(scale: 0.7), .softsign, .softplus,
      .thresholdedRelu(threshold: 0.05), .scaledTanh(scale: 1.5, factor: 0.7),
      .scaledTanh(scale: -1.2, factor: 0.8), .affine(slope: 0.5, offset: 0.1),
      .affine(slope: -0.5, offset: 0.1),
    ]
    for function in functions {
      for clip in [0, 0.4] {
        var lstm = Cell<Double>(.lstm, inputSize: 3, hiddenSize: 3, using: &random)
        lstm.options.activation = function
        lstm.options.outputActivation = function
        lstm.options.argumentClip = clip
        var rnn = Cell<Double>(.rnn, inputSize: 3, hiddenSize: 4, using: &random)
        (rnn.options.activation, rnn.options.argumentClip) = (function, clip)
        for cell in [lstm, rnn] {
          let result = check(RecurrentNetwork(cells: [cell]))
          #expect(result.worstError < bound, "\(function), clip \(clip): \(result)")
        }
      }
    }
  }

  @Test("The checker sees a gradient that is wrong in one element")
  func seesMistakes() {
    let point = ["x": Tensor<Double>([1, 2, 3])]
    let right = GradientCheck(at: point, gradient: ["x": Tensor([2, 4, 6])]) {
      $0["x", default: Tensor([])].elements.reduce(0) { $0 + $1 * $1 }
    }
    let wrong = GradientCheck(at: point, gradient: ["x": Tensor([2, 4.1, 6])]) {
      $0["x", default: Tensor([])].elements.reduce(0) { $0 + $1 * $1 }
    }
    #expect(right.worstError < 1e-9)
    #expect(wrong.worstError > 1e-3)
    #expect(wrong.worstElement == "x[1]")
    let matrix = GradientCheck(
      at: ["x": Tensor<Double>(shape: [2, 3])],
      gradient: ["x": Tensor(shape: [2, 3], elements: [0, 0, 0, 0, 0, 1])]
    ) { _ in 0 }
    #expect(matrix.worstElement == "x[1, 2]")
  }

  @Test("The gradients of a larger layer in float32 agree with those in float64")
  func largerLayer() {
    var random = NumPyRandom(seed: testSeed)
    let cell = Cell<Float>(.lstm, inputSize: 40, hiddenSize: 32, using: &random)
    let double = Cell<Double>(
      .lstm,
      parameters: {
        var parameters = Cell<Double>(.lstm, inputSize: 40, hiddenSize: 32).parameters
        for name in parameters.names { parameters[name] = Tensor(cell.parameters[name]) }
        return parameters
      }())
    let inputs: Tensor<Float> = uniform([12, 16, 40], &random)
    let (a, b) = (RecurrentLayer(cell: cell), RecurrentLayer(cell: double))
    let (x, y) = (
      a.forward(inputs, from: a.zeroState(batchSize: 16)),
      b.forward(Tensor(inputs), from: b.zeroState(batchSize: 16))
    )
    let (dx, dy) = (
      a.backward(x, outputs: x.outputs).parameters, b.backward(y, outputs: y.outputs).parameters
    )
    for name in dx.names {
      #expect((Tensor<Double>(dx[name]) - dy[name]).maximumMagnitude < 2e-5, "\(name)")
    }
  }
}
