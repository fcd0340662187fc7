// Initial weights. Fans are the sizes of a matrix, stored input index first: `fanIn` rows, `fanOut` columns.

internal import RealModule
internal import UnrollContracts

/// A distribution of initial weights.
public enum Initializer<Scalar: KernelScalar>: Sendable, Equatable {
  /// All elements equal.
  case constant(Scalar)
  /// Uniform in −limit ... limit.
  case uniform(limit: Scalar)
  /// Normal with mean 0.
  case normal(deviation: Scalar)
  /// Uniform with variance 2 / (fanIn + fanOut). Source: Glorot and Bengio 2010.
  case glorotUniform
  /// Normal with variance 2 / (fanIn + fanOut). Source: Glorot and Bengio 2010.
  case glorotNormal
  /// Uniform with variance 2 / fanIn. Source: He et al. 2015.
  case heUniform
  /// Normal with variance 2 / fanIn. Source: He et al. 2015.
  case heNormal
  /// A random matrix with orthonormal rows or columns, times a gain; uniformly distributed (Saxe et al. 2014).
  case orthogonal(gain: Scalar)
  /// The identity times a factor. Source: Le, Jaitly and Hinton 2015.
  case identity(scale: Scalar)

  /// Returns an initialised matrix of shape `[rows, columns]`.
  ///
  /// - Parameters:
  ///   - rows: fanIn, at least 0.
  ///   - columns: fanOut, at least 0.
  ///   - random: The source of randomness; not used by `constant` and `identity`.
  /// - Returns: The initial weights.
  /// - Complexity: O(rows·columns), for `orthogonal` times the smaller of both.
  public func matrix(
    rows: Int, columns: Int, using random: inout some RandomStream
  ) -> Tensor<Scalar> {
    let shape = [rows, columns]
    let size = Tensor<Scalar>.count(of: shape, "Initializer.matrix")
    let fans = Scalar(max(1, rows + columns))
    let fanIn = Scalar(max(1, rows))
    func uniform(_ limit: Scalar) -> Tensor<Scalar> {
      Tensor(shape: shape, elements: random.uniform(count: size, from: -limit, to: limit))
    }
    func normal(_ deviation: Scalar) -> Tensor<Scalar> {
      Tensor(shape: shape, elements: random.normal(count: size, of: Scalar.self))
        * deviation
    }
    switch self {
    case .constant(let value): return Tensor(shape: shape, repeating: value)
    case .uniform(let limit): return uniform(limit)
    case .normal(let deviation): return normal(deviation)
    case .glorotUniform: return uniform((6 / fans).squareRoot())
    case .glorotNormal: return normal((2 / fans).squareRoot())
    case .heUniform: return uniform((6 / fanIn).squareRoot())
    case .heNormal: return normal((2 / fanIn).squareRoot())
    case .orthogonal(let gain):
      return orthonormal(rows, columns, random.normal(count: size, of: Double.self), gain)
    case .identity(let scale):
      var result = Tensor<Scalar>(shape: shape)
      for index in 0..<min(rows, columns) { result[index, index] = scale }
      return result
    }
  }

  /// Orthonormalises vectors along the longer axis with two passes of Gram–Schmidt, to rounding precision.
  ///
  /// The diagonal of the triangular factor is positive, which makes the distribution uniform.
  private func orthonormal(
    _ rows: Int, _ columns: Int, _ normals: [Double], _ gain: Scalar
  ) -> Tensor<Scalar> {
    let (count, length) = (min(rows, columns), max(rows, columns))
    require(
      normals.count == rows * columns,
      "Initializer.matrix: expected \(rows * columns) numbers from the random stream, got \(normals.count)."
    )
    var vectors: [[Double]] = []
    for index in 0..<count {
      var vector = Array(normals[index * length..<(index + 1) * length])
      for _ in 0..<2 {
        for other in vectors {
          let projection = zip(vector, other).reduce(0) { $0 + $1.0 * $1.1 }
          for k in 0..<length { vector[k] -= projection * other[k] }
        }
      }
      let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      vectors.append(vector.map { $0 / norm })
    }
    var result = Tensor<Scalar>(shape: [rows, columns])
    for row in 0..<rows {
      for column in 0..<columns {
        let value = rows <= columns ? vectors[row][column] : vectors[column][row]
        result[row, column] = Scalar(value) * gain
      }
    }
    return result
  }
}

/// Returns gate biases whose time constants cover a range up to a maximum.
///
/// A gate with the constant value σ(b) forgets its state with half-life ln 2 / −ln σ(b). Chrono initialisation draws
/// b = ln u, u uniform in 1 ... maximumTime − 1.
///
/// Source: Tallec and Ollivier 2018, [arXiv:1804.11188](https://arxiv.org/abs/1804.11188).
public func chronoBiases<Scalar: KernelScalar>(
  count: Int, maximumTime: Scalar, using random: inout some RandomStream
) -> [Scalar] {
  require(
    maximumTime > 2, "chronoBiases: expected a maximum time above 2, got \(maximumTime).")
  return random.uniform(count: count, from: 1, to: maximumTime - 1).map { Scalar.log($0) }
}
