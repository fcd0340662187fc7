// One direction of ONNX's RNN, GRU and LSTM: `W` [G·H, D], `R` [G·H, H], `B` [2·G·H], which is W's bias, then
// R's, `P` [3·H].
//
//   RNN    one block
//   GRU    row blocks z, r, h; linear_before_reset says where the reset gate acts
//   LSTM   row blocks i, o, f, c; peepholes i, o, f
//
// Source: ONNX's operators RNN, GRU and LSTM, versions 7 to 22. `clip` limits the arguments of all
// functions but the LSTM's last, as onnxruntime does.

internal import Unroll
internal import UnrollFormats

/// One direction of a recurrent operator.
struct ONNXCell: CellConvention {
  enum Kind: String, CaseIterable {
    case rnn = "RNN"
    case gru = "GRU"
    case lstm = "LSTM"

    var gateCount: Int {
      switch self {
      case .rnn: 1
      case .gru: 3
      case .lstm: 4
      }
    }

    /// The functions that are used if none are named.
    var functions: [Activation] {
      switch self {
      case .rnn: [.tanh]
      case .gru: [.sigmoid, .tanh]
      case .lstm: [.sigmoid, .tanh, .tanh]
      }
    }
  }

  var kind: Kind
  /// f; f and g; f, g and h.
  var functions: [Activation]
  var clip = 0.0
  /// `linear_before_reset`.
  var resetsAfterProduct = false
  /// `input_forget`.
  var couplesInputAndForget = false
  var usesBias = true

  init(_ kind: Kind) {
    self.kind = kind
    functions = kind.functions
  }

  /// ONNX's blocks in our order.
  private var order: [Int] {
    switch kind {
    case .rnn: [0]
    case .gru: [1, 0, 2]
    case .lstm: [0, 2, 3, 1]
    }
  }

  func cell<Scalar: KernelScalar>(
    from arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> any RecurrentCell<Scalar> {
    let w = try array("W", in: arrays, shape: [nil, nil])
    let width = w.shape[0]
    let size = width / kind.gateCount
    guard size > 0, width % kind.gateCount == 0 else {
      throw ModelImportError(
        .wrongShape(expected: [kind.gateCount, w.shape[1]], found: w.shape), name: "W")
    }
    // Before memory is asked for that a few numbers may make impossible.
    let r = try array("R", in: arrays, shape: [width, size])
    let gates: [Gate] =
      switch kind {
      case .rnn: [.candidate]
      case .gru: GRU<Scalar>.gates
      case .lstm: LSTM<Scalar>.gates
      }
    let hasPeepholes = arrays["P"] != nil
    guard !hasPeepholes || kind == .lstm else {
      throw ModelImportError(.unsupported(field: "P", value: "of \(kind.rawValue)"), name: "P")
    }
    var parameters = CellParameters<Scalar>(
      gates: gates, inputSize: w.shape[1], hiddenSize: size,
      hasRecurrentBias: resetsAfterProduct && kind == .gru && usesBias,
      hasPeepholes: hasPeepholes)
    parameters.inputWeights = w.transposed.reorderingColumns(order, size: size)
    parameters.recurrentWeights = r.transposed.reorderingColumns(order, size: size)
    if usesBias {
      let b = try array("B", in: arrays, shape: [2 * width])
      let first = b[..., 0..<width].reorderingColumns(order, size: size)
      let second = b[..., width..<2 * width].reorderingColumns(order, size: size)
      if parameters.recurrentBias.isEmpty {
        parameters.bias = first + second
      } else {
        (parameters.bias, parameters.recurrentBias) = (first, second)
      }
    }
    if hasPeepholes {
      let rows = try array("P", in: arrays, shape: [3 * size]).reshaped(to: [3, size])
      parameters.peepholes = Tensor(rows: [0, 2, 1].map { rows[$0, ...].elements })
    }
    return cell(parameters)
  }

  private func cell<Scalar: KernelScalar>(
    _ parameters: CellParameters<Scalar>
  ) -> any RecurrentCell<Scalar> {
    switch kind {
    case .rnn:
      return BasicRNN(parameters: parameters, activation: functions[0], argumentClip: clip)
    case .gru:
      return GRU(
        parameters: parameters,
        resetGate: resetsAfterProduct ? .afterProduct : .beforeProduct, activation: functions[1],
        gateActivation: functions[0], argumentClip: clip)
    case .lstm:
      return LSTM(
        parameters: parameters,
        options: LSTMOptions(
          activation: functions[1], gateActivation: functions[0], outputActivation: functions[2],
          argumentClip: clip, couplesInputAndForget: couplesInputAndForget))
    }
  }

  func arrays<Scalar: KernelScalar>(
    from parameters: CellParameters<Scalar>, role: ParameterRole
  ) -> [String: Tensor<Scalar>] {
    let size = parameters.hiddenSize
    // The inverse of `order`.
    let theirs = order.indices.map { index in order.firstIndex(of: index) ?? index }
    func rows(_ tensor: Tensor<Scalar>) -> Tensor<Scalar> {
      tensor.reorderingColumns(theirs, size: size)
    }
    var result = [
      "W": rows(parameters.inputWeights).transposed,
      "R": rows(parameters.recurrentWeights).transposed,
    ]
    let first = rows(parameters.bias)
    let second =
      parameters.recurrentBias.isEmpty
      ? (role == .weights ? Tensor(shape: first.shape) : first) : rows(parameters.recurrentBias)
    result["B"] = Tensor.concatenatingLastAxis([first, second])
    if !parameters.peepholes.isEmpty {
      let p = parameters.peepholes
      result["P"] = Tensor([0, 2, 1].flatMap { p[$0, ...].elements })
    }
    return result
  }
}
