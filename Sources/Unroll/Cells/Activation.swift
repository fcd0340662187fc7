internal import CUnrollKernels

/// A function that a gate or a candidate passes through.
public enum Activation: Sendable, Equatable, Codable {
  /// tanh x.
  case tanh
  /// σ(x) = 1 / (1 + exp(−x)).
  case sigmoid
  /// max(0, x).
  case relu
  /// max(0, min(1, slope·x + offset)); Keras and ONNX take 0.2 and 0.5.
  case hardSigmoid(slope: Double, offset: Double)
  /// x itself.
  case identity

  /// The kernel's description of the function.
  ///
  /// - Parameter clip: Limits the argument to ±clip first; 0 does not.
  /// - Returns: The function as the kernels take it.
  func kernel(clip: Double = 0) -> unroll_activation {
    switch self {
    case .tanh: unroll_activation(kind: Int32(UNROLL_TANH), alpha: 0, beta: 0, clip: clip)
    case .sigmoid: unroll_activation(kind: Int32(UNROLL_SIGMOID), alpha: 0, beta: 0, clip: clip)
    case .relu: unroll_activation(kind: Int32(UNROLL_RELU), alpha: 0, beta: 0, clip: clip)
    case .hardSigmoid(let slope, let offset):
      unroll_activation(
        kind: Int32(UNROLL_HARD_SIGMOID), alpha: slope, beta: offset, clip: clip)
    case .identity: unroll_activation(kind: Int32(UNROLL_IDENTITY), alpha: 0, beta: 0, clip: clip)
    }
  }
}

extension Tensor {
  /// The tensor passed through a function, element by element; as accurate as the C library.
  public func activated(by activation: Activation) -> Tensor {
    var result = self
    let count = count
    result.withUnsafeMutableElements { Scalar._activate($0, activation.kernel(), count) }
    return result
  }
}
