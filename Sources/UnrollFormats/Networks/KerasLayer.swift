// Keras' recurrent layers: `kernel` [D, G·H], `recurrent_kernel` [H, G·H], `bias`.
//
//   SimpleRNN   one block
//   GRU         columns z, r, h; bias [3·H], or [2, 3·H] (input's, recurrent's) with reset_after
//   LSTM        columns i, f, c, o; nothing is added to the forget gate at run time

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

  /// Creates a configuration with Keras' defaults.
  public init(
    _ kind: Kind, activation: Activation = .tanh, recurrentActivation: Activation = .sigmoid,
    resetAfter: Bool = true, usesBias: Bool = true
  ) {
    self.kind = kind
    self.activation = activation
    self.recurrentActivation = recurrentActivation
    self.resetAfter = resetAfter
    self.usesBias = usesBias
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
    var parameters = CellParameters<Scalar>(
      gates: gates, inputSize: kernel.shape[0], hiddenSize: size,
      hasRecurrentBias: hasTwoBiases && usesBias)
    parameters.inputWeights = ours(kernel, size)
    parameters.recurrentWeights = ours(recurrent, size)
    if usesBias {
      if hasTwoBiases {
        let bias = try array("bias", in: arrays, shape: [2, width])
        parameters.bias = ours(bias.slice(0), size)
        parameters.recurrentBias = ours(bias.slice(1), size)
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
    guard usesBias else { return result }
    let bias = theirs(parameters.bias, size)
    let recurrentBias =
      parameters.recurrentBias.isEmpty ? Tensor(shape: bias.shape) : parameters.recurrentBias
    result["bias"] =
      hasTwoBiases
      ? Tensor(rows: [bias.elements, theirs(recurrentBias, size).elements]) : bias
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
