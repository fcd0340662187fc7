// What a cell is besides its numbers, as words that a file can hold.

public import Unroll

/// A cell without its parameters: kind, functions, switches.
public struct CellDescription: Sendable, Equatable, Codable {
  /// The equations.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// `BasicRNN`.
    case rnn
    /// `GRU` with the reset gate before the product.
    case gru
    /// `GRU` with the reset gate after the product.
    case gruAfter = "gru-after"
    /// `LSTM`.
    case lstm
  }

  /// The equations.
  public var kind: Kind
  /// The candidate's function.
  public var activation: Activation = .tanh
  /// The gates' function.
  public var gateActivation: Activation = .sigmoid
  /// Limits the functions' arguments to ± this; 0 does not.
  public var argumentClip = 0.0
  /// The switches of an LSTM; its functions and clip are above.
  public var lstm: LSTMOptions?
  /// How often units keep their state, of h and of c.
  public var zoneoutHidden = 0.0, zoneoutCell = 0.0

  /// Describes a cell.
  ///
  /// - Throws: `ModelImportError` for a cell of somebody else's.
  public init<Scalar: KernelScalar>(
    _ cell: any RecurrentCell<Scalar>
  ) throws(ModelImportError) {
    switch cell {
    case let cell as BasicRNN<Scalar>:
      kind = .rnn
      (activation, argumentClip) = (cell.activation, cell.argumentClip)
    case let cell as GRU<Scalar>:
      kind = cell.resetGate == .beforeProduct ? .gru : .gruAfter
      (activation, gateActivation) = (cell.activation, cell.gateActivation)
      argumentClip = cell.argumentClip
    case let cell as LSTM<Scalar>:
      kind = .lstm
      (activation, gateActivation) = (cell.options.activation, cell.options.gateActivation)
      (argumentClip, lstm) = (cell.options.argumentClip, cell.options)
    default:
      throw ModelImportError(
        .unsupported(field: "cell", value: "\(type(of: cell))"), name: "network")
    }
    (zoneoutHidden, zoneoutCell) = (cell.zoneout.hidden, cell.zoneout.cell)
  }

  /// The gates of such a cell, in our order.
  public var gates: [Gate] {
    switch kind {
    case .rnn: [.candidate]
    case .gru, .gruAfter: GRU<Float>.gates
    case .lstm: LSTM<Float>.gates
    }
  }

  /// The cell with parameters.
  ///
  /// - Precondition: The parameters have this kind's gates.
  public func cell<Scalar: KernelScalar>(
    _ parameters: CellParameters<Scalar>
  ) -> any RecurrentCell<Scalar> {
    var cell: any RecurrentCell<Scalar> =
      switch kind {
      case .rnn:
        BasicRNN(parameters: parameters, activation: activation, argumentClip: argumentClip)
      case .gru, .gruAfter:
        GRU(
          parameters: parameters, resetGate: kind == .gru ? .beforeProduct : .afterProduct,
          activation: activation, gateActivation: gateActivation, argumentClip: argumentClip)
      case .lstm: LSTM(parameters: parameters, options: lstm ?? LSTMOptions())
      }
    if zoneoutHidden > 0 || zoneoutCell > 0 {
      cell.zoneout = Zoneout(hidden: zoneoutHidden, cell: zoneoutCell)
    }
    return cell
  }

  /// What a target without them cannot express: fields with other values than `plain` has.
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

  /// The first setting that another cell has otherwise; options of an LSTM count if both have some.
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
    add("activation", activation, other.activation, \.words)
    add("gate activation", gateActivation, other.gateActivation, \.words)
    add("argument clip", argumentClip, other.argumentClip)
    add("zoneout", [zoneoutHidden, zoneoutCell], [other.zoneoutHidden, other.zoneoutCell])
    if let own = lstm, let theirs = other.lstm {
      add("forget offset", own.forgetOffset, theirs.forgetOffset)
      add("cell clip", own.cellClip, theirs.cellClip)
      add("projection clip", own.projectionClip, theirs.projectionClip)
      add("output activation", own.outputActivation, theirs.outputActivation, \.words)
      add("coupled gates", own.couplesInputAndForget, theirs.couplesInputAndForget)
    }
    return settings.first { !$0.isSame }.map { ($0.field, $0.value, $0.other) }
  }
}

extension Activation {
  /// The function with its parameters, for a person; those of ONNX are float32.
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

extension RecurrentCell {
  /// The same cell in another precision.
  ///
  /// - Throws: `ModelImportError` for a cell of somebody else's.
  public func converted<Target: KernelScalar>(
    to type: Target.Type
  ) throws(ModelImportError) -> any RecurrentCell<Target> {
    try CellDescription(self).cell(parameters.converted(to: type))
  }
}

extension RecurrentNetwork {
  /// The same network in another precision.
  ///
  /// - Throws: `ModelImportError` for a cell of somebody else's.
  public func converted<Target: KernelScalar>(
    to type: Target.Type
  ) throws(ModelImportError) -> RecurrentNetwork<Target> {
    var levels: [[RecurrentLayer<Target>]] = []
    for level in self.levels {
      var layers: [RecurrentLayer<Target>] = []
      for layer in level {
        layers.append(
          RecurrentLayer(
            cell: try layer.cell.converted(to: type), direction: layer.direction))
      }
      levels.append(layers)
    }
    return RecurrentNetwork<Target>(levels: levels)
  }
}
