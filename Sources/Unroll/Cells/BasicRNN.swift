// The basic (Elman) recurrent cell. Derivation: Derivations/BasicRNN-derivation.md.
//
//   a  = x·W + h·U + b
//   h′ = f(a)               f = tanh or another activation
//
// Legend: x `[B, D]` input, h `[B, H]` state, W `[D, H]`, U `[H, H]`, b `[H]`.
//
// Priorities, in order: the equations as published; the same bits for a row whatever else is in
// the batch; speed.

/// The basic recurrent cell: h′ = tanh(x·W + h·U + b).
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let cell = BasicRNN<Float>(inputSize: 3, hiddenSize: 2, using: &random)
/// ```
///
/// Source: Elman, Finding structure in time (1990); TensorFlow 1's `BasicRNNCell`, PyTorch's
/// `RNN`, Keras' `SimpleRNN` compute the same.
public struct BasicRNN<Scalar: KernelScalar>: RecurrentCell {
  /// W, U and b, of one gate: the candidate.
  public var parameters: CellParameters<Scalar>
  /// f; tanh unless told otherwise.
  public var activation: Activation
  /// Limits f's argument to ± this; 0 does not.
  public var argumentClip: Double
  /// How often units keep their state.
  public var zoneout = Zoneout.none

  /// The only gate.
  public static var gates: [Gate] { Gate.ofBasicRNN }

  /// Creates a cell from its parameters.
  ///
  /// - Precondition: They are of these gates, with neither peepholes, projection nor a second bias.
  public init(
    parameters: CellParameters<Scalar>, activation: Activation = .tanh, argumentClip: Double = 0
  ) {
    parameters.check(areOf: Self.self, "BasicRNN.init")
    self.parameters = parameters
    self.activation = activation
    self.argumentClip = argumentClip
  }

  /// Creates a cell whose parameters are zero, but gains, which are 1.
  public init(
    inputSize: Int, hiddenSize: Int, activation: Activation = .tanh, isNormalized: Bool = false
  ) {
    self.init(
      parameters: CellParameters(
        gates: Self.gates, inputSize: inputSize, hiddenSize: hiddenSize,
        isNormalized: isNormalized),
      activation: activation)
  }

  /// Creates a cell with Glorot-uniform W, orthogonal U and zero bias.
  public init(
    inputSize: Int, hiddenSize: Int, activation: Activation = .tanh, isNormalized: Bool = false,
    using random: inout some RandomStream
  ) {
    self.init(
      inputSize: inputSize, hiddenSize: hiddenSize, activation: activation,
      isNormalized: isNormalized)
    parameters.initialize(input: .glorotUniform, recurrent: .orthogonal(gain: 1), using: &random)
  }

  /// None.
  public var cellStateSize: Int { 0 }
  /// None.
  public var auxiliarySize: Int { 0 }

  /// The activation and the clip.
  public var settings: CellSettings {
    var settings = CellSettings(.rnn)
    settings.activation = activation
    settings.argumentClip = argumentClip
    return settings
  }

  /// tanh and relu, without a clip.
  public var fusedKernel: FusedKernel? {
    guard argumentClip == 0, activation == .tanh || activation == .relu else { return nil }
    return FusedKernel(
      kind: .rnn, usesRelu: activation == .relu, zoneout: zoneout,
      isNormalized: parameters.isNormalized)
  }

  /// One step.
  ///
  /// 2·B·H·H flops besides the activation; no allocation.
  public func step(_ buffers: StepBuffers<Scalar>) {
    let size = hiddenSize
    parameters.recurrentWeights.withUnsafeElements {
      Scalar._product(
        buffers.gates, size, buffers.previousHidden, size, $0, size, buffers.rows, size, size)
    }
    Scalar._rnnForward(
      buffers.gates, buffers.hidden, buffers.previousHidden, buffers.active, buffers.rows, size,
      activation.kernel(clip: argumentClip))
  }

  /// One step back.
  ///
  /// 2·B·H·H flops; no allocation.
  public func stepBackward(_ buffers: StepBuffers<Scalar>, _ gradients: StepGradients<Scalar>) {
    let size = hiddenSize
    Scalar._rnnBackward(
      gradients.gates, gradients.previousHidden, gradients.hidden, buffers.gates, buffers.active,
      buffers.rows, size, activation.kernel(clip: argumentClip))
    Scalar._product(
      gradients.previousHidden, size, gradients.gates, size,
      gradients.transposedRecurrentWeights, size, buffers.rows, size, size)
  }
}
