internal import UnrollContracts

/// Limits on the size of values while a graph runs.
enum ONNXLimits {
  /// The maximum number of elements of a value; a run sets it by the sizes of its inputs and of the file's arrays.
  @TaskLocal static var numbers = 1 << 30

  /// The limit for a graph whose inputs and arrays have a number of elements: a few symbols become many logits, but a few
  /// bytes must not expand to gigabytes.
  static func limit(given numbers: Int) -> Int { max(1 << 22, 64 * numbers) }

  /// The maximum number of elements that all nodes together may read, which bounds the time of a run.
  static var work: Int {
    let (product, overflow) = numbers.multipliedReportingOverflow(by: 1000)
    return overflow ? .max : product
  }
}

// Arrays of the graph interpreter: any element, any number of axes, in plain code. The time goes into the recurrent layers
// and products, which run in the kernels.

/// A change of the shape or order of numbers, whatever their type is.
enum Rearrangement {
  /// ``NDArray/reshaped(_:)``.
  case reshape([Int])
  /// ``NDArray/transposed(_:)``.
  case transpose([Int])
  /// ``NDArray/broadcast(to:)``.
  case broadcast([Int])
  /// ``NDArray/gathered(_:axis:)``.
  case gather(NDArray<Int>, axis: Int)
  /// ``NDArray/sliced(axis:from:to:step:)``.
  case slice(axis: Int, from: Int, to: Int, step: Int)
}

/// A dense, row-major array.
public struct NDArray<Element: Sendable>: Sendable {
  /// The size of each axis, outermost first.
  public var shape: [Int]
  /// The elements.
  public var elements: [Element]

  /// Creates an array.
  ///
  /// - Precondition: There are as many elements as the shape demands.
  public init(shape: [Int], elements: [Element]) {
    require(
      elements.count == shape.reduce(1, *),
      "NDArray.init: expected elements for \(shape), got \(elements.count).")
    self.shape = shape
    self.elements = elements
  }

  /// The number of elements of a shape that comes from a file.
  static func count(_ shape: [Int]) throws(ONNXError) -> Int {
    guard shape.count <= 64 else {
      throw ONNXError(.wrongValue("expected at most 64 axes, found \(shape.count)"))
    }
    // The product of the other axes must not overflow, even if an axis has size 0.
    var count = 1
    for axis in shape where axis != 0 {
      let (product, overflow) = count.multipliedReportingOverflow(by: axis)
      guard axis > 0, !overflow, product <= ONNXLimits.numbers else {
        throw ONNXError(
          .wrongValue("expected a shape of at most \(ONNXLimits.numbers) numbers, found \(shape)"))
      }
      count = product
    }
    if shape.contains(0) { return 0 }
    return count
  }

  /// The sizes before, at and after an axis.
  func split(at axis: Int) -> (outer: Int, size: Int, inner: Int) {
    (
      shape[..<axis].reduce(1, *), shape.isEmpty ? 1 : shape[axis],
      shape.dropFirst(axis + 1).reduce(1, *)
    )
  }

  func rearranged(_ rearrangement: Rearrangement) throws(ONNXError) -> NDArray {
    switch rearrangement {
    case .reshape(let shape): try reshaped(shape)
    case .transpose(let order): try transposed(order)
    case .broadcast(let shape): try broadcast(to: shape)
    case .gather(let indices, let axis): try gathered(indices, axis: axis)
    case .slice(let axis, let start, let end, let step):
      try sliced(axis: axis, from: start, to: end, step: step)
    }
  }

  func reshaped(_ shape: [Int]) throws(ONNXError) -> NDArray {
    guard try Self.count(shape) == elements.count else {
      throw ONNXError(
        .wrongValue("expected a shape of \(elements.count) numbers, found \(shape)"))
    }
    return NDArray(shape: shape, elements: elements)
  }

  func transposed(_ order: [Int]) throws(ONNXError) -> NDArray {
    guard order.sorted() == Array(shape.indices) else {
      throw ONNXError(.wrongValue("expected an order of the axes of \(shape), found \(order)"))
    }
    var strides = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    return gathered(order.map { shape[$0] }, strides: order.map { strides[$0] }, from: 0)
  }

  /// The elements at `start + Σ index·stride`.
  private func gathered(_ shape: [Int], strides: [Int], from start: Int) -> NDArray {
    let count = shape.reduce(1, *)
    var (result, index, place) = ([Element](), [Int](repeating: 0, count: shape.count), start)
    result.reserveCapacity(count)
    for _ in 0..<count {
      result.append(elements[place])
      for axis in shape.indices.reversed() {
        index[axis] += 1
        place += strides[axis]
        if index[axis] < shape[axis] { break }
        place -= strides[axis] * shape[axis]
        index[axis] = 0
      }
    }
    return NDArray(shape: shape, elements: result)
  }

