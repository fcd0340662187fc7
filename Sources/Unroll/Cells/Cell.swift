// A recurrent cell: kind, parameters, options. What its equations are stands in CellKind.

internal import UnrollContracts

/// A recurrent cell with its parameters.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let cell = Cell<Float>(.lstm, inputSize: 3, hiddenSize: 2, using: &random)
/// ```
///
/// The equations are those of its ``CellKind``, or of a ``CustomCell``.
public struct Cell<Scalar: KernelScalar>: Sendable {
  /// Where the equations come from.
  let definition: CellDefinition
  /// W, U, b, and what the cell has besides; of the cell's gates.
  public var parameters: CellParameters<Scalar>
  /// Functions, limits and switches; the kind says which it uses, a cell of your own uses none.
  public var options: CellOptions { didSet { checkOptions("Cell.options") } }
  /// How often units keep their state; never in a cell of your own.
  public var zoneout = Zoneout.none { didSet { checkZoneout() } }

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
    definition = .kind(kind)
    self.parameters = parameters
    self.options = options
    checkParameters("Cell.init")
    checkOptions("Cell.init")
  }

  /// Creates a cell of your own from its parameters.
  ///
  /// - Parameters:
  ///   - custom: The equations.
  ///   - parameters: Of the cell's gates.
  /// - Precondition: The gates of `custom` are different ones, and the parameters are theirs, with a second bias if
  ///   it has one.
  public init(custom: some CustomCell, parameters: CellParameters<Scalar>) {
    self.init(CustomDefinition(custom), parameters: parameters)
  }

  private init(_ custom: CustomDefinition, parameters: CellParameters<Scalar>) {
    definition = .custom(custom)
    self.parameters = parameters
    options = CellOptions()
    checkParameters("Cell.init")
  }

  /// Creates a cell of your own whose parameters are zero.
  ///
  /// - Parameters:
  ///   - custom: The equations.
  ///   - inputSize: D, at least 0.
  ///   - hiddenSize: H, at least 1.
  /// - Precondition: The gates of `custom` are different ones.
  public init(custom: some CustomCell, inputSize: Int, hiddenSize: Int) {
    self.init(
      CustomDefinition(custom),
      parameters: CellParameters(
        gates: custom.gates, inputSize: inputSize, hiddenSize: hiddenSize,
        hasRecurrentBias: custom.hasRecurrentBias))
  }

  /// Creates a cell of your own with Glorot-uniform W, orthogonal U and zero biases.
  ///
  /// - Parameters:
  ///   - custom: The equations.
  ///   - inputSize: D, at least 0.
  ///   - hiddenSize: H, at least 1.
  ///   - random: Drawn from gate by gate, W before U.
  /// - Precondition: The gates of `custom` are different ones.
  public init(
    custom: some CustomCell, inputSize: Int, hiddenSize: Int,
    using random: inout some RandomStream
  ) {
    self.init(custom: custom, inputSize: inputSize, hiddenSize: hiddenSize)
    parameters.initialize(input: .glorotUniform, recurrent: .orthogonal(gain: 1), using: &random)
  }

  /// Creates a cell with the equations of another, whatever its element type, and other parameters.
  ///
  /// - Parameters:
  ///   - other: The cell whose equations, options and zoneout are taken.
  ///   - parameters: Of the cell's gates.
  /// - Precondition: The parameters are those of such a cell.
  public init<Other>(like other: Cell<Other>, parameters: CellParameters<Scalar>) {
    definition = other.definition
    self.parameters = parameters
    options = other.options
    zoneout = other.zoneout
    checkParameters("Cell.init")
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
    if kind.retention == Retention(.forget) {
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
  public var cellStateSize: Int { hasCellState ? parameters.hiddenSize : 0 }

  /// The kind; nil for a cell of your own.
  public var kind: CellKind? { if case .kind(let kind) = definition { kind } else { nil } }
  /// The cell of your own; nil for a cell of one of the kinds.
  public var custom: (any CustomCell)? {
    if case .custom(let custom) = definition { custom.cell } else { nil }
  }
  /// The name in tables, figures and messages.
  public var title: String { definition.title }
  /// The gates in the order of the parameters' columns.
  public var gates: [Gate] { definition.gates }
  /// Whether there is a cell state c next to the hidden state h.
  public var hasCellState: Bool { definition.hasCellState }
  /// The share of the old state that a step keeps; nil for a cell without a gate for it.
  public var retention: Retention? { definition.retention }

  /// The state that is zero, for `batchSize` sequences: h of shape `[B, P]` and c of shape `[B, C]`.
  public func zeroState(batchSize: Int) -> RecurrentState<Scalar> {
    RecurrentState(
      hidden: Tensor(shape: [batchSize, outputSize]),
      cell: Tensor(shape: [batchSize, cellStateSize]))
  }

  /// Sets the biases so that units forget after times that are spread over a range: chrono initialisation.
  ///
  /// The gate that keeps the state gets the bias log u, u uniform in 1 ... `longest` − 1; a gate whose complement keeps
  /// it (MGU), and an LSTM's input gate, −log u.
  ///
  /// - Parameters:
  ///   - longest: The largest number of steps over which something should be remembered; at least 3.
  ///   - random: Drawn from once for each unit.
  /// - Precondition: The cell has a gate that keeps the state (``Cell/retention``).
  ///
  /// Source: Tallec and Ollivier 2018, [arXiv:1804.11188](https://arxiv.org/abs/1804.11188).
  public mutating func initializeChrono(longest: Int, using random: inout some RandomStream) {
    guard let retention, longest >= 3 else {
      contractViolation(
        "Cell.initializeChrono: expected a cell with a gate that keeps the state and a time of at least 3 steps, got \(title) and \(longest)."
      )
    }
    let biases: [Scalar] = chronoBiases(
      count: hiddenSize, maximumTime: Scalar(longest), using: &random)
    let sign = Scalar(retention.sign)
    parameters[retention.gate].bias = Tensor(biases.map { sign * $0 })
    if kind == .lstm { parameters[.input].bias = Tensor(biases.map { -$0 }) }
  }

  /// Stops the program unless the parameters are those of such a cell.
  ///
  /// - Complexity: O(1); no allocation.
  func checkParameters(_ operation: StaticString) {
    switch definition {
    case .kind(let kind):
      parameters.check(areOf: kind.title, gates: kind.gates, parts: kind.parts, operation)
    case .custom(let custom):
      parameters.check(
        areOf: custom.name, gates: custom.gates,
        parts: custom.hasRecurrentBias ? .recurrentBias : [],
        operation)
      require(
        !custom.hasRecurrentBias || !parameters.recurrentBias.isEmpty,
        "\(operation): expected parameters of the cell \(custom.name) with a second bias, got none."
      )
    }
  }

  private func checkZoneout() {
    require(
      kind != nil || zoneout == .none,
      "Cell.zoneout: expected none for the cell \(title), which is not one of Unroll's kinds, got the rates \(zoneout.hidden) and \(zoneout.cell)."
    )
  }

  private func checkOptions(_ operation: StaticString) {
    let unused = options.unused(by: kind)
    require(
      unused.isEmpty,
      "\(operation): expected the defaults of options that a cell of the kind \(title) does not use, got \(unused.map { "\($0.name) \($0.value)" }.joined(separator: ", "))."
    )
  }
}
