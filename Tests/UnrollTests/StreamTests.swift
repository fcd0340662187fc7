// Streams give the same results as whole sequences.

import Testing
import Unroll
import UnrollTestSupport

@Suite("Streams")
struct StreamTests {
  /// Sizes on both sides of the small step's limits.
  static let sizes = [
    (1, 1), (1, 8), (3, 4), (2, 2), (2, 16), (5, 20), (1, 32), (7, 33), (40, 70), (9, 150),
  ]

  @Test("A stream has the bits of the whole sequence, alone and in a batch, at every level")
  func sequences() {
    check(Float.self)
    check(Double.self)
  }

  private func check<Scalar: KernelScalar>(_ type: Scalar.Type) {
    var random = NumPyRandom(seed: testSeed)
    for (d, h) in Self.sizes {
      for zoo in cellZoo(type, inputSize: d, hiddenSize: h)
        + ownCells(type, inputSize: d, hiddenSize: h)
      {
        let layer = RecurrentLayer(cell: zoo.cell)
        for rows in [1, 5] {
          let x: Tensor<Scalar> = uniform([6, rows, d], &random)
          let state = randomState(zoo.cell, batchSize: rows, &random)
          for level in InstructionSet.available {
            level.use {
              let whole = layer.forward(x, from: state)
              var stream = layer.stream(batchSize: rows)
              stream.states = [state]
              var output = Tensor<Scalar>(shape: [rows, layer.outputSize])
              for time in 0..<6 {
                stream.step(x[time, ...], into: &output)
                #expect(
                  output.isBitwiseEqual(to: whole.outputs[time, ...]),
                  "\(type) \(level) \(zoo.name) D \(d) H \(h) B \(rows) step \(time)")
              }
              #expect(stream.states == [whole.finalState])
            }
          }
        }
      }
    }
  }

  @Test("A stack streams as it runs, plain layers among fast ones")
  func stacks() {
    var random = NumPyRandom(seed: testSeed)
    let network = RecurrentNetwork<Double>(cells: [
      Cell(.gruResetAfter, inputSize: 3, hiddenSize: 9, biasCount: 2, using: &random),
      Cell(.lstm, inputSize: 9, hiddenSize: 12, projectionSize: 5, using: &random),
      Cell(.rnn, inputSize: 5, hiddenSize: 40, using: &random),
    ])
    let x: Tensor<Double> = uniform([5, 3, 3], &random)
    let whole = network.forward(x, from: network.zeroStates(batchSize: 3))
    var stream = network.stream(batchSize: 3)
    var output = Tensor<Double>(shape: [3, 40])
    for time in 0..<5 {
      stream.step(x[time, ...], into: &output)
      #expect(output.isBitwiseEqual(to: whole.outputs[time, ...]))
    }
    #expect(stream.states == whole.finalStates)
  }

  @Test("A copy has states of its own, and a reset begins anew")
  func copies() {
    var random = NumPyRandom(seed: testSeed)
    let layer = RecurrentLayer(
      cell: Cell<Float>(.lstm, inputSize: 2, hiddenSize: 6, using: &random))
    var one = layer.stream(batchSize: 1)
    var (a, b) = ([Float](repeating: 0, count: 6), [Float](repeating: 0, count: 6))
    one.step([1, 2], into: &a)
    let first = a
    var two = one.copy()
    one.step([3, 4], into: &a)
    two.step([3, 4], into: &b)
    #expect(a == b)
    one.step([5, 6], into: &a)
    two.step([-5, 6], into: &b)
    #expect(a != b)
    one.reset()
    one.step([1, 2], into: &a)
    #expect(a == first)
  }

  @Test("Setting states replaces all of them; a reset makes them zero")
  func states() {
    var random = NumPyRandom(seed: testSeed)
    for zoo in cellZoo(Float.self) + ownCells(Float.self) {
      let layer = RecurrentLayer(cell: zoo.cell)
      var stream = layer.stream(batchSize: 2)
      let state = randomState(zoo.cell, batchSize: 2, &random)
      stream.states = [state]
      #expect(stream.states == [state], "\(zoo.name)")
      let copy = stream.copy()
      stream.reset()
      #expect(stream.states == [layer.zeroState(batchSize: 2)], "\(zoo.name)")
      #expect(copy.states == [state], "\(zoo.name)")
    }
  }

  @Test("One sequence begins anew from a state; the others go on as they were")
  func sequenceStates() {
    var random = NumPyRandom(seed: testSeed)
    for zoo in cellZoo(Float.self) {
      let layer = RecurrentLayer(cell: zoo.cell)
      let x: Tensor<Float> = uniform([2, 3, layer.inputSize], &random)
      let before = randomState(zoo.cell, batchSize: 3, &random)
      let first = randomState(zoo.cell, batchSize: 1, &random)
      var stream = layer.stream(batchSize: 3)
      var alone = layer.stream(batchSize: 1)
      var output = Tensor<Float>(shape: [3, layer.outputSize])
      var others = output
      var own = Tensor<Float>(shape: [1, layer.outputSize])
      stream.states = [before]
      stream.step(x[0, ...], into: &output)
      var untouched = stream.copy()
      stream.reset(sequence: 1, to: [first])
      alone.states = [first]
      stream.step(x[1, ...], into: &output)
      untouched.step(x[1, ...], into: &others)
      alone.step(x[1, 1, ...].reshaped(to: [1, layer.inputSize]), into: &own)
      #expect(output[1, ...].isBitwiseEqual(to: own[0, ...]), "\(zoo.name)")
      for row in [0, 2] {
        #expect(output[row, ...].isBitwiseEqual(to: others[row, ...]), "\(zoo.name)")
      }
    }
  }

  @Test("A stream moves into a task")
  func tasks() async {
    var random = NumPyRandom(seed: testSeed)
    let layer = RecurrentLayer(
      cell: Cell<Float>(.lstm, inputSize: 2, hiddenSize: 6, using: &random))
    var stream = layer.stream(batchSize: 1)
    var expected = [Float](repeating: 0, count: 6)
    stream.step([1, 2], into: &expected)
    stream.reset()
    let task = Task.detached {
      var output = [Float](repeating: 0, count: 6)
      stream.step([1, 2], into: &output)
      return output
    }
    #expect(await task.value == expected)
  }

  #if compiler(>=6.2)
  @Test("A step on spans has the bits of a step on arrays")
  func spans() {
    var random = NumPyRandom(seed: testSeed)
    let layer = RecurrentLayer(
      cell: Cell<Float>(.lstm, inputSize: 2, hiddenSize: 6, using: &random))
    var stream = layer.stream(batchSize: 3)
    var other = stream.copy()
    let x: Tensor<Float> = uniform([3, 2], &random)
    var (a, b) = (Tensor<Float>(shape: [3, 6]), [Float](repeating: 0, count: 18))
    for _ in 0..<3 {
      var output = a.mutableSpan
      stream.step(x.span, into: &output)
      other.step(x.elements, into: &b)
      #expect(a.elements == b)
    }
  }
  #endif

  /// Weights of typical trained size, transformed by `change`.
  private func scaled(
    _ cell: Cell<Float>, _ change: (Float) -> Float = { $0 }
  ) -> Cell<Float> {
    var cell = cell
    let factor = Float(1 / Double(cell.hiddenSize).squareRoot())
    for name in ["inputWeights", "recurrentWeights"] {
      let weights = cell.parameters[name] * factor
      cell.parameters[name] = Tensor(
        shape: weights.shape, elements: weights.elements.map(change))
    }
    return cell
  }

  private func nearestBrainFloat(_ value: Float) -> Float {
    let bits = value.bitPattern
    return Float(bitPattern: (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
  }

  @Test("Weights that are bfloat16 already are kept exactly as bfloat16")
  func exactHalfWeights() {
    var random = NumPyRandom(seed: testSeed)
    for (d, h) in [(3, 5), (20, 33), (64, 128)] {
      for zoo in cellZoo(Float.self, inputSize: d, hiddenSize: h) {
        guard zoo.cell.canStreamBF16 else { continue }
        let cell = scaled(zoo.cell, nearestBrainFloat)
        for level in InstructionSet.available where level != .plain {
          for batch in [1, 6] {
            level.use {
              var half = RecurrentLayer(cell: cell).stream(batchSize: batch, weights: .bfloat16)
              var full = RecurrentLayer(cell: cell).stream(batchSize: batch)
              var outputs = [Tensor<Float>](
                repeating: Tensor(shape: [batch, cell.outputSize]), count: 2)
              for _ in 0..<8 {
                let x: Tensor<Float> = uniform([batch, d], &random)
                half.step(x, into: &outputs[0])
                full.step(x, into: &outputs[1])
                #expect(
                  outputs[0].isBitwiseEqual(to: outputs[1]), "\(level) \(zoo.name) \(h) \(batch)")
              }
            }
          }
        }
      }
    }
  }

  @Test("Weights in bfloat16 change the output by little more than their rounding")
  func halfWeights() {
    var random = NumPyRandom(seed: testSeed)
    for (d, h) in [(3, 5), (20, 33), (64, 128)] {
      for zoo in cellZoo(Float.self, inputSize: d, hiddenSize: h) {
        guard zoo.cell.canStreamBF16 else { continue }
        let cell = scaled(zoo.cell)
        for level in InstructionSet.available where level != .plain {
          level.use {
            // Six sequences together, the first of them alone, and all with unrounded weights.
            var half = RecurrentLayer(cell: cell).stream(batchSize: 6, weights: .bfloat16)
            var alone = RecurrentLayer(cell: cell).stream(batchSize: 1, weights: .bfloat16)
            var full = RecurrentLayer(cell: cell).stream(batchSize: 6)
            var outputs = [6, 1, 6].map { Tensor<Float>(shape: [$0, cell.outputSize]) }
            for _ in 0..<8 {
              let x: Tensor<Float> = uniform([6, d], &random)
              half.step(x, into: &outputs[0])
              alone.step(
                Tensor(shape: [1, d], elements: Array(x.elements[..<d])), into: &outputs[1])
              full.step(x, into: &outputs[2])
              #expect(
                outputs[0].elements.starts(with: outputs[1].elements),
                "\(level) \(zoo.name) \(h)")
            }
            let change = (outputs[0] - outputs[2]).maximumMagnitude
            #expect(change > 0 && change < 0.02, "\(level) \(zoo.name) \(h): \(change)")
          }
        }
      }
    }
  }

  /// Reads the weights of a bfloat16 stream: with relu, no recurrence and one input of 1 (or −1), the output is a row
  /// of W (or −W), where it is positive.
  private func kept(_ weights: Tensor<Float>, through input: Float = 1) -> [Float] {
    let (d, h) = (weights.shape[0], weights.shape[1])
    var cell = Cell<Float>(
      .rnn, inputSize: d, hiddenSize: h, options: CellOptions(activation: .relu))
    cell.parameters["inputWeights"] = weights
    cell.parameters["recurrentWeights"] = Tensor(shape: [h, h], repeating: 0.3)  // not bfloat16
    return (0..<d).flatMap { row in
      var stream = RecurrentLayer(cell: cell).stream(batchSize: 1, weights: .bfloat16)
      var output = Tensor<Float>(shape: [1, h])
      let x = (0..<d).map { $0 == row ? input : 0 }
      stream.step(Tensor(shape: [1, d], elements: x), into: &output)
      return output.elements
    }
  }

  @Test("A weight in bfloat16 is off by at most 1 part in 256")
  func halfWeightsOneByOne() {
    let (d, h) = (3, 200)
    var random = NumPyRandom(seed: testSeed)
    let scales: [Float] = [1e-38, 1e-30, 1e-3, 1, 1, 7, 3e38]
    let numbers = random.uniform(0.5, 1.1, [d * h]).elements
    let elements = numbers.enumerated().map { index, number in
      index % 50 == 0 ? 0 : scales[index % scales.count] * Float(number)
    }
    for sign in [Float(1), -1] {
      let weights = Tensor(shape: [d, h], elements: elements)
      for level in InstructionSet.available where level != .plain {
        let found = level.use { sign > 0 ? kept(weights) : kept(weights * -1, through: -1) }
        for (kept, weight) in zip(found, elements) {
          let bound = max(weight / 256, .leastNormalMagnitude)  // what is subnormal may become 0
          #expect(abs(kept - weight) <= bound, "\(level) \(sign * weight) became \(kept)")
        }
      }
    }
  }

  @Test("Weights in bfloat16 that are not finite stay so, and finite ones finite")
  func infiniteHalfWeights() {
    let most = Float.greatestFiniteMagnitude
    for level in InstructionSet.available where level != .plain {
      for place in [0, 17, 40, 63] {
        var elements = [Float](repeating: 0.1, count: 64)
        for (special, check) in [
          (Float.nan, { $0.isNaN }), (.infinity, { $0 == .infinity }),
          (most, { $0.isFinite && $0 > most / 2 }),
        ] as [(Float, (Float) -> Bool)] {
          elements[place] = special
          let found = level.use { kept(Tensor(shape: [1, 64], elements: elements)) }
          #expect(check(found[place]), "\(level) \(special) at \(place) became \(found[place])")
          #expect(abs(found[(place + 1) % 64] - 0.1) < 0.001)
        }
      }
    }
  }
}
