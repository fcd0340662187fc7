// Properties of a cell other than its kind and parameter values.

internal import CUnrollKernels

/// The activations, limits and switches of a cell; the defaults match Keras and PyTorch.
///
/// ``CellKind/optionFields`` lists the options that a kind uses; the others must have their defaults.
public struct CellOptions: Sendable, Equatable, Codable {
  /// The candidate's activation.
  public var activation: Activation
  /// The gates' activation.
  public var gateActivation: Activation
  /// The activation of the cell state in the output.
  public var outputActivation: Activation
  /// Clips the arguments of the gates and the candidate to ± this value; 0 disables clipping.
  public var argumentClip: Double
  /// Added to the forget gate's argument at run time; TensorFlow 1's cells add 1.
  public var forgetOffset: Double
  /// Clips the new cell state to ± this value; 0 disables clipping.
  public var cellClip: Double
  /// Clips the projected output to ± this value; 0 disables clipping.
  public var projectionClip: Double
  /// Whether the forget gate is 1 − the input gate (ONNX `input_forget`).
  public var couplesInputAndForget: Bool
  /// β, subtracted from the forget gate's argument to get the update gate's (JANET).
  public var updateShift: Double

  /// Creates options; each default is that of the standard cell.
  public init(
    activation: Activation = .tanh, gateActivation: Activation = .sigmoid,
    outputActivation: Activation = .tanh, argumentClip: Double = 0, forgetOffset: Double = 0,
    cellClip: Double = 0, projectionClip: Double = 0, couplesInputAndForget: Bool = false,
    updateShift: Double = 1
  ) {
    self.activation = activation
    self.gateActivation = gateActivation
    self.outputActivation = outputActivation
    self.argumentClip = argumentClip
    self.forgetOffset = forgetOffset
    self.cellClip = cellClip
    self.projectionClip = projectionClip
    self.couplesInputAndForget = couplesInputAndForget
    self.updateShift = updateShift
  }

  /// A set of option names.
  public struct Fields: OptionSet, Sendable {
    /// A bit for each field.
    public let rawValue: UInt16

    /// Creates a set from its bits.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// ``CellOptions/activation``.
    public static let activation = Fields(rawValue: 1)
    /// ``CellOptions/gateActivation``.
    public static let gateActivation = Fields(rawValue: 2)
    /// ``CellOptions/outputActivation``.
    public static let outputActivation = Fields(rawValue: 4)
    /// ``CellOptions/argumentClip``.
    public static let argumentClip = Fields(rawValue: 8)
    /// ``CellOptions/forgetOffset``.
    public static let forgetOffset = Fields(rawValue: 16)
    /// ``CellOptions/cellClip``.
    public static let cellClip = Fields(rawValue: 32)
    /// ``CellOptions/projectionClip``.
    public static let projectionClip = Fields(rawValue: 64)
    /// ``CellOptions/couplesInputAndForget``.
    public static let couplesInputAndForget = Fields(rawValue: 128)
    /// ``CellOptions/updateShift``.
    public static let updateShift = Fields(rawValue: 256)

    /// The options of a cell without gates.
    public static let ungated: Fields = [.activation, .argumentClip]
    /// The options of a gated cell without a cell state.
    public static let gated: Fields = [.activation, .gateActivation, .argumentClip]
    /// The options of a cell with a cell state.
    public static let withCellState: Fields = [
      .gated, .outputActivation, .forgetOffset, .cellClip, .projectionClip, .couplesInputAndForget,
    ]
  }

  /// Every option's name and value, in a fixed order.
  private var values: [(field: Fields, name: String, value: String)] {
    [
      (.activation, "activation", "\(activation)"),
      (.gateActivation, "gateActivation", "\(gateActivation)"),
      (.outputActivation, "outputActivation", "\(outputActivation)"),
      (.argumentClip, "argumentClip", "\(argumentClip)"),
      (.forgetOffset, "forgetOffset", "\(forgetOffset)"),
      (.cellClip, "cellClip", "\(cellClip)"),
      (.projectionClip, "projectionClip", "\(projectionClip)"),
      (.couplesInputAndForget, "couplesInputAndForget", "\(couplesInputAndForget)"),
      (.updateShift, "updateShift", "\(updateShift)"),
    ]
  }

  /// Every option's name and value, for messages.
  var fields: [(name: String, value: String)] { values.map { ($0.name, $0.value) } }

  /// Returns the options that differ from their defaults although a kind does not use them.
  ///
  /// - Parameter kind: The kind of the cell; nil for a custom cell, which uses no options.
  /// - Returns: Names and values; empty if these options are valid for the kind.
  public func unused(by kind: CellKind?) -> [(name: String, value: String)] {
    let plain = CellOptions()
    guard self != plain else { return [] }
    let used = kind?.optionFields ?? []
    return zip(values, plain.values).filter { own, standard in
      !used.contains(own.field) && own.value != standard.value
    }.map { ($0.0.name, $0.0.value) }
  }

  /// Returns whether two cells with these options compute the same function of parameters and inputs.
  ///
  /// - Complexity: O(1); no allocation.
  func isSame(as other: CellOptions) -> Bool {
    // Compared bit by bit, so that a NaN read from a file equals itself.
    isSameFunction(activation, other.activation)
      && isSameFunction(gateActivation, other.gateActivation)
      && isSameFunction(outputActivation, other.outputActivation)
      && argumentClip.bitPattern == other.argumentClip.bitPattern
      && forgetOffset.bitPattern == other.forgetOffset.bitPattern
      && cellClip.bitPattern == other.cellClip.bitPattern
      && projectionClip.bitPattern == other.projectionClip.bitPattern
      && couplesInputAndForget == other.couplesInputAndForget
      && updateShift.bitPattern == other.updateShift.bitPattern
  }
}

private func isSameFunction(_ one: Activation, _ other: Activation) -> Bool {
  let (one, other) = (one.kernel(), other.kernel())
  return one.kind == other.kind && one.alpha.bitPattern == other.alpha.bitPattern
    && one.beta.bitPattern == other.beta.bitPattern
}
