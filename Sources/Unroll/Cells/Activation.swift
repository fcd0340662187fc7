internal import CUnrollKernels

/// The activation function of a gate or candidate.
public enum Activation: Sendable, Equatable, Codable {
  /// tanh x.
  case tanh
  /// σ(x) = 1 / (1 + exp(−x)).
  case sigmoid
  /// max(0, x).
  case relu
  /// max(0, min(1, slope·x + offset)). Keras and ONNX use slope 0.2 and offset 0.5.
  case hardSigmoid(slope: Double, offset: Double)
  /// x.
  case identity
  /// x if x > 0, otherwise slope·x. The slope must not be negative; the ONNX default is 0.01.
  case leakyRelu(slope: Double)
  /// x if x > 0, otherwise scale·(exp(x) − 1). The scale must not be negative; the ONNX default is 1.
  case elu(scale: Double)
  /// x / (1 + |x|).
  case softsign
  /// log(1 + exp(x)).
  case softplus
  /// x if x > threshold, otherwise 0. The threshold must not be negative.
  case thresholdedRelu(threshold: Double)
  /// scale·tanh(factor·x).
  case scaledTanh(scale: Double, factor: Double)
  /// slope·x + offset.
  case affine(slope: Double, offset: Double)

  /// Converts the function to its C description.
  ///
  /// - Parameter clip: Clips the argument to ±clip first; 0 disables clipping.
  /// - Returns: The C description.
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
  /// Returns the function of every element, as accurate as the C library.
  public func activated(by activation: Activation) -> Tensor {
    var result = self
    let count = count
    result.withUnsafeMutableElements {
      unroll_activate(Scalar.kernelType, $0, activation.kernel(), count)
    }
    return result
  }
}
