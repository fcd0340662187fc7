// A custom cell: a gated recurrent unit with the reset gate before the product. The check at the end locates errors of
// the backward step by gate and array.

import Unroll

/// r = σ(x·Wr + h·Ur + br), z = σ(x·Wz + h·Uz + bz), n = tanh(x·Wn + (r ⊙ h)·Un + bn), h′ = (1 − z) ⊙ n + z ⊙ h.
struct OwnGRU: CustomCell {
  let name = "own GRU"
  let gates: [Gate] = [.reset, .update, .candidate]
  let retention: Retention? = Retention(.update)

  func step<Scalar>(
    _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
  ) -> CustomStep<Scalar> {
    let h = state.hidden
    let r = parameters.argument(of: .reset, x, h).activated(by: .sigmoid)
    let z = parameters.argument(of: .update, x, h).activated(by: .sigmoid)
    let n = parameters.argument(of: .candidate, x, r * h).activated(by: .tanh)
    return CustomStep(hidden: (1 - z) * n + z * h, gates: [r, z, n])
  }

  func stepBackward<Scalar>(
    _ step: CustomStep<Scalar>, _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>,
    _ parameters: CellParameters<Scalar>, gradient: RecurrentState<Scalar>,
    into gradients: inout CustomGradients<Scalar>
  ) {
    let (h, dh) = (state.hidden, gradient.hidden)
    let (r, z, n) = (step.gates[0], step.gates[1], step.gates[2])
    // The arguments' gradients: σ′ = σ(1 − σ), tanh′ = 1 − tanh².
    let dn = dh * (1 - z) * (1 - n * n)
    let dz = dh * (h - n) * z * (1 - z)
    let drh = gradients.add(dn, to: .candidate, x, r * h, parameters)
    let dr = drh * h * r * (1 - r)
    gradients.state.hidden += dh * z + drh * r
    gradients.state.hidden += gradients.add(dz, to: .update, x, h, parameters)
    gradients.state.hidden += gradients.add(dr, to: .reset, x, h, parameters)
  }
}

print(CellCheck(of: OwnGRU()))

// Custom cells run in the same layers and networks as built-in cells, here in a bidirectional network.
var random = NumPyRandom(seed: 1)
let network = RecurrentNetwork<Float>(
  forward: Cell(custom: OwnGRU(), inputSize: 2, hiddenSize: 4, using: &random),
  backward: Cell(.lstm, inputSize: 2, hiddenSize: 4, using: &random))
let trace = network.forward(
  Tensor(shape: [6, 3, 2], repeating: 0.5), from: network.zeroStates(batchSize: 3),
  mask: .lengths([6, 4, 2]))
print(trace.outputs.shape, trace.layers[0].gate(.update)[0, 0, ...])
