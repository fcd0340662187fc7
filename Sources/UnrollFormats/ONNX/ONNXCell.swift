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

/// The recurrent operators.
struct ONNXClass: CellClass {
  static let program = "ONNX"
  static let all = [
    ONNXClass(kind: .rnn, name: "RNN", order: [0], blocks: ""),
    ONNXClass(
      kind: .gruResetBefore, name: "GRU", order: [1, 0, 2], blocks: ", blocks z r h become r z n"),
    ONNXClass(
      kind: .gruResetAfter, name: "GRU", order: [1, 0, 2], blocks: ", blocks z r h become r z n"),
    ONNXClass(
      kind: .lstm, name: "LSTM", order: [0, 2, 3, 1],
      blocks: ", blocks i o f c become i f g o"),
  ]

  let kind: CellKind
  let name: String
  /// ONNX's blocks in our order.
  let order: [Int]
  /// The order of the blocks, for reports.
  let blocks: String
  /// Whether `linear_before_reset` decides between two kinds.
  var hasResetGate: Bool { kind.gates.contains(.reset) }

  /// Whether a name is that of a recurrent operator.
  static func contains(_ name: String) -> Bool { ONNXClass(named: name) != nil }

  /// The functions that are used if none are named: f; f and g; f, g and h.
  var functions: [Activation] { Self.functions(of: kind, CellOptions()) }

  /// The functions among a cell's options, in ONNX's order.
  static func functions(of kind: CellKind, _ options: CellOptions) -> [Activation] {
    let fields = kind.optionFields
    return (fields.contains(.gateActivation) ? [options.gateActivation] : [])
      + [options.activation]
      + (fields.contains(.outputActivation) ? [options.outputActivation] : [])
  }
}

/// One direction of a recurrent operator.
struct ONNXCell: CellConvention {
  let cellClass: ONNXClass
  /// f; f and g; f, g and h.
  var functions: [Activation]
  var clip = 0.0
  /// `input_forget`.
  var couplesInputAndForget = false
  var usesBias = true

  var kind: CellKind { cellClass.kind }

  init(_ cellClass: ONNXClass) {
    self.cellClass = cellClass
    functions = cellClass.functions
  }

  func cell<Scalar: KernelScalar>(
    from arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> Cell<Scalar> {
    let w = try array("W", in: arrays, shape: [nil, nil])
    let width = w.shape[0]
    let gates = kind.gates
    let size = width / gates.count
    guard size > 0, width % gates.count == 0 else {
      throw ModelImportError(
        .wrongShape(expected: [gates.count, w.shape[1]], found: w.shape), name: "W")
    }
    // Check the sizes before allocating: a few numbers of a file could ask for any amount of memory.
    let r = try array("R", in: arrays, shape: [width, size])
    let hasPeepholes = arrays["P"] != nil
    guard !hasPeepholes || kind.parts.contains(.peepholes) else {
      throw ModelImportError(.unsupported(field: "P", value: "of \(cellClass.name)"), name: "P")
    }
    var parameters = CellParameters<Scalar>(
      gates: gates, inputSize: w.shape[1], hiddenSize: size,
      hasRecurrentBias: kind.candidate == .separate && usesBias,
      hasPeepholes: hasPeepholes)
    let order = cellClass.order
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
    return Cell(kind, parameters: parameters, options: options)
  }

  private var options: CellOptions {
    var options = CellOptions(argumentClip: clip)
    var next = functions.makeIterator()
    for (field, function) in [
      (CellOptions.Fields.gateActivation, \CellOptions.gateActivation),
      (.activation, \.activation), (.outputActivation, \.outputActivation),
    ] where kind.optionFields.contains(field) {
      options[keyPath: function] = next.next() ?? options[keyPath: function]
    }
    if kind.optionFields.contains(.couplesInputAndForget) {
      options.couplesInputAndForget = couplesInputAndForget
    }
    return options
  }

  func arrays<Scalar: KernelScalar>(
    from parameters: CellParameters<Scalar>, role: ParameterRole
  ) -> [String: Tensor<Scalar>] {
    let size = parameters.hiddenSize
    // The inverse of the order.
    let order = cellClass.order
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
