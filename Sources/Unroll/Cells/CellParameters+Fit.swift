// Checks that parameters fit a kind of cell. Kernels read and write the arrays that the kind implies, so
// ill-fitting parameters would cause out-of-bounds accesses.

internal import UnrollContracts

extension CellParameters {
  /// Stops the program unless the parameters fit a cell with these gates and optional parts.
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
