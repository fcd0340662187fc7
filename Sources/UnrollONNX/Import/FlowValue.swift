#if ONNX
internal import Unroll

// One value per edge of a graph: what is known of its numbers, and what happened to them.
//
// A number that depends on the graph's inputs is represented by a place: an integer that says which
// number of which source it is. A source is an input of the graph, what a recurrent layer puts out, or
// the result of an operator that computes. Operators that only move numbers are run on the places.

/// Where numbers come from.
struct FlowSource {
  enum Kind: Equatable {
    /// An input of the graph.
    case input(String)
    /// The sequence that a level puts out.
    case outputs(level: Int)
    /// A final state of a level.
    case state(level: Int)
    /// The result of an operator that computes.
    case computed
  }

  var kind: Kind
  /// The place of its first number; the others follow in row-major order of `shape`.
  var start: Int
  /// Of a level's outputs `[T, B, features]`, whatever the node's own order is.
  var shape: [Int]

  var count: Int { shape.reduce(1, *) }
  var places: Range<Int> { start..<start + count }
}

/// What is known of a value.
struct FlowValue<Scalar: KernelScalar> {
  enum Content {
    /// Numbers that do not depend on the graph's inputs, sizes aside.
    case known(ONNXValue<Scalar>)
    /// Where each number comes from.
    case places(NDArray<Int>, isReal: Bool)
    /// Nothing.
    case unknown
  }

  /// The place of a number 0 of the file, and of any other number of the file.
  static var zeroPlace: Int { 0 }
  static var fixedPlace: Int { -1 }

  var content: Content
  /// Operators that computed with the numbers since the last layer, or the input, in their order; those that
  /// moved numbers before them, too, unless they left all in order.
  var path: [String] = []
  /// Operators that moved numbers since then.
  var moves: [String] = []
  /// Operators that brought a whole sequence into another order within an axis.
  var reorders: [String] = []
  /// The last level on the way.
  var level: Int?
  /// The inputs of the graph on the way.
  var inputs: Set<String> = []
  /// Whether every number is 0, though neither shape nor numbers may be known.
  var isZero = false
  /// Whether numbers of the file that are not 0 went into it.
  var isFilled = false

  /// A value that the file holds.
  init(known value: ONNXValue<Scalar>) {
    content = .known(value)
    isZero =
      switch value {
      case .real(let array): array.elements.allSatisfy { $0 == 0 }
      case .integers: false
      }
    if case .real = value { isFilled = !isZero }
  }

  init(_ content: Content) { self.content = content }

  var shape: [Int]? {
    switch content {
    case .known(let value): value.shape
    case .places(let array, _): array.shape
    case .unknown: nil
    }
  }

  var isKnown: Bool {
    if case .known = content { return true }
    return false
  }

  /// The places; those of known numbers say whether they are 0. Nil if nothing is known.
  var places: NDArray<Int>? {
    switch content {
    case .places(let array, _): return array
    case .known(.real(let array)):
      return NDArray(
        shape: array.shape,
        elements: array.elements.map { $0 == 0 ? Self.zeroPlace : Self.fixedPlace })
    case .known(.integers(let array)):
      return NDArray(
        shape: array.shape,
        elements: array.elements.map { $0 == 0 ? Self.zeroPlace : Self.fixedPlace })
    case .unknown: return nil
    }
  }

  /// A value of which nothing is known but what went into it.
  init(joining values: [FlowValue]) {
    content = .unknown
    for value in values {
      for name in value.path where !path.contains(name) { path.append(name) }
      for name in value.moves where !moves.contains(name) { moves.append(name) }
      for name in value.reorders where !reorders.contains(name) { reorders.append(name) }
      level = [level, value.level].compactMap(\.self).max()
      inputs.formUnion(value.inputs)
      isFilled = isFilled || value.isFilled
    }
    isZero = !values.isEmpty && values.allSatisfy(\.isZero)
  }

  /// Whether it depends on the graph's inputs or layers, or an operator that is not known.
  var isConstant: Bool { isKnown || level == nil && inputs.isEmpty && path.isEmpty }
}

/// How places lie, compared with their source.
enum Arrangement: Equatable {
  /// All of a source, its axes in this order; axes of size 1 aside.
  case axes([Int], source: Int)
  /// All of a source, row by row, in a shape that is not the source's.
  case reshaped(source: Int)
  /// All of a source, once each, in another order.
  case reordered(source: Int)
  /// A part, a repetition or a mixture.
  case other

  /// Whether they are a whole source with its axes in some order.
  var isAxes: Bool {
    if case .axes = self { return true }
    return false
  }

  init(_ places: NDArray<Int>, _ sources: [FlowSource]) {
    let numbers = places.elements
    guard let first = numbers.first,
      let index = sources.firstIndex(where: { $0.places.contains(first) }),
      sources[index].count == numbers.count
    else {
      self = .other
      return
    }
    let source = sources[index]
    let shape = places.shape.filter { $0 != 1 }
    let canonical = source.shape.filter { $0 != 1 }
    if shape.count == canonical.count, shape.count <= 5 {
      let whole = NDArray(shape: canonical, elements: Array(source.places))
      for order in Self.orders(canonical.count) where order.map({ canonical[$0] }) == shape {
        if (try? whole.transposed(order))?.elements == numbers {
          self = .axes(order, source: index)
          return
        }
      }
    }
    if numbers.elementsEqual(source.places) {
      self = .reshaped(source: index)
    } else if numbers.allSatisfy(source.places.contains), Set(numbers).count == numbers.count {
      self = .reordered(source: index)
    } else {
      self = .other
    }
  }

  /// All orders of some axes, the unchanged one first.
  private static func orders(_ count: Int) -> [[Int]] {
    guard count > 0 else { return [[]] }
    var result: [[Int]] = [[]]
    for _ in 0..<count {
      result = result.flatMap { start in
        (0..<count).filter { !start.contains($0) }.map { start + [$0] }
      }
    }
    return result
  }
}
#endif
