// TensorFlow 1's `tf.nn.rnn_cell`: kernels `[D + P, …]`, the input's rows first.
//
//   BasicRNNCell               kernel, bias
//   GRUCell                    gates r, u; candidate c; reset gate before the product
//   BasicLSTMCell, LSTMCell    columns i, j, f, o; `forget_bias` is added at run time

public import Unroll

/// A cell of `tf.nn.rnn_cell`.
public struct TensorFlow1Cell: CellConvention {
  /// The class.
  public enum Kind: String, Sendable, CaseIterable {
    /// `BasicRNNCell`.
    case basicRNN = "BasicRNNCell"
    /// `GRUCell`.
    case gru = "GRUCell"
    /// `BasicLSTMCell`.
    case basicLSTM = "BasicLSTMCell"
    /// `LSTMCell`.
    case lstm = "LSTMCell"
  }

  /// The class.
  public var kind: Kind
  /// `activation`; tanh by default.
  public var activation: Activation
  /// `forget_bias` of the LSTM cells; 1 by default.
  public var forgetBias: Double
  /// `use_peepholes` of `LSTMCell`.
  public var usesPeepholes: Bool
  /// `cell_clip` of `LSTMCell`; 0 for none.
  public var cellClip: Double
  /// `num_proj` of `LSTMCell`.
  public var projectionSize: Int?
  /// `proj_clip` of `LSTMCell`; 0 for none.
  public var projectionClip: Double

  /// Creates a configuration with TensorFlow's defaults.
  public init(
    _ kind: Kind, activation: Activation = .tanh, forgetBias: Double = 1,
    usesPeepholes: Bool = false, cellClip: Double = 0, projectionSize: Int? = nil,
    projectionClip: Double = 0
  ) {
    self.kind = kind
    self.activation = activation
    self.forgetBias = forgetBias
    self.usesPeepholes = usesPeepholes
    self.cellClip = cellClip
    self.projectionSize = projectionSize
    self.projectionClip = projectionClip
  }

  /// Builds our cell from `kernel` and `bias`, or `gates.kernel` and so on.
  public func cell<Scalar: KernelScalar>(
    from arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> any RecurrentCell<Scalar> {
    switch kind {
    case .basicRNN:
      let bias = try array("bias", in: arrays, shape: [nil])
      let kernel = try array("kernel", in: arrays, shape: [nil, bias.count])
      let parameters = try parameters([.candidate], kernel, bias, hidden: bias.count)
      return BasicRNN(parameters: parameters, activation: activation)
    case .gru:
      let bias = try array("candidate.bias", in: arrays, shape: [nil])
      let size = bias.count
      guard size > 0 else {
        throw ModelImportError(
          .wrongShape(expected: [1], found: bias.shape), name: "candidate.bias")
      }
      let candidate = try array("candidate.kernel", in: arrays, shape: [nil, size])
      let gates = try array("gates.kernel", in: arrays, shape: [candidate.shape[0], 2 * size])
      let gateBias = try array("gates.bias", in: arrays, shape: [2 * size])
      let parameters = try parameters(
        GRU<Scalar>.gates, Tensor.concatenatingLastAxis([gates, candidate]),
        Tensor.concatenatingLastAxis([gateBias, bias]), hidden: size)
      return GRU(parameters: parameters, resetGate: .beforeProduct, activation: activation)
    case .basicLSTM, .lstm:
      let bias = try array("bias", in: arrays, shape: [nil])
      let size = bias.count / 4
      guard size > 0, bias.count % 4 == 0 else {
        throw ModelImportError(.wrongShape(expected: [4], found: bias.shape), name: "bias")
      }
      let kernel = try array("kernel", in: arrays, shape: [nil, 4 * size])
      var parameters = try parameters(
        LSTM<Scalar>.gates, kernel.reorderingColumns([0, 2, 1, 3], size: size),
        bias.reorderingColumns([0, 2, 1, 3], size: size), hidden: size)
      if usesPeepholes {
        var rows: [[Scalar]] = []
        for name in Self.peepholeNames {
          rows.append(try array(name, in: arrays, shape: [size]).elements)
        }
        parameters.peepholes = Tensor(rows: rows)
      }
      if let projectionSize {
        parameters.projection = try array(
          "projection.kernel", in: arrays, shape: [size, projectionSize])
      }
      let options = LSTMOptions(
        forgetOffset: forgetBias, activation: activation, outputActivation: activation,
        cellClip: cellClip, projectionClip: projectionClip)
      return LSTM(parameters: parameters, options: options)
    }
  }

  /// Writes our parameters by TensorFlow's names.
  public func arrays<Scalar: KernelScalar>(
    from parameters: CellParameters<Scalar>, role: ParameterRole
  ) -> [String: Tensor<Scalar>] {
    let size = parameters.hiddenSize
    let kernel = parameters.inputWeights.stackedOn(parameters.recurrentWeights)
    switch kind {
    case .basicRNN: return ["kernel": kernel, "bias": parameters.bias]
    case .gru:
      return [
        "gates.kernel": kernel[..., 0..<2 * size],
        "gates.bias": parameters.bias[..., 0..<2 * size],
        "candidate.kernel": kernel[..., 2 * size..<3 * size],
        "candidate.bias": parameters.bias[..., 2 * size..<3 * size],
      ]
    case .basicLSTM, .lstm:
      var result = [
        "kernel": kernel.reorderingColumns([0, 2, 1, 3], size: size),
        "bias": parameters.bias.reorderingColumns([0, 2, 1, 3], size: size),
      ]
      if !parameters.peepholes.isEmpty {
        for (index, name) in Self.peepholeNames.enumerated() {
          result[name] = parameters.peepholes[index, ...]
        }
      }
      if !parameters.projection.isEmpty { result["projection.kernel"] = parameters.projection }
      return result
    }
  }

  private static let peepholeNames = ["w_i_diag", "w_f_diag", "w_o_diag"]

  private func parameters<Scalar: KernelScalar>(
    _ gates: [Gate], _ kernel: Tensor<Scalar>, _ bias: Tensor<Scalar>, hidden: Int
  ) throws(ModelImportError) -> CellParameters<Scalar> {
    guard gates.count == 4 || !usesPeepholes && projectionSize == nil else {
      throw ModelImportError(
        .doesNotFit("a \(kind.rawValue) has neither peepholes nor a projection; an LSTMCell has"),
        name: usesPeepholes ? "w_f_diag" : "projection.kernel")
    }
    let out = projectionSize ?? hidden
    let inputSize = kernel.shape[0] - out
    guard inputSize >= 0, hidden > 0 else {
      throw ModelImportError(
        .wrongShape(expected: [out, kernel.shape[1]], found: kernel.shape), name: "kernel")
    }
    var result = CellParameters<Scalar>(
      gates: gates, inputSize: inputSize, hiddenSize: hidden, hasPeepholes: usesPeepholes,
      projectionSize: projectionSize)
    result.inputWeights = kernel[0..<inputSize]
    result.recurrentWeights = kernel[inputSize..<inputSize + out]
    result.bias = bias
    return result
  }
}
