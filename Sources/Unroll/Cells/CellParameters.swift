// The parameters of one recurrent cell of any kind: matrices with one block of columns per gate.
// Input index first: z = x·W + h·U + b.
//
// Legend: D input size, H hidden size, G number of gates, P output size (H unless projected).

internal import UnrollContracts

/// One gate's parameters.
public struct GateParameters<Scalar: KernelScalar>: Sendable, Equatable {
  /// W, shape `[D, H]`.
  public var inputWeights: Tensor<Scalar>
  /// U, shape `[P, H]`.
  public var recurrentWeights: Tensor<Scalar>
  /// b, shape `[H]`.
  public var bias: Tensor<Scalar>

  /// Creates the parameters of a gate.
  public init(
    inputWeights: Tensor<Scalar>, recurrentWeights: Tensor<Scalar>, bias: Tensor<Scalar>
  ) {
    self.inputWeights = inputWeights
    self.recurrentWeights = recurrentWeights
    self.bias = bias
  }
}

/// The gains and the offset of layer normalisation.
private struct Gains<Scalar: KernelScalar>: Sendable, Equatable {
  var input: Tensor<Scalar> { didSet { check(input, recurrent) } }
  var recurrent: Tensor<Scalar> { didSet { check(recurrent, input) } }
  var cell: Tensor<Scalar> { didSet { check(cell, offset) } }
  var offset: Tensor<Scalar> { didSet { check(offset, cell) } }

  init(width: Int, cellSize: Int) {
    input = Tensor(shape: [width], repeating: 1)
    recurrent = input
    cell = Tensor(shape: [cellSize], repeating: 1)
    offset = Tensor(shape: [cellSize])
  }

  private func check(_ one: Tensor<Scalar>, _ other: Tensor<Scalar>) {
    require(
      one.shape == other.shape && one.rank == 1,
      "CellParameters: expected gains of shape \(other.shape), got \(one.shape).")
  }
}

/// All parameters of a cell, or the gradient of each.
///
/// A parameter that a cell does not have is an empty tensor, so that loops over all parameters
/// need no special case.
public struct CellParameters<Scalar: KernelScalar>: Sendable, Equatable {
  /// The gates in the order of their columns.
  public let gates: [Gate]
  /// D, the size of an input.
  public let inputSize: Int
  /// H, the number of units.
  public let hiddenSize: Int
  /// P, the size of the output: H, or the size of the projection.
  public let outputSize: Int

  private let width: Int
  private let hasRecurrentBias: Bool
  private let hasPeepholes: Bool
  private let hasProjection: Bool
  /// Whether x·W and h·U, and an LSTM's cell state, are normalised.
  ///
  /// Source: Ba, Kiros and Hinton 2016, [arXiv:1607.06450](https://arxiv.org/abs/1607.06450).
  public let isNormalized: Bool

  /// W, shape `[D, G·H]`.
  public var inputWeights: Tensor<Scalar> {
    get { storedInputWeights }
    _modify {
      defer { check(storedInputWeights, inputSize, width) }
      yield &storedInputWeights
    }
  }
  /// U, shape `[P, G·H]`.
  public var recurrentWeights: Tensor<Scalar> {
    get { storedRecurrentWeights }
    _modify {
      defer { check(storedRecurrentWeights, outputSize, width) }
      yield &storedRecurrentWeights
    }
  }
  /// b, shape `[G·H]`.
  public var bias: Tensor<Scalar> {
    get { storedBias }
    _modify {
      defer { check(storedBias, width) }
      yield &storedBias
    }
  }
  /// c, the second bias of a GRU, shape `[G·H]`; otherwise `[0]`.
  public var recurrentBias: Tensor<Scalar> {
    get { storedRecurrentBias }
    _modify {
      defer { check(storedRecurrentBias, hasRecurrentBias ? width : 0) }
      yield &storedRecurrentBias
    }
  }
  /// p, the LSTM's peepholes to the input, forget and output gate, shape `[3, H]`; otherwise `[0, H]`.
  public var peepholes: Tensor<Scalar> {
    get { storedPeepholes }
    _modify {
      defer { check(storedPeepholes, hasPeepholes ? 3 : 0, hiddenSize) }
      yield &storedPeepholes
    }
  }
  /// The LSTM's projection, shape `[H, P]`; otherwise `[0, P]`.
  public var projection: Tensor<Scalar> {
    get { storedProjection }
    _modify {
      defer { check(storedProjection, hasProjection ? hiddenSize : 0, outputSize) }
      yield &storedProjection
    }
  }

  // The public properties are computed: a property observer would also allow the checks, but a mutation from
  // another module would then copy the tensor first.
  private var storedInputWeights, storedRecurrentWeights, storedBias, storedRecurrentBias,
    storedPeepholes, storedProjection: Tensor<Scalar>

