// Inference: whole sequences with weights packed once, and one step at a time.

import Unroll

var random = NumPyRandom(seed: 1)

// A layer whose weights do not change: packed once, and no tape is kept.
let basic = RecurrentLayer(cell: BasicRNN<Float>(inputSize: 3, hiddenSize: 4, using: &random))
let frozen = basic.frozen()
var result = SequenceOutputs<Float>()
frozen.run(
  Tensor(shape: [5, 2, 3], repeating: 0.5), from: basic.zeroState(batchSize: 2), into: &result)
print(result.outputs.shape, result.finalState.hidden)

// A stream: nothing is allocated in a step, so that it may run on an audio thread.
let layer = RecurrentLayer(
  cell: GRU<Float>(inputSize: 2, hiddenSize: 8, resetGate: .afterProduct, using: &random))
var stream = layer.stream(batchSize: 1)
var output = [Float](repeating: 0, count: 8)
stream.step([0.5, -1], into: &output)
print(output, stream.states[0].hidden)

// Training again and again in the same memory: nothing is allocated after the first step.
var trace = SequenceTrace<Float>()
var gradients = LayerGradients<Float>()
for _ in 0..<3 {
  basic.forward(
    Tensor(shape: [5, 2, 3], repeating: 0.5), from: basic.zeroState(batchSize: 2), into: &trace)
  basic.backward(trace, outputs: Tensor(shape: [5, 2, 4], repeating: 1), into: &gradients)
}
print(gradients.parameters.bias)
