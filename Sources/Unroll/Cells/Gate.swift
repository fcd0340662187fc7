// The gates by name. Kinds of cells list theirs in a table (CellKind.swift), users' own cells may name others.

/// A part of a cell that passes through an activation of its own.
///
/// A cell of your own may name gates that no other cell has: `Gate(rawValue: "peek")`.
public struct Gate: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
  /// The name, as files and messages have it.
  public let rawValue: String

  /// Creates a gate from its name.
  public init(rawValue: String) { self.rawValue = rawValue }

  /// The name.
  public var description: String { rawValue }

  /// What the new state is made from; the only one of the basic cell.
  public static let candidate = Gate(rawValue: "candidate")
  /// How much of the old state the candidate reads (GRU).
  public static let reset = Gate(rawValue: "reset")
  /// How much of the old state stays (GRU).
  public static let update = Gate(rawValue: "update")
  /// How much of the candidate enters the cell state (LSTM).
  public static let input = Gate(rawValue: "input")
  /// How much of the old state stays (LSTM, JANET), or is replaced (MGU).
  public static let forget = Gate(rawValue: "forget")
  /// How much of the cell state is put out (LSTM).
  public static let output = Gate(rawValue: "output")
}

/// The share of the old state that a cell keeps in a step: a gate, or 1 minus a gate.
public struct Retention: Hashable, Sendable {
  /// The gate.
  public let gate: Gate
  /// Whether the share is 1 minus the gate, as in the MGU: a gate near 0 then keeps the state.
  public let isComplement: Bool

  /// Creates a retention.
  ///
  /// - Parameters:
  ///   - gate: The gate.
  ///   - isComplement: Whether 1 minus the gate is kept.
  public init(_ gate: Gate, isComplement: Bool = false) {
    self.gate = gate
    self.isComplement = isComplement
  }

  /// 1, or −1 where the state is kept by a gate near 0: the sign of a bias that keeps the state.
  package var sign: Double { isComplement ? -1 : 1 }
}

extension [Gate] {
  /// The gates as messages list them.
  var names: String { map(\.rawValue).joined(separator: ", ") }
}
