internal import Unroll

// The functions of recurrent operators by ONNX's names, with their parameters. Those that are not given have ONNX's
// defaults, unless onnxruntime takes others (0): then they must be given.
extension Activation {
  /// Reads a function.
  ///
  /// - Parameters:
  ///   - name: ONNX's name, in any case.
  ///   - alpha: The next number of `activation_alpha`; nil after the last.
  ///   - beta: The next number of `activation_beta`.
  /// - Throws: `ONNXError` for a function, or a parameter, that Unroll does not have.
  init(onnx name: String, alpha: () -> Double?, beta: () -> Double?) throws(ONNXError) {
    func number(_ value: Double, isPositive: Bool = false) throws(ONNXError) -> Double {
      // With a negative number the derivative cannot be computed from the function's value.
      guard value.isFinite, !isPositive || value >= 0 else {
        throw ONNXError(.unsupported("activations = \(name.prefix(40)) with alpha = \(value)"))
      }
      return value
    }
    /// A number that has no default on which programs agree.
    func given(_ value: Double?, _ list: String) throws(ONNXError) -> Double {
      guard let value else {
        throw ONNXError(
          .unsupported(
            "activations = \(name.prefix(40)) without its \(list), for which programs take different defaults,"
          ))
      }
      return value
    }
    switch name.lowercased() {
    case "tanh": self = .tanh
    case "sigmoid": self = .sigmoid
    case "relu": self = .relu
    case "softsign": self = .softsign
    case "softplus": self = .softplus
    case "hardsigmoid":
      self = .hardSigmoid(slope: try number(alpha() ?? 0.2), offset: try number(beta() ?? 0.5))
    case "leakyrelu": self = .leakyRelu(slope: try number(alpha() ?? 0.01, isPositive: true))
    case "elu": self = .elu(scale: try number(alpha() ?? 1, isPositive: true))
    case "thresholdedrelu":
      self = .thresholdedRelu(
        threshold: try number(given(alpha(), "activation_alpha"), isPositive: true))
    case "scaledtanh":
      self = .scaledTanh(
        scale: try number(given(alpha(), "activation_alpha")),
        factor: try number(given(beta(), "activation_beta")))
    case "affine":
      let slope = try number(given(alpha(), "activation_alpha"))
      let offset = try number(given(beta(), "activation_beta"))
      self = slope == 1 && offset == 0 ? .identity : .affine(slope: slope, offset: offset)
    case let other: throw ONNXError(.unsupported("activations = \(other.prefix(40))"))
    }
  }

  /// ONNX's name, and the parameters: alpha, then beta.
  var onnx: (name: String, numbers: [Double]) {
    switch self {
    case .tanh: ("Tanh", [])
    case .sigmoid: ("Sigmoid", [])
    case .relu: ("Relu", [])
    case .softsign: ("Softsign", [])
    case .softplus: ("Softplus", [])
    case .hardSigmoid(let slope, let offset): ("HardSigmoid", [slope, offset])
    case .leakyRelu(let slope): ("LeakyRelu", [slope])
    case .elu(let scale): ("Elu", [scale])
    case .thresholdedRelu(let threshold): ("ThresholdedRelu", [threshold])
    case .scaledTanh(let scale, let factor): ("ScaledTanh", [scale, factor])
    case .identity: ("Affine", [1, 0])
    case .affine(let slope, let offset): ("Affine", [slope, offset])
    }
  }
}
