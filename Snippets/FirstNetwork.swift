// A recurrent layer applied to a batch of sequences: the forward pass with all states and gates, and
// every gradient.

import Unroll

var random = NumPyRandom(seed: 15009)
let cell = Cell<Float>(.gruResetBefore, inputSize: 3, hiddenSize: 2, using: &random)
let layer = RecurrentLayer(cell: cell)

let inputs = Tensor<Float>(random.rand([5, 4, 3]))  // [T, B, D]
let trace = layer.forward(inputs, from: layer.zeroState(batchSize: 4))
print(trace.outputs.shape)  // [5, 4, 2]
print(trace.gate(.update)[0, ...])  // z of every sequence at step 0

let gradients = layer.backward(trace, outputs: Tensor(shape: [5, 4, 2], repeating: 1))
print(gradients.parameters[.candidate].recurrentWeights)
print(gradients.initialState.hidden)
