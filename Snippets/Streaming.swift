// Inference: whole sequences with weights packed once, and one step at a time.

import Unroll

var random = NumPyRandom(seed: 1)

// A layer with immutable weights, packed once; no trace is stored.
let basic = RecurrentLayer(cell: Cell<Float>(.rnn, inputSize: 3, hiddenSize: 4, using: &random))
let frozen = basic.frozen()
var result = SequenceOutputs<Float>()
frozen.run(
  Tensor(shape: [5, 2, 3], repeating: 0.5), from: basic.zeroState(batchSize: 2), into: &result)
print(result.outputs.shape, result.finalState.hidden)

// A stream, whose steps allocate nothing and may thus run on an audio thread.
let layer = RecurrentLayer(
  cell: Cell<Float>(.gruResetAfter, inputSize: 2, hiddenSize: 8, using: &random))
var stream = layer.stream(batchSize: 1)
var output = [Float](repeating: 0, count: 8)
stream.step([0.5, -1], into: &output)
print(output, stream.states[0].hidden)

// Copies are explicit and have separate states.
var other = stream.copy()
other.reset()
other.step([0.5, -1], into: &output)

// A network with immutable weights.
let network = RecurrentNetwork<Float>(cells: [
  Cell(.gruResetAfter, inputSize: 3, hiddenSize: 8, using: &random),
  Cell(.gruResetAfter, inputSize: 8, hiddenSize: 8, using: &random),
])
let frozenNetwork = network.frozen()
var networkResult = NetworkOutputs<Float>()
Threads.use(1) {
  frozenNetwork.run(
    Tensor(shape: [5, 2, 3], repeating: 0.5), from: network.zeroStates(batchSize: 2),
    into: &networkResult)
}
print(networkResult.outputs.shape)  // [5, 2, 8]

// Training with reused memory: nothing is allocated after the first step.
var trace = SequenceTrace<Float>()
var gradients = LayerGradients<Float>()
for _ in 0..<3 {
  basic.forward(
    Tensor(shape: [5, 2, 3], repeating: 0.5), from: basic.zeroState(batchSize: 2), into: &trace)
  basic.backward(trace, outputs: Tensor(shape: [5, 2, 4], repeating: 1), into: &gradients)
}
print(gradients.parameters.bias)

// The same for a whole network.
let states = network.zeroStates(batchSize: 2)
let (x, outputGradient) = (
  Tensor<Float>(shape: [5, 2, 3], repeating: 0.5), Tensor<Float>(shape: [5, 2, 8], repeating: 1)
)
var networkTrace = NetworkTrace<Float>()
var networkGradients = NetworkGradients<Float>()
for _ in 0..<3 {
  network.forward(x, from: states, into: &networkTrace)
  network.backward(networkTrace, outputs: outputGradient, into: &networkGradients)
}
print(networkGradients.layers[1].parameters.bias)
