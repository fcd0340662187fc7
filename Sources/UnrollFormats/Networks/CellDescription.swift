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
    func fail(_ field: String, _ value: Any) -> ModelImportError {
      ModelImportError(.inexpressible(field: field, value: "\(value)"), name: target)
    }
    guard kind == plain.kind else { throw fail("cell", kind.rawValue) }
    guard activation == plain.activation else { throw fail("activation", activation) }
    guard gateActivation == plain.gateActivation else {
      throw fail("gate activation", gateActivation)
    }
    guard argumentClip == plain.argumentClip else { throw fail("argument clip", argumentClip) }
    guard zoneoutHidden == 0, zoneoutCell == 0 else {
      throw fail("zoneout", [zoneoutHidden, zoneoutCell])
    }
    guard let options = lstm, let other = plain.lstm else { return }
    for (field, ours, theirs) in [
      ("forget offset", options.forgetOffset, other.forgetOffset),
      ("cell clip", options.cellClip, other.cellClip),
      ("projection clip", options.projectionClip, other.projectionClip),
    ] where ours != theirs { throw fail(field, ours) }
    guard options.outputActivation == other.outputActivation else {
      throw fail("output activation", options.outputActivation)
    }
    guard options.couplesInputAndForget == other.couplesInputAndForget else {
      throw fail("coupled gates", options.couplesInputAndForget)
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
