// Subscripts, stream resets and networks allocate nothing once their memory exists.

// Only optimised builds are tested, because unoptimised Swift allocates more.
#if os(Linux) && !DEBUG
import CAllocationCounter
import Testing
import Unroll
import UnrollTestSupport

extension AllocationTests {
  @Test("Reading and writing single elements allocates nothing")
  func elements() {
    var tensors = (1...4).map { Tensor<Float>(shape: [Int](repeating: 3, count: $0)) }
    var sum: Float = 0
    #expect(
      allocations {
        for i in 0..<3 {
          tensors[0][i] += 1
          tensors[1][i, 2] = tensors[0][i]
          tensors[2][i, 1, 2] = tensors[1][i, 2]
          tensors[3][i, 1, 2, 0] = tensors[2][i, 1, 2]
          sum += tensors[3][i, 1, 2, 0]
        }
      } == 0)
    #expect(sum == 18)
    let part = Tensor<Float>(shape: [3, 3], repeating: 7)
    #expect(allocations { tensors[2][1, ...] = part } == 0)
    #expect(tensors[2][1, 2, 2] == 7)
  }

  /// Streams for every kind of step: fused, and a stack with a layer without a fast path.
  private var streamed: [(name: String, network: RecurrentNetwork<Float>)] {
    var random = NumPyRandom(seed: testSeed)
    let mixed = RecurrentNetwork<Float>(cells: [
      Cell(
        .lstm, inputSize: 5, hiddenSize: 12, hasPeepholes: true, projectionSize: 7, using: &random),
      Cell(.gruResetBefore, inputSize: 7, hiddenSize: 9, biasCount: 2, using: &random),
    ])
    return [("a stack with a projection", mixed)]
      + cellZoo(Float.self, inputSize: 5, hiddenSize: 8).map {
        ($0.name, RecurrentNetwork(levels: [[RecurrentLayer(cell: $0.cell)]]))
      }
  }

  @Test("A reset, states that are set, and the step after them allocate nothing")
  func resets() {
    for (name, network) in streamed {
      for rows in [1, 3] {
        var stream = network.stream(batchSize: rows)
        let states = network.layers.map {
          RecurrentState(
            hidden: Tensor<Float>(shape: [rows, $0.outputSize], repeating: 0.5),
            cell: Tensor(shape: [rows, $0.cell.cellStateSize], repeating: 0.25))
        }
        let first = network.zeroStates(batchSize: 1)
        let input = [Float](repeating: 0.5, count: rows * stream.inputSize)
        var output = [Float](repeating: 0, count: rows * stream.outputSize)
        let before = allocation_count()
        stream.reset()
        stream.step(input, into: &output)
        stream.states = states
        stream.step(input, into: &output)
        stream.reset(sequence: rows - 1)
        stream.step(input, into: &output)
        stream.reset(sequence: 0, to: first)
        stream.step(input, into: &output)
        let count = allocation_count() - before
        #expect(count == 0, "\(name), B \(rows)")
      }
    }
  }

  @Test("A copy of a stream is made at once: the steps of both allocate nothing")
  func copies() {
    for (name, network) in streamed {
      var stream = network.stream(batchSize: 1)
      let input = [Float](repeating: 0.5, count: stream.inputSize)
      var output = [Float](repeating: 0, count: stream.outputSize)
      stream.step(input, into: &output)
      let start = allocation_count()
      var copy = stream.copy()
      let copied = allocation_count()
      copy.step(input, into: &output)
      stream.step(input, into: &output)
      let count = allocation_count() - copied
      #expect(copied > start && count == 0, "\(name)")
    }
  }

  /// A stack, a bidirectional level, and a stack of both.
  private static var networks: [(name: String, network: RecurrentNetwork<Float>)] {
    var random = NumPyRandom(seed: testSeed)
    func lstm(_ inputSize: Int, _ hiddenSize: Int) -> Cell<Float> {
      Cell(.lstm, inputSize: inputSize, hiddenSize: hiddenSize, using: &random)
    }
    func gru(_ inputSize: Int, _ hiddenSize: Int) -> Cell<Float> {
      Cell(.gruResetAfter, inputSize: inputSize, hiddenSize: hiddenSize, using: &random)
    }
    let stack = RecurrentNetwork<Float>(cells: [lstm(6, 20), gru(20, 17)])
    let both = RecurrentNetwork<Float>(forward: gru(6, 20), backward: gru(6, 12))
    let deep = RecurrentNetwork<Float>(
      levels: both.levels + [
        [
          RecurrentLayer(cell: lstm(32, 8)),
          RecurrentLayer(cell: lstm(32, 9), direction: .backward),
        ], [RecurrentLayer(cell: lstm(17, 5))],
      ])
    return [("a stack of two", stack), ("both directions", both), ("three levels", deep)]
  }

  @Test("A training step of a whole network allocates nothing after the first")
  func networkTraining() {
    for (name, network) in Self.networks {
      for threads in [1, 2] {
        let x = Tensor<Float>(shape: [9, 24, 6], repeating: 0.3)
        let dy = Tensor<Float>(shape: [9, 24, network.outputSize], repeating: 0.1)
        let states = network.zeroStates(batchSize: 24)
        var trace = NetworkTrace<Float>()
        var gradients = NetworkGradients<Float>()
        let count = Threads.use(threads) {
          allocations {
            network.forward(x, from: states, into: &trace)
            network.backward(trace, outputs: dy, finalStates: states, into: &gradients)
          }
        }
        #expect(count == 0, "\(name), \(threads) threads")
      }
    }
  }

  @Test("A frozen network allocates nothing after its first run, nor for a shorter batch")
  func frozenNetworks() {
    for (name, network) in Self.networks {
      let frozen = network.frozen()
      let batches = [9, 4].map { Tensor<Float>(shape: [$0, 24, 6], repeating: 0.3) }
      let states = network.zeroStates(batchSize: 24)
      var result = NetworkOutputs<Float>()
      let count = allocations {
        for x in batches { frozen.run(x, from: states, into: &result) }
      }
      #expect(count == 0, "\(name)")
    }
  }
}
#endif
