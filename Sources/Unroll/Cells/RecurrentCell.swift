// What a cell is to a layer: parameters, sizes, and one step forward and backward on buffers
// that the layer owns. The set of cells is closed: the buffers' pointers are the package's own.

/// The state that a cell carries from one time step to the next.
///
/// `cell` is empty, of shape `[B, 0]`, for cells without a cell state.
public struct RecurrentState<Scalar: KernelScalar>: Sendable, Equatable {
  /// h, shape `[B, P]`.
  public var hidden: Tensor<Scalar>
  /// c, shape `[B, H]` for an LSTM, else `[B, 0]`.
  public var cell: Tensor<Scalar>

  /// Creates a state; without a cell state unless one is given.
  public init(hidden: Tensor<Scalar>, cell: Tensor<Scalar>? = nil) {
    self.hidden = hidden
    self.cell = cell ?? Tensor(shape: [hidden.shape.first ?? 0, 0])
  }
}

/// A recurrent cell: `BasicRNN`, `GRU` or `LSTM`.
///
/// The set of cells is closed: layers and streams stop the program if they get another type, because the
/// kernels trust what a cell says about its memory.
public protocol RecurrentCell<Scalar>: Sendable {
  /// The element type.
  associatedtype Scalar: KernelScalar

  /// The gates of such cells, in the order of the parameters' columns.
  static var gates: [Gate] { get }
  /// All parameters; setting keeps the shapes.
  var parameters: CellParameters<Scalar> { get set }
  /// How often units keep their state.
  var zoneout: Zoneout { get set }
  /// The size of the cell state: H for an LSTM, else 0.
  var cellStateSize: Int { get }
  /// How many numbers a row of one step leaves for the backward pass besides gates and states.
  var auxiliarySize: Int { get }
  /// Whether the gradient of h·U + c differs from the gates' gradient.
  var hasRecurrentGradient: Bool { get }
  /// The columns of U that are multiplied with the auxiliary values instead of h.
  var auxiliaryColumns: Range<Int> { get }
  /// What is added to x·W: the bias, of shape `[G·H]`.
  var inputBias: Tensor<Scalar> { get }

  /// The kind and the switches, which a trace keeps.
  var settings: CellSettings { get }

  /// What the fast kernels need to know to run the cell; nil for switches that they do not have.
  var fusedKernel: FusedKernel? { get }

  /// Advances all rows by one step; `buffers.gates` holds x·W + b.
  func step(_ buffers: StepBuffers<Scalar>)

  /// Takes the gradients of one step back; the mirror of `step(_:)`.
  func stepBackward(_ buffers: StepBuffers<Scalar>, _ gradients: StepGradients<Scalar>)
}

extension RecurrentCell {
  /// D, the size of an input.
  public var inputSize: Int { parameters.inputSize }
  /// H, the number of units.
  public var hiddenSize: Int { parameters.hiddenSize }
  /// P, the size of an output.
  public var outputSize: Int { parameters.outputSize }

  /// The state that is zero, for `batchSize` rows.
  public func zeroState(batchSize: Int) -> RecurrentState<Scalar> {
    RecurrentState(
      hidden: Tensor(shape: [batchSize, outputSize]),
      cell: Tensor(shape: [batchSize, cellStateSize]))
  }

  /// The usual: the gates' gradient serves U, too.
  public var hasRecurrentGradient: Bool { false }
  /// The usual: all of U meets h.
  public var auxiliaryColumns: Range<Int> { 0..<0 }
  /// The usual: the bias alone.
  public var inputBias: Tensor<Scalar> { parameters.bias }
}

/// Where one step of a batch reads and writes; rows are sequences.
public struct StepBuffers<Scalar: KernelScalar> {
  /// x·W + b on entry, the gates' values on exit: `[B, G·H]`.
  package var gates: UnsafeMutablePointer<Scalar>
  /// `[B, auxiliarySize]`.
  package var auxiliary: UnsafeMutablePointer<Scalar>
  /// The new state: `[B, P]` and `[B, C]`.
  package var hidden: UnsafeMutablePointer<Scalar>
  package var cell: UnsafeMutablePointer<Scalar>
  /// The old state.
  package var previousHidden: UnsafePointer<Scalar>
  package var previousCell: UnsafePointer<Scalar>
  /// One byte a row, or nil if all rows are active.
  package var active: UnsafePointer<UInt8>?
  /// B.
  package var rows: Int
  /// Room for `[B, G·H + P]` numbers that do not outlive the step.
  package var scratch: UnsafeMutablePointer<Scalar>
}

/// Where one step's gradients are read and written.
public struct StepGradients<Scalar: KernelScalar> {
  /// dL/d(x·W + b): `[B, G·H]`, written.
  package var gates: UnsafeMutablePointer<Scalar>
  /// dL/d(h·U + c): `[B, G·H]`, written where it differs from `gates`.
  package var recurrent: UnsafeMutablePointer<Scalar>
  /// dL/dh′: `[B, P]`, read.
  package var hidden: UnsafeMutablePointer<Scalar>
  /// dL/dh: `[B, P]`, written.
  package var previousHidden: UnsafeMutablePointer<Scalar>
  /// dL/dc′ on entry, dL/dc on exit: `[B, C]`.
  package var cell: UnsafeMutablePointer<Scalar>
  /// Uᵀ: `[G·H, P]`.
  package var transposedRecurrentWeights: UnsafePointer<Scalar>
  /// The projection's transpose: `[P, H]`.
  package var transposedProjection: UnsafePointer<Scalar>
  /// Gradients that a step adds to.
  package var peepholes: UnsafeMutablePointer<Scalar>
  package var projection: UnsafeMutablePointer<Scalar>
}
