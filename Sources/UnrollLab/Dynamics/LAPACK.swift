// LAPACK's routines through their Fortran interface, from the system's library, loaded on first use. Matrices are
// column-major. Every argument is a pointer; string lengths are appended as Fortran compilers do, and ignored by
// libraries written in C.

internal import UnrollContracts
internal import UnrollLibraries

/// The LAPACK routines used by the analysis of dynamics.
package struct LAPACK: Sendable {
  private typealias Letter = UnsafePointer<CChar>
  private typealias Size = UnsafePointer<Int32>
  private typealias Numbers = UnsafeMutablePointer<Double>
  private typealias Integers = UnsafeMutablePointer<Int32>

  /// Eigenvalues of a general matrix.
  private let dgeev:
    @convention(c) (
      Letter, Letter, Size, Numbers, Size, Numbers, Numbers, Numbers, Size, Numbers, Size, Numbers,
      Size, Integers, Int, Int
    ) -> Void
  /// Singular values by Jacobi's method.
  private let dgesvj:
    @convention(c) (
      Letter, Letter, Letter, Size, Size, Numbers, Size, Numbers, Size, Numbers, Size, Numbers,
      Size, Integers, Int, Int, Int
    ) -> Void
  /// The QR factorization, with Q as reflections.
  private let dgeqrf:
    @convention(c) (Size, Size, Numbers, Size, Numbers, Numbers, Size, Integers) -> Void
  /// The matrix Q from its reflections.
  private let dorgqr:
    @convention(c) (Size, Size, Size, Numbers, Size, Numbers, Numbers, Size, Integers) -> Void
  /// Solves linear equations.
  private let dgesv:
    @convention(c) (Size, Size, Numbers, Size, Integers, Numbers, Size, Integers) -> Void
  private let ilaver: @convention(c) (Integers, Integers, Integers) -> Void
  private let file: String

  private static let loaded = Result { () throws(SystemLibraryError) in try LAPACK() }

  private init() throws(SystemLibraryError) {
    let library = try SystemLibrary(.lapack)
    file = library.file
    dgeev = try library.function("dgeev_")
    dgesvj = try library.function("dgesvj_")
    dgeqrf = try library.function("dgeqrf_")
    dorgqr = try library.function("dorgqr_")
    dgesv = try library.function("dgesv_")
    ilaver = try library.function("ilaver_")
  }

  /// Checks that LAPACK is available.
  ///
  /// - Parameter field: The setting that needs it.
  /// - Throws: `LabError` with instructions for installing it.
  static func check(field: String) throws(LabError) {
    do { _ = try loaded.get() } catch { throw LabError(.system(error.description), field: field) }
  }

  /// The version and file for display, or the reason why it is not available.
  package static var summary: String {
    switch loaded {
    case .success(let library): "\(library.version) (\(library.file))"
    case .failure(let error): "not found: \(error)"
    }
  }

  /// The library; callers must have checked that it is available.
  static var shared: LAPACK {
    switch loaded {
    case .success(let library): return library
    case .failure(let error): contractViolation("LAPACK.shared: \(error).")
    }
  }

  private var version: String {
    var (major, minor, patch) = (Int32(0), Int32(0), Int32(0))
    ilaver(&major, &minor, &patch)
    return "\(major).\(minor).\(patch)"
  }

  // MARK: Routines

  private static let general = [CChar(UInt8(ascii: "G"))]
  private static let none = [CChar(UInt8(ascii: "N"))]

  /// Calls a routine twice: first to query the optimal scratch size, then to compute.
  ///
  /// - Returns: Whether the routine succeeded.
  private static func withScratch(
    _ call: (_ scratch: Numbers, _ size: Size, _ status: Integers) -> Void
  ) -> Bool {
    var (best, status) = (0.0, Int32(0))
    call(&best, [-1], &status)
    guard status == 0 else { return false }
    var scratch = [Double](repeating: 0, count: max(1, Int(best)))
    call(&scratch, [Int32(scratch.count)], &status)
    return status == 0
  }

  /// Returns the real and imaginary parts of a square matrix's eigenvalues; nil if they do not converge.
  func eigenvalues(
    ofColumns elements: [Double], size: Int
  ) -> (real: [Double], imaginary: [Double])? {
    let n = [Int32(size)]
    var (copy, unused) = (elements, 0.0)
    var real = [Double](repeating: 0, count: size)
    var imaginary = real
    let isFound = Self.withScratch { scratch, count, status in
      withUnsafeMutablePointer(to: &unused) { unused in
        dgeev(
          Self.none, Self.none, n, &copy, n, &real, &imaginary, unused, [1], unused, [1], scratch,
          count, status, 1, 1)
      }
    }
    return isFound ? (real, imaginary) : nil
  }

  /// Returns the singular values, in descending order, of a matrix with at least as many rows as columns; nil if
  /// they do not converge.
  func singularValues(ofColumns elements: [Double], rows: Int, columns: Int) -> [Double]? {
    var (copy, unused, status) = (elements, 0.0, Int32(0))
    var values = [Double](repeating: 0, count: columns)
    var scratch = [Double](repeating: 0, count: max(6, rows + columns))
    let (m, n, count) = ([Int32(rows)], [Int32(columns)], [Int32(scratch.count)])
    dgesvj(
      Self.general, Self.none, Self.none, m, n, &copy, m, &values, [0], &unused, n, &scratch, count,
      &status, 1, 1, 1)
    // The first element of the scratch is the factor that the values were divided by to prevent overflow.
    return status == 0 ? values.map { $0 * scratch[0] } : nil
  }

  /// Returns Q, and R above the diagonal of a second array, of a matrix with at most as many columns as rows.
  func orthonormalized(
    columns elements: [Double], rows: Int, columns: Int
  ) -> (q: [Double], r: [Double])? {
    var copy = elements
    var factors = [Double](repeating: 0, count: columns)
    let (m, n) = ([Int32(rows)], [Int32(columns)])
    guard
      Self.withScratch({ scratch, count, status in
        dgeqrf(m, n, &copy, m, &factors, scratch, count, status)
      })
    else { return nil }
    let r = copy
    let isFound = Self.withScratch { scratch, count, status in
      dorgqr(m, n, n, &copy, m, &factors, scratch, count, status)
    }
    return isFound ? (copy, r) : nil
  }

  /// Returns the solution X of A·X = B, column by column; nil for a singular A.
  func solution(
    ofColumns elements: [Double], size: Int, _ b: [Double], count: Int
  ) -> [Double]? {
    var (copy, x, status) = (elements, b, Int32(0))
    let n = [Int32(size)]
    var pivots = [Int32](repeating: 0, count: size)
    dgesv(n, [Int32(count)], &copy, n, &pivots, &x, n, &status)
    return status == 0 ? x : nil
  }
}
