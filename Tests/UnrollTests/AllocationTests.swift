// Allocations of passes, steps and updates: none after the first call, and as documented in the
// first call.

// Only optimised builds are tested, because unoptimised Swift allocates more.
#if os(Linux) && !DEBUG
import CAllocationCounter
import Testing
import Unroll
import UnrollTestSupport

@Suite("Allocation")
struct AllocationTests {
  /// The number of allocations of a call after two warm-up calls.
  func allocations(of body: () -> Void) -> UInt64 {
    body()
    body()
    let before = allocation_count()
    body()
    return allocation_count() - before
  }

  private var fused: [ZooCell<Float>] {
    cellZoo(Float.self, inputSize: 5, hiddenSize: 8)
      + cellZoo(Float.self, inputSize: 40, hiddenSize: 70)
  }

  @Test("The counter counts")
  func counter() {
    #expect(allocations { _ = Tensor<Float>(shape: [1000]) } > 0)
  }

  @Test("A training step after the first allocates nothing, on one thread or two")
  func training() {
    for level in InstructionSet.available where level != .plain {
      for zoo in fused {
        for threads in [1, 2] {
          let layer = RecurrentLayer(cell: zoo.cell)
          let x = Tensor<Float>(shape: [9, 24, layer.inputSize], repeating: 0.3)
          let dy = Tensor<Float>(shape: [9, 24, layer.outputSize], repeating: 0.1)
          let state = layer.zeroState(batchSize: 24)
          var trace = SequenceTrace<Float>()
          var gradients = LayerGradients<Float>()
          let count = level.use {
            Threads.use(threads) {
              allocations {
                layer.forward(x, from: state, into: &trace)
                layer.backward(trace, outputs: dy, into: &gradients)
              }
            }
          }
          #expect(count == 0, "\(level) \(zoo.name), \(threads) threads")
        }
      }
    }
  }

  @Test("A sequence of another length allocates nothing once a longer one was there")
  func jitteredTraining() {
    for zoo in fused {
      let layer = RecurrentLayer(cell: zoo.cell)
      let state = layer.zeroState(batchSize: 24)
      let batches = [9, 5, 7, 9].map { steps in
        (
          Tensor<Float>(shape: [steps, 24, layer.inputSize], repeating: 0.3),
          Tensor<Float>(shape: [steps, 24, layer.outputSize], repeating: 0.1)
        )
      }
      var trace = SequenceTrace<Float>()
      var gradients = LayerGradients<Float>()
      let count = allocations {
        for (x, dy) in batches {
          layer.forward(x, from: state, into: &trace)
          layer.backward(trace, outputs: dy, into: &gradients)
        }
      }
      #expect(count == 0, "\(zoo.name)")
    }
  }

  @Test("A streaming step allocates nothing")
  func streaming() {
    for level in InstructionSet.available where level != .plain {
      for zoo in fused {
        for rows in [1, 3] {
          let layer = RecurrentLayer(cell: zoo.cell)
          level.use {
            let kinds: [StreamWeights] =
              zoo.cell.canStreamBF16 ? [.full, .bfloat16] : [.full]
            for weights in kinds {
              var stream = layer.stream(batchSize: rows, weights: weights)
              let input = [Float](repeating: 0.5, count: rows * layer.inputSize)
              var output = [Float](repeating: 0, count: rows * layer.outputSize)
              let before = allocation_count()
              stream.step(input, into: &output)
              stream.step(input, into: &output)
              let count = allocation_count() - before
              #expect(count == 0, "\(level) \(zoo.name) B \(rows) \(weights)")
            }
          }
        }
      }
    }
  }

  @Test("A stack with a projection streams without allocation, too")
  func plainStreaming() {
    var random = NumPyRandom(seed: testSeed)
    let network = RecurrentNetwork<Float>(cells: [
      Cell(
        .lstm, inputSize: 4, hiddenSize: 12, hasPeepholes: true, projectionSize: 5, using: &random),
      Cell(.gruResetBefore, inputSize: 5, hiddenSize: 9, biasCount: 2, using: &random),
    ])
    var stream = network.stream(batchSize: 2)
    let input = [Float](repeating: 0.5, count: 8)
    var output = [Float](repeating: 0, count: 18)
    let before = allocation_count()
    stream.step(input, into: &output)
    stream.step(input, into: &output)
    #expect(allocation_count() == before)
  }

