// The gated recurrent unit, in both variants. Derivation: Derivations/GRU-derivation.md.
//
//   r  = σ(x·Wr + h·Ur + br)                         reset gate
//   z  = σ(x·Wz + h·Uz + bz)                         update gate
//   n  = tanh(x·Wn + (r ⊙ h)·Un + bn)                candidate, reset gate before the product
//   n  = tanh(x·Wn + r ⊙ (h·Un + cn) + bn)           candidate, reset gate after the product
//   h′ = (1 − z) ⊙ n + z ⊙ h
//
// Legend: x `[B, D]` input, h `[B, H]` state, W `[D, 3·H]` and U `[H, 3·H]` with columns r, z, n,
// b and c `[3·H]`. With a second bias c, r and z add theirs to h·U, too.
//
// The two candidates differ as soon as r is not 1: weights trained with one variant give wrong
// numbers in the other, without any error. So the variant is an argument that has no default.
//
// Priorities, in order: the equations as published, both; the same bits for a row whatever else
// is in the batch; bitwise the basic cell when r = 1 and z = 0 (reset before); speed.

internal import UnrollContracts

/// Where a GRU applies its reset gate.
public enum ResetGate: String, Sendable, Codable, CaseIterable {
  /// (r ⊙ h)·U: Cho et al. 2014, TensorFlow 1, Keras `reset_after=False`, ONNX
  /// `linear_before_reset=0`.
  case beforeProduct
  /// r ⊙ (h·U + c): cuDNN, PyTorch, Keras `reset_after=True`, ONNX `linear_before_reset=1`.
  case afterProduct
}

/// The gated recurrent unit: h′ = (1 − z) ⊙ n + z ⊙ h.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let cell = GRU<Float>(inputSize: 3, hiddenSize: 2, resetGate: .beforeProduct, using: &random)
/// ```
///
/// Source: Cho et al. 2014, [arXiv:1406.1078](https://arxiv.org/abs/1406.1078), with the roles of
/// z and 1 − z as in TensorFlow, PyTorch and Keras: z near 1 keeps the state.
public struct GRU<Scalar: KernelScalar>: RecurrentCell {
  /// W, U, b and perhaps c; gates reset, update, candidate.
  public var parameters: CellParameters<Scalar>
  /// Where the reset gate acts.
  public let resetGate: ResetGate
  /// The candidate's function; tanh unless told otherwise.
  public var activation: Activation
  /// The gates' function; σ unless told otherwise.
  public var gateActivation: Activation
  /// Limits all functions' arguments to ± this; 0 does not.
  public var argumentClip: Double
  /// How often units keep their state.
  public var zoneout = Zoneout.none

  /// The order of the columns.
  public static var gates: [Gate] { Gate.ofGRU }

  /// Creates a cell from its parameters.
  ///
  /// - Precondition: They are of these gates, with neither peepholes nor projection.
  public init(
    parameters: CellParameters<Scalar>, resetGate: ResetGate, activation: Activation = .tanh,
    gateActivation: Activation = .sigmoid, argumentClip: Double = 0
  ) {
    parameters.check(areOf: Self.self, "GRU.init")
    self.parameters = parameters
    self.resetGate = resetGate
    self.activation = activation
    self.gateActivation = gateActivation
    self.argumentClip = argumentClip
  }

  /// Creates a cell whose parameters are zero, but gains, which are 1.
  ///
  /// - Parameters:
  ///   - inputSize: D.
  ///   - hiddenSize: H.
  ///   - resetGate: Where the reset gate acts.
  ///   - biasCount: 1 for b alone, 2 for b and c.
  ///   - isNormalized: Whether x·W and h·U are normalised, those of r and z together.
  public init(
    inputSize: Int, hiddenSize: Int, resetGate: ResetGate, biasCount: Int = 1,
    isNormalized: Bool = false
  ) {
    require(
      (1...2).contains(biasCount), "GRU.init: expected 1 or 2 biases, got \(biasCount).")
    self.init(
      parameters: CellParameters(
        gates: Self.gates, inputSize: inputSize, hiddenSize: hiddenSize,
        hasRecurrentBias: biasCount == 2, isNormalized: isNormalized),
      resetGate: resetGate)
  }

  /// Creates a cell with Glorot-uniform W, orthogonal U and zero biases.
  public init(
    inputSize: Int, hiddenSize: Int, resetGate: ResetGate, biasCount: Int = 1,
    isNormalized: Bool = false, using random: inout some RandomStream
  ) {
    self.init(
      inputSize: inputSize, hiddenSize: hiddenSize, resetGate: resetGate, biasCount: biasCount,
      isNormalized: isNormalized)
    parameters.initialize(input: .glorotUniform, recurrent: .orthogonal(gain: 1), using: &random)
  }

