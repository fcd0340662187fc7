// A cell run over whole sequences: forward through time, and back.
//
// The products with the inputs are taken for all steps at once; only what depends on the state
// goes step by step. Every row is summed in one fixed order, so that its bits depend neither on
// the rest of the batch nor on where a sequence was cut.

/// A recurrent cell applied to sequences, in one direction.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let layer = RecurrentLayer(cell: LSTM<Float>(inputSize: 3, hiddenSize: 4, using: &random))
/// let x = Tensor<Float>(shape: [5, 2, 3], repeating: 0.5)
/// let trace = layer.forward(x, from: layer.zeroState(batchSize: 2))
/// let gradients = layer.backward(trace, outputs: Tensor(shape: [5, 2, 4], repeating: 1))
/// ```
public struct RecurrentLayer<Scalar: KernelScalar>: Sendable {
  /// The cell, parameters included.
  public var cell: any RecurrentCell<Scalar>
  /// The way in which the sequence is read.
  public var direction: Direction

  /// Creates a layer.
  public init(cell: any RecurrentCell<Scalar>, direction: Direction = .forward) {
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
  /// - Complexity: 2·T·B·G·H·(D + P) flops; allocates the trace, T·B·(D + G·H + 2·P + C) numbers.
  public func forward(
    _ inputs: Tensor<Scalar>, from state: RecurrentState<Scalar>, mask: SequenceMask = .full,
    layout: SequenceLayout = .timeMajor
  ) -> SequenceTrace<Scalar> {
    precondition(
      inputs.rank == 3 && inputs.shape[2] == inputSize,
      "RecurrentLayer.forward: expected inputs of three axes, the last \(inputSize), got \(inputs.shape)."
    )
    let x = layout == .timeMajor ? inputs : inputs.exchangingFirstAxes
    let (steps, rows) = (x.shape[0], x.shape[1])
    check(state, rows: rows, operation: "forward")
    let parameters = cell.parameters
    let width = parameters.bias.count
    var trace = SequenceTrace(
      layout: layout, initialState: state, finalState: state, gateOrder: parameters.gates,
      direction: direction, mask: mask, flags: mask.flags(timeStepCount: steps, batchSize: rows),
      timeMajorInputs: x,
      timeMajorOutputs: Tensor(shape: []),
      gateValues: Tensor(uninitialized: [steps, rows, width]),
      auxiliary: Tensor(uninitialized: [steps, rows, cell.auxiliarySize]),
      timeMajorHidden: Tensor(uninitialized: [steps, rows, outputSize]),
      timeMajorCell: Tensor(uninitialized: [steps, rows, cell.cellStateSize]))
    trace.gateValues.withUnsafeMutableElements { gates in
      x.withUnsafeElements { x in
        cell.inputBias.withUnsafeElements { Scalar._fillRows(gates, $0, steps * rows, width) }
        parameters.inputWeights.withUnsafeElements {
          Scalar._product(
            gates, width, x, inputSize, $0, width, steps * rows, inputSize, width)
        }
      }
    }
    runSteps(&trace)
    if let last = trace.times.last {
      trace.finalState = RecurrentState(
        hidden: trace.timeMajorHidden.slice(last), cell: trace.timeMajorCell.slice(last))
    }
    trace.timeMajorOutputs = paddedOutputs(trace)
    return trace
  }

  /// Takes gradients back through the sequence.
  ///
  /// - Parameters:
  ///   - trace: What `forward` returned.
  ///   - outputGradient: dL/d outputs, in the trace's layout; nil for none.
  ///   - finalStateGradient: dL/d final state; nil for none.
  /// - Returns: The gradients of parameters, inputs and initial state.
  /// - Precondition: The trace is this layer's, the gradients have the shapes of what they are of.
  /// - Complexity: 4·T·B·G·H·(D + P) flops; allocates T·B·(G·H + D) numbers besides the result.
  public func backward(
    _ trace: SequenceTrace<Scalar>, outputs outputGradient: Tensor<Scalar>? = nil,
    finalState finalStateGradient: RecurrentState<Scalar>? = nil
  ) -> LayerGradients<Scalar> {
    let rows = trace.batchSize
    var pass = BackwardPass(cell: cell, trace: trace)
    if let outputGradient {
      let timeMajor =
        trace.layout == .timeMajor ? outputGradient : outputGradient.exchangingFirstAxes
      precondition(
        timeMajor.shape == trace.timeMajorOutputs.shape,
        "RecurrentLayer.backward: expected output gradients of shape \(trace.outputs.shape), got \(outputGradient.shape)."
      )
      pass.outputGradient = timeMajor
    }
    if let finalStateGradient {
      check(finalStateGradient, rows: rows, operation: "backward")
      pass.stateGradient = finalStateGradient
    }
    return pass.run()
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

  private func check(_ state: RecurrentState<Scalar>, rows: Int, operation: StaticString) {
    precondition(
      state.hidden.shape == [rows, outputSize]
        && state.cell.shape == [rows, cell.cellStateSize],
      "RecurrentLayer.\(operation): expected states [\(rows), \(outputSize)] and [\(rows), \(cell.cellStateSize)], got \(state.hidden.shape) and \(state.cell.shape)."
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
