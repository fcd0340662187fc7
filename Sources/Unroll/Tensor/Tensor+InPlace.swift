// In-place operations, which reuse a tensor's memory in repeated work.

internal import CUnrollKernels
internal import UnrollContracts

extension Tensor {
  /// Copies the shape and elements of another tensor into this tensor's memory.
  ///
  /// - Complexity: O(count); allocates nothing if the shapes agree and the memory is not shared.
  public mutating func assign(_ other: Tensor) {
    prepare(like: other.shape)
    withExtendedLifetime((self, other)) { base.update(from: other.base, count: other.count) }
  }

  /// Copies some rows of a tensor with two axes into this tensor's memory.
  ///
  /// - Precondition: The rows exist.
  /// - Complexity: O(count); allocates nothing if the memory is large enough and not shared.
  package mutating func assign(rows: Range<Int>, of other: Tensor) {
    require(
      other.rank == 2 && rows.lowerBound >= 0 && rows.upperBound <= other.shape[0],
      "Tensor.assign: expected rows of shape \(other.shape), got \(rows).")
    let columns = other.shape[1]
    prepare(rows.count, columns)
    withExtendedLifetime((self, other)) {
      base.update(from: other.base + rows.lowerBound * columns, count: count)
    }
  }

  /// Copies all rows of this tensor over a range of rows of another tensor.
  ///
  /// - Precondition: The rows exist, and the numbers of rows agree.
  package func copy(into other: inout Tensor, rows: Range<Int>) {
    require(
      rank == 2 && other.rank == 2 && shape == [rows.count, other.shape[1]]
        && rows.lowerBound >= 0 && rows.upperBound <= other.shape[0],
      "Tensor.copy: expected \(rows.count) rows of shape \(other.shape), got shape \(shape).")
    other.makeUnique()
    withExtendedLifetime((self, other)) {
      (other.base + rows.lowerBound * shape[1]).update(from: base, count: count)
    }
  }

  /// Copies a range of columns, the last of three axes, into this tensor's memory.
  ///
  /// - Complexity: O(count); allocates nothing if the memory is large enough and not shared.
  mutating func assign(columns: Range<Int>, of other: Tensor) {
    require(
      other.rank == 3 && columns.lowerBound >= 0 && columns.upperBound <= other.shape[2],
      "Tensor.assign: expected columns of shape \(other.shape), got \(columns).")
    prepare(other.shape[0], other.shape[1], columns.count)
    let (width, rows) = (other.shape[2], shape[0] * shape[1])
    withExtendedLifetime((self, other)) {
      for row in 0..<rows {
        (base + row * columns.count).update(
          from: other.base + row * width + columns.lowerBound, count: columns.count)
      }
    }
  }

  /// Concatenates two tensors with three axes along the last, in this tensor's memory.
  ///
  /// - Precondition: The tensors agree in the first two axes.
  /// - Complexity: O(count); allocates nothing if the memory is large enough and not shared.
  mutating func assign(concatenating left: Tensor, _ right: Tensor) {
    require(
      left.rank == 3 && right.rank == 3 && left.shape[0] == right.shape[0]
        && left.shape[1] == right.shape[1],
      "Tensor.assign: expected tensors with the same first two axes, got \(left.shape) and \(right.shape)."
    )
    let (one, two) = (left.shape[2], right.shape[2])
    prepare(left.shape[0], left.shape[1], one + two)
    let rows = shape[0] * shape[1]
    withExtendedLifetime((self, left, right)) {
      for row in 0..<rows {
        let out = base + row * (one + two)
        out.update(from: left.base + row * one, count: one)
        (out + one).update(from: right.base + row * two, count: two)
      }
    }
  }

  /// Adds a multiple of another tensor.
  ///
  /// - Parameters:
  ///   - other: The summand, of the same shape.
  ///   - factor: The factor of `other`.
  /// - Precondition: The shapes agree.
  /// - Complexity: O(count); no allocation unless the memory is shared.
  public mutating func add(_ other: Tensor, times factor: Scalar = 1) {
    require(
      shape == other.shape, "Tensor.add: expected shape \(shape), got \(other.shape).")
    guard !isEmpty else { return }
    makeUnique()
    withExtendedLifetime((self, other)) {
      unroll_add_scaled(Scalar.kernelType, base, other.base, Double(factor), count)
    }
  }

  /// Sets every element to a value.
  ///
  /// - Complexity: O(count); no allocation unless the memory is shared.
  public mutating func fill(_ value: Scalar) {
    prepare(like: shape)
    base.fill(value, count: count)
  }

  /// Clips every element to ±limit, which must be at least 0.
  public mutating func clip(to limit: Scalar) {
    require(limit >= 0, "Tensor.clip: expected a limit of at least 0, got \(limit).")
    guard !isEmpty else { return }
    makeUnique()
    unroll_clip(Scalar.kernelType, base, Double(limit), count)
  }
}
