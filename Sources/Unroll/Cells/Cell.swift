// A recurrent cell: kind, parameters, options. CellKind defines the equations.

internal import UnrollContracts

/// A recurrent cell with its parameters.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let cell = Cell<Float>(.lstm, inputSize: 3, hiddenSize: 2, using: &random)
/// ```
///
/// Its ``CellKind`` or ``CustomCell`` defines the equations.
public struct Cell<Scalar: KernelScalar>: Sendable {
  /// The source of the equations.
  let definition: CellDefinition
  /// W, U, b and the optional parameters of the cell, with one block of columns per gate.
  public var parameters: CellParameters<Scalar>
  /// Activations, limits and switches.
  ///
  /// Each kind uses a subset; a custom cell uses none.
  public var options: CellOptions { didSet { checkOptions("Cell.options") } }
  /// Zoneout rates; always ``Zoneout/none`` for a custom cell.
  public var zoneout = Zoneout.none { didSet { checkZoneout() } }

  /// Creates a cell from its parameters.
  ///
  /// - Parameters:
  ///   - kind: The equations.
  ///   - parameters: Parameters for the kind's gates, without optional parameters that the kind lacks.
  ///   - options: The functions and switches.
  /// - Precondition: The parameters and options fit the kind.
  public init(
    _ kind: CellKind, parameters: CellParameters<Scalar>, options: CellOptions = CellOptions()
  ) {
    definition = .kind(kind)
    self.parameters = parameters
    self.options = options
    checkParameters("Cell.init")
    checkOptions("Cell.init")
  }

  /// Creates a custom cell from its parameters.
  ///
  /// - Parameters:
  ///   - custom: The equations.
  ///   - parameters: Parameters for the cell's gates.
  /// - Precondition: The gates of `custom` are distinct. The parameters are for these gates and have a second bias if
  ///   `custom` declares one.
  public init(custom: some CustomCell, parameters: CellParameters<Scalar>) {
    self.init(CustomDefinition(custom), parameters: parameters)
  }

  private init(_ custom: CustomDefinition, parameters: CellParameters<Scalar>) {
    definition = .custom(custom)
    self.parameters = parameters
    options = CellOptions()
    checkParameters("Cell.init")
  }

  /// Creates a custom cell whose parameters are zero.
  ///
  /// - Parameters:
  ///   - custom: The equations.
  ///   - inputSize: D, at least 0.
  ///   - hiddenSize: H, at least 1.
  /// - Precondition: The gates of `custom` are distinct.
  public init(custom: some CustomCell, inputSize: Int, hiddenSize: Int) {
    self.init(
      CustomDefinition(custom),
      parameters: CellParameters(
        gates: custom.gates, inputSize: inputSize, hiddenSize: hiddenSize,
        hasRecurrentBias: custom.hasRecurrentBias))
  }

  /// Creates a custom cell with Glorot-uniform W, orthogonal U and zero biases.
  ///
  /// - Parameters:
  ///   - custom: The equations.
  ///   - inputSize: D, at least 0.
  ///   - hiddenSize: H, at least 1.
  ///   - random: The source of randomness; gates are initialised in order, W before U.
  /// - Precondition: The gates of `custom` are distinct.
  public init(
    custom: some CustomCell, inputSize: Int, hiddenSize: Int,
    using random: inout some RandomStream
  ) {
    self.init(custom: custom, inputSize: inputSize, hiddenSize: hiddenSize)
    parameters.initialize(input: .glorotUniform, recurrent: .orthogonal(gain: 1), using: &random)
  }

  /// Creates a cell with other parameters and the equations of an existing cell of any element type.
  ///
  /// - Parameters:
  ///   - other: The cell that provides equations, options and zoneout.
  ///   - parameters: Parameters for the cell's gates.
  /// - Precondition: The parameters fit the equations of `other`.
  public init<Other>(like other: Cell<Other>, parameters: CellParameters<Scalar>) {
    definition = other.definition
    self.parameters = parameters
    options = other.options
    zoneout = other.zoneout
    checkParameters("Cell.init")
  }

  /// Creates a cell whose gains are 1 and whose other parameters are zero.
  ///
  /// - Parameters:
  ///   - kind: The equations.
  ///   - inputSize: D, at least 0.
  ///   - hiddenSize: H, at least 1.
  ///   - biasCount: 1 for b alone, 2 for a second bias in the recurrent product (GRU).
  ///   - hasPeepholes: Whether the gates read the cell state (LSTM).
  ///   - projectionSize: P, at least 1, if the output is projected (LSTM).
  ///   - isNormalized: Whether x·W, h·U and, in the output, c′ are normalised; excludes peepholes and a
  ///     projection.
  ///   - options: The functions and switches.
  /// - Precondition: The kind supports the requested parameters.
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

  /// Creates a cell with Glorot-uniform W, orthogonal U and zero biases, except an LSTM's forget bias, which is 1.
  ///
  /// - Parameters:
  ///   - kind: The equations.
  ///   - inputSize: D, at least 0.
  ///   - hiddenSize: H, at least 1.
  ///   - biasCount: 1 for b alone, 2 for a second bias in the recurrent product (GRU).
  ///   - hasPeepholes: Whether the gates read the cell state (LSTM).
  ///   - projectionSize: P, at least 1, if the output is projected (LSTM).
  ///   - isNormalized: Whether x·W, h·U and, in the output, c′ are normalised; excludes peepholes and a
  ///     projection.
  ///   - options: The functions and switches.
  ///   - random: The source of randomness; gates are initialised in order, W before U, then the projection.
  /// - Precondition: The kind supports the requested parameters.
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

  /// The kind; nil for a custom cell.
  public var kind: CellKind? { if case .kind(let kind) = definition { kind } else { nil } }
  /// The custom cell; nil for a cell with a ``CellKind``.
  public var custom: (any CustomCell)? {
    if case .custom(let custom) = definition { custom.cell } else { nil }
  }
  /// The name in tables, figures and messages.
  public var title: String { definition.title }
  /// The gates in the order of the parameters' columns.
  public var gates: [Gate] { definition.gates }
  /// Whether there is a cell state c next to the hidden state h.
  public var hasCellState: Bool { definition.hasCellState }
  /// The fraction of the old state that a step keeps; nil if no gate controls it.
  public var retention: Retention? { definition.retention }

  /// Returns a zero state for `batchSize` sequences: h of shape `[B, P]` and c of shape `[B, C]`.
  public func zeroState(batchSize: Int) -> RecurrentState<Scalar> {
    RecurrentState(
      hidden: Tensor(shape: [batchSize, outputSize]),
      cell: Tensor(shape: [batchSize, cellStateSize]))
  }

  /// Applies chrono initialisation: sets the biases so that the units' time constants cover a range.
  ///
  /// For u uniform in 1 ... `longest` − 1, the bias of the gate that keeps the state is log u. The bias of a gate
  /// whose complement keeps the state (MGU), and of an LSTM's input gate, is −log u.
  ///
  /// - Parameters:
  ///   - longest: The longest dependency in time steps; at least 3.
  ///   - random: The source of randomness; one draw per unit.
  /// - Precondition: A gate of the cell controls how much state is kept (``Cell/retention``).
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

  /// Stops the program unless the parameters fit the cell's definition.
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
      "\(operation): expected the defaults of options that \(kind == nil ? "the cell \(title)" : "a cell of the kind \(title)") does not use, got \(unused.map { "\($0.name) \($0.value)" }.joined(separator: ", "))."
    )
  }
}
