// Whether parameters are those of a kind of cell. Kernels read and write as much as a cell of their kind
// has, so that nothing else may reach them.

internal import UnrollContracts

extension CellParameters {
  /// Stops the program unless the parameters are those of a cell of such a kind.
  ///
  /// - Complexity: O(1); no allocation.
  func check(
    areOf title: @autoclosure () -> String, gates expected: [Gate], parts possible: ParameterParts,
    _ operation: StaticString
  ) {
    require(
      gates == expected,
      "\(operation): expected parameters of the gates \(expected.names), got \(gates.names).")
    let surplus = parts.subtracting(possible)
    require(
      surplus.isEmpty,
      "\(operation): expected a cell of the kind \(title()) without \(surplus.words), got one with \(surplus.words)."
    )
  }
}
