// Conversion of one cell's arrays between the layouts of another program and Unroll.

public import Unroll

/// The meaning of a set of arrays that is written in another program's layout.
public enum ParameterRole: Sendable {
  /// Weights: a bias that the other program splits in two goes into the first, the second is 0.
  case weights
  /// Gradients: both halves of a split bias have the same one.
  case gradients
}

/// One cell of another program: a configuration, and the layout of its arrays.
public protocol CellConvention: Sendable {
  /// Builds our cell from the other program's arrays.
  ///
  /// - Parameter arrays: By the other program's names, without prefix or suffix.
  /// - Returns: The cell with its parameters.
  /// - Throws: `ModelImportError` if an array is missing or has another shape.
  func cell<Scalar: KernelScalar>(
    from arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> Cell<Scalar>

  /// Writes our parameters (or their gradients) as the other program's arrays.
  func arrays<Scalar: KernelScalar>(
    from parameters: CellParameters<Scalar>, role: ParameterRole
  ) -> [String: Tensor<Scalar>]
}

/// Looks an array up and checks its shape; nil in `shape` stands for any size.
package func array<Scalar: KernelScalar>(
  _ name: String, in arrays: [String: Tensor<Scalar>], shape: [Int?]
) throws(ModelImportError) -> Tensor<Scalar> {
  guard let array = arrays[name] else { throw ModelImportError(.missing, name: name) }
  guard array.rank == shape.count, zip(array.shape, shape).allSatisfy({ $1 == nil || $0 == $1 })
  else {
    let expected = zip(shape, array.shape + [Int](repeating: -1, count: shape.count)).map {
      $0 ?? $1
    }
    throw ModelImportError(.wrongShape(expected: expected, found: array.shape), name: name)
  }
  return array
}

extension Tensor {
  /// The column blocks in another order; `order[i]` says which block of this one comes i-th.
  package func reorderingColumns(_ order: [Int], size: Int) -> Tensor {
    Tensor.concatenatingLastAxis(order.map { self[..., $0 * size..<($0 + 1) * size] })
  }

  /// The rows of two matrices, this one's first.
  func stackedOn(_ other: Tensor) -> Tensor {
    Tensor(
      shape: [shape[0] + other.shape[0]] + shape.dropFirst(), elements: elements + other.elements)
  }
}
