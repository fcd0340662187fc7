// One step of the gated recurrent units in the plain kernels, forward and backward.

extension Cell {
  /// One step.
  ///
  /// 6·B·H·H flops besides the activations; no allocation.
  func gruStep(_ buffers: StepBuffers<Scalar>) {
    let (rows, size, width) = (buffers.rows, hiddenSize, 3 * hiddenSize)
    let gate = options.gateActivation.kernel(clip: options.argumentClip)
    let candidate = options.activation.kernel(clip: options.argumentClip)
    parameters.recurrentWeights.withUnsafeElements { weights in
      if kind.candidate == .late {
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
      } else {
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
  func gruStepBackward(_ buffers: StepBuffers<Scalar>, _ gradients: StepGradients<Scalar>) {
    let (rows, size, width) = (buffers.rows, hiddenSize, 3 * hiddenSize)
    let gate = options.gateActivation.kernel(clip: options.argumentClip)
    let transposed = gradients.transposedRecurrentWeights
    Scalar._gruBackward(
      gradients.gates, gradients.previousHidden, gradients.hidden, buffers.gates,
      buffers.previousHidden, buffers.active, rows, size, gate,
      options.activation.kernel(clip: options.argumentClip))
    if kind.candidate == .late {
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
    } else {
      Scalar._gruAfterBackward(
        gradients.gates, gradients.recurrent, buffers.gates, buffers.auxiliary, buffers.active,
        rows, size, gate)
      Scalar._product(
        gradients.previousHidden, size, gradients.recurrent, width, transposed, size, rows, width,
        size)
    }
  }
}
