// TensorFlow 1's `tf.nn.rnn_cell`: kernels `[D + P, …]`, the input's rows first.
//
//   BasicRNNCell               kernel, bias
//   GRUCell                    gates r, u; candidate c; reset gate before the product
//   BasicLSTMCell, LSTMCell    columns i, j, f, o; `forget_bias` is added at run time

public import Unroll

/// The classes of `tf.nn.rnn_cell`.
struct TensorFlow1Class: CellClass {
  static let program = "TensorFlow 1"
  static let all = [
    TensorFlow1Class(kind: .rnn, name: "BasicRNNCell", scope: "basic_rnn_cell"),
    TensorFlow1Class(
      kind: .gruResetBefore, name: "GRUCell", scope: "gru_cell", hasOwnCandidate: true),
    TensorFlow1Class(
      kind: .lstm, name: "LSTMCell", scope: "lstm_cell", order: [0, 2, 1, 3],
      blocks: ", columns i j f o become i f g o"),
    TensorFlow1Class(
      kind: .lstm, name: "BasicLSTMCell", scope: "basic_lstm_cell", order: [0, 2, 1, 3],
      blocks: ", columns i j f o become i f g o"),
  ]

  let kind: CellKind
  let name: String
  /// The scope of the variables.
  let scope: String
  /// Whether the candidate has a kernel and a bias of its own.
  var hasOwnCandidate = false
  /// TensorFlow's column blocks in our order, which is its own inverse; nil for the same order.
  var order: [Int]?
  /// The order of the columns, for reports.
  var blocks = ""

  /// Exchanges the column blocks, in either direction.
  func reordered<Scalar>(_ tensor: Tensor<Scalar>, size: Int) -> Tensor<Scalar> {
    order.map { tensor.reorderingColumns($0, size: size) } ?? tensor
  }
}

/// A cell of `tf.nn.rnn_cell`.
public struct TensorFlow1Cell: CellConvention {
  let cellClass: TensorFlow1Class
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

  /// The kind of cell that the class computes.
  public var kind: CellKind { cellClass.kind }

  /// Creates a configuration with TensorFlow's defaults.
  ///
  /// - Parameters:
  ///   - kind: The kind of cell.
  ///   - activation: The function of the candidate and, in an LSTM, of the cell state in the output.
  ///   - forgetBias: Added to the forget gate of the LSTM cells.
  ///   - usesPeepholes: Whether `LSTMCell` has peepholes.
  ///   - cellClip: The limit of c′ in `LSTMCell`; 0 for none.
  ///   - projectionSize: P, if `LSTMCell` projects its output.
  ///   - projectionClip: The limit of the projected output; 0 for none.
  /// - Throws: `ModelImportError` for a kind that `tf.nn.rnn_cell` does not have, such as the GRU with the reset
  ///   gate after the product.
  public init(
    _ kind: CellKind, activation: Activation = .tanh, forgetBias: Double = 1,
    usesPeepholes: Bool = false, cellClip: Double = 0, projectionSize: Int? = nil,
    projectionClip: Double = 0
  ) throws(ModelImportError) {
    self.init(
      try TensorFlow1Class(kind), activation: activation, forgetBias: forgetBias,
      usesPeepholes: usesPeepholes, cellClip: cellClip, projectionSize: projectionSize,
      projectionClip: projectionClip)
  }

  init(
    _ cellClass: TensorFlow1Class, activation: Activation = .tanh, forgetBias: Double = 1,
    usesPeepholes: Bool = false, cellClip: Double = 0, projectionSize: Int? = nil,
    projectionClip: Double = 0
  ) {
    self.cellClass = cellClass
    self.activation = activation
    self.forgetBias = forgetBias
    self.usesPeepholes = usesPeepholes
    self.cellClip = cellClip
    self.projectionSize = projectionSize
    self.projectionClip = projectionClip
  }

  /// The kind of cell that a class of `tf.nn.rnn_cell` computes; nil for another class.
  package static func kind(ofClass name: String) -> CellKind? {
    TensorFlow1Class(named: name)?.kind
  }

