// Compares the fast kernels with the plain kernels for every instruction set of this machine, and tests that results
// are bit-identical for any number of threads and any batch.

import Testing
import Unroll
import UnrollTestSupport

/// A layer of random sizes with inputs, states and gradients.
private struct Case<Scalar: KernelScalar> {
  let layer: RecurrentLayer<Scalar>
  let inputs: Tensor<Scalar>
  let state: RecurrentState<Scalar>
  let outputGradient: Tensor<Scalar>
  let finalGradient: RecurrentState<Scalar>
  let mask: SequenceMask

  init(
    _ cell: Cell<Scalar>, steps: Int, rows: Int, masked: Bool,
    direction: Direction? = nil, _ random: inout NumPyRandom
  ) {
    layer = RecurrentLayer(cell: cell, direction: direction ?? (masked ? .backward : .forward))
    inputs = uniform([steps, rows, cell.inputSize], &random)
    state = randomState(cell, batchSize: rows, &random)
    outputGradient = uniform([steps, rows, cell.outputSize], &random)
    finalGradient = randomState(cell, batchSize: rows, &random)
    mask = masked ? .lengths((0..<rows).map { $0 % (steps + 1) }) : .full
  }

  /// The path of a training pass.
  var path: LayerPlan.Path {
    layer.plan(
      for: .training, timeStepCount: inputs.shape[0], batchSize: inputs.shape[1],
      isMasked: mask != .full
    ).path
  }

  func run() -> (trace: SequenceTrace<Scalar>, gradients: LayerGradients<Scalar>) {
    let trace = layer.forward(inputs, from: state, mask: mask)
    return (trace, back(trace))
  }

  func back(_ trace: SequenceTrace<Scalar>) -> LayerGradients<Scalar> {
    layer.backward(trace, outputs: outputGradient, finalState: finalGradient)
  }
}

/// All results of a pass, by name.
private func arrays<Scalar: KernelScalar>(
  _ result: (trace: SequenceTrace<Scalar>, gradients: LayerGradients<Scalar>)
) -> [(name: String, tensor: Tensor<Scalar>)] {
  let (trace, gradients) = result
  return [
    ("outputs", trace.outputs), ("cells", trace.cellStates),
    ("final hidden", trace.finalState.hidden), ("final cell", trace.finalState.cell),
    ("dx", gradients.inputs), ("dh", gradients.initialState.hidden),
    ("dc", gradients.initialState.cell),
  ] + trace.gates.map { ("\($0)", trace.gate($0)) }
    + gradients.parameters.names.map { ("d \($0)", gradients.parameters[$0]) }
}

@Suite("The fast kernels")
struct KernelTests {
  /// Sizes on both sides of every width and tile: D, H, T, B.
  static let sizes = Sweep.size(
    [
      (3, 4, 5, 7), (5, 8, 6, 37), (1, 1, 3, 1), (2, 15, 4, 20), (17, 16, 3, 5), (9, 33, 4, 13),
      (70, 67, 3, 2), (20, 130, 2, 9), (0, 3, 2, 4),
      // Weight gradients over several blocks of rows, several panels and many strips.
      (103, 130, 3, 250),
    ],
    debug: [(3, 4, 3, 7), (5, 8, 3, 20), (9, 33, 2, 5), (0, 3, 2, 4)])

  /// Thread counts to compare with one thread.
  static let threadCounts = Sweep.size([2, 3, 8], debug: [3])

