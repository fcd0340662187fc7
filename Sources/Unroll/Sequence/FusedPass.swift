// The fast kernels' view of a layer: a C structure of addresses, filled from tensors that the
// caller keeps alive. Everything here is O(G·H) or less; the work is in CUnrollKernels.

internal import CUnrollKernels

/// Passes of the fast kernels over a sequence.
///
/// Parameters are handed down, never stored: a copy of a cell's parameters or of a trace costs more
/// than a small layer's whole step. Each function keeps what it has the addresses of alive to its
/// end (`withExtendedLifetime`).
enum FusedPass<Scalar: KernelScalar> {
  /// A layer's structure, without the addresses of input and states.
  ///
  /// The second bias of a GRU is added to the first where the two are only ever added: always
  /// unless the candidate's product is separate, and then for the other gates.
  static func layer(
    _ kernel: FusedKernel, _ parameters: CellParameters<Scalar>, _ direction: Direction,
    steps: Int, rows: Int, memory: PassMemory<Scalar>
  ) -> unroll_layer {
    var layer = unroll_layer()
    layer.cell = kernel.kind.kernelNumber
    layer.relu = kernel.usesRelu ? 1 : 0
    layer.reversed = direction == .backward ? 1 : 0
    layer.steps = steps
    layer.batch = rows
    layer.input = parameters.inputSize
    layer.hidden = parameters.hiddenSize
    layer.forget_offset = kernel.forgetOffset
    layer.input_weights = UnsafeRawPointer(parameters.inputWeights.base)
    layer.recurrent_weights = UnsafeRawPointer(parameters.recurrentWeights.base)
    layer.bias = UnsafeRawPointer(parameters.bias.base)
    if !parameters.peepholes.isEmpty {
      layer.peepholes = UnsafeRawPointer(parameters.peepholes.base)
    }
    if kernel.zoneout.isActive { zone(&layer, kernel.zoneout) }
    if parameters.isNormalized {
      layer.normalizes = 1
      layer.normal.input_gain = UnsafeRawPointer(parameters.inputGain.base)
      layer.normal.recurrent_gain = UnsafeRawPointer(parameters.recurrentGain.base)
      if kernel.kind.hasCellState {
        layer.normal.cell_gain = UnsafeRawPointer(parameters.cellGain.base)
        layer.normal.cell_offset = UnsafeRawPointer(parameters.cellOffset.base)
      }
    }
    if !parameters.recurrentBias.isEmpty {
      let (width, size) = (parameters.bias.count, parameters.hiddenSize)
      let bias = memory.bias.room(for: width)
      let second = parameters.recurrentBias.base
      bias.update(from: parameters.bias.base, count: width)
      if kernel.kind.candidate == .separate {
        Scalar._addRows(bias, second, 1, nil, 1, width - size)
        layer.candidate_bias = UnsafeRawPointer(second + width - size)
      } else {
        Scalar._addRows(bias, second, 1, nil, 1, width)
      }
      layer.bias = UnsafeRawPointer(bias)
    }
    return layer
  }

  private static func zone(_ layer: inout unroll_layer, _ zoneout: Zoneout) {
    layer.zones = 1
    layer.zoneout.hidden.rate = zoneout.hidden
    layer.zoneout.cell.rate = zoneout.cell
    guard let masks = zoneout.masks else { return }
    layer.zoneout.draws = 1
    layer.zoneout.hidden.seed = masks.seed
    layer.zoneout.hidden.step = UInt64(masks.step)
    layer.zoneout.cell = layer.zoneout.hidden
    layer.zoneout.cell.rate = zoneout.cell
    layer.zoneout.hidden.stream = UInt32(masks.hiddenStream)
    layer.zoneout.cell.stream = UInt32(masks.cellStream)
  }

