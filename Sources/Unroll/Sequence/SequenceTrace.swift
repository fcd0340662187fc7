// What a forward pass leaves: everything that can be looked at, and all that backward needs.

/// One layer's run over a batch of sequences: outputs, states and gate values of every step.
///
/// Arrays come in the layout that the call was given: `[T, B, …]` or `[B, T, …]`. The index of
/// a step is its place in the input, for a layer that runs backward, too.
public struct SequenceTrace<Scalar: KernelScalar>: Sendable {
  /// The layout of the input, and of what is returned here.
  public let layout: SequenceLayout
  /// The state before the first step.
  public let initialState: RecurrentState<Scalar>
  /// The state after the last step that counts.
  public internal(set) var finalState: RecurrentState<Scalar>

  let gateOrder: [Gate]
  let direction: Direction
  let mask: SequenceMask
  let flags: [UInt8]?
  /// Time-major: x `[T, B, D]`, gates `[T, B, G·H]`, states `[T, B, P]`, `[T, B, C]`, and what
  /// the cell keeps besides.
  let timeMajorInputs: Tensor<Scalar>
  var timeMajorOutputs: Tensor<Scalar>
  var gateValues: Tensor<Scalar>
  var auxiliary: Tensor<Scalar>
  var timeMajorHidden: Tensor<Scalar>
  var timeMajorCell: Tensor<Scalar>

  /// What the layer puts out: the hidden states, and zero (or repeats) at inactive steps.
  public var outputs: Tensor<Scalar> { arranged(timeMajorOutputs) }

  /// h after every step: last axis P.
  ///
  /// At inactive steps it is the carried state.
  public var hiddenStates: Tensor<Scalar> { arranged(timeMajorHidden) }

  /// c after every step: last axis H for an LSTM, else 0.
  public var cellStates: Tensor<Scalar> { arranged(timeMajorCell) }

  /// The gates that can be asked for.
  public var gates: [Gate] { gateOrder }

  /// A gate's value at every step, after its activation: last axis H; 0 at inactive steps.
  ///
  /// - Precondition: The cell has that gate.
  public func gate(_ gate: Gate) -> Tensor<Scalar> {
    guard let index = gateOrder.firstIndex(of: gate) else {
      preconditionFailure("SequenceTrace.gate: expected one of \(gateOrder), got \(gate).")
    }
    let size = gateValues.shape[2] / gateOrder.count
    return arranged(gateValues.columns(index * size..<(index + 1) * size))
  }

  private func arranged(_ tensor: Tensor<Scalar>) -> Tensor<Scalar> {
    layout == .timeMajor ? tensor : tensor.exchangingFirstAxes
  }

  var timeStepCount: Int { timeMajorInputs.shape[0] }
  var batchSize: Int { timeMajorInputs.shape[1] }

  /// The times in the order in which the layer visits them.
  var times: [Int] {
    direction == .forward ? Array(0..<timeStepCount) : Array((0..<timeStepCount).reversed())
  }
}

/// The way in which a layer reads its sequence.
public enum Direction: String, Sendable, Codable {
  /// From the first step to the last.
  case forward
  /// From the last active step to the first; outputs stay at the step they belong to.
  case backward
}

/// The gradients of one layer.
public struct LayerGradients<Scalar: KernelScalar>: Sendable {
  /// Of each parameter.
  public var parameters: CellParameters<Scalar>
  /// Of the inputs, in the layout of the forward call.
  public var inputs: Tensor<Scalar>
  /// Of the initial state.
  public var initialState: RecurrentState<Scalar>
}