  /// The gain of the normalised x·W, shape `[G·H]`; otherwise `[0]`.
  public var inputGain: Tensor<Scalar> {
    get { gains.isEmpty ? Tensor(shape: [0]) : gains[0].input }
    _modify {
      requireGains()
      yield &gains[0].input
    }
  }
  /// The gain of the normalised h·U, shape `[G·H]`; otherwise `[0]`.
  public var recurrentGain: Tensor<Scalar> {
    get { gains.isEmpty ? Tensor(shape: [0]) : gains[0].recurrent }
    _modify {
      requireGains()
      yield &gains[0].recurrent
    }
  }
  /// The gain of an LSTM's normalised cell state, shape `[H]`; otherwise `[0]`.
  public var cellGain: Tensor<Scalar> {
    get { gains.isEmpty ? Tensor(shape: [0]) : gains[0].cell }
    _modify {
      requireGains()
      yield &gains[0].cell
    }
  }
  /// The offset of an LSTM's normalised cell state, shape `[H]`; otherwise `[0]`.
  public var cellOffset: Tensor<Scalar> {
    get { gains.isEmpty ? Tensor(shape: [0]) : gains[0].offset }
    _modify {
      requireGains()
      yield &gains[0].offset
    }
  }

  /// One element for a normalised cell, otherwise empty.
  ///
  /// Copying the parameters is a considerable part of a small layer's step, and an array is one reference instead of
  /// eight.
  private var gains: [Gains<Scalar>]

  /// Whether the output uses a normalised cell state (LSTM).
  private var hasNormalCell: Bool { isNormalized && gates.contains(.output) }

  /// Creates parameters whose gains are 1 and whose other values are zero.
  ///
  /// - Parameters:
  ///   - gates: The gates, in column order.
  ///   - inputSize: D, at least 0.
  ///   - hiddenSize: H, at least 1.
  ///   - hasRecurrentBias: Whether there is a second bias.
  ///   - hasPeepholes: Whether there are peepholes.
  ///   - projectionSize: P if there is a projection.
  ///   - isNormalized: Whether there are gains; excludes peepholes and a projection.
  public init(
    gates: [Gate], inputSize: Int, hiddenSize: Int, hasRecurrentBias: Bool = false,
    hasPeepholes: Bool = false, projectionSize: Int? = nil, isNormalized: Bool = false
  ) {
    require(
      inputSize >= 0 && hiddenSize > 0 && projectionSize.map { $0 > 0 } ?? true,
      "CellParameters.init: expected D of at least 0 and H of at least 1, and P if there is a projection, got D \(inputSize), H \(hiddenSize)\(projectionSize.map { ", P \($0)" } ?? "")."
    )
    require(
      !isNormalized || !hasPeepholes && projectionSize == nil,
      "CellParameters.init: expected no peepholes and no projection in a normalised cell.")
    let largest = Tensor<Scalar>.largestCount
    require(
      hiddenSize <= largest / max(1, gates.count),
      "CellParameters.init: expected at most \(largest / max(1, gates.count)) units, got \(hiddenSize)."
    )
    self.gates = gates
    self.inputSize = inputSize
    self.hiddenSize = hiddenSize
    outputSize = projectionSize ?? hiddenSize
    self.hasRecurrentBias = hasRecurrentBias
    self.hasPeepholes = hasPeepholes
    hasProjection = projectionSize != nil
    width = gates.count * hiddenSize
    storedInputWeights = Tensor(shape: [inputSize, width])
    storedRecurrentWeights = Tensor(shape: [outputSize, width])
    storedBias = Tensor(shape: [width])
    storedRecurrentBias = Tensor(shape: [hasRecurrentBias ? width : 0])
    storedPeepholes = Tensor(shape: [hasPeepholes ? 3 : 0, hiddenSize])
    storedProjection = Tensor(shape: [projectionSize == nil ? 0 : hiddenSize, outputSize])
    self.isNormalized = isNormalized
    let cellSize = gates.contains(.output) ? hiddenSize : 0
    gains = isNormalized ? [Gains(width: width, cellSize: cellSize)] : []
  }

  private func check(_ new: Tensor<Scalar>, _ rows: Int, _ columns: Int) {
    require(
      new.rank == 2 && new.shape[0] == rows && new.shape[1] == columns,
      "CellParameters: expected shape [\(rows), \(columns)], got \(new.shape).")
  }

  private func check(_ new: Tensor<Scalar>, _ count: Int) {
    require(
      new.rank == 1 && new.shape[0] == count,
      "CellParameters: expected shape [\(count)], got \(new.shape).")
  }

  private func requireGains() {
    require(
      isNormalized,
      "CellParameters: expected gains of a normalised cell only, got one without normalisation.")
  }

