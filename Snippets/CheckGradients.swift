// A gradient checker for lessons and new cells: central differences in Double.

import Unroll

var random = NumPyRandom(seed: 2)
let network = RecurrentNetwork<Double>(cells: [
  Cell<Double>(.rnn, inputSize: 2, hiddenSize: 3, using: &random)
])
let result = network.gradientCheck(
  inputs: random.randn([4, 2, 2]), from: network.zeroStates(batchSize: 2),
  outputWeights: random.randn([4, 2, 3]), stateWeights: network.zeroStates(batchSize: 2))
print("worst error \(result.worstError) at \(result.worstElement) of \(result.elementCount)")
