// Changes of a tensor's own memory, for code that does the same work again and again.

extension Tensor {
  /// Takes over the numbers and the shape of another tensor, in memory of its own.
  ///
  /// - Complexity: O(count); allocates nothing if shapes agree and the memory is not shared.
  public mutating func become(_ other: Tensor) {
    prepare(like: other.shape)
    withExtendedLifetime((self, other)) { base.update(from: other.base, count: other.count) }
  }

  /// Adds a multiple of another tensor.
  ///
  /// - Parameters:
  ///   - other: What is added, of the same shape.
  ///   - factor: What it is multiplied by first.
  /// - Precondition: The shapes agree.
  /// - Complexity: O(count); no allocation unless the memory is shared.
  public mutating func add(_ other: Tensor, times factor: Scalar = 1) {
    precondition(
      shape == other.shape, "Tensor.add: expected shape \(shape), got \(other.shape).")
    guard !isEmpty else { return }
    makeUnique()
    withExtendedLifetime((self, other)) {
      Scalar._addRows(base, other.base, factor, nil, 1, count)
    }
  }

  /// Makes every number the same.
  ///
  /// - Complexity: O(count); no allocation unless the memory is shared.
  public mutating func fill(_ value: Scalar) {
    prepare(like: shape)
    base.update(repeating: value, count: count)
  }

  /// Limits every number to ± limit.
  public mutating func clip(to limit: Scalar) {
    guard !isEmpty else { return }
    makeUnique()
    Scalar._clip(base, limit, count)
  }
}