  /// Adds the addresses of a trace's arrays.
  private static func attach(
    _ trace: SequenceTrace<Scalar>, _ kernel: FusedKernel, to layer: inout unroll_layer
  ) {
    layer.inputs = UnsafeRawPointer(trace.timeMajorInputs.base)
    layer.initial_hidden = UnsafeRawPointer(trace.initialState.hidden.base)
    layer.hidden_states = UnsafeMutableRawPointer(trace.timeMajorHidden.base)
    layer.gates = UnsafeMutableRawPointer(trace.gateValues.base)
    if kernel.kind.savesCandidateOperand {
      layer.auxiliary = UnsafeMutableRawPointer(trace.auxiliary.base)
    }
    if kernel.kind.hasCellState {
      layer.initial_cell = UnsafeRawPointer(trace.initialState.cell.base)
      layer.cell_states = UnsafeMutableRawPointer(trace.timeMajorCell.base)
    }
    guard kernel.isNormalized else { return }
    layer.normal.input = UnsafeMutableRawPointer(trace.normal.inputs.base)
    layer.normal.product = UnsafeMutableRawPointer(trace.normal.products.base)
    layer.normal.spreads = UnsafeMutableRawPointer(trace.normal.spreads.base)
    if kernel.kind.hasCellState {
      layer.normal.cell = UnsafeMutableRawPointer(trace.normal.cells.base)
    }
  }

  /// Fills the trace's states and gates and the final cell, whose memory is ready.
  static func forward(
    _ kernel: FusedKernel, _ parameters: CellParameters<Scalar>, _ direction: Direction,
    _ trace: inout SequenceTrace<Scalar>
  ) {
    let memory = trace.ownMemory()
    if kernel.isNormalized {
      trace.normal.prepare(
        trace.timeStepCount, trace.batchSize, width: parameters.bias.count,
        cellSize: kernel.kind.hasCellState ? parameters.hiddenSize : 0)
    }
    var layer = layer(
      kernel, parameters, direction, steps: trace.timeStepCount, rows: trace.batchSize,
      memory: memory)
    attach(trace, kernel, to: &layer)
    if kernel.kind.hasCellState {
      layer.final_cell = UnsafeMutableRawPointer(trace.finalState.cell.base)
    }
    withFlags(trace.flags) { flags in
      layer.active = flags
      layer.turned_lanes = unroll_tape_lanes(&layer, Scalar._isDouble)
      trace.turnedLanes = layer.turned_lanes
      // Last, when all is known on which the sizes depend.
      layer.packed = UnsafeMutableRawPointer(
        memory.packed.room(for: unroll_packed_count(&layer, Scalar._isDouble)))
      Threads.holdingCount {
        layer.scratch = UnsafeMutableRawPointer(
          memory.scratch.room(for: unroll_forward_scratch_count(&layer, Scalar._isDouble)))
        Scalar._layerForward(&layer)
      }
    }
    withExtendedLifetime(trace) {}
    withExtendedLifetime(parameters) {}
    withExtendedLifetime(memory) {}
  }

