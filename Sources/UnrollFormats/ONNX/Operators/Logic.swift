internal import Unroll

// Comparisons and truth values, which are the integers 0 and 1.
extension GraphOperator {
  /// Operators that compute truth values.
  static var logic: Table {
    var rows: Table = [
      "Not": .computing(NodeRun.logic) { $0.dataShape },
      "Xor": .computing { $0.broadcastShape },
    ]
    for name in ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"] {
      rows[name] = .computing(NodeRun.comparison) { $0.broadcastShape }
    }
    for name in ["And", "Or"] { rows[name] = .computing(NodeRun.logic) { $0.broadcastShape } }
    return rows
  }
}

extension NodeRun {
  fileprivate func comparison() throws(ONNXError) -> ONNXValue<Scalar> {
    let name = node.opType
    func truth<Number: Comparable>(_ x: Number, _ y: Number) -> Bool {
      switch name {
      case "Equal": x == y
      case "Greater": x > y
      case "GreaterOrEqual": x >= y
      case "Less": x < y
      default: x <= y
      }
    }
    switch try input(0) {
    case .integers(let a):
      return .integers(
        try a.combined(integers(1)) { x, y throws(ONNXError) in truth(x, y) ? 1 : 0 })
    case .real(let a):
      let result = try a.combined(real(1)) { x, y throws(ONNXError) in truth(x, y) ? 1 : 0 }
      return .integers(NDArray(shape: result.shape, elements: result.elements.map { Int($0) }))
    }
  }

  fileprivate func logic() throws(ONNXError) -> ONNXValue<Scalar> {
    let a = try integers(0)
    if node.opType == "Not" {
      return .integers(NDArray(shape: a.shape, elements: a.elements.map { $0 == 0 ? 1 : 0 }))
    }
    let isAnd = node.opType == "And"
    return .integers(
      try a.combined(integers(1)) { x, y throws(ONNXError) in
        (isAnd ? x != 0 && y != 0 : x != 0 || y != 0) ? 1 : 0
      })
  }
}
