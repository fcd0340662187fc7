// Gate names. Kinds of cells list theirs in a table (CellKind.swift); custom cells may define others.

/// A gate or candidate: a part of a cell with its own columns in the parameters.
///
/// A custom cell may define new gates: `Gate(rawValue: "peek")`.
public struct Gate: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
  /// The name in files and messages.
  public let rawValue: String

  /// Creates a gate from its name.
  public init(rawValue: String) { self.rawValue = rawValue }

  /// The name.
  public var description: String { rawValue }

  /// The candidate for the new state; the only gate of the basic cell.
  public static let candidate = Gate(rawValue: "candidate")
  /// The reset gate: scales the old state in the candidate (GRU).
  public static let reset = Gate(rawValue: "reset")
  /// The update gate: the fraction of the old state that is kept (GRU).
  public static let update = Gate(rawValue: "update")
  /// The input gate: scales the candidate in the cell state (LSTM).
  public static let input = Gate(rawValue: "input")
  /// The forget gate: the fraction of the old state that is kept (LSTM, JANET) or replaced (MGU).
  public static let forget = Gate(rawValue: "forget")
  /// The output gate: scales the cell state in the output (LSTM).
  public static let output = Gate(rawValue: "output")
}

/// The fraction of the old state that a step keeps: a gate, or 1 minus a gate.
public struct Retention: Hashable, Sendable {
  /// The gate.
  public let gate: Gate
  /// Whether the fraction is 1 minus the gate, as in the MGU, where a gate near 0 keeps the state.
  public let isComplement: Bool

  /// Creates a retention.
  ///
  /// - Parameters:
  ///   - gate: The gate.
  ///   - isComplement: Whether the fraction is 1 minus the gate.
  public init(_ gate: Gate, isComplement: Bool = false) {
    self.gate = gate
    self.isComplement = isComplement
  }

  /// The sign of a bias that keeps the state: 1, or −1 if a gate near 0 keeps it.
  package var sign: Double { isComplement ? -1 : 1 }
}

extension [Gate] {
  /// The names, separated by commas.
  var names: String { map(\.rawValue).joined(separator: ", ") }
}
