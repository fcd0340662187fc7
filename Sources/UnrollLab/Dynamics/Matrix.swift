// Matrices in Double for the analysis of dynamics, with LAPACK for factorizations.

package import ComplexModule
internal import RealModule
package import Unroll
internal import UnrollContracts

/// A row-major matrix.
package struct Matrix: Sendable, Equatable {
  package let rows, columns: Int
  package var elements: [Double]

  package init(rows: Int, columns: Int, elements: [Double]) {
    require(
      elements.count == rows * columns,
      "Matrix.init: expected \(rows * columns) elements, got \(elements.count).")
    (self.rows, self.columns, self.elements) = (rows, columns, elements)
  }

  /// Creates the first rows of the identity.
  package init(identity rows: Int, columns: Int? = nil) {
    let columns = columns ?? rows
    self.init(
      rows: rows, columns: columns, elements: [Double](repeating: 0, count: rows * columns))
    for index in 0..<min(rows, columns) { self[index, index] = 1 }
  }

  /// Creates a matrix from a tensor of two axes.
  package init<Scalar: KernelScalar>(_ tensor: Tensor<Scalar>) {
    self.init(
      rows: tensor.shape[0], columns: tensor.shape[1], elements: tensor.elements.map { Double($0) })
  }

  package subscript(row: Int, column: Int) -> Double {
    get { elements[row * columns + column] }
    set { elements[row * columns + column] = newValue }
  }

  package static func * (left: Matrix, right: Matrix) -> Matrix {
    require(left.columns == right.rows, "Matrix.*: the sizes do not agree.")
    var result = Matrix(
      rows: left.rows, columns: right.columns,
      elements: [Double](repeating: 0, count: left.rows * right.columns))
    left.elements.withUnsafeBufferPointer { a in
      right.elements.withUnsafeBufferPointer { b in
        result.elements.withUnsafeMutableBufferPointer { out in
          for i in 0..<left.rows {
            for k in 0..<left.columns {
              let factor = a[i * left.columns + k]
              for j in 0..<right.columns {
                out[i * right.columns + j] += factor * b[k * right.columns + j]
              }
            }
          }
        }
      }
    }
    return result
  }

  package var transposed: Matrix {
    var result = Matrix(rows: columns, columns: rows, elements: elements)
    for i in 0..<rows { for j in 0..<columns { result[j, i] = self[i, j] } }
    return result
  }

  /// The elements in column-major order, for LAPACK.
  private var columnMajor: [Double] { transposed.elements }

  package var isFinite: Bool { elements.allSatisfy(\.isFinite) }

  /// The eigenvalues of a square matrix in descending order of magnitude; empty if LAPACK fails.
  package var eigenvalues: [Complex<Double>] {
    guard rows > 0, isFinite else { return [] }
    guard let (real, imaginary) = LAPACK.shared.eigenvalues(ofColumns: columnMajor, size: rows)
    else { return [] }
    return zip(real, imaginary).map { Complex($0, $1) }.sorted { $0.length > $1.length }
  }

  /// The magnitude of the largest eigenvalue; NaN if LAPACK fails.
  package var spectralRadius: Double { eigenvalues.first?.length ?? .nan }

  /// The singular values in descending order; empty if LAPACK fails.
  ///
  /// Computed by Jacobi's method, which gives small values of a graded matrix the same relative accuracy as large ones.
  package var singularValues: [Double] {
    guard rows > 0, columns > 0, isFinite else { return [] }
    guard rows >= columns else { return transposed.singularValues }
    return LAPACK.shared.singularValues(ofColumns: columnMajor, rows: rows, columns: columns) ?? []
  }

  /// Q with orthonormal columns, and R above its diagonal, of a matrix with at most as many columns as rows; nil if a
  /// number is not finite.
  package var orthonormalized: (q: Matrix, r: Matrix)? {
    guard isFinite, rows >= columns else { return nil }
    guard
      let (q, factors) = LAPACK.shared.orthonormalized(
        columns: columnMajor, rows: rows, columns: columns)
    else { return nil }
    var r = Matrix(
      rows: columns, columns: columns, elements: [Double](repeating: 0, count: columns * columns))
    for i in 0..<columns { for j in i..<columns { r[i, j] = factors[j * rows + i] } }
    return (Matrix(rows: columns, columns: rows, elements: q).transposed, r)
  }

  /// Sets to zero the rows of R for columns that are linear combinations of earlier ones, up to rounding.
  ///
  /// The direction of a dependent column is arbitrary. The components of later columns along it are also rounding
  /// errors if nothing else remains of these columns.
  package func clearLostDirections(_ r: inout Matrix) {
    var lost: [Int] = []
    for column in 0..<columns {
      let left = (lost + [column]).reduce(0) { $0 + r[$1, column] * r[$1, column] }.squareRoot()
      guard left <= resolution(of: column) else { continue }
      for index in lost + [column] { r[index, column] = 0 }
      lost.append(column)
    }
  }

  /// Returns the rounding error of a column.
  private func resolution(of column: Int) -> Double {
    let norm = (0..<rows).reduce(0) { $0 + self[$1, column] * self[$1, column] }.squareRoot()
    return Double(rows) * .ulpOfOne * norm
  }

  /// Returns whether a column is a linear combination of earlier ones, up to rounding; `r` is that of
  /// `orthonormalized`.
  package func isDependent(_ column: Int, _ r: Matrix) -> Bool {
    r[column, column].magnitude <= resolution(of: column)
  }

  /// Returns the solution x of A·x = b; nil if A is singular or a number is not finite.
  package func solving(_ b: [Double]) -> [Double]? {
    solving(Matrix(rows: b.count, columns: 1, elements: b))?.elements
  }

  /// X of A·X = B; nil for a singular A, and for numbers that are not finite.
  package func solving(_ b: Matrix) -> Matrix? {
    guard isFinite, b.isFinite else { return nil }
    guard
      let x = LAPACK.shared.solution(
        ofColumns: columnMajor, size: rows, b.columnMajor, count: b.columns)
    else { return nil }
    let result = Matrix(rows: b.columns, columns: rows, elements: x).transposed
    return result.isFinite ? result : nil
  }
}
