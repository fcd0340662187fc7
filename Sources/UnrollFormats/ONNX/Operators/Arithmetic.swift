internal import RealModule
internal import Unroll

// Operators that compute new numbers.
extension GraphOperator {
  /// Operators that compute numbers from numbers.
  static var arithmetic: Table {
    var rows: Table = [
      "MatMul": .computing(NodeRun.matrixProduct) { $0.productShape },
      "Gemm": .computing(NodeRun.generalProduct) { $0.generalProductShape },
    ]
    for name in ["Add", "Sub", "Mul", "Div"] {
      rows[name] = .computing(NodeRun.arithmetic) { $0.broadcastShape }
    }
    for name in ["Tanh", "Sigmoid", "Relu"] {
      rows[name] = .computing(NodeRun.activation) { $0.dataShape }
    }
    for name in ["Softmax", "LogSoftmax"] {
      rows[name] = .computing(NodeRun.softmax) { $0.dataShape }
    }
    // The others are not evaluated, but the shapes of their results are known.
    for name in ["Max", "Mean", "Min", "Mod", "Pow", "Sum", "Where"] {
      rows[name] = .computing { $0.broadcastShape }
    }
    for name in [
      "Abs", "BatchNormalization", "Ceil", "Celu", "Clip", "Cos", "CumSum", "DequantizeLinear",
      "Elu", "Erf", "Exp", "Floor", "Gelu", "GroupNormalization", "HardSigmoid", "HardSwish",
      "Hardmax", "InstanceNormalization", "LayerNormalization", "LeakyRelu", "Log",
      "LpNormalization", "MeanVarianceNormalization", "Mish", "Neg", "PRelu", "QuantizeLinear",
      "Reciprocal", "Round", "Selu", "Sign", "Sin", "Softplus", "Softsign", "Sqrt",
      "ThresholdedRelu", "Trilu",
    ] {
      rows[name] = .computing { $0.dataShape }
    }
    return rows
  }
}

extension FlowNode {
  /// The shape of a matrix product; nil if it is not known.
  fileprivate var productShape: [Int]? {
    guard let (first, second) = twoShapes, first.count >= 2,
      second.count == 2 || second.count == first.count
    else { return nil }
    return first.dropLast() + [second[second.count - 1]]
  }

  /// The shape of a product of two matrices, each of which may be transposed.
  fileprivate var generalProductShape: [Int]? {
    guard let (first, second) = twoShapes, first.count == 2, second.count == 2 else { return nil }
    return [first[integer("transA") == 1 ? 1 : 0], second[integer("transB") == 1 ? 0 : 1]]
  }
}

extension NodeRun {
  fileprivate func arithmetic() throws(ONNXError) -> ONNXValue<Scalar> {
    let name = node.opType
    if case .integers(let a) = try input(0) {
      return .integers(
        try a.combined(integers(1)) { x, y throws(ONNXError) in
          let (result, overflow) =
            switch name {
            case "Add": x.addingReportingOverflow(y)
            case "Sub": x.subtractingReportingOverflow(y)
            case "Mul": x.multipliedReportingOverflow(by: y)
            default: y == 0 ? (0, true) : x.dividedReportingOverflow(by: y)
            }
          guard !overflow else {
            throw ONNXError(.wrongValue("expected an integer result of \(x) and \(y)"))
          }
          return result
        })
    }
    return .real(
      try real(0).combined(real(1)) { x, y throws(ONNXError) in
        switch name {
        case "Add": x + y
        case "Sub": x - y
        case "Mul": x * y
        default: x / y
        }
      })
  }

  fileprivate func activation() throws(ONNXError) -> ONNXValue<Scalar> {
    let array = try real(0)
    let function: Activation =
      switch node.opType {
      case "Tanh": .tanh
      case "Sigmoid": .sigmoid
      default: .relu
      }
    return ONNXValue(
      Tensor(shape: array.shape, elements: array.elements).activated(by: function))
  }

