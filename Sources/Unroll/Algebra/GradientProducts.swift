// The products that gather a parameter's gradient over a whole sequence: aᵀ·b, with as many rows
// as there are (time step, sequence) pairs.

internal import CUnrollKernels

extension Tensor {
  /// Adds aᵀ·b to a matrix, where a has shape `[m, k]` and b `[m, n]`; summed over m in order.
  static func addTransposedProduct(
    to out: UnsafeMutablePointer<Scalar>, ldout: Int,
    _ a: UnsafePointer<Scalar>, lda: Int, _ b: UnsafePointer<Scalar>, ldb: Int,
    m: Int, k: Int, n: Int
  ) {
    guard m > 0, k > 0, n > 0 else { return }
    guard KernelLevel.current != .plain else {
      Scalar._productTransposed(out, ldout, a, lda, b, ldb, m, k, n)
      return
    }
    Threads.holdingCount {
      let scratch = TensorStorage<Scalar>(
        count: unroll_transposed_sum_scratch_count(m, k, Scalar._isDouble))
      withExtendedLifetime(scratch) {
        Scalar._transposedSum(out, ldout, a, lda, b, ldb, m, k, n, scratch.base)
      }
    }
  }
}