  /// Repeats axes of size 1 to give this shape.
  func broadcast(to shape: [Int]) throws(ONNXError) -> NDArray {
    let own = [Int](repeating: 1, count: max(0, shape.count - self.shape.count)) + self.shape
    guard own.count == shape.count, zip(own, shape).allSatisfy({ $0 == $1 || $0 == 1 }) else {
      throw ONNXError(.wrongValue("expected a shape that repeats to \(shape), found \(self.shape)"))
    }
    _ = try Self.count(shape)
    if own == shape { return NDArray(shape: shape, elements: elements) }
    var strides = [Int](repeating: 0, count: shape.count)
    var stride = 1
    for axis in shape.indices.reversed() {
      strides[axis] = own[axis] == 1 ? 0 : stride
      stride *= own[axis]
    }
    return gathered(shape, strides: strides, from: 0)
  }

  /// The shape that two shapes are broadcast to.
  static func common(_ a: [Int], _ b: [Int]) throws(ONNXError) -> [Int] {
    var result: [Int] = []
    let count = max(a.count, b.count)
    let left = [Int](repeating: 1, count: count - a.count) + a
    let right = [Int](repeating: 1, count: count - b.count) + b
    for (x, y) in zip(left, right) {
      guard x == y || x == 1 || y == 1 else {
        throw ONNXError(.wrongValue("expected shapes that go together, found \(a) and \(b)"))
      }
      result.append(x == 1 ? y : x)
    }
    return result
  }

  /// The rows of an axis at some indices, which may count from the end.
  func gathered(_ indices: NDArray<Int>, axis: Int) throws(ONNXError) -> NDArray {
    let (outer, size, inner) = split(at: axis)
    let shape = self.shape[..<axis] + indices.shape + self.shape.dropFirst(axis + 1)
    _ = try Self.count(Array(shape))
    var result: [Element] = []
    for block in 0..<outer {
      for index in indices.elements {
        let row = index < 0 ? index + size : index
        guard (0..<size).contains(row) else {
          throw ONNXError(.wrongValue("expected an index below \(size), found \(index)"))
        }
        let start = (block * size + row) * inner
        result += elements[start..<start + inner]
      }
    }
    return NDArray(shape: Array(shape), elements: result)
  }

  /// Every `step`-th row of an axis.
  func sliced(axis: Int, from start: Int, to end: Int, step: Int) throws(ONNXError) -> NDArray {
    guard step != 0 else { throw ONNXError(.wrongValue("expected a step, found 0")) }
    let size = shape[axis]
    func place(_ index: Int, _ range: ClosedRange<Int>) -> Int {
      let (sum, overflow) = index.addingReportingOverflow(index < 0 ? size : 0)
      return min(max(overflow ? index : sum, range.lowerBound), range.upperBound)
    }
    let rows: [Int]
    if step > 0 {
      rows = Array(stride(from: place(start, 0...size), to: place(end, 0...size), by: step))
    } else {
      let last = max(-1, size - 1)
      let stop = end < -size ? -1 : place(end, -1...last)
      rows =
        size == 0 ? [] : Array(stride(from: place(start, 0...last), to: stop, by: step))
    }
    return try gathered(NDArray<Int>(shape: [rows.count], elements: rows), axis: axis)
  }

  /// Concatenates arrays along an axis.
  static func concatenated(_ parts: [NDArray], axis: Int) throws(ONNXError) -> NDArray {
    guard let first = parts.first else {
      throw ONNXError(.wrongValue("expected inputs, found none"))
    }
    var shape = first.shape
    shape[axis] = 0
    for part in parts {
      var other = part.shape
      guard other.count == shape.count else {
        throw ONNXError(.wrongValue("expected shapes like \(first.shape), found \(part.shape)"))
      }
      shape[axis] += other[axis]
      other[axis] = first.shape[axis]
      guard other == first.shape else {
        throw ONNXError(.wrongValue("expected shapes like \(first.shape), found \(part.shape)"))
      }
    }
    _ = try count(shape)
    var result: [Element] = []
    for block in 0..<first.split(at: axis).outer {
      for part in parts {
        let (_, size, inner) = part.split(at: axis)
        result += part.elements[block * size * inner..<(block + 1) * size * inner]
      }
    }
    return NDArray(shape: shape, elements: result)
  }

  /// Applies a function to every pair of elements, after broadcasting.
  func combined(
    _ other: NDArray, _ body: (Element, Element) throws(ONNXError) -> Element
  ) throws(ONNXError) -> NDArray {
    let shape = try Self.common(self.shape, other.shape)
    let (a, b) = (try broadcast(to: shape), try other.broadcast(to: shape))
    var result: [Element] = []
    result.reserveCapacity(a.elements.count)
    for (x, y) in zip(a.elements, b.elements) { result.append(try body(x, y)) }
    return NDArray(shape: shape, elements: result)
  }
}
