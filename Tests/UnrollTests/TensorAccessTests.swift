// Compares elements, slices, buffers and spans of tensors with computed offsets.

import Testing
import Unroll
import UnrollTestSupport

@Suite("Access to a tensor")
struct TensorAccessTests {
  /// A tensor whose elements are their offsets.
  private func counting(_ shape: [Int]) -> Tensor<Float> {
    let count = shape.reduce(1, *)
    return Tensor(shape: shape, elements: (0..<count).map(Float.init))
  }

  /// The row-major offset of an index per axis.
  private func offset(_ indices: [Int], _ shape: [Int]) -> Int {
    var (offset, stride) = (0, 1)
    for axis in shape.indices.reversed() {
      offset += indices[axis] * stride
      stride *= shape[axis]
    }
    return offset
  }

  /// All combinations of indices, in row-major order.
  private func indices(_ ranges: [Range<Int>]) -> [[Int]] {
    ranges.reduce([[]]) { heads, range in heads.flatMap { head in range.map { head + [$0] } } }
  }

  private func read(_ x: Tensor<Float>, _ i: [Int]) -> Float {
    switch i.count {
    case 1: x[i[0]]
    case 2: x[i[0], i[1]]
    case 3: x[i[0], i[1], i[2]]
    case 4: x[i[0], i[1], i[2], i[3]]
    default: x[i]
    }
  }

  private func write(_ x: inout Tensor<Float>, _ i: [Int], _ value: Float) {
    switch i.count {
    case 1: x[i[0]] = value
    case 2: x[i[0], i[1]] = value
    case 3: x[i[0], i[1], i[2]] = value
    case 4: x[i[0], i[1], i[2], i[3]] = value
    default: x[i] = value
    }
  }

  static let shapes = [[], [5], [3, 4], [2, 3, 4], [4, 1, 2, 3], [2, 1, 3, 2, 2]]

  @Test("Elements are row-major for every number of axes", arguments: shapes)
  func elements(_ shape: [Int]) {
    let x = counting(shape)
    for place in indices(shape.map { 0..<$0 }) {
      let offset = offset(place, shape)
      #expect(read(x, place) == Float(offset) && x[place] == Float(offset))
      var copy = x
      write(&copy, place, -7)
      var expected = x.elements
      expected[offset] = -7
      #expect(copy.elements == expected)
      // The original shared its elements with the copy.
      #expect(x == counting(shape))
    }
  }

  @Test("An element changes in place")
  func inPlace() {
    var x = counting([2, 3])
    x[1, 2] += 10
    x[1, 2] *= 2
    func double(_ value: inout Float) { value *= 2 }
    double(&x[0, 1])
    #expect(x.elements == [0, 2, 2, 3, 4, 30])
  }

  @Test("A part at an index, or at two, loses these axes; written parts leave the others")
  func indexedParts() {
    let x = counting([2, 3, 4])
    for i in 0..<2 {
      #expect(x[i, ...].shape == [3, 4])
      #expect(x[i, ...].elements == (0..<12).map { Float(12 * i + $0) })
      for j in 0..<3 {
        #expect(x[i, j, ...].shape == [4])
        #expect(x[i, j, ...].elements == (0..<4).map { Float(12 * i + 4 * j + $0) })
        var copy = x
        copy[i, j, ...] = Tensor(shape: [4], repeating: -1)
        for place in indices([0..<2, 0..<3, 0..<4]) {
          let isInside = place[0] == i && place[1] == j
          #expect(copy[place] == (isInside ? -1 : x[place]))
        }
      }
      var copy = x
      copy[i, ...] = Tensor(shape: [3, 4], repeating: -1)
      #expect(copy[i, ...] == Tensor(shape: [3, 4], repeating: -1))
      #expect(copy[1 - i, ...] == x[1 - i, ...])
    }
    #expect(counting([3])[2, ...].shape == [] && counting([3])[2, ...].scalar == 2)
    #expect(x[1, ...][2, ...] == x[1, 2, ...])
  }

