// Element-wise operations, sums, norms and products. Mismatched shapes violate the caller's contract and stop the
// program. There is no broadcasting.

internal import CUnrollKernels
internal import UnrollContracts

extension Tensor {
  /// Returns a tensor of the same shape with `transform` applied to each element.
  public func map(_ transform: (Scalar) throws -> Scalar) rethrows -> Tensor {
    let result = Tensor(uninitialized: shape)
    for index in 0..<count {
      result.storage.base[index] = try transform(storage.base[index])
    }
    return result
  }

  private func zip(
    _ other: Tensor, _ operation: StaticString, _ combine: (Scalar, Scalar) -> Scalar
  ) -> Tensor {
    require(
      shape == other.shape, "Tensor.\(operation): expected shape \(shape), got \(other.shape).")
    let result = Tensor(uninitialized: shape)
    for index in 0..<count {
      result.storage.base[index] = combine(storage.base[index], other.storage.base[index])
    }
    return result
  }

  /// Returns the element-wise sum.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public static func + (left: Tensor, right: Tensor) -> Tensor { left.zip(right, "+", +) }

  /// Returns the element-wise difference.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public static func - (left: Tensor, right: Tensor) -> Tensor { left.zip(right, "-", -) }

  /// Returns the element-wise product.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public static func * (left: Tensor, right: Tensor) -> Tensor { left.zip(right, "*", *) }

  /// Returns every element times a number.
  public static func * (left: Tensor, right: Scalar) -> Tensor { left.map { $0 * right } }

  /// Returns a number times every element.
  public static func * (left: Scalar, right: Tensor) -> Tensor { right.map { left * $0 } }

  /// Returns a number minus every element.
  public static func - (left: Scalar, right: Tensor) -> Tensor { right.map { left - $0 } }

  /// Returns every element plus a number.
  public static func + (left: Tensor, right: Scalar) -> Tensor { left.map { $0 + right } }

  /// Returns every element minus a number.
  public static func - (left: Tensor, right: Scalar) -> Tensor { left.map { $0 - right } }

  /// Adds another tensor of the same shape.
  ///
  /// No allocation unless the elements are shared.
  public static func += (left: inout Tensor, right: Tensor) {
    require(
      left.shape == right.shape, "Tensor.+=: expected shape \(left.shape), got \(right.shape).")
    let count = left.count
    left.withUnsafeMutableElements { sum in
      right.withUnsafeElements { unroll_add_scaled(Scalar.kernelType, sum, $0, 1, count) }
    }
  }

  /// Returns this matrix with a vector added to each row.
  ///
  /// - Parameter row: Shape `[n]`.
  /// - Returns: A tensor of shape `[m, n]`.
  /// - Precondition: This tensor has the shape `[m, n]`.
  public func adding(toEachRow row: Tensor) -> Tensor {
    require(
      rank == 2 && row.shape == [shape[1]],
      "Tensor.adding(toEachRow:): expected [m, n] and [n], got \(shape) and \(row.shape).")
    var result = Tensor(uninitialized: shape)
    let (m, n) = (shape[0], shape[1])
    result.withUnsafeMutableElements { rows in
      row.withUnsafeElements { unroll_fill_rows(Scalar.kernelType, rows, $0, m, n) }
    }
    result += self
    return result
  }

  /// The sum of all elements, in order; 0 if empty.
  public var sum: Scalar { fold(0, +) }

  /// The mean of all elements; NaN if empty.
  public var mean: Scalar { sum / Scalar(count) }

  /// The largest magnitude of an element; 0 if empty, NaN if any element is NaN.
  public var maximumMagnitude: Scalar {
    fold(0) { $1.isNaN || $0.isNaN ? .nan : Swift.max($0, abs($1)) }
  }

  /// The Euclidean norm of all elements.
  public var norm: Scalar { fold(0) { $0 + $1 * $1 }.squareRoot() }