  /// Takes gradients back through the trace.
  ///
  /// On entry the gradients' initial state holds that of the final state.
  static func backward(
    _ kernel: FusedKernel, _ parameters: CellParameters<Scalar>,
    _ trace: SequenceTrace<Scalar>, outputs: Tensor<Scalar>?,
    into gradients: inout LayerGradients<Scalar>
  ) {
    let memory = gradients.ownMemory()
    let (steps, rows, width) = (trace.timeStepCount, trace.batchSize, parameters.bias.count)
    var layer = layer(
      kernel, parameters, trace.direction, steps: steps, rows: rows, memory: memory)
    if trace.turnedLanes > 0, trace.turnedLanes != unroll_tape_lanes(&layer, Scalar._isDouble) {
      // Of other kernels, with vectors of another width.
      return backward(kernel, parameters, trace.inRows, outputs: outputs, into: &gradients)
    }
    attach(trace, kernel, to: &layer)
    gradients.prepare(like: parameters, inputs: trace.timeMajorInputs)
    var sums = unroll_layer_gradients()
    if let outputs { sums.output_gradient = UnsafeRawPointer(outputs.base) }
    sums.hidden_gradient = UnsafeMutableRawPointer(gradients.initialState.hidden.base)
    if kernel.kind.hasCellState {
      sums.cell_gradient = UnsafeMutableRawPointer(gradients.initialState.cell.base)
    }
    sums.gate_gradients = UnsafeMutableRawPointer(
      memory.gateGradients.room(for: steps * rows * width))
    if kernel.kind.candidate == .separate {
      sums.product_gradients = UnsafeMutableRawPointer(
        memory.productGradients.room(for: steps * rows * parameters.hiddenSize))
      sums.candidate_bias = UnsafeMutableRawPointer(
        memory.candidateBias.room(for: parameters.hiddenSize))
    }
    sums.input_weights = UnsafeMutableRawPointer(gradients.parameters.inputWeights.base)
    sums.recurrent_weights = UnsafeMutableRawPointer(gradients.parameters.recurrentWeights.base)
    sums.bias = UnsafeMutableRawPointer(gradients.parameters.bias.base)
    if !parameters.peepholes.isEmpty {
      sums.peepholes = UnsafeMutableRawPointer(gradients.parameters.peepholes.base)
    }
    sums.inputs = UnsafeMutableRawPointer(gradients.timeMajorInputs.base)
    if kernel.isNormalized { attachGains(kernel, steps * rows, &gradients, memory, to: &sums) }
    withFlags(trace.flags) { flags in
      layer.active = flags
      layer.turned_lanes = trace.turnedLanes
      sums.packed = UnsafeMutableRawPointer(
        memory.packed.room(for: unroll_packed_count(&layer, Scalar._isDouble)))
      Threads.holdingCount {
        sums.scratch = UnsafeMutableRawPointer(
          memory.scratch.room(for: unroll_backward_scratch_count(&layer, Scalar._isDouble)))
        Scalar._layerBackward(&layer, &sums)
      }
    }
    spreadBias(kernel, parameters, sums, into: &gradients)
    withExtendedLifetime(trace) {}
    withExtendedLifetime(parameters) {}
    withExtendedLifetime(gradients) {}
    withExtendedLifetime(outputs) {}
    withExtendedLifetime(memory) {}
  }

  /// Adds where the gradients around layer normalisation go.
  private static func attachGains(
    _ kernel: FusedKernel, _ pairs: Int, _ gradients: inout LayerGradients<Scalar>,
    _ memory: PassMemory<Scalar>, to sums: inout unroll_layer_gradients
  ) {
    let (width, size) = (gradients.parameters.bias.count, gradients.parameters.hiddenSize)
    sums.input_products = UnsafeMutableRawPointer(
      memory.normalInputGradients.room(for: pairs * width))
    sums.recurrent_products = UnsafeMutableRawPointer(
      memory.normalProductGradients.room(for: pairs * width))
    sums.input_gain = UnsafeMutableRawPointer(gradients.parameters.inputGain.base)
    sums.recurrent_gain = UnsafeMutableRawPointer(gradients.parameters.recurrentGain.base)
    guard kernel.kind.hasCellState else { return }
    sums.shown_gradients = UnsafeMutableRawPointer(memory.shownGradients.room(for: pairs * size))
    sums.cell_gain = UnsafeMutableRawPointer(gradients.parameters.cellGain.base)
    sums.cell_offset = UnsafeMutableRawPointer(gradients.parameters.cellOffset.base)
  }

  /// The gradient of a second bias, where there is one.
  private static func spreadBias(
    _ kernel: FusedKernel, _ parameters: CellParameters<Scalar>, _ sums: unroll_layer_gradients,
    into gradients: inout LayerGradients<Scalar>
  ) {
    guard !parameters.recurrentBias.isEmpty else { return }
    let (width, size) = (parameters.bias.count, parameters.hiddenSize)
    let second = gradients.parameters.recurrentBias.base
    second.update(from: gradients.parameters.bias.base, count: width)
    if kernel.kind.candidate == .separate, let candidate = sums.candidate_bias {
      (second + width - size).update(
        from: candidate.assumingMemoryBound(to: Scalar.self), count: size)
    }
  }
}
