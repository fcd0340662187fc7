// What a cell computes besides its parameters' values. A trace keeps it, so that no other layer takes it for
// its own: two variants of a cell have arrays of the same shapes.

internal import CUnrollKernels

/// The kind of a cell and its switches: what a forward pass depends on besides the parameters.
///
/// A backward pass through a trace needs the settings with which the trace was made.
public struct CellSettings: Sendable {
  /// The kind, as the fast kernels number it.
  let kind: FusedKernel.Kind
  var activation = Activation.tanh
  var gateActivation = Activation.sigmoid
  var outputActivation = Activation.tanh
  var argumentClip = 0.0
  var forgetOffset = 0.0
  var cellClip = 0.0
  var projectionClip = 0.0
  var couplesInputAndForget = false

  init(_ kind: FusedKernel.Kind) { self.kind = kind }

  /// Whether two cells compute the same function of parameters and inputs.
  ///
  /// - Complexity: O(1); no allocation.
  func isSame(as other: CellSettings) -> Bool {
    // By their bits: NaN, which a file may hold, is itself.
    kind == other.kind && isSameFunction(activation, other.activation)
      && isSameFunction(gateActivation, other.gateActivation)
      && isSameFunction(outputActivation, other.outputActivation)
      && argumentClip.bitPattern == other.argumentClip.bitPattern
      && forgetOffset.bitPattern == other.forgetOffset.bitPattern
      && cellClip.bitPattern == other.cellClip.bitPattern
      && projectionClip.bitPattern == other.projectionClip.bitPattern
      && couplesInputAndForget == other.couplesInputAndForget
  }

  /// Every setting's name and value, for messages.
  var fields: [(name: String, value: String)] {
    let resetGate: [(String, String)] =
      switch kind {
      case .gruBefore: [("resetGate", ResetGate.beforeProduct.rawValue)]
      case .gruAfter: [("resetGate", ResetGate.afterProduct.rawValue)]
      default: []
      }
    return [("cell", kind.name)] + resetGate + [
      ("activation", "\(activation)"), ("gateActivation", "\(gateActivation)"),
      ("outputActivation", "\(outputActivation)"), ("argumentClip", "\(argumentClip)"),
      ("forgetOffset", "\(forgetOffset)"), ("cellClip", "\(cellClip)"),
      ("projectionClip", "\(projectionClip)"),
      ("couplesInputAndForget", "\(couplesInputAndForget)"),
    ]
  }
}

private func isSameFunction(_ one: Activation, _ other: Activation) -> Bool {
  let (one, other) = (one.kernel(), other.kernel())
  return one.kind == other.kind && one.alpha.bitPattern == other.alpha.bitPattern
    && one.beta.bitPattern == other.beta.bitPattern
}

extension FusedKernel.Kind {
  fileprivate var name: String {
    switch self {
    case .rnn: "BasicRNN"
    case .gruBefore, .gruAfter: "GRU"
    case .lstm: "LSTM"
    }
  }
}

/// What made a trace: a cell's settings, which parameters it has, its zoneout and the layer's direction.
struct PassSettings: Sendable {
  let cell: CellSettings
  let parts: ParameterParts
  let zoneout: Zoneout
  let direction: Direction

  /// Whether a backward pass of a layer with these settings is one through a trace with those.
  ///
  /// The masks of zoneout may differ: the trace has its own, and the backward pass makes those again.
  func isSame(as other: PassSettings) -> Bool {
    cell.isSame(as: other.cell) && parts == other.parts && direction == other.direction
      && zoneout.hidden == other.zoneout.hidden && zoneout.cell == other.zoneout.cell
  }

  private var fields: [(name: String, value: String)] {
    cell.fields + [
      ("recurrentBias", parts.contains(.recurrentBias) ? "present" : "absent"),
      ("peepholes", parts.contains(.peepholes) ? "present" : "absent"),
      ("projection", parts.contains(.projection) ? "present" : "absent"),
      ("isNormalized", "\(parts.contains(.gains))"),
      ("zoneout.hidden", "\(zoneout.hidden)"), ("zoneout.cell", "\(zoneout.cell)"),
      ("direction", direction.rawValue),
    ]
  }

  /// The settings that differ, as this one has them and as the other has them.
  func differences(from other: PassSettings) -> (own: String, others: String) {
    let (own, others) = (fields, other.fields)
    let values = Dictionary(uniqueKeysWithValues: others.map { ($0.name, $0.value) })
    let differing = own.filter { values[$0.name] != $0.value }
    func list(_ value: (String, String) -> String) -> String {
      differing.map { "\($0.name) \(value($0.name, $0.value))" }.joined(separator: ", ")
    }
    return (list { $1 }, list { name, _ in values[name] ?? "none" })
  }
}

/// The parameters that only some cells have.
struct ParameterParts: OptionSet, Sendable {
  let rawValue: UInt8
  static let recurrentBias = ParameterParts(rawValue: 1)
  static let peepholes = ParameterParts(rawValue: 2)
  static let projection = ParameterParts(rawValue: 4)
  static let gains = ParameterParts(rawValue: 8)
}
