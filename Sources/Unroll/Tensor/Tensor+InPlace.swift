// Changes of a tensor's own memory, for code that does the same work again and again.

internal import CUnrollKernels
internal import UnrollContracts

extension Tensor {
  /// Takes over the numbers and the shape of another tensor, in memory of its own.
  ///
  /// - Complexity: O(count); allocates nothing if shapes agree and the memory is not shared.
  public mutating func become(_ other: Tensor) {
    prepare(like: other.shape)
    withExtendedLifetime((self, other)) { base.update(from: other.base, count: other.count) }
  }

  /// Takes over some rows of a tensor with two axes.
  ///
  /// - Precondition: The rows are there.
  /// - Complexity: O(count); allocates nothing if the memory is large enough and not shared.
  package mutating func become(rows: Range<Int>, of other: Tensor) {
    require(
      other.rank == 2 && rows.lowerBound >= 0 && rows.upperBound <= other.shape[0],
      "Tensor.become: expected rows of shape \(other.shape), got \(rows).")
    let columns = other.shape[1]
    prepare(rows.count, columns)
    withExtendedLifetime((self, other)) {
      base.update(from: other.base + rows.lowerBound * columns, count: count)
    }
  }

  /// Puts its rows in the place of some rows of another tensor.
  ///
  /// - Precondition: The rows are there, and as many.
  package func put(into other: inout Tensor, rows: Range<Int>) {
    require(
      rank == 2 && other.rank == 2 && shape == [rows.count, other.shape[1]]
        && rows.lowerBound >= 0 && rows.upperBound <= other.shape[0],
      "Tensor.put: expected \(rows.count) rows of shape \(other.shape), got shape \(shape).")
    other.makeUnique()
    withExtendedLifetime((self, other)) {
      (other.base + rows.lowerBound * shape[1]).update(from: base, count: count)
    }
  }

  /// Takes over the columns in a range of the last of three axes.
  ///
  /// - Complexity: O(count); allocates nothing if the memory is large enough and not shared.
  mutating func become(columns: Range<Int>, of other: Tensor) {
    require(
      other.rank == 3 && columns.lowerBound >= 0 && columns.upperBound <= other.shape[2],
      "Tensor.become: expected columns of shape \(other.shape), got \(columns).")
    prepare(other.shape[0], other.shape[1], columns.count)
    let (width, rows) = (other.shape[2], shape[0] * shape[1])
    withExtendedLifetime((self, other)) {
      for row in 0..<rows {
        (base + row * columns.count).update(
          from: other.base + row * width + columns.lowerBound, count: columns.count)
      }
    }
  }

  /// Takes over two tensors with three axes, side by side along the last.
  ///
  /// - Precondition: The tensors agree in the first two axes.
  /// - Complexity: O(count); allocates nothing if the memory is large enough and not shared.
  mutating func become(_ left: Tensor, beside right: Tensor) {
    require(
      left.rank == 3 && right.rank == 3 && left.shape[0] == right.shape[0]
        && left.shape[1] == right.shape[1],
      "Tensor.become: expected tensors with the same first two axes, got \(left.shape) and \(right.shape)."
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
  ///   - other: What is added, of the same shape.
  ///   - factor: What it is multiplied by first.
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

  /// Makes every number the same.
  ///
  /// - Complexity: O(count); no allocation unless the memory is shared.
  public mutating func fill(_ value: Scalar) {
    prepare(like: shape)
    base.fill(value, count: count)
  }

  /// Limits every number to ± limit, which is at least 0.
  public mutating func clip(to limit: Scalar) {
    require(limit >= 0, "Tensor.clip: expected a limit of at least 0, got \(limit).")
    guard !isEmpty else { return }
    makeUnique()
    unroll_clip(Scalar.kernelType, base, Double(limit), count)
  }
}
