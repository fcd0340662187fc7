// The results of a forward pass, both for inspection and for the backward pass.

internal import CUnrollKernels
internal import UnrollContracts

/// The outputs, states and gate values of every step of one layer's run over a batch of sequences.
///
/// Arrays have the layout of the call: `[T, B, …]` or `[B, T, …]`. The index of a step is its position in the input,
/// also for a backward layer.
public struct SequenceTrace<Scalar: KernelScalar>: Sendable {
  /// The layout of the inputs and of the arrays returned here.
  public internal(set) var layout: SequenceLayout
  /// The state before the first step.
  public internal(set) var initialState: RecurrentState<Scalar>
  /// The state after the last active step.
  public internal(set) var finalState: RecurrentState<Scalar>

  /// The settings of the layer that made the trace; nil for an empty trace.
  var settings: PassSettings?
  var mask: SequenceMask
  var flags: [UInt8]?
  /// x, `[T, B, D]`.
  var timeMajorInputs: Tensor<Scalar>
  /// The outputs if some steps are inactive; otherwise the outputs are the hidden states.
  var paddedOutputs: Tensor<Scalar>?
  /// h, `[T, B, P]`.
  var timeMajorHidden: Tensor<Scalar>
  /// Gates, cell states and other values for the backward pass, in the kernels' order.
  var values: Tensor<Scalar>
  /// The steps of a custom cell, instead of the kernels' values; nil for the kinds.
  var custom: CustomTrace<Scalar>?
  private var keptPlan: KeptPlan
  private var memory: PassScratch<Scalar>
  /// A placeholder for released arrays.
  private let nothing: Tensor<Scalar>

  /// Creates an empty trace for `RecurrentLayer.forward(_:from:mask:layout:into:)`.
  public init() {
    layout = .timeMajor
    initialState = RecurrentState(hidden: Tensor(shape: [0, 0]))
    finalState = initialState
    mask = .full
    timeMajorInputs = Tensor(shape: [0, 0, 0])
    timeMajorHidden = Tensor(shape: [0, 0, 0])
    values = Tensor(shape: [0, 0])
    keptPlan = KeptPlan()
    memory = PassScratch()
    nothing = timeMajorInputs
  }

  /// The kernels' plan for the trace.
  var plan: unroll_plan {
    get { keptPlan.plan }
    set {
      if !isKnownUniquelyReferenced(&keptPlan) { keptPlan = KeptPlan() }
      keptPlan.plan = newValue
    }
  }

  /// Returns memory used only by this trace; a copied trace gets new memory.
  mutating func uniqueScratch() -> PassScratch<Scalar> {
    if !isKnownUniquelyReferenced(&memory) { memory = PassScratch() }
    return memory
  }

  /// Releases the references to the caller's inputs and initial state.
  ///
  /// Call it after `backward`.
  ///
  /// The caller can then modify these arrays without a copy.
  public mutating func releaseInputs() {
    timeMajorInputs = nothing
    initialState.hidden = nothing
    initialState.cell = nothing
  }

  var timeMajorOutputs: Tensor<Scalar> { paddedOutputs ?? timeMajorHidden }

  /// The outputs of the layer: the hidden states, but zero or the previous output at inactive steps.
  public var outputs: Tensor<Scalar> { arranged(timeMajorOutputs) }

  /// h after every step; the last axis has size P.
  ///
  /// At inactive steps this is the carried state.
  public var hiddenStates: Tensor<Scalar> { arranged(timeMajorHidden) }

  /// c after every step; the last axis has size H for a cell with a cell state, otherwise 0.
  ///
  /// - Complexity: O(T·B·C); allocates T·B·C elements, twice that in the layout `[B, T, …]`.
  public var cellStates: Tensor<Scalar> {
    if let custom { return arranged(custom.cells) }
    let size = settings?.cell.hasCellState == true ? plan.layer.units : 0
    return arranged(read(UNROLL_TRACE_CELLS, columns: 0..<size, steps: 0..<timeStepCount))
  }

