// Whether parameters are those of a kind of cell. Kernels read and write as much as a cell of their kind
// has, so that nothing else may reach them.

internal import UnrollContracts

extension Gate {
  // Stored once: comparing with them costs nothing, every pass does.
  static let ofBasicRNN: [Gate] = [.candidate]
  static let ofGRU: [Gate] = [.reset, .update, .candidate]
  static let ofLSTM: [Gate] = [.input, .forget, .candidate, .output]
}

extension [Gate] {
  /// The gates as messages list them.
  var names: String { map(\.rawValue).joined(separator: ", ") }
}

extension CellParameters {
  /// Stops the program unless the parameters are those of a cell with such gates.
  ///
  /// - Complexity: O(1); no allocation.
  func check(areOf cell: any RecurrentCell<Scalar>.Type, _ operation: StaticString) {
    require(
      cell == BasicRNN<Scalar>.self || cell == GRU<Scalar>.self || cell == LSTM<Scalar>.self,
      "\(operation): expected a BasicRNN, a GRU or an LSTM, got a cell of type \(cell).")
    let expected = cell.gates
    require(
      gates == expected,
      "\(operation): expected parameters of the gates \(expected.names), got \(gates.names).")
    require(
      gates.count == 4 || peepholes.isEmpty && projection.isEmpty,
      "\(operation): expected peepholes and a projection of an LSTM only, got some of the gates \(gates.names)."
    )
    require(
      gates.count == 3 || recurrentBias.isEmpty,
      "\(operation): expected a second bias of a GRU only, got one of the gates \(gates.names).")
  }
}
