// The examples of the docstrings, copied here so that they are compiled; those of frozen layers and
// streams are in Streaming.swift.

import Unroll

// Tensor
do {
  var x = Tensor<Float>(shape: [2, 3], elements: [1, 2, 3, 4, 5, 6])
  x[1, 2] = 7
  print(x[1, ...])  // [4.0, 5.0, 7.0]
}

do {
  let x = Tensor<Float>(shape: [2, 3], elements: [1, 2, 3, 4, 5, 6])
  print(x[1, ...])  // [4.0, 5.0, 6.0]
}
do {
  var x = Tensor<Float>(shape: [4, 2])
  x[1..<3] = Tensor(shape: [2, 2], repeating: 1)
  print(x[2...].shape)  // [2, 2]
}

// NumPyRandom
do {
  var random = NumPyRandom(seed: 15009)
  let inputs = random.rand([4, 5, 3])  // numpy.random.rand(4, 5, 3)
  print(inputs.shape)
}

// TensorFlowRandom
do {
  let kernel = TensorFlowRandom(seed: 15009, opSeed: 70).glorotUniform(fanIn: 5, fanOut: 2)
  print(kernel)
}

// Cell
do {
  var random = NumPyRandom(seed: 1)
  let cell = Cell<Float>(.lstm, inputSize: 3, hiddenSize: 2, using: &random)
  print(cell.parameters.count)
}

// Zoneout
do {
  var random = NumPyRandom(seed: 1)
  var layer = RecurrentLayer(cell: Cell<Float>(.lstm, inputSize: 3, hiddenSize: 4, using: &random))
  layer.cell.zoneout = Zoneout(hidden: 0.05, cell: 0.5)  // the mean: for inference
  layer.cell.zoneout.masks = Zoneout.Masks(seed: 1, step: 12)  // drawn: for a training step
}

// Dropout
do {
  var x = Tensor<Float>(shape: [5, 2, 8], repeating: 1)
  let dropout = Dropout(rate: 0.5, seed: 1, stream: 0, step: 12)
  dropout.apply(to: &x)  // and to the gradient, later
}

// RecurrentLayer
do {
  var random = NumPyRandom(seed: 1)
  let layer = RecurrentLayer(cell: Cell<Float>(.lstm, inputSize: 3, hiddenSize: 4, using: &random))
  let x = Tensor<Float>(shape: [5, 2, 3], repeating: 0.5)
  let trace = layer.forward(x, from: layer.zeroState(batchSize: 2))
  let gradients = layer.backward(trace, outputs: Tensor(shape: [5, 2, 4], repeating: 1))
  print(gradients.inputs.shape)
}

// CustomCell
struct LeakyCell: CustomCell {
  let name = "Leaky"
  let gates: [Gate] = [.candidate]

  func step<Scalar>(
    _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
  ) -> CustomStep<Scalar> {
    let n = parameters.argument(of: .candidate, x, state.hidden).activated(by: .tanh)
    return CustomStep(hidden: 0.5 * state.hidden + 0.5 * n, gates: [n])
  }

  func stepBackward<Scalar>(
    _ step: CustomStep<Scalar>, _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>,
    _ parameters: CellParameters<Scalar>, gradient: RecurrentState<Scalar>,
    into gradients: inout CustomGradients<Scalar>
  ) {
    let n = step.gates[0]
    let argument = 0.5 * gradient.hidden * (1 - n * n)
    gradients.state.hidden += 0.5 * gradient.hidden
    gradients.state.hidden += gradients.add(argument, to: .candidate, x, state.hidden, parameters)
  }
}
print(CellCheck(of: LeakyCell()))
