// A recurrent cell: kind, parameters, options. What its equations are stands in CellKind.

internal import UnrollContracts

/// A recurrent cell with its parameters.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let cell = Cell<Float>(.lstm, inputSize: 3, hiddenSize: 2, using: &random)
/// ```
///
/// The equations are those of its ``CellKind``.
public struct Cell<Scalar: KernelScalar>: Sendable {
  /// The equations.
  public let kind: CellKind
  /// W, U, b, and what the cell has besides; of the kind's gates.
  public var parameters: CellParameters<Scalar>
  /// Functions, limits and switches; the kind says which it uses.
  public var options: CellOptions { didSet { checkOptions("Cell.options") } }
  /// How often units keep their state.
  public var zoneout = Zoneout.none

  /// Creates a cell from its parameters.
  ///
  /// - Parameters:
  ///   - kind: The equations.
  ///   - parameters: Of the kind's gates, with nothing that the kind does not have.
  ///   - options: The functions and switches.
  /// - Precondition: Parameters and options are those of such a cell.
  public init(
    _ kind: CellKind, parameters: CellParameters<Scalar>, options: CellOptions = CellOptions()
  ) {
    parameters.check(areOf: kind, "Cell.init")
    self.kind = kind
    self.parameters = parameters
    self.options = options
    checkOptions("Cell.init")
  }

  /// Creates a cell whose parameters are zero, but gains, which are 1.
  ///
  /// - Parameters:
  ///   - kind: The equations.
  ///   - inputSize: D, at least 0.
  ///   - hiddenSize: H, at least 1.
  ///   - biasCount: 1 for b alone, 2 for a second bias in the recurrent product (GRU).
  ///   - hasPeepholes: Whether the gates read the cell state (LSTM).
  ///   - projectionSize: P, at least 1, if the output is projected (LSTM).
  ///   - isNormalized: Whether x·W, h·U and, in the output, c′ are normalised; not with peepholes or a
  ///     projection.
  ///   - options: The functions and switches.
  /// - Precondition: The kind has what is asked for.
  public init(
    _ kind: CellKind, inputSize: Int, hiddenSize: Int, biasCount: Int = 1,
    hasPeepholes: Bool = false, projectionSize: Int? = nil, isNormalized: Bool = false,
    options: CellOptions = CellOptions()
  ) {
    require(
      (1...2).contains(biasCount), "Cell.init: expected 1 or 2 biases, got \(biasCount).")
    self.init(
      kind,
      parameters: CellParameters(
        gates: kind.gates, inputSize: inputSize, hiddenSize: hiddenSize,
        hasRecurrentBias: biasCount == 2, hasPeepholes: hasPeepholes,
        projectionSize: projectionSize, isNormalized: isNormalized),
      options: options)
  }

  /// Creates a cell with Glorot-uniform W, orthogonal U and zero biases, but 1 for an LSTM's forget gate.
  ///
  /// - Parameters:
  ///   - kind: The equations.
  ///   - inputSize: D, at least 0.
  ///   - hiddenSize: H, at least 1.
  ///   - biasCount: 1 for b alone, 2 for a second bias in the recurrent product (GRU).
  ///   - hasPeepholes: Whether the gates read the cell state (LSTM).
  ///   - projectionSize: P, at least 1, if the output is projected (LSTM).
  ///   - isNormalized: Whether x·W, h·U and, in the output, c′ are normalised; not with peepholes or a
  ///     projection.
  ///   - options: The functions and switches.
  ///   - random: Drawn from gate by gate, W before U, then the projection.
  /// - Precondition: The kind has what is asked for.
  public init(
    _ kind: CellKind, inputSize: Int, hiddenSize: Int, biasCount: Int = 1,
    hasPeepholes: Bool = false, projectionSize: Int? = nil, isNormalized: Bool = false,
    options: CellOptions = CellOptions(), using random: inout some RandomStream
  ) {
    self.init(
      kind, inputSize: inputSize, hiddenSize: hiddenSize, biasCount: biasCount,
      hasPeepholes: hasPeepholes, projectionSize: projectionSize, isNormalized: isNormalized,
      options: options)
    parameters.initialize(input: .glorotUniform, recurrent: .orthogonal(gain: 1), using: &random)
    if kind.retentionGate == .forget {
      parameters[.forget].bias = Tensor(shape: [hiddenSize], repeating: 1)
    }
  }

  /// D, the size of an input.
  public var inputSize: Int { parameters.inputSize }
  /// H, the number of units.
  public var hiddenSize: Int { parameters.hiddenSize }
  /// P, the size of an output: H unless it is projected.
  public var outputSize: Int { parameters.outputSize }
  /// C, the size of the cell state: H, or 0 for a cell without one.
  public var cellStateSize: Int { kind.hasCellState ? parameters.hiddenSize : 0 }

  /// The state that is zero, for `batchSize` sequences: h of shape `[B, P]` and c of shape `[B, C]`.
  public func zeroState(batchSize: Int) -> RecurrentState<Scalar> {
    RecurrentState(
      hidden: Tensor(shape: [batchSize, outputSize]),
      cell: Tensor(shape: [batchSize, cellStateSize]))
  }

  /// Sets the biases so that units forget after times that are spread over a range: chrono initialisation.
  ///
  /// The gate that keeps the state gets the bias log u, u uniform in 1 ... `longest` − 1; an LSTM's input gate −log u.
  ///
  /// - Parameters:
  ///   - longest: The largest number of steps over which something should be remembered; at least 3.
  ///   - random: Drawn from once for each unit.
  /// - Precondition: The cell has a gate that keeps the state (``CellKind/retentionGate``).
  ///
  /// Source: Tallec and Ollivier 2018, [arXiv:1804.11188](https://arxiv.org/abs/1804.11188).
  public mutating func initializeChrono(longest: Int, using random: inout some RandomStream) {
    guard let gate = kind.retentionGate, longest >= 3 else {
      contractViolation(
        "Cell.initializeChrono: expected a cell with a gate that keeps the state and a time of at least 3 steps, got \(kind.title) and \(longest)."
      )
    }
    let biases: [Scalar] = chronoBiases(
      count: hiddenSize, maximumTime: Scalar(longest), using: &random)
    parameters[gate].bias = Tensor(biases)
    if kind.gates.contains(.input) { parameters[.input].bias = Tensor(biases.map { -$0 }) }
  }

  private func checkOptions(_ operation: StaticString) {
    let unused = options.unused(by: kind)
    require(
      unused.isEmpty,
      "\(operation): expected the defaults of options that a cell of the kind \(kind.title) does not use, got \(unused.map { "\($0.name) \($0.value)" }.joined(separator: ", "))."
    )
  }
}