  /// The optional parameters that are present.
  var parts: ParameterParts {
    var parts: ParameterParts = isNormalized ? .gains : []
    if hasRecurrentBias { parts.insert(.recurrentBias) }
    if hasPeepholes { parts.insert(.peepholes) }
    if hasProjection { parts.insert(.projection) }
    return parts
  }

  /// Returns whether both have the same gates, optional parts and sizes.
  func hasShapes(of other: CellParameters) -> Bool {
    gates == other.gates && inputSize == other.inputSize && hiddenSize == other.hiddenSize
      && outputSize == other.outputSize && parts == other.parts
  }

  /// Makes the storage of every parameter unique; storage that was shared gets unspecified values.
  mutating func makeUnique() {
    inputWeights.prepare(like: inputWeights.shape)
    recurrentWeights.prepare(like: recurrentWeights.shape)
    bias.prepare(like: bias.shape)
    recurrentBias.prepare(like: recurrentBias.shape)
    peepholes.prepare(like: peepholes.shape)
    projection.prepare(like: projection.shape)
    guard isNormalized else { return }
    gains[0].input.prepare(like: gains[0].input.shape)
    gains[0].recurrent.prepare(like: gains[0].recurrent.shape)
    gains[0].cell.prepare(like: gains[0].cell.shape)
    gains[0].offset.prepare(like: gains[0].offset.shape)
  }

  /// Parameters of the same shapes with all values zero, for accumulating gradients.
  public var zeros: CellParameters {
    var result = self
    result.modifyEach { $1 = Tensor(shape: $1.shape) }
    return result
  }

  /// The name and key path of every parameter, in a fixed order.
  static var paths: KeyValuePairs<String, WritableKeyPath<CellParameters, Tensor<Scalar>>> {
    [
      "inputWeights": \.inputWeights, "recurrentWeights": \.recurrentWeights, "bias": \.bias,
      "recurrentBias": \.recurrentBias, "peepholes": \.peepholes, "projection": \.projection,
      "inputGain": \.inputGain, "recurrentGain": \.recurrentGain, "cellGain": \.cellGain,
      "cellOffset": \.cellOffset,
    ]
  }

  /// The parameters that this cell has, in the order of `names` (which leaves out the input weights of D = 0).
  ///
  /// Avoids key paths, which generic code allocates at each use.
  public var all: [Tensor<Scalar>] {
    var (result, copy) = ([Tensor<Scalar>](), self)
    copy.modifyEach { result.append($1) }
    return result
  }

  /// The names of the parameters that this cell has, in a fixed order.
  public var names: [String] {
    Self.paths.filter { !self[keyPath: $0.value].isEmpty }.map(\.key)
  }

  /// The number of trainable scalars.
  public var count: Int { all.reduce(0) { $0 + $1.count } }

  /// The parameter with a name from `names`.
  ///
  /// - Precondition: The cell has a parameter of that name.
  public subscript(name: String) -> Tensor<Scalar> {
    get { self[keyPath: path(name)] }
    set { self[keyPath: path(name)] = newValue }
  }

  /// Calls `body` to update each parameter of the cell in place with its gradient.
  ///
  /// - Parameters:
  ///   - gradients: A gradient for each parameter.
  ///   - body: Receives the parameter's index in `names`, the parameter and its gradient.
  /// - Precondition: The gradients have the shapes of the parameters.
  public mutating func update(
    by gradients: CellParameters,
    _ body: (_ index: Int, _ parameter: inout Tensor<Scalar>, _ gradient: Tensor<Scalar>) -> Void
  ) {
    require(
      hasShapes(of: gradients), "CellParameters.update: expected gradients of this cell.")
    let all = gradients.all
    modifyEach { body($0, &$1, all[$0]) }
  }

  /// Calls `body` to modify each parameter of the cell in place, without copies or allocations.
  ///
  /// - Parameter body: Receives the parameter's index in `names` and the parameter; must not change its shape.
  public mutating func modifyEach(
    _ body: (_ index: Int, _ parameter: inout Tensor<Scalar>) throws -> Void
  ) rethrows {
    try body(0, &inputWeights)
    try body(1, &recurrentWeights)
    try body(2, &bias)
    var index = 3
    if hasRecurrentBias {
      try body(index, &recurrentBias)
      index += 1
    }
    if hasPeepholes {
      try body(index, &peepholes)
      index += 1
    }
    if hasProjection {
      try body(index, &projection)
      index += 1
    }
    guard isNormalized else { return }
    try body(index, &inputGain)
    try body(index + 1, &recurrentGain)
    guard hasNormalCell else { return }
    try body(index + 2, &cellGain)
    try body(index + 3, &cellOffset)
  }

  private func path(_ name: String) -> WritableKeyPath<CellParameters, Tensor<Scalar>> {
    guard let path = Self.paths.first(where: { $0.key == name })?.value else {
      contractViolation("CellParameters: expected a name of \(names), got '\(name)'.")
    }
    return path
  }
}