  /// Returns c after the step at `time`, shape `[B, C]` in any layout; allocates B·C elements.
  package func cellState(after time: Int) -> Tensor<Scalar> {
    if let custom { return custom.cells[time, ...] }
    let size = settings?.cell.hasCellState == true ? plan.layer.units : 0
    return read(UNROLL_TRACE_CELLS, columns: 0..<size, steps: time..<time + 1)
      .reshaped(to: [batchSize, size])
  }

  /// The gates of the cell.
  public var gates: [Gate] { settings?.cell.gates ?? [] }

  /// Returns a gate's value after its activation at every step; the last axis has size H.
  ///
  /// Inactive steps are 0.
  ///
  /// - Precondition: The cell has that gate.
  /// - Complexity: O(T·B·H); allocates T·B·H elements, twice that in the layout `[B, T, …]`.
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

  /// Returns some columns of one of the kernels' arrays, `[steps, B, columns]`.
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

  /// The addresses of the trace's arrays, valid while the trace is alive.
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

  /// Sets inputs to zero at inactive steps, because NaN times a zero gradient would not be zero.
  mutating func clearInactiveInputs() {
    guard let flags, !timeMajorInputs.isEmpty else { return }
    let shape = timeMajorInputs.shape
    let (pairs, width) = (shape[0] * shape[1], shape[2])
    timeMajorInputs.withUnsafeMutableElements {
      unroll_replace_inactive(Scalar.kernelType, $0, nil, flags, pairs, width)
    }
  }

  /// Computes the outputs, with inactive steps as the mask specifies.
  mutating func padOutputs() {
    guard let flags else { return }
    var outputs = timeMajorHidden
    outputs.pad(flags, mask.paddedOutput, times)
    paddedOutputs = outputs
  }

  /// Adds the gradient of each repeated output to that of the output it repeats.
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

/// A plan in separate storage, so that the layout of a public type does not depend on the kernels' headers.
private final class KeptPlan: @unchecked Sendable {
  // Sendable: written only while a single trace references it (`isKnownUniquelyReferenced`).
  var plan = unroll_plan()
}

extension Tensor {
  /// Replaces the outputs `[T, B, P]` of inactive steps with zero or the previous output.
  ///
  /// - Parameters:
  ///   - flags: `[T, B]` bytes, 0 for inactive steps.
  ///   - padding: The output at inactive steps.
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
  /// From the last active step to the first; each output keeps the index of its step.
  case backward
}

/// The gradients of one layer.
public struct LayerGradients<Scalar: KernelScalar>: Sendable {
  /// The gradient of each parameter.
  public var parameters: CellParameters<Scalar>
  /// The gradient of the inputs, in the layout of the forward call.
  public var inputs: Tensor<Scalar> {
    layout == .timeMajor ? timeMajorInputs : timeMajorInputs.exchangingFirstAxes
  }
  /// The gradient of the initial state.
  public var initialState: RecurrentState<Scalar>

  var layout: SequenceLayout
  var timeMajorInputs: Tensor<Scalar>
  private var memory: PassScratch<Scalar>

  /// Creates empty gradients for `RecurrentLayer.backward(_:outputs:finalState:into:)`.
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
    memory = PassScratch()
  }

  /// Returns memory used only by these gradients.
  mutating func uniqueScratch() -> PassScratch<Scalar> {
    if !isKnownUniquelyReferenced(&memory) { memory = PassScratch() }
    return memory
  }

  /// Prepares arrays for the gradients of these parameters and inputs, with unspecified values.
  mutating func prepare(like other: CellParameters<Scalar>, inputs: Tensor<Scalar>) {
    if parameters.hasShapes(of: other) {
      parameters.makeUnique()
    } else {
      parameters = other.zeros
    }
    timeMajorInputs.prepare(like: inputs.shape)
  }
}
