internal import Unroll

// Operators that move numbers and leave them as they are.
extension NodeRun {
  func shapeOf() throws(ONNXError) -> ONNXValue<Scalar> {
    let shape = try input(0).shape
    let range = shape.indices.clamped(
      to: bound(
        "start", 0, shape.count)..<max(
          bound("start", 0, shape.count), bound("end", shape.count, shape.count)))
    return .integers(NDArray(shape: [range.count], elements: Array(shape[range])))
  }

  /// A bound of `Shape`, which may count from the end.
  private func bound(_ name: String, _ standard: Int, _ rank: Int) -> Int {
    let value = integer(name) ?? standard
    return min(max(value < 0 ? value + rank : value, 0), rank)
  }

  func cast() throws(ONNXError) -> ONNXValue<Scalar> {
    guard let target = integer("to").flatMap({ ONNXType(rawValue: Int32(clamping: $0)) }) else {
      throw ONNXError(.unsupported("a cast to type \(integer("to") ?? 0)"))
    }
    switch (try input(0), target.isReal) {
    case (.real(let array), true):
      return .real(NDArray(shape: array.shape, elements: array.elements.map(target.rounded)))
    case (.integers(let array), false):
      return .integers(
        target == .bool
          ? NDArray(shape: array.shape, elements: array.elements.map { $0 == 0 ? 0 : 1 }) : array)
    case (.integers(let array), true):
      return .real(
        NDArray(
          shape: array.shape, elements: array.elements.map { target.rounded(Scalar($0)) }))
    case (.real(let array), false) where target == .bool:
      return .integers(
        NDArray(shape: array.shape, elements: array.elements.map { $0 == 0 ? 0 : 1 }))
    case (.real(let array), false):
      var integers: [Int] = []
      for number in array.elements {
        guard let integer = Int(exactly: Double(number).rounded(.towardZero)) else {
          throw ONNXError(.wrongValue("expected numbers that are integers, found \(number)"))
        }
        integers.append(integer)
      }
      return .integers(NDArray(shape: array.shape, elements: integers))
    }
  }

  func squeezed() throws(ONNXError) -> ONNXValue<Scalar> {
    let value = try input(0)
    let shape = value.shape
    let axes: Set<Int>
    if let list = try integers("axes", orInput: 1) {
      var set = Set<Int>()
      for axis in list { set.insert(try Self.axis(axis, shape.count)) }
      axes = set
    } else {
      axes = Set(shape.indices.filter { shape[$0] == 1 })
    }
    guard axes.allSatisfy({ shape[$0] == 1 }) else {
      throw ONNXError(.wrongValue("expected axes of size 1, found \(axes.sorted()) of \(shape)"))
    }
    return try reshape(value, to: shape.indices.filter { !axes.contains($0) }.map { shape[$0] })
  }

  func unsqueezed() throws(ONNXError) -> ONNXValue<Scalar> {
    let value = try input(0)
    guard let list = try integers("axes", orInput: 1) else { throw ONNXError(.missing("axes")) }
    let rank = value.shape.count + list.count
    var axes = Set<Int>()
    for axis in list { axes.insert(try Self.axis(axis, rank)) }
    guard axes.count == list.count else {
      throw ONNXError(.wrongValue("expected different axes, found \(list)"))
    }
    var sizes = value.shape.makeIterator()
    return try reshape(value, to: (0..<rank).map { axes.contains($0) ? 1 : sizes.next() ?? 1 })
  }

  func transposed() throws(ONNXError) -> ONNXValue<Scalar> {
    let value = try input(0)
    let order = integers("perm") ?? Array(value.shape.indices.reversed())
    return try value.moved { array throws(ONNXError) in
      try array.transposed(order)
    } _: {
      array throws(ONNXError) in
      try array.transposed(order)
    }
  }

  func reshaped() throws(ONNXError) -> ONNXValue<Scalar> {
    let value = try input(0)
    var shape = try integers(1).elements
    let keepsZero = (integer("allowzero") ?? 0) != 0
    for axis in shape.indices where shape[axis] == 0 && !keepsZero {
      guard axis < value.shape.count else {
        throw ONNXError(.wrongValue("expected a size for axis \(axis), found 0"))
      }
      shape[axis] = value.shape[axis]
    }
    let open = shape.indices.filter { shape[$0] == -1 }
    if let axis = open.first, open.count == 1 {
      var known = shape
      known.remove(at: axis)
      let rest = try NDArray<Int>.count(known)
      let total = value.shape.reduce(1, *)
      guard rest > 0, total % rest == 0 else {
        throw ONNXError(.wrongValue("expected a shape of \(total) numbers, found \(shape)"))
      }
      shape[axis] = total / rest
    }
    return try reshape(value, to: shape)
  }

  func flattened() throws(ONNXError) -> ONNXValue<Scalar> {
    let value = try input(0)
    let rank = value.shape.count
    let axis = integer("axis") ?? 1
    let place = axis < 0 ? axis + rank : axis
    guard (0...rank).contains(place) else {
      throw ONNXError(.wrongValue("expected an axis of \(value.shape), found \(axis)"))
    }
    return try reshape(
      value, to: [value.shape[..<place].reduce(1, *), value.shape[place...].reduce(1, *)])
  }

  func expanded() throws(ONNXError) -> ONNXValue<Scalar> {
    let value = try input(0)
    let shape = try NDArray<Int>.common(value.shape, integers(1).elements)
    return try value.moved { array throws(ONNXError) in
      try array.broadcast(to: shape)
    } _: {
      array throws(ONNXError) in
      try array.broadcast(to: shape)
    }
  }

  func concatenated() throws(ONNXError) -> ONNXValue<Scalar> {
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

  func sliced() throws(ONNXError) -> ONNXValue<Scalar> {
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
      value = try value.moved { array throws(ONNXError) in
        try array.sliced(axis: axis, from: start, to: end, step: step)
      } _: { array throws(ONNXError) in
        try array.sliced(axis: axis, from: start, to: end, step: step)
      }
    }
    return value
  }

  func split() throws(ONNXError) -> [ONNXValue<Scalar>] {
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
    var (parts, start) = ([ONNXValue<Scalar>](), 0)
    for size in sizes {
      let (first, end) = (start, start + size)
      parts.append(
        try value.moved { array throws(ONNXError) in
          try array.sliced(axis: axis, from: first, to: end, step: 1)
        } _: { array throws(ONNXError) in
          try array.sliced(axis: axis, from: first, to: end, step: 1)
        })
      start = end
    }
    return parts
  }

  func gathered() throws(ONNXError) -> ONNXValue<Scalar> {
    let (value, indices) = (try input(0), try integers(1))
    let axis = try Self.axis(integer("axis") ?? 0, value.shape.count)
    return try value.moved { array throws(ONNXError) in
      try array.gathered(indices, axis: axis)
    } _: { array throws(ONNXError) in
      try array.gathered(indices, axis: axis)
    }
  }

  private func reshape(
    _ value: ONNXValue<Scalar>, to shape: [Int]
  ) throws(ONNXError) -> ONNXValue<Scalar> {
    try value.moved { array throws(ONNXError) in
      try array.reshaped(shape)
    } _: {
      array throws(ONNXError) in
      try array.reshaped(shape)
    }
  }

  /// An axis that may count from the end.
  static func axis(_ axis: Int, _ rank: Int) throws(ONNXError) -> Int {
    let result = axis < 0 ? axis + rank : axis
    guard (0..<rank).contains(result) else {
      throw ONNXError(.wrongValue("expected an axis below \(rank), found \(axis)"))
    }
    return result
  }
}