  fileprivate func softmax() throws(ONNXError) -> ONNXValue<Scalar> {
    let array = try real(0)
    let rank = array.shape.count
    // Before operator set 13 everything from the axis on is one axis, and the axis is 1 by default.
    let isOld = opset < 13
    let axis = try Self.axis(integer("axis") ?? (isOld ? min(1, rank - 1) : -1), rank)
    var (outer, size, inner) = array.split(at: axis)
    if isOld { (size, inner) = (size * inner, 1) }
    var result = array.elements
    for block in 0..<outer {
      for column in 0..<inner {
        let places = (0..<size).map { (block * size + $0) * inner + column }
        let most = places.map { result[$0] }.max() ?? 0
        let sum = places.reduce(Scalar(0)) { $0 + Scalar.exp(result[$1] - most) }
        for place in places {
          let x = result[place] - most
          result[place] = node.opType == "Softmax" ? Scalar.exp(x) / sum : x - Scalar.log(sum)
        }
      }
    }
    return .real(NDArray(shape: array.shape, elements: result))
  }

  /// NumPy's matmul for a matrix on the right, and for stacks of equally many matrices.
  fileprivate func matrixProduct() throws(ONNXError) -> ONNXValue<Scalar> {
    let (a, b) = (try real(0), try real(1))
    guard a.shape.count >= 2, b.shape.count >= 2,
      a.shape[a.shape.count - 1] == b.shape[b.shape.count - 2]
    else {
      throw ONNXError(
        .wrongValue("expected matrices that multiply, found \(a.shape) and \(b.shape)"))
    }
    let (k, n) = (b.shape[b.shape.count - 2], b.shape[b.shape.count - 1])
    let leading = Array(a.shape.dropLast())
    _ = try NDArray<Scalar>.count(leading + [n])
    if b.shape.count == 2 {
      let rows = leading.reduce(1, *)
      let product = Tensor(shape: [rows, k], elements: a.elements)
        .matrixProduct(Tensor(shape: [k, n], elements: b.elements))
      return .real(NDArray(shape: leading + [n], elements: product.elements))
    }
    guard a.shape.dropLast(2) == b.shape.dropLast(2) else {
      throw ONNXError(.unsupported("a product of \(a.shape) and \(b.shape)"))
    }
    let m = a.shape[a.shape.count - 2]
    var elements: [Scalar] = []
    for index in 0..<a.shape.dropLast(2).reduce(1, *) {
      let left = Tensor(shape: [m, k], elements: a.elements[index * m * k..<(index + 1) * m * k])
      let right = Tensor(shape: [k, n], elements: b.elements[index * k * n..<(index + 1) * k * n])
      elements += left.matrixProduct(right).elements
    }
    return .real(NDArray(shape: leading + [n], elements: elements))
  }

  fileprivate func generalProduct() throws(ONNXError) -> ONNXValue<Scalar> {
    func matrix(_ index: Int, _ flag: String) throws(ONNXError) -> Tensor<Scalar> {
      let array = try real(index)
      guard array.shape.count == 2 else {
        throw ONNXError(.wrongValue("expected a matrix, found \(array.shape)"))
      }
      let tensor = Tensor(shape: array.shape, elements: array.elements)
      return (integer(flag) ?? 0) != 0 ? tensor.transposed : tensor
    }
    let (a, b) = (try matrix(0, "transA"), try matrix(1, "transB"))
    guard a.shape[1] == b.shape[0] else {
      throw ONNXError(
        .wrongValue("expected matrices that multiply, found \(a.shape) and \(b.shape)"))
    }
    _ = try NDArray<Scalar>.count([a.shape[0], b.shape[1]])
    let product = a.matrixProduct(b) * Scalar(number("alpha") ?? 1)
    let array = NDArray(shape: product.shape, elements: product.elements)
    guard has(2) else { return .real(array) }
    let beta = Scalar(number("beta") ?? 1)
    let bias = try real(2).broadcast(to: product.shape)
    return .real(try array.combined(bias) { x, y throws(ONNXError) in x + beta * y })
  }
}
