// A cell run over whole sequences, forward and backward through time. This file checks inputs and prepares memory; the
// kernels do the work as their plan specifies.

internal import CUnrollKernels
internal import UnrollContracts

/// A recurrent cell applied to sequences, in one direction.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let layer = RecurrentLayer(cell: Cell<Float>(.lstm, inputSize: 3, hiddenSize: 4, using: &random))
/// let x = Tensor<Float>(shape: [5, 2, 3], repeating: 0.5)
/// let trace = layer.forward(x, from: layer.zeroState(batchSize: 2))
/// let gradients = layer.backward(trace, outputs: Tensor(shape: [5, 2, 4], repeating: 1))
/// ```
public struct RecurrentLayer<Scalar: KernelScalar>: Sendable {
  /// The cell, including its parameters.
  public var cell: Cell<Scalar>
  /// The direction in which the sequence is read.
  public var direction: Direction

  /// Creates a layer.
  public init(cell: Cell<Scalar>, direction: Direction = .forward) {
    self.cell = cell
    self.direction = direction
  }

  /// D, the size of an input.
  public var inputSize: Int { cell.inputSize }
  /// P, the size of an output: H unless it is projected.
  public var outputSize: Int { cell.outputSize }

  /// Returns a zero state for `batchSize` sequences.
  public func zeroState(batchSize: Int) -> RecurrentState<Scalar> {
    cell.zeroState(batchSize: batchSize)
  }

  /// Runs the layer over a batch of sequences.
  ///
  /// - Parameters:
  ///   - inputs: x, shape `[T, B, D]`, or `[B, T, D]` if `layout` is batch-major. T and B may be 0.
  ///   - state: The state before the first step, `[B, P]` and `[B, C]`.
  ///   - mask: The active steps.
  ///   - layout: The order of the first two axes of `inputs` and of the trace's arrays.
  /// - Returns: The outputs, states and gates of every step.
  /// - Precondition: The shapes agree with the cell.
  /// - Complexity: 2·T·B·G·H·(D + P) flops; allocates the memory given by
  ///   ``plan(for:timeStepCount:batchSize:isMasked:)`` and T·B·P elements of outputs.
  public func forward(
    _ inputs: Tensor<Scalar>, from state: RecurrentState<Scalar>, mask: SequenceMask = .full,
    layout: SequenceLayout = .timeMajor
  ) -> SequenceTrace<Scalar> {
    var trace = SequenceTrace<Scalar>()
    forward(inputs, from: state, mask: mask, layout: layout, into: &trace)
    return trace
  }

