// One step of a cell in the plain kernels, forward and backward, on buffers that the layer owns.

extension Cell {
  /// Whether the gradient of h·U + c differs from the gates' gradient.
  var hasRecurrentGradient: Bool { kind.candidate == .separate }
  /// The columns of U that are multiplied by the auxiliary values instead of h.
  var auxiliaryColumns: Range<Int> {
    kind.candidate == .late ? parameters.columns(of: .candidate) : 0..<0
  }
  /// What is added to x·W, shape `[G·H]`: the bias, and the second where the two are only ever added.
  var inputBias: Tensor<Scalar> {
    kind.candidate == .separate || parameters.recurrentBias.isEmpty
      ? parameters.bias : parameters.bias + parameters.recurrentBias
  }

  /// Advances all rows by one step; `buffers.gates` holds x·W + b.
  func step(_ buffers: StepBuffers<Scalar>) {
    switch kind {
    case .rnn: rnnStep(buffers)
    case .gruResetBefore, .gruResetAfter: gruStep(buffers)
    case .lstm: lstmStep(buffers)
    }
  }

  /// Takes the gradients of one step back; the mirror of `step(_:)`.
  func stepBackward(_ buffers: StepBuffers<Scalar>, _ gradients: StepGradients<Scalar>) {
    switch kind {
    case .rnn: rnnStepBackward(buffers, gradients)
    case .gruResetBefore, .gruResetAfter: gruStepBackward(buffers, gradients)
    case .lstm: lstmStepBackward(buffers, gradients)
    }
  }
}

/// Where one step of a batch reads and writes; rows are sequences.
struct StepBuffers<Scalar: KernelScalar> {
  /// x·W + b on entry, the gates' values on exit: `[B, G·H]`.
  var gates: UnsafeMutablePointer<Scalar>
  /// `[B, auxiliarySize]`.
  var auxiliary: UnsafeMutablePointer<Scalar>
  /// The new state: `[B, P]` and `[B, C]`.
  var hidden: UnsafeMutablePointer<Scalar>
  var cell: UnsafeMutablePointer<Scalar>
  /// The old state.
  var previousHidden: UnsafePointer<Scalar>
  var previousCell: UnsafePointer<Scalar>
  /// One byte a row, or nil if all rows are active.
  var active: UnsafePointer<UInt8>?
  /// B.
  var rows: Int
  /// Room for `[B, G·H + P]` numbers that do not outlive the step.
  var scratch: UnsafeMutablePointer<Scalar>
}

/// Where one step's gradients are read and written.
struct StepGradients<Scalar: KernelScalar> {
  /// dL/d(x·W + b): `[B, G·H]`, written.
  var gates: UnsafeMutablePointer<Scalar>
  /// dL/d(h·U + c): `[B, G·H]`, written where it differs from `gates`.
  var recurrent: UnsafeMutablePointer<Scalar>
  /// dL/dh′: `[B, P]`, read.
  var hidden: UnsafeMutablePointer<Scalar>
  /// dL/dh: `[B, P]`, written.
  var previousHidden: UnsafeMutablePointer<Scalar>
  /// dL/dc′ on entry, dL/dc on exit: `[B, C]`.
  var cell: UnsafeMutablePointer<Scalar>
  /// Uᵀ: `[G·H, P]`.
  var transposedRecurrentWeights: UnsafePointer<Scalar>
  /// The projection's transpose: `[P, H]`.
  var transposedProjection: UnsafePointer<Scalar>
  /// Gradients that a step adds to.
  var peepholes: UnsafeMutablePointer<Scalar>
  var projection: UnsafeMutablePointer<Scalar>
}
