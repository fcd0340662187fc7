/// A source of random numbers, passed `inout` to functions that draw from it.
///
/// There is no global generator: two runs with equal streams draw equal numbers.
public protocol RandomStream {
  /// Draws uniform numbers from `low` to `high`.
  ///
  /// - Complexity: O(`count`); one allocation.
  mutating func uniform<Scalar: KernelScalar>(
    count: Int, from low: Scalar, to high: Scalar
  ) -> [Scalar]

  /// Draws standard normal numbers.
  ///
  /// - Complexity: O(`count`); one allocation.
  mutating func normal<Scalar: KernelScalar>(count: Int, of type: Scalar.Type) -> [Scalar]
}