  /// Runs the layer over a batch of sequences, reusing the memory of an earlier trace.
  ///
  /// Allocates nothing if the earlier pass had the same sizes, the trace is not shared, the layout is
  /// time-major and no step is masked.
  ///
  /// - Parameters:
  ///   - inputs: x, shape `[T, B, D]`, or `[B, T, D]` if `layout` is batch-major. T and B may be 0.
  ///   - state: The state before the first step, `[B, P]` and `[B, C]`.
  ///   - mask: The active steps.
  ///   - layout: The order of the first two axes of `inputs` and of the trace's arrays.
  ///   - trace: Receives the outputs, states and gates of every step.
  /// - Precondition: The shapes agree with the cell.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public func forward(
    _ inputs: Tensor<Scalar>, from state: RecurrentState<Scalar>, mask: SequenceMask = .full,
    layout: SequenceLayout = .timeMajor, into trace: inout SequenceTrace<Scalar>
  ) {
    cell.checkParameters("RecurrentLayer.forward")
    let (out, cellSize) = (cell.outputSize, cell.cellStateSize)
    let x = layout == .timeMajor ? inputs : inputs.exchangingFirstAxes
    Self.check(
      x, state, inputSize: cell.inputSize, outputSize: out, cellSize: cellSize,
      operation: "RecurrentLayer.forward")
    let (steps, rows) = (x.shape[0], x.shape[1])
    trace.layout = layout
    trace.initialState = state
    trace.settings = settings
    trace.mask = mask
    trace.flags = mask.flags(timeStepCount: steps, batchSize: rows)
    trace.paddedOutputs = nil
    trace.timeMajorInputs = x
    trace.clearInactiveInputs()
    trace.timeMajorHidden.prepare(steps, rows, out)
    trace.finalState.hidden.prepare(rows, out)
    trace.finalState.cell.prepare(rows, cellSize)
    trace.custom = nil
    if case .custom(let custom) = cell.definition {
      run(custom, into: &trace)
      return
    }
    run(into: &trace, steps: steps, rows: rows)
    guard steps > 0 else {
      trace.finalState = state
      return
    }
    let last = (direction == .forward ? steps - 1 : 0) * rows
    trace.finalState.hidden.base.update(
      from: trace.timeMajorHidden.base + last * out, count: rows * out)
    if trace.flags != nil { trace.padOutputs() }
  }

  /// Computes the gradients of a forward pass.
  ///
  /// - Parameters:
  ///   - trace: The result of `forward`.
  ///   - outputGradient: dL/d outputs, in the trace's layout; nil for none.
  ///   - finalStateGradient: dL/d final state; nil for none.
  /// - Returns: The gradients of parameters, inputs and initial state.
  /// - Precondition: The trace was made by a layer of this kind, shape, direction and settings (activations, clips,
  ///   options, zoneout rates), and each gradient has the shape of its array.
  /// - Complexity: 4·T·B·G·H·(D + P) flops; allocates the gradients and scratch.
  public func backward(
    _ trace: SequenceTrace<Scalar>, outputs outputGradient: Tensor<Scalar>? = nil,
    finalState finalStateGradient: RecurrentState<Scalar>? = nil
  ) -> LayerGradients<Scalar> {
    var gradients = LayerGradients<Scalar>()
    backward(trace, outputs: outputGradient, finalState: finalStateGradient, into: &gradients)
    return gradients
  }

  /// Computes the gradients of a forward pass, reusing the memory of earlier gradients.
  ///
  /// Allocates nothing where `forward(_:from:mask:layout:into:)` does not.
  ///
  /// - Parameters:
  ///   - trace: The result of `forward`.
  ///   - outputGradient: dL/d outputs, in the trace's layout; nil for none.
  ///   - finalStateGradient: dL/d final state; nil for none.
  ///   - gradients: Receives the gradients of parameters, inputs and initial state.
  /// - Precondition: The trace was made by a layer of this kind, shape, direction and settings (activations, clips,
  ///   options, zoneout rates), and each gradient has the shape of its array.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public func backward(
    _ trace: SequenceTrace<Scalar>, outputs outputGradient: Tensor<Scalar>? = nil,
    finalState finalStateGradient: RecurrentState<Scalar>? = nil,
    into gradients: inout LayerGradients<Scalar>
  ) {
    cell.checkParameters("RecurrentLayer.backward")
    check(trace)
    let (rows, out, cellSize) = (trace.batchSize, cell.outputSize, cell.cellStateSize)
    var timeMajor: Tensor<Scalar>?
    if let outputGradient {
      let given = trace.layout == .timeMajor ? outputGradient : outputGradient.exchangingFirstAxes
      require(
        given.shape == trace.timeMajorHidden.shape,
        "RecurrentLayer.backward: expected output gradients of shape \(trace.outputs.shape), got \(outputGradient.shape)."
      )
      timeMajor = given
    }
    if trace.flags != nil { trace.foldPaddedOutputs(&timeMajor) }
    gradients.initialState.hidden.prepare(rows, out)
    gradients.initialState.cell.prepare(rows, cellSize)
    if let finalStateGradient {
      Self.check(
        finalStateGradient, rows: rows, out: out, cellSize: cellSize,
        operation: "RecurrentLayer.backward")
      gradients.initialState.hidden.base.update(
        from: finalStateGradient.hidden.base, count: rows * out)
      gradients.initialState.cell.base.update(
        from: finalStateGradient.cell.base, count: rows * cellSize)
    } else {
      gradients.initialState.hidden.base.fill(0, count: rows * out)
      gradients.initialState.cell.base.fill(0, count: rows * cellSize)
    }
    gradients.layout = trace.layout
    if case .custom(let custom) = cell.definition {
      differentiate(custom, trace, outputs: timeMajor, into: &gradients)
      return
    }
    differentiate(trace, outputs: timeMajor, into: &gradients)
  }

  private var settings: PassSettings {
    PassSettings(
      cell: cell.definition, options: cell.options, parts: cell.parameters.parts,
      zoneout: cell.zoneout,
      direction: direction)
  }

  /// Runs the forward pass.
  ///
  /// The trace's arrays must have their shapes.
  private func run(into trace: inout SequenceTrace<Scalar>, steps: Int, rows: Int) {
    let memory = trace.uniqueScratch()
    var layer = cell.kernelLayer(
      direction, steps: steps, rows: rows, isMasked: trace.flags != nil)
    var plan = unroll_plan_make(
      &layer, Int32(UNROLL_TRAIN), Int32(Threads.count), unroll_isa(), 0)
    var weights = cell.parameters.kernelWeights
    let packed = memory.packed.memory(for: plan.packed_count)
    unroll_pack(&plan, &weights, packed)
    trace.values.prepare(1, plan.trace_count)
    trace.plan = plan
    var sequence = trace.kernelSequence
    sequence.final_cell = UnsafeMutableRawPointer(trace.finalState.cell.base)
    sequence.scratch = UnsafeMutableRawPointer(memory.scratch.memory(for: plan.scratch_count))
    withFlags(trace.flags) { flags in
      sequence.active = flags
      unroll_forward(&plan, &weights, packed, &sequence)
    }
    withExtendedLifetime(trace) {}
    withExtendedLifetime(memory) {}
    withExtendedLifetime(self) {}
  }

  /// Runs the backward pass.
  ///
  /// The gradients' initial state must hold the gradient of the final state.
  private func differentiate(
    _ trace: SequenceTrace<Scalar>, outputs: Tensor<Scalar>?,
    into gradients: inout LayerGradients<Scalar>
  ) {
    let memory = gradients.uniqueScratch()
    // Use the trace's instruction set, which determines its layout, but this thread's number of threads.
    var layer = trace.plan.layer
    var plan = unroll_plan_make(
      &layer, Int32(UNROLL_TRAIN), Int32(Threads.count), trace.plan.isa, 0)
    gradients.prepare(like: cell.parameters, inputs: trace.timeMajorInputs)
    var targets = unroll_gradients()
    targets.wants_inputs = 1
    if let outputs {
      targets.has_output = 1
      targets.output = UnsafeRawPointer(outputs.base)
    }
    targets.hidden = UnsafeMutableRawPointer(gradients.initialState.hidden.base)
    targets.cell = UnsafeMutableRawPointer(gradients.initialState.cell.base)
    targets.inputs = UnsafeMutableRawPointer(gradients.timeMajorInputs.base)
    targets.weights = gradients.parameters.kernelWeights
    var weights = cell.parameters.kernelWeights
    var sequence = trace.kernelSequence
    sequence.scratch = UnsafeMutableRawPointer(
      memory.scratch.memory(for: plan.backward_scratch_count))
    withFlags(trace.flags) { flags in
      sequence.active = flags
      unroll_backward(&plan, &weights, &sequence, &targets)
    }
    withExtendedLifetime(trace) {}
    withExtendedLifetime(outputs) {}
    withExtendedLifetime(gradients) {}
    withExtendedLifetime(memory) {}
    withExtendedLifetime(self) {}
  }

  /// Runs the forward pass of a custom cell.
  ///
  /// The trace's arrays must have their shapes.
  private func run(_ custom: CustomDefinition, into trace: inout SequenceTrace<Scalar>) {
    var made: CustomTrace<Scalar>? = CustomTrace()
    var state = trace.initialState
    customPass(custom, trace).forward(
      trace.timeMajorInputs, from: &state, hidden: &trace.timeMajorHidden, trace: &made)
    trace.custom = made
    trace.finalState = state
    if trace.flags != nil { trace.padOutputs() }
  }

  /// Runs the backward pass of a custom cell.
  ///
  /// The gradients' initial state must hold the gradient of the final state.
  private func differentiate(
    _ custom: CustomDefinition, _ trace: SequenceTrace<Scalar>, outputs: Tensor<Scalar>?,
    into gradients: inout LayerGradients<Scalar>
  ) {
    guard let made = trace.custom else { return }
    gradients.prepare(like: cell.parameters, inputs: trace.timeMajorInputs)
    customPass(custom, trace).backward(
      made, trace.timeMajorInputs, outputs: outputs, into: &gradients)
  }

  private func customPass(
    _ custom: CustomDefinition, _ trace: SequenceTrace<Scalar>
  ) -> CustomPass<Scalar> {
    CustomPass(
      definition: custom, parameters: cell.parameters, direction: direction,
      batchSize: trace.batchSize, flags: trace.flags)
  }

  /// Stops the program unless inputs and state fit a cell of these sizes.
  static func check(
    _ inputs: Tensor<Scalar>, _ state: RecurrentState<Scalar>, inputSize: Int, outputSize: Int,
    cellSize: Int, operation: StaticString
  ) {
    require(
      inputs.rank == 3 && inputs.shape[2] == inputSize,
      "\(operation): expected inputs of three axes, the last \(inputSize), got \(inputs.shape).")
    check(
      state, rows: inputs.shape[1], out: outputSize, cellSize: cellSize, operation: operation)
  }

  private static func check(
    _ state: RecurrentState<Scalar>, rows: Int, out: Int, cellSize: Int, operation: StaticString
  ) {
    func fits(_ tensor: Tensor<Scalar>, _ columns: Int) -> Bool {
      tensor.rank == 2 && tensor.shape[0] == rows && tensor.shape[1] == columns
    }
    require(
      fits(state.hidden, out) && fits(state.cell, cellSize),
      "\(operation): expected states [\(rows), \(out)] and [\(rows), \(cellSize)], got \(state.hidden.shape) and \(state.cell.shape)."
    )
  }

  /// Stops the program unless the trace fits this layer and still has its inputs.
  private func check(_ trace: SequenceTrace<Scalar>) {
    guard let made = trace.settings else {
      contractViolation(
        "RecurrentLayer.backward: expected a trace that forward has filled, got an empty one.")
    }
    if !settings.isSame(as: made) {
      let (own, others) = settings.differences(from: made)
      contractViolation(
        "RecurrentLayer.backward: expected a trace of this layer, with \(own), got one with \(others)."
      )
    }
    require(
      trace.unitCount == cell.hiddenSize && trace.timeMajorHidden.shape[2] == cell.outputSize,
      "RecurrentLayer.backward: expected a trace of this layer, with the gates \(cell.gates.names) of \(cell.hiddenSize) units, got one of another."
    )
    let inputs = trace.timeMajorInputs
    require(
      inputs.rank == 3 && inputs.shape[0] == trace.timeStepCount
        && inputs.shape[1] == trace.batchSize && inputs.shape[2] == cell.inputSize,
      "RecurrentLayer.backward: expected a trace with its inputs, the last axis \(cell.inputSize), got \(inputs.shape); after releaseInputs the gradients cannot be computed."
    )
  }
}