  /// Reads and writes a slice, and compares each element.
  private func check(
    _ x: Tensor<Float>, _ ranges: [Range<Int>], _ read: (Tensor<Float>) -> Tensor<Float>,
    _ write: (inout Tensor<Float>, Tensor<Float>) -> Void, _ name: String
  ) {
    let whole = ranges + x.shape.dropFirst(ranges.count).map { 0..<$0 }
    let part = read(x)
    #expect(part.shape == whole.map(\.count), "\(name)")
    #expect(part.elements == indices(whole).map { x[$0] }, "\(name)")
    var copy = x
    let new = part.map { -$0 - 1 }
    write(&copy, new)
    for place in indices(x.shape.map { 0..<$0 }) {
      let isInside = zip(place, whole).allSatisfy { $1.contains($0) }
      #expect(copy[place] == (isInside ? -x[place] - 1 : x[place]), "\(name) at \(place)")
    }
  }

  @Test("Ranges of the first axes and of the last one, read and written", arguments: shapes)
  func ranges(_ shape: [Int]) {
    let x = counting(shape)
    func all(_ axis: Int) -> [Range<Int>] {
      guard axis >= 0, axis < shape.count else { return [] }
      return (0...shape[axis]).flatMap { start in (start...shape[axis]).map { start..<$0 } }
    }
    for a in all(0) {
      check(x, [a], { $0[a] }, { $0[a] = $1 }, "\(shape) \(a)")
      for b in all(1) {
        check(x, [a, b], { $0[a, b] }, { $0[a, b] = $1 }, "\(shape) \(a) \(b)")
        for c in all(2) where a.count < 3 {
          check(x, [a, b, c], { $0[a, b, c] }, { $0[a, b, c] = $1 }, "\(shape) \(a) \(b) \(c)")
        }
      }
    }
    for last in all(shape.count - 1) {
      let ranges = shape.dropLast().map { 0..<$0 } + [last]
      check(x, ranges, { $0[..., last] }, { $0[..., last] = $1 }, "\(shape) ..., \(last)")
    }
  }

  @Test("Every kind of range takes what it takes of an array")
  func rangeExpressions() {
    let x = counting([6])
    let array = x.elements
    #expect(x[2...].elements == Array(array[2...]))
    #expect(x[..<4].elements == Array(array[..<4]))
    #expect(x[...4].elements == Array(array[...4]))
    #expect(x[1...3].elements == Array(array[1...3]))
    #expect(x[6...].isEmpty && x[..<0].isEmpty)
    #expect(x[0...].isBitwiseEqual(to: x))
    let y = counting([4, 3])
    #expect(y[1..., ..<2].elements == [3, 4, 6, 7, 9, 10])
    #expect(y[..., 2...].elements == [2, 5, 8, 11])
  }

  @Test("A part that is written to a shared tensor leaves the others")
  func sharedParts() {
    let x = counting([3, 2])
    var copy = x
    copy[1...] += Tensor(shape: [2, 2], repeating: 10)
    #expect(copy.elements == [0, 1, 12, 13, 14, 15])
    #expect(x == counting([3, 2]))
    // A slice of the same tensor.
    copy[0..<2] = copy[1..<3]
    #expect(copy.elements == [12, 13, 14, 15, 14, 15])
  }

  @Test("Buffers have the elements; writing through one leaves a copy")
  func buffers() {
    var x = counting([2, 3])
    let copy = x
    #expect(x.withUnsafeBufferPointer { Array($0) } == x.elements)
    x.withUnsafeMutableBufferPointer { $0[4] = 40 }
    #expect(x[1, 1] == 40 && copy[1, 1] == 4)
    #expect(Tensor<Float>(shape: [0, 2]).withUnsafeBufferPointer { $0.isEmpty })
    struct Failure: Error, Equatable {}
    #expect(throws: Failure()) {
      try x.withUnsafeBufferPointer { (_) throws(Failure) in throw Failure() }
    }
  }

  #if compiler(>=6.2)
  @Test("Spans have the elements; writing through one leaves a copy")
  func spans() {
    var x = counting([2, 3])
    let copy = x
    do {
      let span = x.span
      let elements = span.indices.map { span[$0] }
      #expect(elements == x.elements)
    }
    do {
      var mutable = x.mutableSpan
      mutable[4] = 40
    }
    #expect(x[1, 1] == 40 && copy[1, 1] == 4)
    let isEmpty = Tensor<Float>(shape: [0, 2]).span.isEmpty
    #expect(isEmpty)
  }
  #endif
}
