internal import Unroll

extension SequenceTrace {
  /// Returns whether a gate, or a candidate with tanh, is within 1e-9 of its limit.
  ///
  /// Differences from the limit then have few significant digits, so that two correct programs differ more than
  /// elsewhere.
  func isSaturated(candidate: Activation = .tanh) -> Bool {
    gates.contains { gate in
      if gate == .candidate && candidate != .tanh { return false }
      return self.gate(gate).elements.contains { value in
        // Inactive steps are 0.
        guard value != 0 else { return false }
        let distance = gate == .candidate ? 1 - abs(value) : min(abs(value), abs(1 - value))
        return distance < 1e-9
      }
    }
  }
}
