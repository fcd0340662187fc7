// What a forward pass leaves: everything that can be looked at, and all that backward needs.

internal import CUnrollKernels
internal import UnrollContracts

/// One layer's run over a batch of sequences: outputs, states and gate values of every step.
///
/// Arrays come in the layout that the call was given: `[T, B, …]` or `[B, T, …]`. The index of
/// a step is its place in the input, for a layer that runs backward, too.
public struct SequenceTrace<Scalar: KernelScalar>: Sendable {
  /// The layout of the input, and of what is returned here.
  public internal(set) var layout: SequenceLayout
  /// The state before the first step.
  public internal(set) var initialState: RecurrentState<Scalar>
  /// The state after the last step that counts.
  public internal(set) var finalState: RecurrentState<Scalar>

  /// What made the trace; nil if nothing has yet.
  var settings: PassSettings?
  var mask: SequenceMask
  var flags: [UInt8]?
  /// x, `[T, B, D]`.
  var timeMajorInputs: Tensor<Scalar>
  /// The outputs where steps are inactive; else they are the hidden states.
  var paddedOutputs: Tensor<Scalar>?
  /// h, `[T, B, P]`.
  var timeMajorHidden: Tensor<Scalar>
  /// Gates, cell states and what else the backward pass needs, in the kernels' order.
  var values: Tensor<Scalar>
  /// The steps of a user's own cell, in place of the kernels' values; nil for the kinds.
  var custom: CustomTrace<Scalar>?
  private var keptPlan: KeptPlan
  private var memory: PassMemory<Scalar>
  /// Takes the place of arrays that were released.
  private let nothing: Tensor<Scalar>

  /// A trace of nothing: a place for `RecurrentLayer.forward(_:from:mask:layout:into:)` to fill.
  public init() {
    layout = .timeMajor
    initialState = RecurrentState(hidden: Tensor(shape: [0, 0]))
    finalState = initialState
    mask = .full
    timeMajorInputs = Tensor(shape: [0, 0, 0])
    timeMajorHidden = Tensor(shape: [0, 0, 0])
    values = Tensor(shape: [0, 0])
    keptPlan = KeptPlan()
    memory = PassMemory()
    nothing = timeMajorInputs
  }

  /// How the kernels made the trace.
  var plan: unroll_plan {
    get { keptPlan.plan }
    set {
      if !isKnownUniquelyReferenced(&keptPlan) { keptPlan = KeptPlan() }
      keptPlan.plan = newValue
    }
  }

  /// The memory of this trace alone: a copy of a trace begins with none.
  mutating func ownMemory() -> PassMemory<Scalar> {
    if !isKnownUniquelyReferenced(&memory) { memory = PassMemory() }
    return memory
  }

  /// Lets go of the caller's arrays, inputs and initial state, once `backward` has been taken.
  ///
  /// The caller's next change of them then needs no copy.
  public mutating func releaseInputs() {
    timeMajorInputs = nothing
    initialState.hidden = nothing
    initialState.cell = nothing
  }

  var timeMajorOutputs: Tensor<Scalar> { paddedOutputs ?? timeMajorHidden }

  /// What the layer puts out: the hidden states, and zero (or repeats) at inactive steps.
  public var outputs: Tensor<Scalar> { arranged(timeMajorOutputs) }

  /// h after every step: last axis P.
  ///
  /// At inactive steps it is the carried state.
  public var hiddenStates: Tensor<Scalar> { arranged(timeMajorHidden) }

  /// c after every step: last axis H for a cell with a cell state, else 0.
  ///
  /// - Complexity: O(T·B·C); allocates as many numbers, in the layout `[B, T, …]` twice.
  public var cellStates: Tensor<Scalar> {
    if let custom { return arranged(custom.cells) }
    let size = settings?.cell.hasCellState == true ? plan.layer.units : 0
    return arranged(read(UNROLL_TRACE_CELLS, columns: 0..<size, steps: 0..<timeStepCount))
  }

  /// c after the step at `time`, shape `[B, C]` whatever the layout: allocates B·C numbers.
  package func cellState(after time: Int) -> Tensor<Scalar> {
    if let custom { return custom.cells[time, ...] }
    let size = settings?.cell.hasCellState == true ? plan.layer.units : 0
    return read(UNROLL_TRACE_CELLS, columns: 0..<size, steps: time..<time + 1)
      .reshaped(to: [batchSize, size])
  }

  /// The gates that can be asked for.
  public var gates: [Gate] { settings?.cell.gates ?? [] }

  /// A gate's value at every step, after its activation: last axis H; 0 at inactive steps.
  ///
  /// - Precondition: The cell has that gate.
  /// - Complexity: O(T·B·H); allocates as many numbers, in the layout `[B, T, …]` twice.
  public func gate(_ gate: Gate) -> Tensor<Scalar> {
    guard let index = gates.firstIndex(of: gate) else {
      contractViolation(
        "SequenceTrace.gate: expected one of the gates \(gates.names), got \(gate).")
    }
    if let custom {
      return arranged(custom.gate(index, flags: flags, batchSize: batchSize, hiddenSize: unitCount))
    }
    let size = plan.layer.units
    return arranged(
      read(
        UNROLL_TRACE_GATES, columns: index * size..<(index + 1) * size, steps: 0..<timeStepCount))
  }

  /// Some columns of an array of the kernels, `[steps, B, columns]`.
  private func read(_ array: Int, columns: Range<Int>, steps: Range<Int>) -> Tensor<Scalar> {
    let result = Tensor<Scalar>(uninitialized: [steps.count, batchSize, columns.count])
    guard !result.isEmpty else { return result }
    var plan = plan
    unroll_trace_read(
      &plan, values.base, Int32(array), columns.lowerBound, columns.count, steps.lowerBound,
      steps.count, result.base)
    withExtendedLifetime(values) {}
    withExtendedLifetime(result) {}
    return result
  }

