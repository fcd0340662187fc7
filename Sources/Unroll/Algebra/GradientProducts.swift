// The products that gather a parameter's gradient over a whole sequence: aᵀ·b, with as many rows
// as there are (time step, sequence) pairs. This is the one seam to the product library.

/// Multiply-adds from which the library's product beats the plain kernel.
private let libraryThreshold = 1 << 16

extension Tensor {
  /// Adds aᵀ·b to a matrix, where a has shape `[m, k]` and b `[m, n]`.
  ///
  /// Large float32 products go to oneDNN, in one thread; all others to the plain kernel, which
  /// sums over m in order. Which one is taken depends on the sizes alone.
  static func addTransposedProduct(
    to out: UnsafeMutablePointer<Scalar>, ldout: Int,
    _ a: UnsafePointer<Scalar>, lda: Int, _ b: UnsafePointer<Scalar>, ldb: Int,
    m: Int, k: Int, n: Int
  ) {
    guard m > 0, k > 0, n > 0 else { return }
    if m * k * n >= libraryThreshold,
      Scalar._libraryProductTransposed(out, ldout, a, lda, b, ldb, m, k, n)
    {
      return
    }
    Scalar._productTransposed(out, ldout, a, lda, b, ldb, m, k, n)
  }
}
