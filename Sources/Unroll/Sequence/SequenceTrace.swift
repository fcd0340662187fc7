// What a forward pass leaves: everything that can be looked at, and all that backward needs.

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
  var gateOrder: [Gate]
  var direction: Direction
  var mask: SequenceMask
  var flags: [UInt8]?
  /// Time-major: x `[T, B, D]`, gates `[T, B, G·H]`, states `[T, B, P]`, `[T, B, C]`, and what
  /// the cell keeps besides.
  var timeMajorInputs: Tensor<Scalar>
  /// The outputs where steps are inactive; else they are the hidden states.
  var paddedOutputs: Tensor<Scalar>?
  var gateValues: Tensor<Scalar>
  var auxiliary: Tensor<Scalar>
  var timeMajorHidden: Tensor<Scalar>
  var timeMajorCell: Tensor<Scalar>
  /// How many sequences `gateValues`, `auxiliary` and `timeMajorCell` have side by side, as the kernels of
  /// narrow layers keep them; 0: they have their shapes' order.
  var turnedLanes = 0
  /// What a layer that normalises keeps besides.
  var normal = NormalTrace<Scalar>()
  /// How states were kept.
  var zoneout = Zoneout.none

  private var memory: PassMemory<Scalar>
  /// What stands in place of arrays that were let go.
  private let nothing: Tensor<Scalar>

  /// A trace of nothing: a place for `RecurrentLayer.forward(_:from:mask:layout:into:)` to fill.
  public init() {
    layout = .timeMajor
    initialState = RecurrentState(hidden: Tensor(shape: [0, 0]))
    finalState = initialState
    gateOrder = []
    direction = .forward
    mask = .full
    timeMajorInputs = Tensor(shape: [0, 0, 0])
    gateValues = Tensor(shape: [0, 0, 0])
    auxiliary = Tensor(shape: [0, 0, 0])
    timeMajorHidden = Tensor(shape: [0, 0, 0])
    timeMajorCell = Tensor(shape: [0, 0, 0])
    memory = PassMemory()
    nothing = timeMajorInputs
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

  /// c after every step: last axis H for an LSTM, else 0.
  ///
  /// - Complexity: O(1) if the layout is time-major, unless H is less than a vector's width: then, as in the other
  ///   layout, it allocates T·B·H numbers, for both reasons together twice as many.
  public var cellStates: Tensor<Scalar> { arranged(inRows(timeMajorCell)) }

  /// The gates that can be asked for.
  public var gates: [Gate] { gateOrder }

  /// A gate's value at every step, after its activation: last axis H; 0 at inactive steps.
  ///
  /// - Precondition: The cell has that gate.
  /// - Complexity: O(T·B·G·H); allocates up to T·B·(G + 2)·H numbers.
  public func gate(_ gate: Gate) -> Tensor<Scalar> {
    guard let index = gateOrder.firstIndex(of: gate) else {
      contractViolation(
        "SequenceTrace.gate: expected one of the gates \(gateOrder.names), got \(gate).")
    }
    let size = gateValues.shape[2] / gateOrder.count
    return arranged(inRows(gateValues)[..., index * size..<(index + 1) * size])
  }

  private func arranged(_ tensor: Tensor<Scalar>) -> Tensor<Scalar> {
    layout == .timeMajor ? tensor : tensor.exchangingFirstAxes
  }

  /// Makes inputs zero where steps are inactive: what stands there may be NaN, which times a gradient of zero
  /// would not be zero.
  mutating func clearInactiveInputs() {
    guard let flags else { return }
    let (pairs, width) = (timeStepCount * batchSize, timeMajorInputs.shape[2])
    timeMajorInputs.withUnsafeMutableElements { inputs in
      flags.withUnsafeBufferPointer {
        Scalar._replaceInactive(inputs, nil, $0.baseAddress, pairs, width)
      }
    }
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

  var timeStepCount: Int { timeMajorInputs.shape[0] }
  var batchSize: Int { timeMajorInputs.shape[1] }

  /// The times in the order in which the layer visits them.
  var times: [Int] {
    direction == .forward ? Array(0..<timeStepCount) : Array((0..<timeStepCount).reversed())
  }
}

/// What layer normalisation leaves of every step: its values and factors.
struct NormalTrace<Scalar: KernelScalar>: Sendable {
  /// Of x·W and h·U, `[T, B, G·H]`.
  var inputs = Tensor<Scalar>(shape: [0, 0, 0])
  var products = Tensor<Scalar>(shape: [0, 0, 0])
  /// Of an LSTM's c′, `[T, B, H]`.
  var cells = Tensor<Scalar>(shape: [0, 0, 0])
  /// `[T, B, 5]`.
  var spreads = Tensor<Scalar>(shape: [0, 0, 0])

  /// Memory for a pass, with any numbers in it.
  mutating func prepare(_ steps: Int, _ rows: Int, width: Int, cellSize: Int) {
    inputs.prepare(steps, rows, width)
    products.prepare(steps, rows, width)
    cells.prepare(steps, rows, cellSize)
    spreads.prepare(steps, rows, 5)
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
