internal import Unroll

// Truth values, as 0 and 1; and repetition and reversal.
extension NodeRun {
  func comparison() throws(ONNXError) -> ONNXValue<Scalar> {
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

  func logic() throws(ONNXError) -> ONNXValue<Scalar> {
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

  func tiled() throws(ONNXError) -> ONNXValue<Scalar> {
    var value = try input(0)
    let repeats = try integers(1).elements
    guard repeats.count == value.shape.count, repeats.allSatisfy({ $0 >= 0 }) else {
      throw ONNXError(
        .wrongValue("expected \(value.shape.count) numbers of repetitions, found \(repeats)"))
    }
    for (axis, count) in repeats.enumerated() where count != 1 {
      let size = value.shape[axis]
      let (rows, overflow) = size.multipliedReportingOverflow(by: count)
      guard !overflow, rows <= ONNXLimits.numbers else {
        throw ONNXError(.wrongValue("expected fewer repetitions, found \(repeats)"))
      }
      let indices = NDArray<Int>(shape: [rows], elements: (0..<rows).map { $0 % max(1, size) })
      value = try value.moved { array throws(ONNXError) in
        try array.gathered(indices, axis: axis)
      } _: { array throws(ONNXError) in
        try array.gathered(indices, axis: axis)
      }
    }
    return value
  }

  /// Turns the first steps of each row round; the rest stays.
  func reversedSequences() throws(ONNXError) -> ONNXValue<Scalar> {
    let value = try input(0)
    let lengths = try integers(1).elements
    let rank = value.shape.count
    let time = try Self.axis(integer("time_axis") ?? 0, rank)
    let batch = try Self.axis(integer("batch_axis") ?? 1, rank)
    guard [time, batch].sorted() == [0, 1], rank >= 2, lengths.count == value.shape[batch],
      lengths.allSatisfy({ (0...value.shape[time]).contains($0) })
    else {
      throw ONNXError(
        .wrongValue("expected a length of at most \(value.shape) for each row, found \(lengths)"))
    }
    let (first, second) = (value.shape[0], value.shape[1])
    var rows: [Int] = []
    for a in 0..<first {
      for b in 0..<second {
        let (step, row) = time == 0 ? (a, b) : (b, a)
        let from = step < lengths[row] ? lengths[row] - 1 - step : step
        rows.append(time == 0 ? from * second + row : row * second + from)
      }
    }
    let (shape, indices) = (value.shape, NDArray<Int>(shape: [rows.count], elements: rows))
    let flat = [first * second] + shape.dropFirst(2)
    return try value.moved { array throws(ONNXError) in
      try array.reshaped(flat).gathered(indices, axis: 0).reshaped(shape)
    } _: { array throws(ONNXError) in
      try array.reshaped(flat).gathered(indices, axis: 0).reshaped(shape)
    }
  }
}
