internal import Unroll

extension SequenceTrace {
  /// Whether a gate, or a candidate that passes tanh, stands within 1e-9 of its limit.
  ///
  /// There a value is 1 minus something small, and what is computed from the difference has lost
  /// its digits: two correct programs differ more than elsewhere.
  func isSaturated(candidate: Activation = .tanh) -> Bool {
    gates.contains { gate in
      if gate == .candidate && candidate != .tanh { return false }
      return self.gate(gate).elements.contains { value in
        // Steps past a sequence's end read 0.
        guard value != 0 else { return false }
        let distance = gate == .candidate ? 1 - abs(value) : min(abs(value), abs(1 - value))
        return distance < 1e-9
      }
    }
  }
}