  /// None.
  public var cellStateSize: Int { 0 }
  /// r ⊙ h, or h·Un + cn.
  public var auxiliarySize: Int { parameters.hiddenSize }
  /// With the reset gate after the product, r scales the candidate's part.
  public var hasRecurrentGradient: Bool { resetGate == .afterProduct }
  /// With the reset gate before the product, Un meets r ⊙ h.
  public var auxiliaryColumns: Range<Int> {
    resetGate == .beforeProduct ? 2 * hiddenSize..<3 * hiddenSize : 0..<0
  }
  /// With the reset gate before the product, a second bias is simply added.
  public var inputBias: Tensor<Scalar> {
    resetGate == .beforeProduct && !parameters.recurrentBias.isEmpty
      ? parameters.bias + parameters.recurrentBias : parameters.bias
  }

  /// The variant, the activations and the clip.
  public var settings: CellSettings {
    var settings = CellSettings(resetGate == .beforeProduct ? .gruBefore : .gruAfter)
    settings.activation = activation
    settings.gateActivation = gateActivation
    settings.argumentClip = argumentClip
    return settings
  }

  /// The usual functions, without a clip.
  public var fusedKernel: FusedKernel? {
    guard argumentClip == 0, activation == .tanh, gateActivation == .sigmoid else { return nil }
    return FusedKernel(
      kind: resetGate == .beforeProduct ? .gruBefore : .gruAfter, zoneout: zoneout,
      isNormalized: parameters.isNormalized)
  }

  /// One step.
  ///
  /// 6·B·H·H flops besides the activations; no allocation.
  public func step(_ buffers: StepBuffers<Scalar>) {
    let (rows, size, width) = (buffers.rows, hiddenSize, 3 * hiddenSize)
    let gate = gateActivation.kernel(clip: argumentClip)
    let candidate = activation.kernel(clip: argumentClip)
    parameters.recurrentWeights.withUnsafeElements { weights in
      switch resetGate {
      case .beforeProduct:
        Scalar._product(
          buffers.gates, width, buffers.previousHidden, size, weights, width, rows, size, 2 * size)
        Scalar._gruBeforeGates(
          buffers.gates, buffers.auxiliary, buffers.previousHidden, buffers.active, rows, size,
          gate)
        Scalar._product(
          buffers.gates + 2 * size, width, buffers.auxiliary, size, weights + 2 * size, width,
          rows, size, size)
        Scalar._gruBeforeOutput(
          buffers.gates, buffers.hidden, buffers.previousHidden, buffers.active, rows, size,
          candidate)
      case .afterProduct:
        let recurrent = buffers.scratch
        if parameters.recurrentBias.isEmpty {
          recurrent.fill(0, count: rows * width)
        } else {
          parameters.recurrentBias.withUnsafeElements {
            Scalar._fillRows(recurrent, $0, rows, width)
          }
        }
        Scalar._product(
          recurrent, width, buffers.previousHidden, size, weights, width, rows, size, width)
        Scalar._gruAfterForward(
          buffers.gates, buffers.auxiliary, buffers.hidden, recurrent, buffers.previousHidden,
          buffers.active, rows, size, gate, candidate)
      }
    }
  }

  /// One step back.
  ///
  /// 6·B·H·H flops; no allocation.
  public func stepBackward(_ buffers: StepBuffers<Scalar>, _ gradients: StepGradients<Scalar>) {
    let (rows, size, width) = (buffers.rows, hiddenSize, 3 * hiddenSize)
    let gate = gateActivation.kernel(clip: argumentClip)
    let transposed = gradients.transposedRecurrentWeights
    Scalar._gruBackward(
      gradients.gates, gradients.previousHidden, gradients.hidden, buffers.gates,
      buffers.previousHidden, buffers.active, rows, size, gate,
      activation.kernel(clip: argumentClip))
    switch resetGate {
    case .beforeProduct:
      let scaled = buffers.scratch
      scaled.fill(0, count: rows * size)
      Scalar._product(
        scaled, size, gradients.gates + 2 * size, width, transposed + 2 * size * size, size, rows,
        size, size)
      Scalar._gruBeforeBackward(
        gradients.gates, gradients.previousHidden, scaled, buffers.gates, buffers.previousHidden,
        buffers.active, rows, size, gate)
      Scalar._product(
        gradients.previousHidden, size, gradients.gates, width, transposed, size, rows, 2 * size,
        size)
    case .afterProduct:
      Scalar._gruAfterBackward(
        gradients.gates, gradients.recurrent, buffers.gates, buffers.auxiliary, buffers.active,
        rows, size, gate)
      Scalar._product(
        gradients.previousHidden, size, gradients.recurrent, width, transposed, size, rows, width,
        size)
    }
  }
}
