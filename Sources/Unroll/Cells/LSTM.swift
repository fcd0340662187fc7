// The long short-term memory, with the extensions of its practice. Derivation: Derivations/LSTM-derivation.md.
//
//   i  = σ(x·Wi + h·Ui + bi + pi ⊙ c)                input gate
//   f  = σ(x·Wf + h·Uf + bf + pf ⊙ c + offset)       forget gate
//   g  = tanh(x·Wg + h·Ug + bg)                      candidate
//   c′ = clip(f ⊙ c + i ⊙ g)
//   o  = σ(x·Wo + h·Uo + bo + po ⊙ c′)               output gate
//   m  = o ⊙ tanh(c′)
//   h′ = m, or clip(m·Q) with a projection Q
//
// Legend: x `[B, D]` input, h `[B, P]` and c `[B, H]` state, W `[D, 4·H]` and U `[P, 4·H]` with
// columns i, f, g, o, b `[4·H]`, p `[3, H]` peepholes of i, f, o, Q `[H, P]`.
//
// Priorities, in order: the equations as published; the same bits for a row whatever else is in
// the batch; speed.

/// The switches of an LSTM; the defaults are the plain cell of Keras and PyTorch.
public struct LSTMOptions: Sendable, Equatable, Codable {
  /// Added to the forget gate's argument at run time; TensorFlow 1's cells add 1.
  public var forgetOffset: Double
  /// The candidate's function.
  public var activation: Activation
  /// The function of i, f and o.
  public var gateActivation: Activation
  /// The function that the cell state passes on its way out.
  public var outputActivation: Activation
  /// Limits c′ to ± this; 0 does not.
  public var cellClip: Double
  /// Limits the projected h′ to ± this; 0 does not.
  public var projectionClip: Double
  /// Limits the arguments of i, f, g and o to ± this; 0 does not.
  public var argumentClip: Double
  /// Whether f is 1 − i (ONNX `input_forget`).
  public var couplesInputAndForget: Bool

  /// Creates options; each default is the plain cell's.
  public init(
    forgetOffset: Double = 0, activation: Activation = .tanh,
    gateActivation: Activation = .sigmoid, outputActivation: Activation = .tanh,
    cellClip: Double = 0, projectionClip: Double = 0, argumentClip: Double = 0,
    couplesInputAndForget: Bool = false
  ) {
    self.forgetOffset = forgetOffset
    self.activation = activation
    self.gateActivation = gateActivation
    self.outputActivation = outputActivation
    self.cellClip = cellClip
    self.projectionClip = projectionClip
    self.argumentClip = argumentClip
    self.couplesInputAndForget = couplesInputAndForget
  }
}

/// The long short-term memory: c′ = f ⊙ c + i ⊙ g, h′ = o ⊙ tanh(c′).
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let cell = LSTM<Float>(inputSize: 3, hiddenSize: 2, using: &random)
/// ```
///
/// Source: Hochreiter and Schmidhuber 1997; the forget gate of Gers et al. 2000; peepholes of
/// Gers et al. 2002; the projection of Sak et al. 2014.
public struct LSTM<Scalar: KernelScalar>: RecurrentCell {
  /// W, U, b, and perhaps peepholes and projection; gates input, forget, candidate, output.
  public var parameters: CellParameters<Scalar>
  /// The switches.
  public var options: LSTMOptions
  /// How often units keep their state.
  public var zoneout = Zoneout.none

  /// The order of the columns.
  public static var gates: [Gate] { Gate.ofLSTM }

  /// Creates a cell from its parameters.
  ///
  /// - Precondition: They are of these gates, with no second bias.
  public init(parameters: CellParameters<Scalar>, options: LSTMOptions = LSTMOptions()) {
    parameters.check(areOf: Self.self, "LSTM.init")
    self.parameters = parameters
    self.options = options
  }

  /// Creates a cell whose parameters are zero, but gains, which are 1.
  ///
  /// - Parameters:
  ///   - inputSize: D.
  ///   - hiddenSize: H.
  ///   - hasPeepholes: Whether the gates see the cell state.
  ///   - projectionSize: P, if the output is projected.
  ///   - isNormalized: Whether x·W, h·U and what the output shows of c′ are normalised.
  ///   - options: The switches.
  public init(
    inputSize: Int, hiddenSize: Int, hasPeepholes: Bool = false, projectionSize: Int? = nil,
    isNormalized: Bool = false, options: LSTMOptions = LSTMOptions()
  ) {
    self.init(
      parameters: CellParameters(
        gates: Self.gates, inputSize: inputSize, hiddenSize: hiddenSize,
        hasPeepholes: hasPeepholes, projectionSize: projectionSize, isNormalized: isNormalized),
      options: options)
  }

