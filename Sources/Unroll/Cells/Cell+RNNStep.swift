// One step of the basic recurrent cell in the plain kernels, forward and backward.

extension Cell {
  /// One step.
  ///
  /// 2·B·H·H flops besides the activation; no allocation.
  func rnnStep(_ buffers: StepBuffers<Scalar>) {
    let size = hiddenSize
    parameters.recurrentWeights.withUnsafeElements {
      Scalar._product(
        buffers.gates, size, buffers.previousHidden, size, $0, size, buffers.rows, size, size)
    }
    Scalar._rnnForward(
      buffers.gates, buffers.hidden, buffers.previousHidden, buffers.active, buffers.rows, size,
      options.activation.kernel(clip: options.argumentClip))
  }

  /// One step back.
  ///
  /// 2·B·H·H flops; no allocation.
  func rnnStepBackward(_ buffers: StepBuffers<Scalar>, _ gradients: StepGradients<Scalar>) {
    let size = hiddenSize
    Scalar._rnnBackward(
      gradients.gates, gradients.previousHidden, gradients.hidden, buffers.gates, buffers.active,
      buffers.rows, size, options.activation.kernel(clip: options.argumentClip))
    Scalar._product(
      gradients.previousHidden, size, gradients.gates, size,
      gradients.transposedRecurrentWeights, size, buffers.rows, size, size)
  }
}
