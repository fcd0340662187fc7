// A cell run over whole sequences: forward through time, and back.
//
// The products with the inputs are taken for all steps at once; only what depends on the state
// goes step by step. Every row is summed in one fixed order, so that its bits depend neither on
// the rest of the batch nor on where a sequence was cut.

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
  /// The cell, parameters included.
  public var cell: Cell<Scalar>
  /// The way in which the sequence is read.
  public var direction: Direction

  /// Creates a layer.
  public init(cell: Cell<Scalar>, direction: Direction = .forward) {
    self.cell = cell
    self.direction = direction
  }

  /// D.
  public var inputSize: Int { cell.inputSize }
  /// P.
  public var outputSize: Int { cell.outputSize }

  /// The state that is zero, for `batchSize` sequences.
  public func zeroState(batchSize: Int) -> RecurrentState<Scalar> {
    cell.zeroState(batchSize: batchSize)
  }

  /// Runs the layer over a batch of sequences.
  ///
  /// - Parameters:
  ///   - inputs: x, shape `[T, B, D]`, or `[B, T, D]` if `layout` says so. T and B may be 0.
  ///   - state: The state before the first step, `[B, P]` and `[B, C]`.
  ///   - mask: Which steps count.
  ///   - layout: The order of the first two axes, of `inputs` and of the trace's arrays.
  /// - Returns: Every step's output, states and gates.
  /// - Precondition: The shapes agree with the cell.
  /// - Complexity: 2·T·B·G·H·(D + P) flops; allocates the trace, T·B·(G·H + P + C) numbers (a GRU
  ///   H more), and the packed weights, about (D + P)·G·H.
  public func forward(
    _ inputs: Tensor<Scalar>, from state: RecurrentState<Scalar>, mask: SequenceMask = .full,
    layout: SequenceLayout = .timeMajor
  ) -> SequenceTrace<Scalar> {
    var trace = SequenceTrace<Scalar>()
    forward(inputs, from: state, mask: mask, layout: layout, into: &trace)
    return trace
  }

  /// Runs the layer over a batch of sequences, in the memory of an earlier trace.
  ///
  /// Allocates nothing if the earlier pass had the same sizes, the trace is held nowhere else, the
  /// layout is time-major and no step is masked (a cell that the fast kernels do not know
  /// allocates O(B·G·H) for its steps).
  ///
  /// - Parameters:
  ///   - inputs: x, shape `[T, B, D]`, or `[B, T, D]` if `layout` says so. T and B may be 0.
  ///   - state: The state before the first step, `[B, P]` and `[B, C]`.
  ///   - mask: Which steps count.
  ///   - layout: The order of the first two axes, of `inputs` and of the trace's arrays.
  ///   - trace: Receives every step's output, states and gates.
  /// - Precondition: The shapes agree with the cell.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public func forward(
    _ inputs: Tensor<Scalar>, from state: RecurrentState<Scalar>, mask: SequenceMask = .full,
    layout: SequenceLayout = .timeMajor, into trace: inout SequenceTrace<Scalar>
  ) {
    let parameters = cell.parameters
    parameters.check(areOf: cell.kind, "RecurrentLayer.forward")
    let cellSize = cell.cellStateSize
    let x = layout == .timeMajor ? inputs : inputs.exchangingFirstAxes
    Self.check(
      x, state, inputSize: parameters.inputSize, outputSize: parameters.outputSize,
      cellSize: cellSize, operation: "RecurrentLayer.forward")
    let (steps, rows, out) = (x.shape[0], x.shape[1], parameters.outputSize)
    trace.layout = layout
    trace.initialState = state
    trace.settings = settings(parameters)
    trace.gateOrder = parameters.gates
    trace.direction = direction
    trace.mask = mask
    trace.flags = mask.flags(timeStepCount: steps, batchSize: rows)
    trace.paddedOutputs = nil
    trace.zoneout = cell.zoneout
    trace.turnedLanes = 0
    trace.timeMajorInputs = x
    trace.clearInactiveInputs()
    trace.gateValues.prepare(steps, rows, parameters.bias.count)
    trace.auxiliary.prepare(steps, rows, cell.auxiliarySize)
    trace.timeMajorHidden.prepare(steps, rows, out)
    trace.timeMajorCell.prepare(steps, rows, cellSize)
    trace.finalState.hidden.prepare(rows, out)
    trace.finalState.cell.prepare(rows, cellSize)
    let kernel = cell.currentKernel
    if let kernel {
      FusedPass.forward(kernel, parameters, direction, &trace)
    } else {
      projectInputs(parameters, &trace)
      runSteps(&trace)
    }
    if steps > 0 {
      let last = (direction == .forward ? steps - 1 : 0) * rows
      trace.finalState.hidden.base.update(
        from: trace.timeMajorHidden.base + last * out, count: rows * out)
      if kernel == nil {  // else the kernels wrote it
        trace.finalState.cell.base.update(
          from: trace.timeMajorCell.base + last * cellSize, count: rows * cellSize)
      }
    } else {
      trace.finalState = state
    }
    if trace.flags != nil { trace.paddedOutputs = paddedOutputs(trace) }
  }

  /// Takes gradients back through the sequence.
  ///
  /// - Parameters:
  ///   - trace: What `forward` returned.
  ///   - outputGradient: dL/d outputs, in the trace's layout; nil for none.
  ///   - finalStateGradient: dL/d final state; nil for none.
  /// - Returns: The gradients of parameters, inputs and initial state.
  /// - Precondition: The trace was made by a layer of this kind, shape, direction and settings (activations, clips,
  ///   options, rates of zoneout), and the gradients have the shapes of what they are of.
  /// - Complexity: 4·T·B·G·H·(D + P) flops; allocates T·B·(G·H + D) numbers (a GRU with the reset
  ///   gate after the product H more), the gradients, and the packed weights.
  public func backward(
    _ trace: SequenceTrace<Scalar>, outputs outputGradient: Tensor<Scalar>? = nil,
    finalState finalStateGradient: RecurrentState<Scalar>? = nil
  ) -> LayerGradients<Scalar> {
    var gradients = LayerGradients<Scalar>()
    backward(trace, outputs: outputGradient, finalState: finalStateGradient, into: &gradients)
    return gradients
  }

  /// Takes gradients back through the sequence, in the memory of earlier gradients.
  ///
  /// Allocates nothing where `forward(_:from:mask:layout:into:)` does not.
  ///
  /// - Parameters:
  ///   - trace: What `forward` returned.
  ///   - outputGradient: dL/d outputs, in the trace's layout; nil for none.
  ///   - finalStateGradient: dL/d final state; nil for none.
  ///   - gradients: Receives the gradients of parameters, inputs and initial state.
  /// - Precondition: The trace was made by a layer of this kind, shape, direction and settings (activations, clips,
  ///   options, rates of zoneout), and the gradients have the shapes of what they are of.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public func backward(
    _ trace: SequenceTrace<Scalar>, outputs outputGradient: Tensor<Scalar>? = nil,
    finalState finalStateGradient: RecurrentState<Scalar>? = nil,
    into gradients: inout LayerGradients<Scalar>
  ) {
    let parameters = cell.parameters
    parameters.check(areOf: cell.kind, "RecurrentLayer.backward")
    check(trace, parameters)
    let (rows, out, cellSize) = (trace.batchSize, parameters.outputSize, cell.cellStateSize)
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
    if var kernel = cell.currentKernel {
      kernel.zoneout = trace.zoneout
      FusedPass.backward(kernel, parameters, trace, outputs: timeMajor, into: &gradients)
    } else {
      var pass = BackwardPass(cell: cell, trace: trace.inRows)
      pass.outputGradient = timeMajor
      pass.stateGradient = gradients.initialState
      gradients = pass.run()
    }
  }

  private func settings(_ parameters: CellParameters<Scalar>) -> PassSettings {
    PassSettings(
      kind: cell.kind, options: cell.options, parts: parameters.parts, zoneout: cell.zoneout,
      direction: direction)
  }

  /// x·W + b for all steps at once: where the plain kernels begin.
  private func projectInputs(
    _ parameters: CellParameters<Scalar>, _ trace: inout SequenceTrace<Scalar>
  ) {
    let (pairs, width) = (trace.timeStepCount * trace.batchSize, parameters.bias.count)
    let x = trace.timeMajorInputs
    trace.gateValues.withUnsafeMutableElements { gates in
      x.withUnsafeElements { x in
        cell.inputBias.withUnsafeElements { Scalar._fillRows(gates, $0, pairs, width) }
        parameters.inputWeights.withUnsafeElements {
          Scalar._product(
            gates, width, x, parameters.inputSize, $0, width, pairs, parameters.inputSize, width)
        }
      }
    }
  }

  private func runSteps(_ trace: inout SequenceTrace<Scalar>) {
    let memory = StepMemory(cell, writing: &trace)
    withExtendedLifetime(memory) {
      withFlags(trace.flags) { flags in
        var previous: Int?
        for time in trace.times {
          cell.step(memory.buffers(time: time, after: previous, active: flags))
          previous = time
        }
      }
    }
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

  /// Stops the program unless a trace is of a layer such as this one, and has its inputs.
  private func check(_ trace: SequenceTrace<Scalar>, _ parameters: CellParameters<Scalar>) {
    let hidden = trace.timeMajorHidden
    func fits(_ tensor: Tensor<Scalar>, _ last: Int) -> Bool {
      tensor.rank == 3 && tensor.shape[0] == hidden.shape[0] && tensor.shape[1] == hidden.shape[1]
        && tensor.shape[2] == last
    }
    let width = parameters.bias.count
    guard let made = trace.settings else {
      contractViolation(
        "RecurrentLayer.backward: expected a trace that forward has filled, got an empty one.")
    }
    let settings = settings(parameters)
    if !settings.isSame(as: made) {
      let (own, others) = settings.differences(from: made)
      contractViolation(
        "RecurrentLayer.backward: expected a trace of this layer, with \(own), got one with \(others)."
      )
    }
    require(
      trace.gateOrder == parameters.gates && fits(hidden, parameters.outputSize)
        && fits(trace.gateValues, width) && fits(trace.timeMajorCell, cell.cellStateSize)
        && fits(trace.auxiliary, cell.auxiliarySize)
        && (!parameters.isNormalized || fits(trace.normal.inputs, width)),
      "RecurrentLayer.backward: expected a trace of this layer, with the gates \(parameters.gates.names) of \(parameters.hiddenSize) units, got one of another."
    )
    require(
      fits(trace.timeMajorInputs, parameters.inputSize),
      "RecurrentLayer.backward: expected a trace with its inputs, the last axis \(parameters.inputSize), got \(trace.timeMajorInputs.shape); after releaseInputs there is no way back."
    )
  }

  /// The hidden states, with inactive steps as the mask wants them.
  private func paddedOutputs(_ trace: SequenceTrace<Scalar>) -> Tensor<Scalar> {
    guard let flags = trace.flags else { return trace.timeMajorHidden }
    var outputs = trace.timeMajorHidden
    let (rows, width) = (trace.batchSize, outputSize)
    outputs.withUnsafeMutableElements { outputs in
      var previous: UnsafePointer<Scalar>?
      for time in trace.times {
        let here = outputs + time * rows * width
        flags.withUnsafeBufferPointer {
          Scalar._replaceInactive(
            here, previous, $0.baseAddress.map { $0 + time * rows }, rows, width)
        }
        if trace.mask.paddedOutput == .previous { previous = UnsafePointer(here) }
      }
    }
    return outputs
  }
}
