// Keras' recurrent layers: `kernel` [D, G·H], `recurrent_kernel` [H, G·H], `bias`.
//
//   SimpleRNN   one block
//   GRU         columns z, r, h; bias [3·H], or [2, 3·H] (input's, recurrent's) with reset_after
//   LSTM        columns i, f, c, o; nothing is added to the forget gate at run time
//
// CuDNNGRU and CuDNNLSTM of Keras 1 and 2 hold the same gates as cuDNN wants them: each gate's kernel is the
// memory of a matrix [H, D], each gate's recurrent kernel is transposed, and `bias` is [2·G·H], the input's
// half before the recurrent one. CuDNNGRU resets after the product; an LSTM's two halves are added.

public import Unroll

/// A layer of `keras.layers`.
public struct KerasLayer: CellConvention, Equatable {
  /// The class.
  public enum Kind: String, Sendable, CaseIterable {
    /// `SimpleRNN`.
    case simpleRNN = "SimpleRNN"
    /// `GRU`.
    case gru = "GRU"
    /// `LSTM`.
    case lstm = "LSTM"
  }

  /// The class.
  public var kind: Kind
  /// `activation`; tanh by default.
  public var activation: Activation
  /// `recurrent_activation` of GRU and LSTM; σ by default.
  public var recurrentActivation: Activation
  /// `reset_after` of the GRU; true by default, as in Keras 2 and 3.
  public var resetAfter: Bool
  /// `use_bias`; without one, the bias is zero and no bias is written.
  public var usesBias: Bool

  /// Whether the arrays are laid out as `CuDNNGRU` and `CuDNNLSTM` hold them; false by default.
  public var usesCuDNNLayout: Bool

  /// Creates a configuration with Keras' defaults.
  public init(
    _ kind: Kind, activation: Activation = .tanh, recurrentActivation: Activation = .sigmoid,
    resetAfter: Bool = true, usesBias: Bool = true, usesCuDNNLayout: Bool = false
  ) {
    self.kind = kind
    self.activation = activation
    self.recurrentActivation = recurrentActivation
    self.resetAfter = resetAfter
    self.usesBias = usesBias
    self.usesCuDNNLayout = usesCuDNNLayout
  }

  private var hasTwoBiases: Bool { kind == .gru && resetAfter }

