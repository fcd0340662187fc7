// Whether parameters are those of a kind of cell. Kernels read and write as much as a cell of their kind
// has, so that nothing else may reach them.

internal import UnrollContracts

extension [Gate] {
  /// The gates as messages list them.
  var names: String { map(\.rawValue).joined(separator: ", ") }
}

extension CellParameters {
  /// Stops the program unless the parameters are those of a cell of such a kind.
  ///
  /// - Complexity: O(1); no allocation.
  func check(areOf kind: CellKind, _ operation: StaticString) {
    require(
      gates == kind.gates,
      "\(operation): expected parameters of the gates \(kind.gates.names), got \(gates.names).")
    let surplus = parts.subtracting(kind.parts)
    require(
      surplus.isEmpty,
      "\(operation): expected a cell of the kind \(kind.title) without \(surplus.words), got one with \(surplus.words)."
    )
  }
}
