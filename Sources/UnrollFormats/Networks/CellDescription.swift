// The settings of a cell in a form that a file can hold.

public import Unroll

/// A cell without its parameters: kind, options, rates of zoneout.
public struct CellDescription: Sendable, Equatable {
  /// The equations.
  public var kind: CellKind
  /// Functions, limits and switches.
  public var options: CellOptions
  /// Zoneout rates of h and of c, in 0 ..< 1.
  public var zoneoutHidden = 0.0, zoneoutCell = 0.0

  /// Describes a cell of a kind.
  ///
  /// - Parameters:
  ///   - kind: The equations.
  ///   - options: The functions and switches.
  public init(kind: CellKind, options: CellOptions = CellOptions()) {
    (self.kind, self.options) = (kind, options)
  }

  /// Describes a cell.
  ///
  /// - Throws: `ModelImportError` for a user's own cell, whose equations no file can hold.
  public init<Scalar: KernelScalar>(_ cell: Cell<Scalar>) throws(ModelImportError) {
    self.init(kind: try cell.kind(for: "a model file"), options: cell.options)
    (zoneoutHidden, zoneoutCell) = (cell.zoneout.hidden, cell.zoneout.cell)
  }

  /// The cell with parameters.
  ///
  /// - Precondition: Parameters and options are those of such a cell.
  public func cell<Scalar: KernelScalar>(_ parameters: CellParameters<Scalar>) -> Cell<Scalar> {
    var cell = Cell(kind, parameters: parameters, options: options)
    if zoneoutHidden > 0 || zoneoutCell > 0 {
      cell.zoneout = Zoneout(hidden: zoneoutHidden, cell: zoneoutCell)
    }
    return cell
  }

  /// Settings that a target without them cannot express: fields whose values differ from those of `plain`.
  ///
  /// - Parameters:
  ///   - plain: A cell that the target can express.
  ///   - target: The target's name, for the error.
  /// - Throws: `ModelImportError` for the first field that differs.
  func check(expressibleAs plain: CellDescription, in target: String) throws(ModelImportError) {
    guard let difference = difference(from: plain) else { return }
    throw ModelImportError(
      .inexpressible(field: difference.field, value: difference.value), name: target)
  }

  /// The first setting that another cell has otherwise.
  ///
  /// - Returns: The setting, its value here and there; nil if there is none.
  package func difference(
    from other: CellDescription
  ) -> (field: String, value: String, other: String)? {
    var settings: [(field: String, isSame: Bool, value: String, other: String)] = []
    func add<Value: Equatable>(
      _ field: String, _ value: Value, _ other: Value, _ words: (Value) -> String = { "\($0)" }
    ) {
      settings.append((field, value == other, words(value), words(other)))
    }
    add("cell", kind, other.kind, \.rawValue)
    let (own, theirs) = (options, other.options)
    add("activation", own.activation, theirs.activation, \.words)
    add("gate activation", own.gateActivation, theirs.gateActivation, \.words)
    add("argument clip", own.argumentClip, theirs.argumentClip)
    add("zoneout", [zoneoutHidden, zoneoutCell], [other.zoneoutHidden, other.zoneoutCell])
    add("forget offset", own.forgetOffset, theirs.forgetOffset)
    add("cell clip", own.cellClip, theirs.cellClip)
    add("projection clip", own.projectionClip, theirs.projectionClip)
    add("output activation", own.outputActivation, theirs.outputActivation, \.words)
    add("coupled gates", own.couplesInputAndForget, theirs.couplesInputAndForget)
    return settings.first { !$0.isSame }.map { ($0.field, $0.value, $0.other) }
  }
}

// The fields of a file: functions and clip of every cell, and all options again where a kind has others.
extension CellDescription: Codable {
  private enum CodingKeys: String, CodingKey {
    case kind, activation, gateActivation, argumentClip, lstm, zoneoutHidden, zoneoutCell
  }

  private static func hasFurtherOptions(_ kind: CellKind) -> Bool {
    !kind.optionFields.isSubset(of: .gated)
  }

  /// Reads a description.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    self.init(kind: try fields.decode(CellKind.self, forKey: .kind))
    options.activation = try fields.decode(Activation.self, forKey: .activation)
    options.gateActivation = try fields.decode(Activation.self, forKey: .gateActivation)
    options.argumentClip = try fields.decode(Double.self, forKey: .argumentClip)
    if Self.hasFurtherOptions(kind),
      let all = try fields.decodeIfPresent(CellOptions.self, forKey: .lstm)
    {
      options = all
    }
    zoneoutHidden = try fields.decode(Double.self, forKey: .zoneoutHidden)
    zoneoutCell = try fields.decode(Double.self, forKey: .zoneoutCell)
  }

  /// Writes a description.
  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(kind, forKey: .kind)
    try fields.encode(options.activation, forKey: .activation)
    try fields.encode(options.gateActivation, forKey: .gateActivation)
    try fields.encode(options.argumentClip, forKey: .argumentClip)
    if Self.hasFurtherOptions(kind) { try fields.encode(options, forKey: .lstm) }
    try fields.encode(zoneoutHidden, forKey: .zoneoutHidden)
    try fields.encode(zoneoutCell, forKey: .zoneoutCell)
  }
}

extension Activation {
  /// The function with its parameters as text; parameters from ONNX are float32.
  package var words: String {
    func number(_ value: Double) -> String { "\(Float(value))" }
    return switch self {
    case .tanh: "tanh"
    case .sigmoid: "sigmoid"
    case .relu: "relu"
    case .identity: "linear"
    case .softsign: "softsign"
    case .softplus: "softplus"
    case .hardSigmoid(let slope, let offset):
      "hard sigmoid (\(number(slope))·x + \(number(offset)))"
    case .leakyRelu(let slope): "leaky relu (\(number(slope)))"
    case .elu(let scale): "elu (\(number(scale)))"
    case .thresholdedRelu(let threshold): "thresholded relu (\(number(threshold)))"
    case .scaledTanh(let scale, let factor): "\(number(scale))·tanh(\(number(factor))·x)"
    case .affine(let slope, let offset): "\(number(slope))·x + \(number(offset))"
    }
  }
}

extension CellParameters {
  /// The same parameters in another precision.
  public func converted<Target: KernelScalar>(to type: Target.Type) -> CellParameters<Target> {
    var result = CellParameters<Target>(
      gates: gates, inputSize: inputSize, hiddenSize: hiddenSize,
      hasRecurrentBias: !recurrentBias.isEmpty, hasPeepholes: !peepholes.isEmpty,
      projectionSize: projection.isEmpty ? nil : outputSize, isNormalized: isNormalized)
    for name in names { result[name] = Tensor<Target>(self[name]) }
    return result
  }
}

extension Cell {
  /// The same cell in another precision.
  public func converted<Target: KernelScalar>(to type: Target.Type) -> Cell<Target> {
    Cell<Target>(like: self, parameters: parameters.converted(to: type))
  }
}

extension RecurrentNetwork {
  /// The same network in another precision.
  public func converted<Target: KernelScalar>(to type: Target.Type) -> RecurrentNetwork<Target> {
    RecurrentNetwork<Target>(
      levels: levels.map { level in
        level.map {
          RecurrentLayer(cell: $0.cell.converted(to: type), direction: $0.direction)
        }
      })
  }
}
