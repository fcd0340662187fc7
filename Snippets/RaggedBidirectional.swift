// Sequences of different lengths through a bidirectional level, in the notebook's [B, T, D].

import Unroll

var random = NumPyRandom(seed: 1)
let network = RecurrentNetwork<Double>(
  forward: Cell(.lstm, inputSize: 3, hiddenSize: 4, using: &random),
  backward: Cell(.lstm, inputSize: 3, hiddenSize: 4, using: &random))

let inputs = random.rand([2, 6, 3])  // two sequences of up to six steps
let trace = network.forward(
  inputs, from: network.zeroStates(batchSize: 2), mask: .lengths([6, 2]), layout: .batchMajor)
print(trace.outputs.shape)  // [2, 6, 8]: forward beside backward, zero past each length
print(trace.finalStates[0].hidden)  // the state at each sequence's end