  func check<Scalar: KernelScalar>(_ type: Scalar.Type, tolerance: Scalar) {
    var random = NumPyRandom(seed: testSeed)
    for (d, h, steps, rows) in Self.sizes {
      // CellTests compares features that only the plain path supports with the reference.
      for zoo in cellZoo(Scalar.self, inputSize: d, hiddenSize: h) where zoo.cell.hasFastPath {
        for masked in [false, true] {
          let one = Case(zoo.cell, steps: steps, rows: rows, masked: masked, &random)
          #expect(InstructionSet.plain.use { one.path } == .plain)
          let plain = arrays(InstructionSet.plain.use { one.run() })
          for level in InstructionSet.available where level != .plain {
            #expect(level.use { one.path } != .plain, "\(level) \(zoo.name)")
            let fast = arrays(level.use { one.run() })
            for (a, b) in zip(plain, fast) {
              let scale = max(1, a.tensor.maximumMagnitude)
              let distance = a.tensor.isEmpty ? 0 : (a.tensor - b.tensor).maximumMagnitude
              #expect(
                distance <= tolerance * scale,
                "\(level) \(zoo.name) D \(d) H \(h) T \(steps) B \(rows) \(a.name)")
            }
          }
        }
      }
    }
  }

  @Test(
    "Every level agrees with the plain twin, in float32: states, gates and gradients", .tags(.slow))
  func float32() { check(Float.self, tolerance: 2e-5) }

  @Test("Every level agrees with the plain twin, in float64", .tags(.slow))
  func float64() { check(Double.self, tolerance: 2e-14) }

  @Test(
    "One, two, three and eight threads give the same bits, forward and in every gradient",
    .tags(.slow))
  func threads() {
    var random = NumPyRandom(seed: testSeed)
    // The second of several blocks of rows, with more threads than a small gradient has strips; and
    // gradients divided between rows.
    let sizes = Sweep.size(
      [(5, 8, 20, 100), (7, 13, 5, 150), (64, 70, 6, 21), (140, 129, 4, 16)],
      debug: [(5, 8, 20, 100), (64, 70, 6, 21)])
    for (d, h, steps, rows) in sizes {
      for zoo in cellZoo(Float.self, inputSize: d, hiddenSize: h) {
        for masked in [false, true] {
          let one = Case(zoo.cell, steps: steps, rows: rows, masked: masked, &random)
          for level in InstructionSet.available {
            let single = arrays(level.use { Threads.use(1) { one.run() } })
            for count in Self.threadCounts {
              let several = arrays(level.use { Threads.use(count) { one.run() } })
              for (a, b) in zip(single, several) {
                #expect(
                  a.tensor.isBitwiseEqual(to: b.tensor),
                  "\(level) \(zoo.name) H \(h), \(count) threads: \(a.name)")
              }
            }
          }
        }
      }
    }
  }

  @Test(
    "Threads that share a step's columns, as weights beyond a core's cache have it, give the same bits",
    .tags(.slow)
  )
  func columns() {
    var random = NumPyRandom(seed: testSeed)
    // The smallest ones of more than 2 MB.
    let cells: [ZooCell<Float>] = [
      ZooCell("RNN", Cell(.rnn, inputSize: 7, hiddenSize: 730), &random),
      ZooCell("GRU before", Cell(.gruResetBefore, inputSize: 7, hiddenSize: 421), &random),
      ZooCell("GRU after", Cell(.gruResetAfter, inputSize: 7, hiddenSize: 421), &random),
      ZooCell("LSTM", Cell(.lstm, inputSize: 7, hiddenSize: 365, hasPeepholes: true), &random),
    ]
    let fast = InstructionSet.available.filter { $0 != .plain }
    let levels = Sweep.size(fast, debug: Array(fast.suffix(1)))
    // 41 steps of 5 rows are more than one chunk of products with the inputs.
    for (zoo, (steps, rows)) in cells.flatMap({ zoo in [(3, 1), (41, 5)].map { (zoo, $0) } }) {
      for masked in [false, true] where !masked || rows > 1 {
        let one = Case(zoo.cell, steps: steps, rows: rows, masked: masked, &random)
        let frozen = RecurrentLayer(cell: zoo.cell).frozen()
        for level in levels {
          let (single, expected) = level.use {
            Threads.use(1) { (one.run(), outputs(of: frozen, one)) }
          }
          for count in Self.threadCounts {
            let (several, found) = level.use {
              Threads.use(count) { (one.run(), outputs(of: frozen, one)) }
            }
            for (a, b) in zip(arrays(single) + expected, arrays(several) + found) {
              #expect(
                a.tensor.isBitwiseEqual(to: b.tensor),
                "\(level) \(zoo.name), \(rows) rows, \(count) threads: \(a.name)")
            }
          }
        }
      }
    }
  }

  /// The results of inference.
  private func outputs(
    of frozen: FrozenLayer<Float>, _ one: Case<Float>
  ) -> [(name: String, tensor: Tensor<Float>)] {
    var result = SequenceOutputs<Float>()
    frozen.run(one.inputs, from: one.state, into: &result)
    return [
      ("frozen outputs", result.outputs), ("frozen hidden", result.finalState.hidden),
      ("frozen cell", result.finalState.cell),
    ]
  }

  @Test("A sequence has the same bits alone, in a batch and in pieces, at every level")
  func rows() {
    var random = NumPyRandom(seed: testSeed)
    for (d, h) in [(5, 8), (3, 20), (40, 67)] {
      for zoo in cellZoo(Float.self, inputSize: d, hiddenSize: h) {
        let one = Case(zoo.cell, steps: 6, rows: 23, masked: false, &random)
        for level in InstructionSet.available {
          level.use {
            let batch = one.layer.forward(one.inputs, from: one.state)
            for row in [0, 7, 22] {
              let state = RecurrentState(
                hidden: one.state.hidden[row..<row + 1],
                cell: one.state.cell[row..<row + 1])
              let input = one.inputs.exchangingFirstAxes[row..<row + 1].exchangingFirstAxes
              let first = one.layer.forward(input[0..<2], from: state)
              let second = one.layer.forward(input[2..<6], from: first.finalState)
              let expected = batch.outputs.exchangingFirstAxes[row..<row + 1]
                .exchangingFirstAxes
              #expect(first.outputs.isBitwiseEqual(to: expected[0..<2]), "\(zoo.name) \(h)")
              #expect(second.outputs.isBitwiseEqual(to: expected[2..<6]), "\(zoo.name) \(h)")
            }
          }
        }
      }
    }
  }

  @Test("A gate far from 0, where tables of functions end, is right beside gates that are near")
  func farGates() {
    var random = NumPyRandom(seed: testSeed)
    // Streams of one and of two vectors and of more; narrow and wide layers.
    for (h, rows) in [(4, 1), (8, 1), (8, 20), (20, 1), (20, 5), (33, 1), (33, 5)] {
      for cell in plainCells(Float.self, 2, h, isNormalized: false)
      where cell.kind != .rnn {
        for gate in cell.gates.indices {
          var far = ZooCell("far", cell, &random).cell
          for unit in 0..<h {
            far.parameters.bias[gate * h + unit] = [-90, -20, -15.8, 15.8, 40][unit % 5]
          }
          let one = Case(far, steps: 3, rows: rows, masked: false, &random)
          let plain = InstructionSet.plain.use { one.layer.forward(one.inputs, from: one.state) }
          for level in InstructionSet.available where level != .plain {
            level.use {
              let fast = one.layer.forward(one.inputs, from: one.state)
              var stream = one.layer.stream(batchSize: rows)
              stream.states = [one.state]
              var output = Tensor<Float>(shape: [rows, h])
              for time in 0..<3 {
                let expected = plain.outputs[time, ...]
                stream.step(one.inputs[time, ...], into: &output)
                for result in [fast.outputs[time, ...], output] {
                  #expect(
                    (result - expected).maximumMagnitude <= 1e-5,
                    "\(level) \(type(of: far)) H \(h) B \(rows) gate \(gate) step \(time)")
                }
              }
            }
          }
        }
      }
    }
  }

  /// Runs the backward pass with every instruction set on the trace of every other one, in layers of H units and
  /// batches of B sequences.
  ///
  /// Layer normalisation of a few units divides by small deviations, which amplifies rounding, so such cells may have a
  /// larger tolerance.
  func goBack<Scalar: KernelScalar>(
    _ type: Scalar.Type, _ sizes: [(h: Int, rows: Int, direction: Direction)], tolerance: Scalar,
    normalized normalizedTolerance: Scalar
  ) {
    var random = NumPyRandom(seed: testSeed)
    for (h, rows, direction) in Sweep.size(sizes, debug: Array(sizes.prefix(1))) {
      for zoo in cellZoo(Scalar.self, inputSize: 5, hiddenSize: h) {
        let one = Case(
          zoo.cell, steps: 19, rows: rows, masked: false, direction: direction, &random)
        let isNormalized = zoo.cell.parameters.isNormalized
        let expected = arrays(InstructionSet.plain.use { one.run() })
        // From each instruction set to the next, with the plain path after each.
        var trace = SequenceTrace<Scalar>()
        for level in InstructionSet.available.flatMap({ [$0, .plain] }) {
          level.use { one.layer.forward(one.inputs, from: one.state, into: &trace) }
          for other in InstructionSet.available {
            let found = arrays((trace, other.use { one.back(trace) }))
            for (a, b) in zip(expected, found) {
              let scale = max(1, a.tensor.maximumMagnitude)
              let limit = isNormalized ? normalizedTolerance : tolerance
              #expect(
                a.tensor.isEmpty || (a.tensor - b.tensor).maximumMagnitude <= limit * scale,
                "\(zoo.name) H \(h) B \(rows) \(a.name): forward \(level), back \(other): \((a.tensor - b.tensor).maximumMagnitude / scale)"
              )
            }
          }
        }
      }
    }
  }

  // H narrower than a vector of the widest level, and of the next; the last block of sequences full, nearly empty
  // and in between.

  @Test("What one level's kernels kept of a pass, another's take back, in float32", .tags(.slow))
  func otherLevelsInFloat32() {
    let sizes = [(15, 32, Direction.forward), (6, 17, .backward), (3, 59, .forward)]
    goBack(Float.self, sizes, tolerance: 2e-5, normalized: 1e-3)
  }

  @Test("What one level's kernels kept of a pass, another's take back, in float64", .tags(.slow))
  func otherLevelsInFloat64() {
    let sizes = [(7, 16, Direction.backward), (3, 18, .forward), (6, 29, .backward)]
    goBack(Double.self, sizes, tolerance: 2e-14, normalized: 2e-12)
    // Sizes for which no gradient is that sensitive.
    let others = [
      (3, 16, Direction.forward), (3, 18, .backward), (6, 33, .forward), (12, 27, .backward),
    ]
    goBack(Double.self, others, tolerance: 2e-14, normalized: 2e-12)
  }

  @Test("A trace keeps no zoneout of the cell before, when plain kernels fill it again")
  func zonedThenPlain() {
    var random = NumPyRandom(seed: testSeed)
    let one = Case(
      ZooCell("LSTM", Cell<Double>(.lstm, inputSize: 5, hiddenSize: 6), &random).cell, steps: 7,
      rows: 4,
      masked: false, &random)
    var zoned = one.layer
    zoned.cell.zoneout = Zoneout(hidden: 0.5, cell: 0.5)
    var trace = zoned.forward(one.inputs, from: one.state)
    InstructionSet.plain.use { one.layer.forward(one.inputs, from: one.state, into: &trace) }
    for (a, b) in zip(arrays(one.run()), arrays((trace, one.back(trace)))) {
      #expect((a.tensor - b.tensor).maximumMagnitude <= 2e-14, "\(a.name)")
    }
  }

  @Test("Traces and gradients that are handed in again hold the same as new ones")
  func reuse() {
    var random = NumPyRandom(seed: testSeed)
    for zoo in cellZoo(Float.self, inputSize: 6, hiddenSize: 19) {
      var trace = SequenceTrace<Float>()
      var gradients = LayerGradients<Float>()
      for (steps, rows) in [(4, 9), (7, 2), (7, 2), (1, 30)] {
        let one = Case(zoo.cell, steps: steps, rows: rows, masked: false, &random)
        let expected = arrays(one.run())
        one.layer.forward(one.inputs, from: one.state, into: &trace)
        one.layer.backward(
          trace, outputs: one.outputGradient, finalState: one.finalGradient, into: &gradients)
        let kept = (trace, gradients)
        for (a, b) in zip(expected, arrays((trace, gradients))) {
          #expect(a.tensor.isBitwiseEqual(to: b.tensor), "\(zoo.name): \(a.name)")
        }
        // A copy is unchanged when the original's memory is reused.
        one.layer.forward(one.inputs, from: one.layer.zeroState(batchSize: rows), into: &trace)
        one.layer.backward(trace, into: &gradients)
        for (a, b) in zip(expected, arrays(kept)) {
          #expect(a.tensor.isBitwiseEqual(to: b.tensor), "\(zoo.name): \(a.name)")
        }
      }
    }
  }
}

