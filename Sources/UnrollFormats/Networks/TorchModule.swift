// PyTorch's `nn.RNN`, `nn.GRU`, `nn.LSTM`: `weight_ih` [G·H, D], `weight_hh` [G·H, P], two biases
// that are both added, `weight_hr` [P, H] for a projection.
//
//   RNN    one block, tanh or relu
//   GRU    row blocks r, z, n; reset gate after the product, `bias_hh` inside it
//   LSTM   row blocks i, f, g, o

public import Unroll

/// One layer and direction of a recurrent module of `torch.nn`.
public struct TorchModule: CellConvention {
  /// The class.
  public enum Kind: String, Sendable, CaseIterable {
    /// `nn.RNN`.
    case rnn = "RNN"
    /// `nn.GRU`.
    case gru = "GRU"
    /// `nn.LSTM`.
    case lstm = "LSTM"
  }

  /// The class.
  public var kind: Kind
  /// `nonlinearity` of `nn.RNN`; tanh by default.
  public var activation: Activation
  /// `bias`; without it, biases are zero and none is written.
  public var usesBias: Bool
  /// `proj_size` of `nn.LSTM`, if above 0.
  public var projectionSize: Int?

  /// Creates a configuration with PyTorch's defaults.
  public init(
    _ kind: Kind, activation: Activation = .tanh, usesBias: Bool = true,
    projectionSize: Int? = nil
  ) {
    self.kind = kind
    self.activation = activation
    self.usesBias = usesBias
    self.projectionSize = projectionSize
  }

  /// The suffix of a layer's arrays, such as `_l1_reverse`.
  public static func suffix(layer: Int, isReverse: Bool) -> String {
    "_l\(layer)" + (isReverse ? "_reverse" : "")
  }

  /// Builds our cell from `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh` and `weight_hr`.
  ///
  /// The two biases of RNN and LSTM become one, rounded once.
  public func cell<Scalar: KernelScalar>(
    from arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> any RecurrentCell<Scalar> {
    let gates: [Gate]
    switch kind {
    case .rnn: gates = [.candidate]
    case .gru: gates = GRU<Scalar>.gates
    case .lstm: gates = LSTM<Scalar>.gates
    }
    let input = try array("weight_ih", in: arrays, shape: [nil, nil])
    let (width, size) = (input.shape[0], input.shape[0] / gates.count)
    guard size > 0, width % gates.count == 0 else {
      throw ModelImportError(
        .wrongShape(expected: [gates.count, input.shape[1]], found: input.shape),
        name: "weight_ih")
    }
    // Before memory is asked for that a few numbers may make impossible.
    let recurrent = try array("weight_hh", in: arrays, shape: [width, projectionSize ?? size])
    var parameters = CellParameters<Scalar>(
      gates: gates, inputSize: input.shape[1], hiddenSize: size,
      hasRecurrentBias: kind == .gru && usesBias, projectionSize: projectionSize)
    parameters.inputWeights = input.transposed
    parameters.recurrentWeights = recurrent.transposed
    if usesBias {
      let first = try array("bias_ih", in: arrays, shape: [width])
      let second = try array("bias_hh", in: arrays, shape: [width])
      if kind == .gru {
        (parameters.bias, parameters.recurrentBias) = (first, second)
      } else {
        parameters.bias = first + second
      }
    }
    if let projectionSize {
      parameters.projection = try array(
        "weight_hr", in: arrays, shape: [projectionSize, size]
      ).transposed
    }
    switch kind {
    case .rnn: return BasicRNN(parameters: parameters, activation: activation)
    case .gru: return GRU(parameters: parameters, resetGate: .afterProduct)
    case .lstm: return LSTM(parameters: parameters)
    }
  }

  /// Writes our parameters by PyTorch's names, without suffix.
  public func arrays<Scalar: KernelScalar>(
    from parameters: CellParameters<Scalar>, role: ParameterRole
  ) -> [String: Tensor<Scalar>] {
    var result = [
      "weight_ih": parameters.inputWeights.transposed,
      "weight_hh": parameters.recurrentWeights.transposed,
    ]
    if usesBias {
      result["bias_ih"] = parameters.bias
      switch (kind, role) {
      case (.gru, _) where !parameters.recurrentBias.isEmpty:
        result["bias_hh"] = parameters.recurrentBias
      case (_, .gradients): result["bias_hh"] = parameters.bias
      case (_, .weights): result["bias_hh"] = Tensor(shape: parameters.bias.shape)
      }
    }
    if !parameters.projection.isEmpty { result["weight_hr"] = parameters.projection.transposed }
    return result
  }
}
