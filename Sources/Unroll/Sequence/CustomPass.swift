// The passes of users' own cells over whole sequences, written with tensors: step by step, on one thread. Rows that are
// inactive at a step take part with zeros, and their states are carried, so that what they hold reaches nothing.

internal import UnrollContracts

/// What the forward pass of a user's own cell leaves besides the hidden states.
struct CustomTrace<Scalar: KernelScalar>: Sendable {
  /// Each step, by its time.
  var steps: [CustomStep<Scalar>] = []
  /// The states before each step with zeros in inactive rows, by the step's time.
  var states: [RecurrentState<Scalar>] = []
  /// c after each step, `[T, B, C]`.
  var cells = Tensor<Scalar>(shape: [0, 0, 0])
}

/// A user's own cell on a batch of sequences.
struct CustomPass<Scalar: KernelScalar> {
  let definition: CustomDefinition
  let parameters: CellParameters<Scalar>
  let direction: Direction
  let batchSize: Int
  /// `[T, B]` bytes, 0 for inactive steps; nil if all are active.
  let flags: [UInt8]?

  /// Runs the cell.
  ///
  /// - Parameters:
  ///   - inputs: x, `[T, B, D]`.
  ///   - state: The state before the first step; afterwards that after the last.
  ///   - hidden: Receives h after each step, `[T, B, H]`.
  ///   - trace: Receives what the backward pass needs; nil for inference.
  func forward(
    _ inputs: Tensor<Scalar>, from state: inout RecurrentState<Scalar>,
    hidden: inout Tensor<Scalar>, trace: inout CustomTrace<Scalar>?
  ) {
    let steps = inputs.shape[0]
    let nothing = CustomStep<Scalar>(hidden: Tensor(shape: [0, 0]), gates: [])
    if trace != nil {
      trace?.steps = Array(repeating: nothing, count: steps)
      trace?.states = Array(repeating: state, count: steps)
      trace?.cells = Tensor(shape: [steps] + state.cell.shape)
    }
    for time in times(steps) {
      var (x, previous) = (inputs[time, ...], state)
      x.keepRows(activeRows(time), else: nil)
      previous.keepRows(activeRows(time), else: nil)
      let step = definition.step(x, from: previous, parameters)
      var next = RecurrentState(hidden: step.hidden, cell: step.cell)
      next.keepRows(activeRows(time), else: state)
      state = next
      hidden[time, ...] = state.hidden
      guard trace != nil else { continue }
      trace?.steps[time] = step
      trace?.states[time] = previous
      trace?.cells[time, ...] = state.cell
    }
  }

  /// Computes the gradients.
  ///
  /// - Parameters:
  ///   - trace: What the forward pass left.
  ///   - inputs: x, `[T, B, D]`.
  ///   - outputs: dL/d h after each step, `[T, B, H]`; nil for none.
  ///   - gradients: Its state is dL/d the last state, and afterwards dL/d the first. Receives the gradients of the
  ///     parameters and of the inputs.
  func backward(
    _ trace: CustomTrace<Scalar>, _ inputs: Tensor<Scalar>, outputs: Tensor<Scalar>?,
    into gradients: inout LayerGradients<Scalar>
  ) {
    var state = gradients.initialState
    var sums = CustomGradients(
      parameters: parameters.zeros, input: Tensor(shape: [batchSize, inputs.shape[2]]),
      state: state)
    for time in times(inputs.shape[0]).reversed() {
      let active = activeRows(time)
      var gradient = state
      if let outputs { gradient.hidden += outputs[time, ...] }
      gradient.keepRows(active, else: nil)
      var x = inputs[time, ...]
      x.keepRows(active, else: nil)
      sums.input = Tensor(shape: sums.input.shape)
      sums.state.hidden = Tensor(shape: state.hidden.shape)
      sums.state.cell = Tensor(shape: state.cell.shape)
      definition.stepBackward(
        trace.steps[time], x, from: trace.states[time], parameters, gradient: gradient, into: &sums)
      sums.input.keepRows(active, else: nil)
      gradients.timeMajorInputs[time, ...] = sums.input
      sums.state.keepRows(active, else: state)
      state = sums.state
    }
    gradients.initialState = state
    gradients.parameters = sums.parameters
  }

  /// The times in the order in which the cell visits them.
  private func times(_ steps: Int) -> [Int] {
    direction == .forward ? Array(0..<steps) : (0..<steps).reversed()
  }

  /// Which rows are active at a time; nil if all are.
  private func activeRows(_ time: Int) -> ArraySlice<UInt8>? {
    flags.map { $0[time * batchSize..<(time + 1) * batchSize] }
  }
}

extension Tensor {
  /// Replaces the rows that are not active by another tensor's, or by zeros.
  fileprivate mutating func keepRows(_ active: ArraySlice<UInt8>?, else other: Tensor?) {
    guard let active, active.contains(0) else { return }
    let width = rowSize
    withUnsafeMutableElements { rows in
      for (row, flag) in active.enumerated() where flag == 0 {
        if let other {
          other.withUnsafeElements {
            (rows + row * width).update(from: $0 + row * width, count: width)
          }
        } else {
          (rows + row * width).fill(0, count: width)
        }
      }
    }
  }
}

extension RecurrentState {
  /// Replaces the rows that are not active by another state's, or by zeros.
  fileprivate mutating func keepRows(_ active: ArraySlice<UInt8>?, else other: RecurrentState?) {
    hidden.keepRows(active, else: other?.hidden)
    cell.keepRows(active, else: other?.cell)
  }
}

extension CustomTrace {
  /// A gate's value at every step, `[T, B, H]`; 0 at inactive steps.
  func gate(_ index: Int, flags: [UInt8]?) -> Tensor<Scalar> {
    guard let first = steps.first else { return Tensor(shape: [0] + cells.shape.dropFirst()) }
    let (rows, size) = (first.hidden.shape[0], first.hidden.shape[1])
    var result = Tensor<Scalar>(shape: [steps.count, rows, size])
    for (time, step) in steps.enumerated() {
      var values = step.gates[index]
      values.keepRows(flags.map { $0[time * rows..<(time + 1) * rows] }, else: nil)
      result[time, ...] = values
    }
    return result
  }
}
