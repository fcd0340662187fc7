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

/// The classes of `keras.layers`.
struct KerasClass: CellClass {
  static let program = "Keras"
  static let all = [
    KerasClass(kind: .rnn, name: "SimpleRNN", storedName: "simple_rnn", order: nil, blocks: ""),
    KerasClass(
      kind: .gruResetAfter, name: "GRU", storedName: "gru", order: [1, 0, 2],
      blocks: ", columns z r h become r z n", isOfCuDNN: true),
    KerasClass(
      kind: .gruResetBefore, name: "GRU", storedName: "gru", order: [1, 0, 2],
      blocks: ", columns z r h become r z n"),
    KerasClass(
      kind: .lstm, name: "LSTM", storedName: "lstm", order: nil,
      blocks: ", columns i f c o as ours", isOfCuDNN: true),
  ]

  let kind: CellKind
  let name: String
  /// The name of a layer in a file, before its number.
  let storedName: String
  /// Keras' column blocks in our order, which is its own inverse; nil for the same order.
  let order: [Int]?
  /// The order of the columns, for reports.
  let blocks: String
  /// Whether cuDNN has the cell.
  var isOfCuDNN = false

  /// Whether `bias` has two rows, the second inside the candidate's product.
  var hasTwoBiases: Bool { kind.candidate == .separate }
}

/// A layer of `keras.layers`.
public struct KerasLayer: CellConvention, Equatable {
  var cellClass: KerasClass
  /// `activation`; tanh by default.
  public var activation: Activation
  /// `recurrent_activation` of GRU and LSTM; σ by default.
  public var recurrentActivation: Activation
  /// `use_bias`; without one, the bias is zero and no bias is written.
  public var usesBias: Bool

  /// Whether the arrays are laid out as `CuDNNGRU` and `CuDNNLSTM` hold them; false by default.
  public var usesCuDNNLayout: Bool

  /// The kind of cell that the layer computes: of a GRU, `reset_after` says which.
  public var kind: CellKind { cellClass.kind }

  /// Creates a configuration with Keras' defaults.
  ///
  /// - Parameters:
  ///   - kind: The kind of cell.
  ///   - activation: The function of the candidate and, in an LSTM, of the cell state in the output.
  ///   - recurrentActivation: The gates' function.
  ///   - usesBias: Whether there is a bias.
  ///   - usesCuDNNLayout: Whether the arrays are those of `CuDNNGRU` or `CuDNNLSTM`.
  /// - Throws: `ModelImportError` for a kind that Keras, or cuDNN, does not have.
  public init(
    _ kind: CellKind, activation: Activation = .tanh, recurrentActivation: Activation = .sigmoid,
    usesBias: Bool = true, usesCuDNNLayout: Bool = false
  ) throws(ModelImportError) {
    cellClass = try KerasClass(kind)
    guard cellClass.isOfCuDNN || !usesCuDNNLayout else { throw kind.refusal(by: "cuDNN") }
    self.activation = activation
    self.recurrentActivation = recurrentActivation
    self.usesBias = usesBias
    self.usesCuDNNLayout = usesCuDNNLayout
  }

  /// The kind of cell that a class of `keras.layers` computes; nil if it is none of SimpleRNN, GRU and LSTM.
  package static func kind(ofClass name: String, resetsAfterProduct: Bool = true) -> CellKind? {
    KerasClass(named: name, resetsAfterProduct: resetsAfterProduct)?.kind
  }

  /// Builds our cell from `kernel`, `recurrent_kernel` and `bias`.
  public func cell<Scalar: KernelScalar>(
    from arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> Cell<Scalar> {
    let gates = kind.gates
    let kernel = try array("kernel", in: arrays, shape: [nil, nil])
    let width = kernel.shape[1]
    let size = width / gates.count
    guard size > 0, width % gates.count == 0 else {
      throw ModelImportError(
        .wrongShape(expected: [kernel.shape[0], gates.count], found: kernel.shape), name: "kernel")
    }
    // Check the sizes before allocating: a few numbers of a file could ask for any amount of memory.
    let recurrent = try array("recurrent_kernel", in: arrays, shape: [size, width])
    if usesCuDNNLayout {
      var plain = self
      plain.usesCuDNNLayout = false
      return try plain.cell(
        from: try plainArrays(kernel, recurrent, arrays, gateCount: gates.count, size))
    }
    var parameters = CellParameters<Scalar>(
      gates: gates, inputSize: kernel.shape[0], hiddenSize: size,
      hasRecurrentBias: cellClass.hasTwoBiases && usesBias)
    parameters.inputWeights = ours(kernel, size)
    parameters.recurrentWeights = ours(recurrent, size)
    if usesBias {
      if cellClass.hasTwoBiases {
        let bias = try array("bias", in: arrays, shape: [2, width])
        parameters.bias = ours(bias[0, ...], size)
        parameters.recurrentBias = ours(bias[1, ...], size)
      } else {
        parameters.bias = ours(try array("bias", in: arrays, shape: [width]), size)
      }
    }
    var options = CellOptions(activation: activation)
    if kind.optionFields.contains(.gateActivation) { options.gateActivation = recurrentActivation }
    if kind.optionFields.contains(.outputActivation) { options.outputActivation = activation }
    return Cell(kind, parameters: parameters, options: options)
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
      cellClass.hasTwoBiases
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
    result["bias"] = cellClass.hasTwoBiases ? halves : halves[0, ...] + halves[1, ...]
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
        cellClass.hasTwoBiases
        ? [] : role == .gradients ? bias.elements : bias.elements.map { _ in 0 }
      let elements = bias.elements + second
      result["bias"] = Tensor(shape: [elements.count], elements: elements)
    }
    return result
  }

  // z and r change places; the exchange is its own inverse.
  private func ours<Scalar>(_ tensor: Tensor<Scalar>, _ size: Int) -> Tensor<Scalar> {
    cellClass.order.map { tensor.reorderingColumns($0, size: size) } ?? tensor
  }

  private func theirs<Scalar>(_ tensor: Tensor<Scalar>, _ size: Int) -> Tensor<Scalar> {
    ours(tensor, size)
  }
}