  @Test("Inference, dense layers, the loss and updates allocate nothing after the first time")
  func others() {
    var random = NumPyRandom(seed: testSeed)
    let layer = RecurrentLayer(
      cell: Cell<Float>(.lstm, inputSize: 6, hiddenSize: 20, using: &random))
    let frozen = layer.frozen()
    let x: Tensor<Float> = uniform([7, 5, 6], &random)
    let state = layer.zeroState(batchSize: 5)
    var result = SequenceOutputs<Float>()
    #expect(allocations { frozen.run(x, from: state, into: &result) } == 0)

    var dense = DenseLayer<Float>(
      weights: uniform([20, 90], &random), bias: uniform([90], &random))
    let scratch = Scratch<Float>()
    var (logits, dx, dw, db) = (
      Tensor<Float>(shape: [0, 0]), Tensor<Float>(shape: [0, 0]), Tensor<Float>(shape: [0, 0]),
      Tensor<Float>(shape: [0])
    )
    var losses = [Double](repeating: 0, count: 35)
    let targets = [Int32](repeating: 3, count: 35)
    var memory = OptimizerState<Float>(.adam, shape: [20, 90])
    #expect(
      allocations {
        dense.forward(result.outputs, into: &logits, using: scratch)
        _ = logits.formCrossEntropyGradient(targets: targets, scale: 1, losses: &losses)
        dense.backward(
          result.outputs, outputGradient: logits, inputGradient: &dx, weightGradient: &dw,
          biasGradient: &db, using: scratch)
        Optimizer.adam.update(
          &dense.weights, with: dw, state: &memory, rate: 0.01,
          gradientScale: dw.sumOfSquares > 0 ? 0.5 : 1)
      } == 0)
    // A rule without moments.
    var nothing = OptimizerState<Float>(.sgd, shape: [90])
    #expect(
      allocations { Optimizer.sgd.update(&dense.bias, with: db, state: &nothing, rate: 0.01) } == 0)
  }

  /// The peak memory of a forward and a backward pass in bytes.
  private func trainingPeak(
    _ layer: RecurrentLayer<Float>, _ x: Tensor<Float>, _ dy: Tensor<Float>
  ) -> Double {
    let state = layer.zeroState(batchSize: x.shape[1])
    allocation_reset()
    let trace = layer.forward(x, from: state)
    _ = layer.backward(trace, outputs: dy)
    return Double(allocation_peak())
  }

  @Test("A narrow layer takes the memory that it says, within a fifth, at every level")
  func narrowMemory() {
    let (steps, rows) = (300, 16)
    for zoo in cellZoo(Float.self, inputSize: 5, hiddenSize: 3) {
      let layer = RecurrentLayer(cell: zoo.cell)
      let x = Tensor<Float>(shape: [steps, rows, 5], repeating: 0.3)
      let dy = Tensor<Float>(shape: [steps, rows, layer.outputSize], repeating: 0.1)
      for level in InstructionSet.available where level != .plain {
        level.use {
          Threads.use(1) {
            let measured = trainingPeak(layer, x, dy)
            let stated = Double(layer.trainingMemory(timeStepCount: steps, batchSize: rows))
            #expect(
              abs(measured - stated) <= 0.2 * stated,
              "\(zoo.name) \(level): \(measured) for \(stated)")
          }
        }
      }
    }
  }

  @Test("A training pass takes the memory that its plan states, within a tenth")
  func memory() {
    // No arrays of 2 MB, for which the allocator also counts alignment padding.
    for (d, h, steps, rows) in [(64, 64, 20, 16), (100, 150, 5, 30), (5, 20, 25, 60)] {
      for zoo in cellZoo(Float.self, inputSize: d, hiddenSize: h) {
        let layer = RecurrentLayer(cell: zoo.cell)
        let x = Tensor<Float>(shape: [steps, rows, d], repeating: 0.3)
        let dy = Tensor<Float>(shape: [steps, rows, layer.outputSize], repeating: 0.1)
        let state = layer.zeroState(batchSize: rows)
        InstructionSet.baseline.use {
          Threads.use(1) {
            let plan = layer.plan(for: .training, timeStepCount: steps, batchSize: rows)
            #expect(max(plan.traceBytes, plan.packedBytes, plan.scratchBytes) < 2 << 20)
            let measured = trainingPeak(layer, x, dy)
            let stated = Double(layer.trainingMemory(timeStepCount: steps, batchSize: rows))
            #expect(
              abs(measured - stated) <= 0.1 * stated,
              "\(zoo.name) D \(d) H \(h) T \(steps) B \(rows): \(measured) for \(stated)")
            allocation_reset()
            var result = SequenceOutputs<Float>()
            let frozen = layer.frozen()
            frozen.run(x, from: state, into: &result)
            let inference = Double(allocation_peak())
            let statedInference = Double(
              layer.inferenceMemory(timeStepCount: steps, batchSize: rows))
            #expect(
              abs(inference - statedInference) <= 0.1 * statedInference,
              "\(zoo.name) D \(d) H \(h): inference \(inference) for \(statedInference)")
          }
        }
      }
    }
  }
}
#endif
