// One step of the long short-term memory in the plain kernels, forward and backward.

internal import CUnrollKernels

extension Cell {
  /// One step.
  ///
  /// 8·B·H·P flops, with a projection 2·B·H·P more, besides the activations; no allocation.
  func lstmStep(_ buffers: StepBuffers<Scalar>) {
    let (rows, size, width, out) = (buffers.rows, hiddenSize, 4 * hiddenSize, outputSize)
    let projects = !parameters.projection.isEmpty
    parameters.recurrentWeights.withUnsafeElements {
      Scalar._product(
        buffers.gates, width, buffers.previousHidden, out, $0, width, rows, out, width)
    }
    var switches = lstmOptions
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
  func lstmStepBackward(_ buffers: StepBuffers<Scalar>, _ gradients: StepGradients<Scalar>) {
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
    var switches = lstmOptions
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

  /// The switches as the kernels take them.
  private var lstmOptions: unroll_lstm_options {
    unroll_lstm_options(
      gate: options.gateActivation.kernel(clip: options.argumentClip),
      candidate: options.activation.kernel(clip: options.argumentClip),
      output: options.outputActivation.kernel(),
      forget_offset: options.forgetOffset,
      cell_clip: options.cellClip,
      coupled: options.couplesInputAndForget ? 1 : 0)
  }

  private func withPeepholes(_ body: (UnsafePointer<Scalar>?) -> Void) {
    if parameters.peepholes.isEmpty { return body(nil) }
    parameters.peepholes.withUnsafeElements(body)
  }
}
