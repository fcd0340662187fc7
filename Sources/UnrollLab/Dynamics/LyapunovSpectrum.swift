// Lyapunov exponents by the QR method: the rate at which small differences grow or shrink along an orbit, in nats
// per step. Rows are multiplied by the steps' Jacobians and reorthonormalised after each step; the exponents are the
// means of the logarithms of the diagonal of R.
//
// Source: Benettin, Galgani, Giorgilli, Strelcyn (1980); Eckmann, Ruelle (1985). The rows are pulled back
// (vᵀ·J, from the last step to the first), as in a backward pass. A product and its transpose have the same singular
// values, so the exponents are the same.

internal import RealModule

/// The Lyapunov exponents of a product of Jacobians.
package struct LyapunovSpectrum {
  /// The exponents in nats per step, in descending order.
  package let exponents: [Double]

  /// Pulls rows back through all steps; nil if a number is not finite.
  ///
  /// - Parameters:
  ///   - steps: The number of steps.
  ///   - size: S, the size of a state.
  ///   - count: The number of exponents to compute, the largest ones; at most S.
  ///   - transient: The number of initial steps of the backward pass that align the rows and are not counted.
  ///   - pullBack: Returns vᵀ·J of a step for rows v, `[count, S]`.
  package init?(
    steps: Int, size: Int, count: Int, transient: Int = 0,
    pullBack: (_ step: Int, _ rows: Matrix) -> Matrix
  ) {
    var rows = Matrix(identity: count, columns: size)
    var sums = [Double](repeating: 0, count: count)
    for (position, step) in (0..<steps).reversed().enumerated() {
      let pulled = pullBack(step, rows).transposed
      guard let (q, r) = pulled.orthonormalized else { return nil }
      rows = q.transposed
      guard position >= transient else { continue }
      for index in 0..<count {
        sums[index] +=
          pulled.isDependent(index, r) ? -.infinity : Double.log(r[index, index].magnitude)
      }
    }
    let counted = Double(max(1, steps - transient))
    exponents = sums.map { $0 / counted }.sorted(by: >)
  }
}

/// The singular values of the products J_t···J_1 for all t.
package enum JacobianProduct {
  /// Returns the singular values of the products of 1, 2, … matrices, each list in descending order.
  ///
  /// The product is stored as Q·R, so that values far below the largest are accurate. A value is 0 if it is below
  /// 10⁻³⁰⁸ of the largest, or if one step reduces a direction to rounding error. The list ends early if LAPACK fails
  /// or numbers are not finite.
  package static func singularValues(_ jacobians: [Matrix]) -> [[Double]] {
    guard let size = jacobians.first?.rows else { return [] }
    var (q, product, logScale) = (Matrix(identity: size), Matrix(identity: size), 0.0)
    var result: [[Double]] = []
    for jacobian in jacobians {
      let stretched = jacobian * q
      guard var next = stretched.orthonormalized else { break }
      stretched.clearLostDirections(&next.r)
      q = next.q
      product = next.r * product
      let largest = product.elements.reduce(0) { max($0, $1.magnitude) }
      if largest > 0 {
        for index in product.elements.indices { product.elements[index] /= largest }
        logScale += Double.log(largest)
      }
      // The rows of R are graded, and so are the columns of its transpose, for which Jacobi's method is accurate.
      let values = product.transposed.singularValues
      guard values.count == size else { break }
      result.append(values.map { Double.exp(Double.log($0) + logScale) })
    }
    return result
  }
}
