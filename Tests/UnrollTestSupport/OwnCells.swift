// Custom cells for tests: equivalents of Unroll's kinds, written with tensors, and cells with errors.

import Unroll

/// A GRU with the reset gate after the product and a second bias.
package struct OwnGRUAfter: CustomCell {
  package let name = "own GRU"
  package let gates: [Gate] = [.reset, .update, .candidate]
  package let hasRecurrentBias = true
  package let retention: Retention? = Retention(.update)

  package init() {}

  package func step<Scalar>(
    _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
  ) -> CustomStep<Scalar> {
    let h = state.hidden
    let r = parameters.argument(of: .reset, x, h).activated(by: .sigmoid)
    let z = parameters.argument(of: .update, x, h).activated(by: .sigmoid)
    let product = parameters.recurrentProduct(of: .candidate, h)
    let n = (parameters.inputProduct(of: .candidate, x) + r * product).activated(by: .tanh)
    return CustomStep(hidden: (1 - z) * n + z * h, gates: [r, z, n], saved: [product])
  }

  package func stepBackward<Scalar>(
    _ step: CustomStep<Scalar>, _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>,
    _ parameters: CellParameters<Scalar>, gradient: RecurrentState<Scalar>,
    into gradients: inout CustomGradients<Scalar>
  ) {
    let (h, dh) = (state.hidden, gradient.hidden)
    let (r, z, n) = (step.gates[0], step.gates[1], step.gates[2])
    let dn = dh * (1 - z) * (1 - n * n)
    let dz = dh * (h - n) * z * (1 - z)
    let dr = dn * step.saved[0] * r * (1 - r)
    gradients.state.hidden += dh * z
    gradients.addInputProduct(dn, to: .candidate, x, parameters)
    gradients.state.hidden += gradients.addRecurrentProduct(dn * r, to: .candidate, h, parameters)
    gradients.state.hidden += gradients.add(dz, to: .update, x, h, parameters)
    gradients.state.hidden += gradients.add(dr, to: .reset, x, h, parameters)
  }
}

/// An LSTM with an optional error.
package struct OwnLSTM: CustomCell {
  /// The error.
  package enum Mistake: Sendable {
    case none
    /// The forget gate's derivative lacks the factor 1 − f.
    case forgetGate
    /// The gradient of c before the step is missing.
    case cellState
    /// One element of the gradient of W is NaN.
    case notANumber
    /// c reads the candidates of the other sequences.
    case mixed
  }

  package let mistake: Mistake
  package let name = "own LSTM"
  package let gates: [Gate] = [.input, .forget, .candidate, .output]
  package let hasCellState = true
  package let retention: Retention? = Retention(.forget)

  package init(_ mistake: Mistake = .none) { self.mistake = mistake }

  package func step<Scalar>(
    _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
  ) -> CustomStep<Scalar> {
    let gates = gates.map {
      parameters.argument(of: $0, x, state.hidden)
        .activated(by: $0 == .candidate ? .tanh : .sigmoid)
    }
    var c = gates[1] * state.cell + gates[0] * gates[2]
    if mistake == .mixed { c = c.adding(toEachRow: gates[2].columnSums) }
    return CustomStep(hidden: gates[3] * c.activated(by: .tanh), cell: c, gates: gates)
  }

  package func stepBackward<Scalar>(
    _ step: CustomStep<Scalar>, _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>,
    _ parameters: CellParameters<Scalar>, gradient: RecurrentState<Scalar>,
    into gradients: inout CustomGradients<Scalar>
  ) {
    guard let c = step.cell else { return }
    let (i, f, g, o) = (step.gates[0], step.gates[1], step.gates[2], step.gates[3])
    let shown = c.activated(by: .tanh)
    let dc = gradient.cell + gradient.hidden * o * (1 - shown * shown)
    let forget = dc * state.cell * f
    let arguments = [
      dc * g * i * (1 - i), mistake == .forgetGate ? forget : forget * (1 - f),
      dc * i * (1 - g * g),
      gradient.hidden * shown * o * (1 - o),
    ]
    for (gate, argument) in zip(gates, arguments) {
      gradients.state.hidden += gradients.add(argument, to: gate, x, state.hidden, parameters)
    }
    if mistake != .cellState { gradients.state.cell += dc * f }
    if mistake == .notANumber { gradients.parameters.inputWeights[0, 0] = .nan }
  }
}

/// A basic RNN with a custom gate and an optional error.
package struct OwnRNN: CustomCell {
  /// The error.
  package enum Mistake: Sendable {
    case none
    /// The derivative of the activation is missing.
    case gradient
    /// The gradient of the state before the step is missing.
    case state
    /// The gradient is NaN.
    case notANumber
    /// A sequence reads the states of the others.
    case mixed
  }

  package let name = "own RNN"
  package let gates: [Gate] = [Gate(rawValue: "only")]
  package let mistake: Mistake

  package init(_ mistake: Mistake = .none) { self.mistake = mistake }

  package func step<Scalar>(
    _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
  ) -> CustomStep<Scalar> {
    var hidden = state.hidden
    if mistake == .mixed {
      hidden = Tensor(shape: hidden.shape).adding(toEachRow: hidden.columnSums)
    }
    let h = parameters.argument(of: gates[0], x, hidden).activated(by: .tanh)
    return CustomStep(hidden: h, gates: [h])
  }

  package func stepBackward<Scalar>(
    _ step: CustomStep<Scalar>, _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>,
    _ parameters: CellParameters<Scalar>, gradient: RecurrentState<Scalar>,
    into gradients: inout CustomGradients<Scalar>
  ) {
    let h = step.hidden
    var argument = gradient.hidden * (1 - h * h)
    if mistake == .gradient { argument = gradient.hidden }
    if mistake == .notANumber { argument = argument * .nan }
    let before = gradients.add(argument, to: gates[0], x, state.hidden, parameters)
    if mistake != .state { gradients.state.hidden += before }
  }
}

/// h′ = 1 / (x·W + h·U + b): undefined for a row of zeros without a bias.
package struct OwnReciprocal: CustomCell {
  package let name = "own reciprocal"
  package let gates: [Gate] = [.candidate]

  package init() {}

  package func step<Scalar>(
    _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
  ) -> CustomStep<Scalar> {
    let h = parameters.argument(of: .candidate, x, state.hidden).map { 1 / $0 }
    return CustomStep(hidden: h, gates: [h])
  }

  package func stepBackward<Scalar>(
    _ step: CustomStep<Scalar>, _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>,
    _ parameters: CellParameters<Scalar>, gradient: RecurrentState<Scalar>,
    into gradients: inout CustomGradients<Scalar>
  ) {
    let argument = -1 * gradient.hidden * step.hidden * step.hidden
    gradients.state.hidden += gradients.add(
      argument, to: .candidate, x, state.hidden, parameters)
  }
}

/// Returns the correct custom cells for D inputs and H units, with random parameters.
package func ownCells<Scalar: KernelScalar>(
  _ type: Scalar.Type, inputSize d: Int = 3, hiddenSize h: Int = 4, seed: UInt32 = testSeed
) -> [ZooCell<Scalar>] {
  var random = NumPyRandom(seed: seed)
  let cells = [
    Cell<Scalar>(custom: OwnRNN(), inputSize: d, hiddenSize: h),
    Cell<Scalar>(custom: OwnGRUAfter(), inputSize: d, hiddenSize: h),
    Cell<Scalar>(custom: OwnLSTM(), inputSize: d, hiddenSize: h),
  ]
  return cells.map { ZooCell($0.title, $0, &random) }
}