  /// Builds our cell from `kernel` and `bias`, or `gates.kernel` and so on.
  public func cell<Scalar: KernelScalar>(
    from arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> Cell<Scalar> {
    var parameters: CellParameters<Scalar> =
      cellClass.hasOwnCandidate ? try ownCandidate(arrays) : try oneKernel(arrays)
    let size = parameters.hiddenSize
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
    var options = CellOptions(activation: activation)
    if kind.hasCellState {
      options.outputActivation = activation
      options.forgetOffset = forgetBias
      (options.cellClip, options.projectionClip) = (cellClip, projectionClip)
    }
    return Cell(kind, parameters: parameters, options: options)
  }

  /// The parameters of a cell with one kernel and one bias for all gates.
  private func oneKernel<Scalar: KernelScalar>(
    _ arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> CellParameters<Scalar> {
    let bias = try array("bias", in: arrays, shape: [nil])
    let count = kind.gateCount
    let size = bias.count / count
    guard size > 0, bias.count % count == 0 else {
      throw ModelImportError(.wrongShape(expected: [count], found: bias.shape), name: "bias")
    }
    let kernel = try array("kernel", in: arrays, shape: [nil, count * size])
    return try parameters(
      cellClass.reordered(kernel, size: size), cellClass.reordered(bias, size: size), hidden: size)
  }

  /// The parameters of a cell whose candidate has a kernel and a bias of its own.
  private func ownCandidate<Scalar: KernelScalar>(
    _ arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> CellParameters<Scalar> {
    let bias = try array("candidate.bias", in: arrays, shape: [nil])
    let size = bias.count
    guard size > 0 else {
      throw ModelImportError(
        .wrongShape(expected: [1], found: bias.shape), name: "candidate.bias")
    }
    let candidate = try array("candidate.kernel", in: arrays, shape: [nil, size])
    let width = (kind.gateCount - 1) * size
    let gates = try array("gates.kernel", in: arrays, shape: [candidate.shape[0], width])
    let gateBias = try array("gates.bias", in: arrays, shape: [width])
    return try parameters(
      Tensor.concatenatingLastAxis([gates, candidate]),
      Tensor.concatenatingLastAxis([gateBias, bias]), hidden: size)
  }

  /// Writes our parameters by TensorFlow's names.
  public func arrays<Scalar: KernelScalar>(
    from parameters: CellParameters<Scalar>, role: ParameterRole
  ) -> [String: Tensor<Scalar>] {
    let size = parameters.hiddenSize
    let kernel = parameters.inputWeights.stackedOn(parameters.recurrentWeights)
    if cellClass.hasOwnCandidate {
      let candidate = parameters.columns(of: .candidate)
      let gates = 0..<candidate.lowerBound
      return [
        "gates.kernel": kernel[..., gates], "gates.bias": parameters.bias[gates],
        "candidate.kernel": kernel[..., candidate],
        "candidate.bias": parameters.bias[candidate],
      ]
    }
    var result = [
      "kernel": cellClass.reordered(kernel, size: size),
      "bias": cellClass.reordered(parameters.bias, size: size),
    ]
    if !parameters.peepholes.isEmpty {
      for (index, name) in Self.peepholeNames.enumerated() {
        result[name] = parameters.peepholes[index, ...]
      }
    }
    if !parameters.projection.isEmpty { result["projection.kernel"] = parameters.projection }
    return result
  }

  private static let peepholeNames = ["w_i_diag", "w_f_diag", "w_o_diag"]

  private func parameters<Scalar: KernelScalar>(
    _ kernel: Tensor<Scalar>, _ bias: Tensor<Scalar>, hidden: Int
  ) throws(ModelImportError) -> CellParameters<Scalar> {
    guard
      kind.parts.isSuperset(of: [.peepholes, .projection])
        || !usesPeepholes && projectionSize == nil
    else {
      throw ModelImportError(
        .doesNotFit("a \(cellClass.name) has neither peepholes nor a projection; an LSTMCell has"),
        name: usesPeepholes ? "w_f_diag" : "projection.kernel")
    }
    let out = projectionSize ?? hidden
    let inputSize = kernel.shape[0] - out
    guard inputSize >= 0, hidden > 0 else {
      throw ModelImportError(
        .wrongShape(expected: [out, kernel.shape[1]], found: kernel.shape), name: "kernel")
    }
    var result = CellParameters<Scalar>(
      gates: kind.gates, inputSize: inputSize, hiddenSize: hidden, hasPeepholes: usesPeepholes,
      projectionSize: projectionSize)
    result.inputWeights = kernel[0..<inputSize]
    result.recurrentWeights = kernel[inputSize..<inputSize + out]
    result.bias = bias
    return result
  }
}
