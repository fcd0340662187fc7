// Weights and data of the experiments, drawn in the notebook's order. All values are rounded to float32 once, so that
// both precisions use the same values.

internal import RealModule
package import Unroll
internal import UnrollContracts
internal import UnrollFormats

extension CellKind {
  /// Returns parameters that are zero.
  package func zeroParameters<Scalar: KernelScalar>(_ settings: LabSettings) -> CellParameters<
    Scalar
  > {
    Cell(self, inputSize: settings.inputSize, hiddenSize: settings.hiddenSize).parameters
  }

  /// The gates in the order of the notebook.
  fileprivate var drawOrder: [Gate] {
    switch self {
    case .gruResetBefore, .gruResetAfter: [.update, .reset, .candidate]
    default: gates
    }
  }
}

extension Tensor where Scalar == Double {
  /// Returns the values rounded to float32, in the requested precision.
  package func roundedToFloat<Target: KernelScalar>(_ type: Target.Type = Target.self) -> Tensor<
    Target
  > {
    Tensor<Target>(Tensor<Float>(self))
  }
}

/// Draws the inputs of the long-term dependency: uniform float32 minus the offset in float32; `[T, B, D]`.
package func drawInputs<Scalar: KernelScalar>(
  _ settings: LabSettings, _ random: inout NumPyRandom
) -> Tensor<Scalar> {
  let uniform = random.rand([settings.batchSize, settings.timeStepCount, settings.inputSize])
  return Tensor<Scalar>(Tensor<Float>(uniform) - Float(settings.inputOffset)).exchangingFirstAxes
}

/// Returns the weights of the settings: uniform in ±scale/2, for each gate `wt_h`, `wt_x`, `bias`; or
/// TensorFlow's, which do not use the stream.
package func drawWeights<Scalar: KernelScalar>(
  _ settings: LabSettings, scale: Double, _ random: inout NumPyRandom
) -> CellParameters<Scalar> {
  var parameters: CellParameters<Scalar> =
    switch settings.initialWeights {
    case .uniform: uniformWeights(settings, scale: scale, &random)
    case .tensorflow:
      settings.cell.tensorFlowParameters(
        inputSize: settings.inputSize, hiddenSize: settings.hiddenSize, seed: settings.seed)
    }
  if let gain = settings.orthogonalGain { makeOrthogonal(&parameters, gain: gain) }
  if let keepBias = settings.keepBias {
    keepState(&parameters, of: settings.cell, bias: keepBias)
  }
  if let steps = settings.chronoSteps { setChronoBiases(&parameters, steps: steps, settings) }
  if let change = settings.gateBias {
    if let retention = settings.cell.retention {
      let bias = Tensor<Double>(parameters[retention.gate].bias)
      parameters[retention.gate].bias = (bias + retention.sign * change).roundedToFloat()
    }
  }
  return parameters
}

private func uniformWeights<Scalar: KernelScalar>(
  _ settings: LabSettings, scale: Double, _ random: inout NumPyRandom
) -> CellParameters<Scalar> {
  var parameters: CellParameters<Scalar> = settings.cell.zeroParameters(settings)
  func draw(_ shape: [Int]) -> Tensor<Scalar> {
    ((random.rand(shape) - 0.5) * scale).roundedToFloat()
  }
  for gate in settings.cell.drawOrder {
    let recurrent = draw([settings.hiddenSize, settings.hiddenSize])
    let input = draw([settings.inputSize, settings.hiddenSize])
    let bias = draw([settings.hiddenSize])
    parameters[gate] = GateParameters(
      inputWeights: input, recurrentWeights: recurrent, bias: bias)
  }
  return parameters
}

/// Replaces each recurrent matrix with its orthogonal factor times a gain.
private func makeOrthogonal<Scalar: KernelScalar>(
  _ parameters: inout CellParameters<Scalar>, gain: Double
) {
  for gate in parameters.gates {
    let drawn = parameters[gate].recurrentWeights
    guard let q = Matrix(drawn).orthonormalized?.q else { continue }
    parameters[gate].recurrentWeights = (Tensor(shape: drawn.shape, elements: q.elements) * gain)
      .roundedToFloat()
  }
}

/// Sets the biases of the gates for time constants of 1 to `steps` steps.
///
/// Uses a separate stream, so that all other draws are unchanged.
private func setChronoBiases<Scalar: KernelScalar>(
  _ parameters: inout CellParameters<Scalar>, steps: Int, _ settings: LabSettings
) {
  var random = NumPyRandom(seed: settings.generatorSeed ^ 0x6368_726F)
  let lengths = random.rand([settings.hiddenSize]) * Double(steps - 2) + 1
  let biases = lengths.map { Double.log($0) }
  for gate in parameters.gates {
    switch gate {
    case settings.cell.retention?.gate:
      parameters[gate].bias = (biases * (settings.cell.retention?.sign ?? 1)).roundedToFloat()
    case .input: parameters[gate].bias = (biases * -1).roundedToFloat()
    default: break
    }
  }
}

