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
  /// x where it is positive, slope·x elsewhere; ONNX takes 0.01. The slope is not negative.
  case leakyRelu(slope: Double)
  /// x where it is positive, scale·(exp(x) − 1) elsewhere; ONNX takes 1. The scale is not negative.
  case elu(scale: Double)
  /// x / (1 + |x|).
  case softsign
  /// log(1 + exp(x)).
  case softplus
  /// x where it is above the threshold, 0 elsewhere. The threshold is not negative.
  case thresholdedRelu(threshold: Double)
  /// scale·tanh(factor·x).
  case scaledTanh(scale: Double, factor: Double)
  /// slope·x + offset.
  case affine(slope: Double, offset: Double)

  /// The kernel's description of the function.
  ///
  /// - Parameter clip: Limits the argument to ±clip first; 0 does not.
  /// - Returns: The function as the kernels take it.
  func kernel(clip: Double = 0) -> unroll_activation {
    let (kind, alpha, beta): (Int, Double, Double) =
      switch self {
      case .tanh: (UNROLL_TANH, 0, 0)
      case .sigmoid: (UNROLL_SIGMOID, 0, 0)
      case .relu: (UNROLL_RELU, 0, 0)
      case .hardSigmoid(let slope, let offset): (UNROLL_HARD_SIGMOID, slope, offset)
      case .identity: (UNROLL_IDENTITY, 0, 0)
      case .leakyRelu(let slope): (UNROLL_LEAKY_RELU, slope, 0)
      case .elu(let scale): (UNROLL_ELU, scale, 0)
      case .softsign: (UNROLL_SOFTSIGN, 0, 0)
      case .softplus: (UNROLL_SOFTPLUS, 0, 0)
      case .thresholdedRelu(let threshold): (UNROLL_THRESHOLDED_RELU, threshold, 0)
      case .scaledTanh(let scale, let factor): (UNROLL_SCALED_TANH, scale, factor)
      case .affine(let slope, let offset): (UNROLL_AFFINE, slope, offset)
      }
    return unroll_activation(kind: Int32(kind), alpha: alpha, beta: beta, clip: clip)
  }
}

extension Tensor {
  /// The tensor passed through a function, element by element; as accurate as the C library.
  public func activated(by activation: Activation) -> Tensor {
    var result = self
    let count = count
    result.withUnsafeMutableElements {
      unroll_activate(Scalar.kernelType, $0, activation.kernel(), count)
    }
    return result
  }
}