  /// Builds our cell from `kernel`, `recurrent_kernel` and `bias`.
  public func cell<Scalar: KernelScalar>(
    from arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> any RecurrentCell<Scalar> {
    let gates: [Gate]
    switch kind {
    case .simpleRNN: gates = [.candidate]
    case .gru: gates = GRU<Scalar>.gates
    case .lstm: gates = LSTM<Scalar>.gates
    }
    let kernel = try array("kernel", in: arrays, shape: [nil, nil])
    let width = kernel.shape[1]
    let size = width / gates.count
    guard size > 0, width % gates.count == 0 else {
      throw ModelImportError(
        .wrongShape(expected: [kernel.shape[0], gates.count], found: kernel.shape), name: "kernel")
    }
    // Before memory is asked for that a few numbers may make impossible.
    let recurrent = try array("recurrent_kernel", in: arrays, shape: [size, width])
    if usesCuDNNLayout {
      var plain = self
      plain.usesCuDNNLayout = false
      return try plain.cell(
        from: try plainArrays(kernel, recurrent, arrays, gateCount: gates.count, size))
    }
    var parameters = CellParameters<Scalar>(
      gates: gates, inputSize: kernel.shape[0], hiddenSize: size,
      hasRecurrentBias: hasTwoBiases && usesBias)
    parameters.inputWeights = ours(kernel, size)
    parameters.recurrentWeights = ours(recurrent, size)
    if usesBias {
      if hasTwoBiases {
        let bias = try array("bias", in: arrays, shape: [2, width])
        parameters.bias = ours(bias[0, ...], size)
        parameters.recurrentBias = ours(bias[1, ...], size)
      } else {
        parameters.bias = ours(try array("bias", in: arrays, shape: [width]), size)
      }
    }
    switch kind {
    case .simpleRNN: return BasicRNN(parameters: parameters, activation: activation)
    case .gru:
      return GRU(
        parameters: parameters, resetGate: resetAfter ? .afterProduct : .beforeProduct,
        activation: activation, gateActivation: recurrentActivation)
    case .lstm:
      return LSTM(
        parameters: parameters,
        options: LSTMOptions(
          activation: activation, gateActivation: recurrentActivation,
          outputActivation: activation))
    }
  }

  /// Writes our parameters by Keras' names.
  public func arrays<Scalar: KernelScalar>(
    from parameters: CellParameters<Scalar>, role: ParameterRole
  ) -> [String: Tensor<Scalar>] {
    let size = parameters.hiddenSize
    var result = [
      "kernel": theirs(parameters.inputWeights, size),
      "recurrent_kernel": theirs(parameters.recurrentWeights, size),
    ]
    if usesCuDNNLayout {
      var plain = self
      plain.usesCuDNNLayout = false
      return cuDNNArrays(plain.arrays(from: parameters, role: role), role: role, size)
    }
    guard usesBias else { return result }
    let bias = theirs(parameters.bias, size)
    let recurrentBias =
      parameters.recurrentBias.isEmpty ? Tensor(shape: bias.shape) : parameters.recurrentBias
    result["bias"] =
      hasTwoBiases
      ? Tensor(rows: [bias.elements, theirs(recurrentBias, size).elements]) : bias
    return result
  }

  // MARK: - cuDNN's layout

  /// The arrays of the plain layer that computes the same, as Keras converts them.
  private func plainArrays<Scalar: KernelScalar>(
    _ kernel: Tensor<Scalar>, _ recurrent: Tensor<Scalar>, _ arrays: [String: Tensor<Scalar>],
    gateCount: Int, _ size: Int
  ) throws(ModelImportError) -> [String: Tensor<Scalar>] {
    let inputSize = kernel.shape[0]
    let blocks = (0..<gateCount).map { $0 * size..<($0 + 1) * size }
    var result = [
      "kernel": Tensor.concatenatingLastAxis(
        blocks.map {
          Tensor(shape: [size, inputSize], elements: kernel[..., $0].elements).transposed
        }),
      "recurrent_kernel": Tensor.concatenatingLastAxis(
        blocks.map { recurrent[..., $0].transposed }),
    ]
    guard usesBias else { return result }
    let width = gateCount * size
    let halves = Tensor(
      shape: [2, width], elements: try array("bias", in: arrays, shape: [2 * width]).elements)
    result["bias"] = kind == .gru ? halves : halves[0, ...] + halves[1, ...]
    return result
  }

  /// The arrays as cuDNN wants them, from those of the plain layer.
  private func cuDNNArrays<Scalar: KernelScalar>(
    _ plain: [String: Tensor<Scalar>], role: ParameterRole, _ size: Int
  ) -> [String: Tensor<Scalar>] {
    var result = plain
    if let kernel = plain["kernel"], let recurrent = plain["recurrent_kernel"] {
      let blocks = (0..<kernel.shape[1] / max(1, size)).map { $0 * size..<($0 + 1) * size }
      result["kernel"] = Tensor.concatenatingLastAxis(
        blocks.map {
          Tensor(
            shape: [kernel.shape[0], size], elements: kernel[..., $0].transposed.elements)
        })
      result["recurrent_kernel"] = Tensor.concatenatingLastAxis(
        blocks.map { recurrent[..., $0].transposed })
    }
    if let bias = plain["bias"] {
      let second =
        kind == .gru ? [] : role == .gradients ? bias.elements : bias.elements.map { _ in 0 }
      let elements = bias.elements + second
      result["bias"] = Tensor(shape: [elements.count], elements: elements)
    }
    return result
  }

  // z and r change places; the exchange is its own inverse.
  private func ours<Scalar>(_ tensor: Tensor<Scalar>, _ size: Int) -> Tensor<Scalar> {
    kind == .gru ? tensor.reorderingColumns([1, 0, 2], size: size) : tensor
  }

  private func theirs<Scalar>(_ tensor: Tensor<Scalar>, _ size: Int) -> Tensor<Scalar> {
    ours(tensor, size)
  }
}
