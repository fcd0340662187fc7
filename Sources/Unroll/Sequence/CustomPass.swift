// Passes of custom cells over whole sequences, implemented with tensors, step by step on one thread. A step receives
// only the rows that are active at its time; the states of the others are carried.

internal import UnrollContracts

/// The values that the forward pass of a custom cell stores in addition to the hidden states.
struct CustomTrace<Scalar: KernelScalar>: Sendable {
  /// The step of the active rows at each time; nil if no row is active.
  var steps: [CustomStep<Scalar>?] = []
  /// The states of the active rows before each step, indexed by time.
  var states: [RecurrentState<Scalar>] = []
  /// c after each step, `[T, B, C]`.
  var cells = Tensor<Scalar>(shape: [0, 0, 0])
}

/// A custom cell applied to a batch of sequences.
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
  ///   - state: The state before the first step; on return, the state after the last.
  ///   - hidden: Receives h after each step, `[T, B, H]`.
  ///   - trace: Receives the values for the backward pass; nil for inference.
  func forward(
    _ inputs: Tensor<Scalar>, from state: inout RecurrentState<Scalar>,
    hidden: inout Tensor<Scalar>, trace: inout CustomTrace<Scalar>?
  ) {
    let steps = inputs.shape[0]
    if trace != nil {
      trace?.steps = Array(repeating: nil, count: steps)
      trace?.states = Array(repeating: state, count: steps)
      trace?.cells = Tensor(shape: [steps] + state.cell.shape)
    }
    for time in times(steps) {
      let rows = activeRows(time)
      if rows?.isEmpty != true {
        let previous = state.rows(rows)
        let step = definition.step(inputs[time, ...].rows(rows), from: previous, parameters)
        state.setRows(rows, RecurrentState(hidden: step.hidden, cell: step.cell))
        trace?.steps[time] = step
        trace?.states[time] = previous
      }
      hidden[time, ...] = state.hidden
      trace?.cells[time, ...] = state.cell
    }
  }

  /// Computes the gradients.
  ///
  /// - Parameters:
  ///   - trace: The trace of the forward pass.
  ///   - inputs: x, `[T, B, D]`.
  ///   - outputs: dL/d h after each step, `[T, B, H]`; nil for none.
  ///   - gradients: Its state holds dL/d of the last state and, on return, of the first. Receives the gradients of the
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
      let rows = activeRows(time)
      var input = Tensor<Scalar>(shape: [batchSize, inputs.shape[2]])
      if let step = trace.steps[time] {
        var gradient = state.rows(rows)
        if let outputs { gradient.hidden += outputs[time, ...].rows(rows) }
        let x = inputs[time, ...].rows(rows)
        sums.input = Tensor(shape: x.shape)
        sums.state.hidden = Tensor(shape: gradient.hidden.shape)
        sums.state.cell = Tensor(shape: gradient.cell.shape)
        definition.stepBackward(
          step, x, from: trace.states[time], parameters, gradient: gradient, into: &sums)
        input.setRows(rows, sums.input)
        state.setRows(rows, sums.state)
      }
      gradients.timeMajorInputs[time, ...] = input
    }
    gradients.initialState = state
    gradients.parameters = sums.parameters
  }

  /// Returns the times in the order in which the cell visits them.
  private func times(_ steps: Int) -> [Int] {
    direction == .forward ? Array(0..<steps) : (0..<steps).reversed()
  }

  /// Returns the rows that are active at a time; nil if all are.
  private func activeRows(_ time: Int) -> [Int]? { flags?.activeRows(time, of: batchSize) }
}

extension [UInt8] {
  /// Returns the rows whose flags are set at a time; nil if all are.
  fileprivate func activeRows(_ time: Int, of batchSize: Int) -> [Int]? {
    let rows = (0..<batchSize).filter { self[time * batchSize + $0] != 0 }
    return rows.count == batchSize ? nil : rows
  }
}

extension Tensor {
  /// Returns some rows of a matrix; all if nil.
  fileprivate func rows(_ rows: [Int]?) -> Tensor {
    guard let rows else { return self }
    var result = Tensor(shape: [rows.count, shape[1]])
    for (index, row) in rows.enumerated() { result[index, ...] = self[row, ...] }
    return result
  }

  /// Replaces some rows of a matrix with those of another, in order; all if nil.
  fileprivate mutating func setRows(_ rows: [Int]?, _ new: Tensor) {
    guard let rows else {
      self = new
      return
    }
    for (index, row) in rows.enumerated() { self[row, ...] = new[index, ...] }
  }
}

extension RecurrentState {
  /// Returns some rows; all if nil.
  fileprivate func rows(_ rows: [Int]?) -> RecurrentState {
    RecurrentState(hidden: hidden.rows(rows), cell: cell.rows(rows))
  }

  /// Replaces some rows with those of another state, in order; all if nil.
  fileprivate mutating func setRows(_ rows: [Int]?, _ new: RecurrentState) {
    hidden.setRows(rows, new.hidden)
    cell.setRows(rows, new.cell)
  }
}

extension CustomTrace {
  /// Returns a gate's value at every step, `[T, B, H]`; 0 at inactive steps.
  func gate(_ index: Int, flags: [UInt8]?, batchSize: Int, hiddenSize: Int) -> Tensor<Scalar> {
    var result = Tensor<Scalar>(shape: [steps.count, batchSize, hiddenSize])
    for (time, step) in steps.enumerated() {
      guard let step else { continue }
      var values = Tensor<Scalar>(shape: [batchSize, hiddenSize])
      values.setRows(flags?.activeRows(time, of: batchSize), step.gates[index])
      result[time, ...] = values
    }
    return result
  }
}