  /// The Euclidean norm of each row: shape `[R]` for a tensor of shape `[R, …]`.
  ///
  /// Squares are rescaled where they would underflow or overflow, so the result is correct for all finite elements.
  public var rowNorms: Tensor { normsOfRows() }

  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  private func normsOfRows() -> Tensor {
    require(rank > 0, "Tensor.rowNorms: expected at least one axis, got none.")
    let width = rowSize
    let result = Tensor(uninitialized: [shape[0]])
    for row in 0..<shape[0] {
      let elements = UnsafeBufferPointer(start: storage.base + row * width, count: width)
      var sum = 0.0
      for element in elements { sum += Double(element) * Double(element) }
      var norm = sum.squareRoot()
      // Only float64 needs this: squares of float32 are representable.
      if sum < 1e-280 || sum == .infinity {
        let largest = elements.reduce(0) { max($0, Double($1.magnitude)) }
        if largest > 0 && largest < .infinity {
          let scaled = elements.reduce(0) { $0 + (Double($1) / largest) * (Double($1) / largest) }
          norm = largest * scaled.squareRoot()
        }
      }
      result.storage.base[row] = Scalar(norm)
    }
    return result
  }

  /// The sum over the first axis, in order: shape `[…]` for a tensor of shape `[R, …]`.
  public var columnSums: Tensor {
    require(rank > 0, "Tensor.columnSums: expected at least one axis, got none.")
    var result = Tensor(shape: Array(shape.dropFirst()))
    let (rows, width) = (shape[0], rowSize)
    result.withUnsafeMutableElements { sums in
      withUnsafeElements { unroll_column_sums(Scalar.kernelType, sums, $0, rows, width) }
    }
    return result
  }

  private func fold<Result>(_ initial: Result, _ next: (Result, Scalar) -> Result) -> Result {
    var result = initial
    for index in 0..<count { result = next(result, storage.base[index]) }
    return result
  }
}

extension Tensor {
  /// Returns the matrix product of `[m, k]` and `[k, n]`: shape `[m, n]`.
  ///
  /// Each row is summed over k in order, so its bits do not depend on the other rows.
  ///
  /// - Complexity: 2·m·k·n flops; one allocation.
  public func matrixProduct(_ other: Tensor) -> Tensor {
    require(
      rank == 2 && other.rank == 2 && shape[1] == other.shape[0],
      "Tensor.matrixProduct: expected [m, k] and [k, n], got \(shape) and \(other.shape).")
    var result = Tensor(shape: [shape[0], other.shape[1]])
    let (m, k, n) = (shape[0], shape[1], other.shape[1])
    result.withUnsafeMutableElements { out in
      withUnsafeElements { a in
        other.withUnsafeElements { b in unroll_product(Scalar.kernelType, out, a, b, m, k, n) }
      }
    }
    return result
  }

  /// The transpose of a matrix: shape `[n, m]` for `[m, n]`.
  public var transposed: Tensor {
    require(rank == 2, "Tensor.transposed: expected two axes, got shape \(shape).")
    var result = Tensor(uninitialized: [shape[1], shape[0]])
    let (m, n) = (shape[0], shape[1])
    result.withUnsafeMutableElements { out in
      withUnsafeElements { unroll_transpose(Scalar.kernelType, out, $0, m, n) }
    }
    return result
  }

  /// The tensor with its first two axes exchanged: `[T, B, …]` becomes `[B, T, …]`.
  public var exchangingFirstAxes: Tensor {
    require(rank >= 2, "Tensor.exchangingFirstAxes: expected two axes or more, got \(shape).")
    let (outer, inner) = (shape[0], shape[1])
    let width = shape.dropFirst(2).reduce(1, *)
    let result = Tensor(uninitialized: [inner, outer] + shape.dropFirst(2))
    for i in 0..<outer {
      for j in 0..<inner {
        (result.storage.base + (j * outer + i) * width).initialize(
          from: storage.base + (i * inner + j) * width, count: width)
      }
    }
    return result
  }

  /// Returns the concatenation of tensors along the last axis.
  ///
  /// - Precondition: There is at least one tensor, with at least one axis, and the other axes agree.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public static func concatenatingLastAxis(_ parts: [Tensor]) -> Tensor {
    require(
      !parts.isEmpty
        && parts.allSatisfy { $0.rank > 0 && $0.shape.dropLast() == parts[0].shape.dropLast() },
      "Tensor.concatenatingLastAxis: expected equal leading axes, got \(parts.map(\.shape)).")
    let widths = parts.map { $0.shape[$0.rank - 1] }
    let total = widths.reduce(0, +)
    let rows = parts[0].shape.dropLast().reduce(1, *)
    let result = Tensor(uninitialized: parts[0].shape.dropLast() + [total])
    var start = 0
    for (part, width) in Swift.zip(parts, widths) {
      for row in 0..<rows {
        (result.storage.base + row * total + start).initialize(
          from: part.storage.base + row * width, count: width)
      }
      start += width
    }
    return result
  }
}
