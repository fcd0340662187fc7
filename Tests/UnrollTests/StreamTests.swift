// Streams: the same numbers as whole sequences, one step at a time.

import Testing
import Unroll
import UnrollTestSupport

@Suite("Streams")
struct StreamTests {
  /// Sizes on both sides of the small step's limits.
  static let sizes = [(1, 8), (3, 4), (2, 16), (5, 20), (1, 32), (7, 33), (40, 70)]

  @Test("A stream has the bits of the whole sequence, alone and in a batch, at every level")
  func sequences() {
    var random = NumPyRandom(seed: testSeed)
    for (d, h) in Self.sizes {
      for zoo in cellZoo(Float.self, inputSize: d, hiddenSize: h) {
        let layer = RecurrentLayer(cell: zoo.cell)
        for rows in [1, 5] {
          let x: Tensor<Float> = uniform([6, rows, d], &random)
          let state = randomState(zoo.cell, batchSize: rows, &random)
          for level in KernelLevel.available {
            level.use {
              let whole = layer.forward(x, from: state)
              var stream = layer.stream(batchSize: rows)
              stream.states = [state]
              var output = Tensor<Float>(shape: [rows, layer.outputSize])
              for time in 0..<6 {
                stream.step(x.slice(time), into: &output)
                #expect(
                  output.isBitwiseEqual(to: whole.outputs.slice(time)),
                  "\(level) \(zoo.name) D \(d) H \(h) B \(rows) step \(time)")
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
      GRU(inputSize: 3, hiddenSize: 9, resetGate: .afterProduct, biasCount: 2, using: &random),
      LSTM(inputSize: 9, hiddenSize: 12, projectionSize: 5, using: &random),
      BasicRNN(inputSize: 5, hiddenSize: 40, using: &random),
    ])
    let x: Tensor<Double> = uniform([5, 3, 3], &random)
    let whole = network.forward(x, from: network.zeroStates(batchSize: 3))
    var stream = network.stream(batchSize: 3)
    var output = Tensor<Double>(shape: [3, 40])
    for time in 0..<5 {
      stream.step(x.slice(time), into: &output)
      #expect(output.isBitwiseEqual(to: whole.outputs.slice(time)))
    }
    #expect(stream.states == whole.finalStates)
  }

  @Test("A copy goes its own way, and a reset begins anew")
  func copies() {
    var random = NumPyRandom(seed: testSeed)
    let layer = RecurrentLayer(cell: LSTM<Float>(inputSize: 2, hiddenSize: 6, using: &random))
    var one = layer.stream(batchSize: 1)
    var (a, b) = ([Float](repeating: 0, count: 6), [Float](repeating: 0, count: 6))
    one.step([1, 2], into: &a)
    let first = a
    var two = one
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

  @Test("Weights in bfloat16 change the output by little more than their rounding")
  func halfWeights() {
    var random = NumPyRandom(seed: testSeed)
    for (d, h) in [(3, 5), (20, 33), (64, 128)] {
      for zoo in cellZoo(Float.self, inputSize: d, hiddenSize: h) {
        guard zoo.cell.fusedKernel?.hasPlainTwin == true else { continue }
        var cell = zoo.cell
        // Weights of the size that training leaves.
        for name in ["inputWeights", "recurrentWeights"] {
          cell.parameters[name] = cell.parameters[name] * Float(1 / Double(h).squareRoot())
        }
        // The oracle: the same stream with weights that are bfloat16 already.
        var rounded = cell
        for name in ["inputWeights", "recurrentWeights"] {
          let shape = cell.parameters[name].shape
          rounded.parameters[name] = Tensor(
            shape: shape, elements: cell.parameters[name].elements.map(nearestBrainFloat))
        }
        for level in KernelLevel.available where level != .plain {
          level.use {
            var half = RecurrentLayer(cell: cell).stream(batchSize: 3, weights: .bfloat16)
            var same = RecurrentLayer(cell: rounded).stream(batchSize: 3)
            var full = RecurrentLayer(cell: cell).stream(batchSize: 3)
            var outputs = [Tensor<Float>](repeating: Tensor(shape: [3, h]), count: 3)
            for _ in 0..<8 {
              let x: Tensor<Float> = uniform([3, d], &random)
              half.step(x, into: &outputs[0])
              same.step(x, into: &outputs[1])
              full.step(x, into: &outputs[2])
              #expect(outputs[0].isBitwiseEqual(to: outputs[1]), "\(level) \(zoo.name) \(h)")
            }
            #expect((outputs[0] - outputs[2]).maximumMagnitude < 0.02, "\(zoo.name) \(h)")
          }
        }
      }
    }
  }

  private func nearestBrainFloat(_ value: Float) -> Float {
    let bits = value.bitPattern
    return Float(bitPattern: (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
  }
}