  /// Creates a cell with Glorot-uniform W, orthogonal U and zero bias, but 1 for the forget gate.
  public init(
    inputSize: Int, hiddenSize: Int, hasPeepholes: Bool = false, projectionSize: Int? = nil,
    isNormalized: Bool = false, options: LSTMOptions = LSTMOptions(),
    using random: inout some RandomStream
  ) {
    self.init(
      inputSize: inputSize, hiddenSize: hiddenSize, hasPeepholes: hasPeepholes,
      projectionSize: projectionSize, isNormalized: isNormalized, options: options)
    parameters.initialize(input: .glorotUniform, recurrent: .orthogonal(gain: 1), using: &random)
    parameters[.forget].bias = Tensor(shape: [hiddenSize], repeating: 1)
  }

  /// H.
  public var cellStateSize: Int { parameters.hiddenSize }
  /// m, where it is projected.
  public var auxiliarySize: Int { parameters.projection.isEmpty ? 0 : parameters.hiddenSize }

  /// The options.
  public var settings: CellSettings {
    var settings = CellSettings(.lstm)
    settings.activation = options.activation
    settings.gateActivation = options.gateActivation
    settings.outputActivation = options.outputActivation
    settings.argumentClip = options.argumentClip
    settings.forgetOffset = options.forgetOffset
    settings.cellClip = options.cellClip
    settings.projectionClip = options.projectionClip
    settings.couplesInputAndForget = options.couplesInputAndForget
    return settings
  }

  /// The usual functions; no projection, no clip, no coupling.
  public var fusedKernel: FusedKernel? {
    guard parameters.projection.isEmpty,
      options == LSTMOptions(forgetOffset: options.forgetOffset)
    else { return nil }
    return FusedKernel(
      kind: .lstm, forgetOffset: options.forgetOffset, zoneout: zoneout,
      isNormalized: parameters.isNormalized)
  }

  /// One step.
  ///
  /// 8·B·H·P flops, with a projection 2·B·H·P more, besides the activations; no allocation.
  public func step(_ buffers: StepBuffers<Scalar>) {
    let (rows, size, width, out) = (buffers.rows, hiddenSize, 4 * hiddenSize, outputSize)
    let projects = !parameters.projection.isEmpty
    parameters.recurrentWeights.withUnsafeElements {
      Scalar._product(
        buffers.gates, width, buffers.previousHidden, out, $0, width, rows, out, width)
    }
    var switches = kernelOptions
    withPeepholes { peepholes in
      Scalar._lstmForward(
        buffers.gates, buffers.cell, projects ? buffers.auxiliary : buffers.hidden,
        buffers.previousCell, peepholes, buffers.active, rows, size, &switches)
    }
    if projects {
      buffers.hidden.fill(0, count: rows * out)
      parameters.projection.withUnsafeElements {
        Scalar._product(buffers.hidden, out, buffers.auxiliary, size, $0, out, rows, size, out)
      }
      if options.projectionClip > 0 {
        Scalar._clip(buffers.hidden, Scalar(options.projectionClip), rows * out)
      }
    }
    Scalar._replaceInactive(buffers.hidden, buffers.previousHidden, buffers.active, rows, out)
  }

  /// One step back.
  ///
  /// 8·B·H·P flops, with a projection 4·B·H·P more; no allocation.
  public func stepBackward(_ buffers: StepBuffers<Scalar>, _ gradients: StepGradients<Scalar>) {
    let (rows, size, width, out) = (buffers.rows, hiddenSize, 4 * hiddenSize, outputSize)
    var outputGradient = gradients.hidden
    if !parameters.projection.isEmpty {
      let clipped = buffers.scratch
      clipped.update(from: gradients.hidden, count: rows * out)
      Scalar._replaceInactive(clipped, nil, buffers.active, rows, out)
      if options.projectionClip > 0 {
        Scalar._clipBackward(
          clipped, buffers.hidden, Scalar(options.projectionClip), rows * out)
      }
      outputGradient = clipped + rows * out
      outputGradient.fill(0, count: rows * size)
      Scalar._product(
        outputGradient, size, clipped, out, gradients.transposedProjection, size, rows, out, size)
      Scalar._productTransposed(
        gradients.projection, out, buffers.auxiliary, size, clipped, out, rows, size, out)
    }
    var switches = kernelOptions
    withPeepholes { peepholes in
      Scalar._lstmBackward(
        gradients.gates, gradients.cell, gradients.peepholes, outputGradient, buffers.gates,
        buffers.cell, buffers.previousCell, peepholes, buffers.active, rows, size, &switches)
    }
    gradients.previousHidden.fill(0, count: rows * out)
    Scalar._replaceInactive(
      gradients.previousHidden, gradients.hidden, buffers.active, rows, out)
    Scalar._product(
      gradients.previousHidden, out, gradients.gates, width,
      gradients.transposedRecurrentWeights, out, rows, width, out)
  }

  private func withPeepholes(_ body: (UnsafePointer<Scalar>?) -> Void) {
    if parameters.peepholes.isEmpty { return body(nil) }
    parameters.peepholes.withUnsafeElements(body)
  }
}
