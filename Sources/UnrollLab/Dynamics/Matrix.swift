// Matrices in Double for the analysis of dynamics; what is not a loop of our own is LAPACK's.

package import ComplexModule
internal import RealModule
package import Unroll
internal import UnrollContracts

/// A matrix, row by row.
package struct Matrix: Sendable, Equatable {
  package let rows, columns: Int
  package var elements: [Double]

  package init(rows: Int, columns: Int, elements: [Double]) {
    require(
      elements.count == rows * columns,
      "Matrix.init: expected \(rows * columns) elements, got \(elements.count).")
    (self.rows, self.columns, self.elements) = (rows, columns, elements)
  }

  /// The first rows of the identity.
  package init(identity rows: Int, columns: Int? = nil) {
    let columns = columns ?? rows
    self.init(
      rows: rows, columns: columns, elements: [Double](repeating: 0, count: rows * columns))
    for index in 0..<min(rows, columns) { self[index, index] = 1 }
  }

  /// A tensor of two axes.
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

  /// The elements column by column, as LAPACK takes them.
  private var columnMajor: [Double] { transposed.elements }

  package var isFinite: Bool { elements.allSatisfy(\.isFinite) }

  /// The eigenvalues of a square matrix, the largest in magnitude first; empty if LAPACK finds none.
  package var eigenvalues: [Complex<Double>] {
    guard rows > 0, isFinite else { return [] }
    guard let (real, imaginary) = LAPACK.shared.eigenvalues(ofColumns: columnMajor, size: rows)
    else { return [] }
    return zip(real, imaginary).map { Complex($0, $1) }.sorted { $0.length > $1.length }
  }

  /// The magnitude of the largest eigenvalue; NaN if LAPACK finds none.
  package var spectralRadius: Double { eigenvalues.first?.length ?? .nan }

  /// The singular values, the largest first; empty if LAPACK finds none.
  ///
  /// By Jacobi's method: small ones of a graded matrix have as many right digits as large ones.
  package var singularValues: [Double] {
    guard rows > 0, columns > 0, isFinite else { return [] }
    guard rows >= columns else { return transposed.singularValues }
    return LAPACK.shared.singularValues(ofColumns: columnMajor, rows: rows, columns: columns) ?? []
  }

  /// Q with orthonormal columns, and R above its diagonal, of a matrix with no more columns than
  /// rows; nil for numbers that are not finite.
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

  /// Makes zero what R has of columns that are sums of those before them, but for rounding.
  ///
  /// A lost column's direction is anything; what later columns have along it is rounding, too, if nothing
  /// else is left of them.
  package func clearLostDirections(_ r: inout Matrix) {
    var lost: [Int] = []
    for column in 0..<columns {
      let left = (lost + [column]).reduce(0) { $0 + r[$1, column] * r[$1, column] }.squareRoot()
      guard left <= resolution(of: column) else { continue }
      for index in lost + [column] { r[index, column] = 0 }
      lost.append(column)
    }
  }

  /// What rounding may leave of a column.
  private func resolution(of column: Int) -> Double {
    let norm = (0..<rows).reduce(0) { $0 + self[$1, column] * self[$1, column] }.squareRoot()
    return Double(rows) * .ulpOfOne * norm
  }

  /// Whether a column is a sum of those before it, but for rounding; R is that of `orthonormalized`.
  package func isDependent(_ column: Int, _ r: Matrix) -> Bool {
    r[column, column].magnitude <= resolution(of: column)
  }

  /// x of A·x = b; nil for a singular A, and for numbers that are not finite.
  package func solving(_ b: [Double]) -> [Double]? {
    guard isFinite, b.allSatisfy(\.isFinite) else { return nil }
    guard let x = LAPACK.shared.solution(ofColumns: columnMajor, b) else { return nil }
    return x.allSatisfy(\.isFinite) ? x : nil
  }
}
