internal import Unroll

// Operators that select, join and reorder numbers along an axis, and change none.
extension GraphOperator {
  /// Operators that can exchange numbers within an axis.
  static var selections: Table {
    var rows: Table = [
      "Slice": .moving(NodeRun.sliced),
      "Split": GraphOperator(evaluate: NodeRun.split) {
        $0.move($1, data: Array($1.given.prefix(1)))
      },
      "Gather": GraphOperator(one: NodeRun.gathered) { $0.gather($1) },
      "Concat": GraphOperator(one: NodeRun.concatenated) { $0.move($1, data: $1.given) },
      "ReverseSequence": .moving(NodeRun.reversedSequences),
    ]
    for name in ["Slice", "Gather", "Concat", "ReverseSequence"] {
      rows[name]?.reordersAxis = true
    }
    return rows
  }
}

extension GraphProbe {
  /// Rows of a table of the file that an input picks are no order of the input's numbers: that computes.
  fileprivate mutating func gather(_ node: FlowNode<Scalar>) -> [Value] {
    if node.inputs.count == 2, let data = node.inputs[0], node.inputs[1]?.isKnown == true {
      return move(node, data: [data])
    }
    guard let (rows, indices) = node.twoShapes else { return computed(node, shape: nil) }
    let axis = node.integer("axis") ?? 0
    let place = axis < 0 ? axis + rows.count : axis
    guard rows.indices.contains(place) else { return computed(node, shape: nil) }
    return computed(node, shape: rows[..<place] + indices + rows[(place + 1)...])
  }
}

extension NodeRun {
  fileprivate func concatenated() throws(ONNXError) -> ONNXValue<Scalar> {
    let first = try input(0)
    let axis = try Self.axis(integer("axis") ?? 0, first.shape.count)
    switch first {
    case .real:
      var parts: [NDArray<Scalar>] = []
      for index in node.input.indices { parts.append(try real(index)) }
      return .real(try NDArray.concatenated(parts, axis: axis))
    case .integers:
      var parts: [NDArray<Int>] = []
      for index in node.input.indices { parts.append(try integers(index)) }
      return .integers(try NDArray.concatenated(parts, axis: axis))
    }
  }

  fileprivate func sliced() throws(ONNXError) -> ONNXValue<Scalar> {
    var value = try input(0)
    guard let starts = try integers("starts", orInput: 1),
      let ends = try integers("ends", orInput: 2), starts.count == ends.count
    else { throw ONNXError(.missing("starts and ends of one length")) }
    let axes = try integers("axes", orInput: 3) ?? Array(starts.indices)
    let steps = try integers("steps", orInput: 4) ?? starts.map { _ in 1 }
    guard axes.count == starts.count, steps.count == starts.count else {
      throw ONNXError(.wrongValue("expected \(starts.count) axes and steps"))
    }
    for index in starts.indices {
      let axis = try Self.axis(axes[index], value.shape.count)
      let (start, end, step) = (starts[index], ends[index], steps[index])
      value = try value.rearranged(.slice(axis: axis, from: start, to: end, step: step))
    }
    return value
  }

  fileprivate func split() throws(ONNXError) -> [ONNXValue<Scalar>?] {
    let value = try input(0)
    let axis = try Self.axis(integer("axis") ?? 0, value.shape.count)
    let (size, count) = (value.shape[axis], node.output.count)
    guard count > 0 else { throw ONNXError(.missing("an output")) }
    let sizes: [Int]
    if let list = try integers("split", orInput: 1) {
      sizes = list
    } else {
      let part = (size + count - 1) / count
      sizes = (0..<count).map { max(0, min(part, size - $0 * part)) }
    }
    guard sizes.count == count, sizes.allSatisfy({ $0 >= 0 && $0 <= size }),
      sizes.reduce(0, +) == size
    else {
      throw ONNXError(.wrongValue("expected \(count) sizes with sum \(size), found \(sizes)"))
    }
    var (parts, start) = ([ONNXValue<Scalar>?](), 0)
    for size in sizes {
      parts.append(
        try value.rearranged(.slice(axis: axis, from: start, to: start + size, step: 1)))
      start += size
    }
    return parts
  }

  fileprivate func gathered() throws(ONNXError) -> ONNXValue<Scalar> {
    let (value, indices) = (try input(0), try integers(1))
    let axis = try Self.axis(integer("axis") ?? 0, value.shape.count)
    return try value.rearranged(.gather(indices, axis: axis))
  }

  /// Turns the first steps of each row round; the rest stays.
  fileprivate func reversedSequences() throws(ONNXError) -> ONNXValue<Scalar> {
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
    return try value.rearranged(.reshape(flat)).rearranged(.gather(indices, axis: 0))
      .rearranged(.reshape(shape))
  }
}