/// Saturates the gates so that the cell keeps its state for any candidate.
///
/// GRU: z = σ(bias), r = σ(1). LSTM: f = o = σ(bias), i = σ(−bias). JANET: f = σ(bias). MGU: 1 − f = σ(bias).
package func keepState<Scalar: KernelScalar>(
  _ parameters: inout CellParameters<Scalar>, of cell: CellKind, bias: Double
) {
  var biases: [Gate: Double] = [.reset: 1, .output: bias, .input: -bias]
  if let retention = cell.retention { biases[retention.gate] = retention.sign * bias }
  for gate in parameters.gates {
    guard let bias = biases[gate] else { continue }
    var part = parameters[gate]
    part.inputWeights = Tensor(shape: part.inputWeights.shape)
    part.recurrentWeights = Tensor(shape: part.recurrentWeights.shape)
    part.bias = Tensor(shape: part.bias.shape, repeating: Scalar(bias))
    parameters[gate] = part
  }
}

/// A random state uniform in 0 ..< 1, times a factor; for an LSTM h, then c.
package struct DrawnState {
  package let hidden: Tensor<Double>
  package let cell: Tensor<Double>

  package init(hidden: Tensor<Double>, cell: Tensor<Double>) {
    (self.hidden, self.cell) = (hidden, cell)
  }

  /// Creates a state for a cell without c.
  package init(hidden: Tensor<Double>) {
    self.init(hidden: hidden, cell: Tensor(shape: [hidden.shape[0], 0]))
  }

  package init(_ cellStateSize: Int, _ settings: LabSettings, _ random: inout NumPyRandom) {
    hidden = random.rand([settings.batchSize, settings.hiddenSize])
    cell = random.rand([settings.batchSize, cellStateSize])
  }

  package func state<Scalar: KernelScalar>(times factor: Double = 1) -> RecurrentState<Scalar> {
    RecurrentState(
      hidden: (hidden * factor).roundedToFloat(), cell: (cell * factor).roundedToFloat())
  }
}

extension SequenceTrace {
  /// Returns the entire state after step `time`, h followed by c: `[B, H + C]`.
  ///
  /// The trace is time-major.
  package func wholeState(after time: Int) -> Tensor<Scalar> {
    Tensor.concatenatingLastAxis([hiddenStates[time, ...], cellState(after: time)])
  }
}

extension SequenceTrace {
  /// Throws if states overflow, because results computed from them would be meaningless.
  package func requireFiniteStates() throws(LabError) {
    let steps = hiddenStates.shape[0]
    func isFinite(_ time: Int) -> Bool { wholeState(after: time).elements.allSatisfy(\.isFinite) }
    guard let step = (0..<steps).first(where: { !isFinite($0) }) else { return }
    throw LabError(
      .system(
        "the states overflow \(Scalar.self == Float.self ? "float32" : "float64") at step \(step); use fewer time steps or smaller weights"
      ), field: "time")
  }
}

extension RecurrentState {
  /// h followed by c: `[B, H + C]`.
  var whole: Tensor<Scalar> { Tensor.concatenatingLastAxis([hidden, cell]) }
}

/// TensorFlow's initial weights of the notebook's graph: Glorot kernels from the graph's seed and the op seeds of
/// TensorFlow 1.13.1, zero biases, and 1 for the GRU's gate biases.
package struct TensorFlowInitialWeights {
  /// The RNN's kernel, `[D + H, H]`.
  package let rnnKernel: Tensor<Float>
  /// The GRU's gate kernel, `[D + H, 2·H]`, columns r, u.
  package let gateKernel: Tensor<Float>
  /// The GRU's candidate kernel, `[D + H, H]`.
  package let candidateKernel: Tensor<Float>

  /// The op seeds of the RNN kernel, gate kernel and candidate kernel in the notebook's graph.
  package static let notebookOpSeeds: [Int64] = [70, 181, 195]

  /// Regenerates the weights.
  package init(
    inputSize: Int, hiddenSize: Int, seed: Int64, opSeeds: [Int64] = notebookOpSeeds
  ) {
    require(
      opSeeds.count == 3, "TensorFlowInitialWeights.init: expected 3 op seeds, got \(opSeeds).")
    func kernel(_ index: Int, _ columns: Int) -> Tensor<Float> {
      TensorFlowRandom(seed: seed, opSeed: opSeeds[index])
        .glorotUniform(fanIn: inputSize + hiddenSize, fanOut: columns)
    }
    rnnKernel = kernel(0, hiddenSize)
    gateKernel = kernel(1, 2 * hiddenSize)
    candidateKernel = kernel(2, hiddenSize)
  }

  /// Returns the RNN's parameters.
  package func rnn<Scalar: KernelScalar>(_ type: Scalar.Type = Scalar.self) -> CellParameters<
    Scalar
  > {
    parameters(
      .rnn,
      ["kernel": rnnKernel, "bias": Tensor(shape: [rnnKernel.shape[1]])])
  }

  /// Returns the GRU's parameters.
  package func gru<Scalar: KernelScalar>(_ type: Scalar.Type = Scalar.self) -> CellParameters<
    Scalar
  > {
    let size = candidateKernel.shape[1]
    return parameters(
      .gruResetBefore,
      [
        "gates.kernel": gateKernel, "gates.bias": Tensor(shape: [2 * size], repeating: 1),
        "candidate.kernel": candidateKernel, "candidate.bias": Tensor(shape: [size]),
      ])
  }

  private func parameters<Scalar: KernelScalar>(
    _ kind: CellKind, _ arrays: [String: Tensor<Float>]
  ) -> CellParameters<Scalar> {
    do {
      return try TensorFlow1Cell(kind).cell(from: arrays.mapValues { Tensor<Scalar>($0) })
        .parameters
    } catch {
      contractViolation("TensorFlowInitialWeights: \(error)")
    }
  }
}