  /// The addresses of the trace's arrays, valid while it is kept alive.
  var kernelSequence: unroll_sequence {
    var sequence = unroll_sequence()
    sequence.inputs = UnsafeRawPointer(timeMajorInputs.base)
    sequence.initial_hidden = UnsafeRawPointer(initialState.hidden.base)
    sequence.initial_cell = UnsafeRawPointer(initialState.cell.base)
    sequence.hidden = UnsafeMutableRawPointer(timeMajorHidden.base)
    sequence.trace = UnsafeMutableRawPointer(values.base)
    return sequence
  }

  private func arranged(_ tensor: Tensor<Scalar>) -> Tensor<Scalar> {
    layout == .timeMajor ? tensor : tensor.exchangingFirstAxes
  }

  /// Makes inputs zero where steps are inactive: NaN times a gradient of zero would not be zero.
  mutating func clearInactiveInputs() {
    guard let flags, !timeMajorInputs.isEmpty else { return }
    let shape = timeMajorInputs.shape
    let (pairs, width) = (shape[0] * shape[1], shape[2])
    timeMajorInputs.withUnsafeMutableElements {
      unroll_replace_inactive(Scalar.kernelType, $0, nil, flags, pairs, width)
    }
  }

  /// Makes the outputs, with inactive steps as the mask says.
  mutating func padOutputs() {
    guard let flags else { return }
    var outputs = timeMajorHidden
    outputs.pad(flags, mask.paddedOutput, times)
    paddedOutputs = outputs
  }

  /// Where an inactive step repeated the output before it, its gradient goes to that one.
  func foldPaddedOutputs(_ gradient: inout Tensor<Scalar>?) {
    guard mask.paddedOutput == .previous, let flags else { return }
    let (rows, width) = (batchSize, timeMajorHidden.shape[2])
    gradient?.withUnsafeMutableElements { gradient in
      for (position, time) in times.enumerated().reversed() where position > 0 {
        let (here, before) = (time * rows, times[position - 1] * rows)
        for row in 0..<rows where flags[here + row] == 0 {
          for j in 0..<width {
            gradient[(before + row) * width + j] += gradient[(here + row) * width + j]
          }
        }
      }
    }
  }

  /// H of the layer that made the trace.
  var unitCount: Int { custom == nil ? plan.layer.units : timeMajorHidden.shape[2] }
  var timeStepCount: Int { timeMajorHidden.shape[0] }
  var batchSize: Int { timeMajorHidden.shape[1] }

  /// The times in the order in which the layer visits them.
  var times: [Int] {
    settings?.direction != .backward
      ? Array(0..<timeStepCount) : Array((0..<timeStepCount).reversed())
  }
}

/// A plan, in memory of its own: the layout of a public type does not depend on the kernels' headers.
private final class KeptPlan: @unchecked Sendable {
  // Sendable: written only while one trace holds it (`isKnownUniquelyReferenced`).
  var plan = unroll_plan()
}

extension Tensor {
  /// Replaces the outputs `[T, B, P]` of inactive steps by zero, or by the output before them.
  ///
  /// - Parameters:
  ///   - flags: `[T, B]` bytes, 0 for inactive steps.
  ///   - padding: What inactive steps become.
  ///   - times: The steps in the order in which the layer visits them.
  mutating func pad(_ flags: [UInt8], _ padding: SequenceMask.PaddedOutput, _ times: [Int]) {
    let (rows, width) = (shape[1], shape[2])
    withUnsafeMutableElements { outputs in
      var previous: UnsafeMutablePointer<Scalar>?
      for time in times {
        let here = outputs + time * rows * width
        flags.withUnsafeBufferPointer {
          unroll_replace_inactive(
            Scalar.kernelType, here, previous, $0.baseAddress.map { $0 + time * rows }, rows, width
          )
        }
        if padding == .previous { previous = here }
      }
    }
  }
}

/// The direction in which a layer reads its sequence.
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
  public var inputs: Tensor<Scalar> {
    layout == .timeMajor ? timeMajorInputs : timeMajorInputs.exchangingFirstAxes
  }
  /// Of the initial state.
  public var initialState: RecurrentState<Scalar>

  var layout: SequenceLayout
  var timeMajorInputs: Tensor<Scalar>
  private var memory: PassMemory<Scalar>

  /// Gradients of nothing: a place for `RecurrentLayer.backward(_:outputs:finalState:into:)`.
  public init() {
    self.init(
      parameters: CellParameters(gates: [], inputSize: 0, hiddenSize: 1),
      inputs: Tensor(shape: [0, 0, 0]), layout: .timeMajor,
      initialState: RecurrentState(hidden: Tensor(shape: [0, 0])))
  }

  init(
    parameters: CellParameters<Scalar>, inputs: Tensor<Scalar>, layout: SequenceLayout,
    initialState: RecurrentState<Scalar>
  ) {
    self.parameters = parameters
    timeMajorInputs = inputs
    self.layout = layout
    self.initialState = initialState
    memory = PassMemory()
  }

  /// The memory of these gradients alone.
  mutating func ownMemory() -> PassMemory<Scalar> {
    if !isKnownUniquelyReferenced(&memory) { memory = PassMemory() }
    return memory
  }

  /// Memory for the gradients of these parameters and inputs, with any numbers in it.
  mutating func prepare(like other: CellParameters<Scalar>, inputs: Tensor<Scalar>) {
    if parameters.hasShapes(of: other) {
      parameters.makeUnique()
    } else {
      parameters = other.zeros
    }
    timeMajorInputs.prepare(like: inputs.shape)
  }
}