@Suite("Subnormal numbers")
struct SubnormalTests {
  @Test("A vanishing sequence holds no subnormal number, so that none of its steps costs more")
  func vanishing() {
    for size in [4, 40] {
      var cell = Cell<Float>(
        .rnn, inputSize: 1, hiddenSize: size, options: CellOptions(activation: .relu))
      for unit in 0..<size { cell.parameters.recurrentWeights[unit, unit] = 0.5 }
      let layer = RecurrentLayer(cell: cell)
      let state = RecurrentState(hidden: Tensor<Float>(shape: [6, size], repeating: 1))
      for level in InstructionSet.available where level != .plain {
        level.use {
          let trace = layer.forward(Tensor(shape: [200, 6, 1]), from: state)
          let gradients = layer.backward(
            trace, finalState: RecurrentState(hidden: Tensor(shape: [6, size], repeating: 1e-30)))
          for tensor in [trace.outputs, gradients.initialState.hidden, gradients.inputs] {
            #expect(tensor.elements.allSatisfy { !$0.isSubnormal }, "\(level) H \(size)")
          }
          // The gradient vanished gradually, not in one step.
          #expect(trace.outputs[100, 0, 0] > 0 && trace.outputs[199, 0, 0] == 0)
        }
        // The caller's floating-point mode is restored.
        let least = Float.leastNormalMagnitude
        #expect((least / Float(size)).isSubnormal)
      }
    }
  }

  @Test(
    "Sums over a vanishing sequence hold none either: a gate's gradient is, times a small cell it is not"
  )
  func vanishingSums() {
    var cell = Cell<Float>(.lstm, inputSize: 1, hiddenSize: 40, hasPeepholes: true)
    cell.parameters.bias = Tensor(shape: [160], repeating: 1)
    let layer = RecurrentLayer(cell: cell)
    let state = RecurrentState(
      hidden: Tensor<Float>(shape: [6, 40]), cell: Tensor<Float>(shape: [6, 40], repeating: 1e-4))
    let last = RecurrentState(
      hidden: Tensor<Float>(shape: [6, 40]), cell: Tensor<Float>(shape: [6, 40], repeating: 1e-35))
    for level in InstructionSet.available where level != .plain {
      level.use {
        let trace = layer.forward(Tensor(shape: [1, 6, 1]), from: state)
        let gradients = layer.backward(trace, finalState: last).parameters
        #expect(gradients.bias[0] > .leastNormalMagnitude)
        #expect(gradients.peepholes.elements.allSatisfy { !$0.isSubnormal }, "\(level)")
      }
    }
  }
}
