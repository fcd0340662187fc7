internal import Unroll

// The lattice of graph imports: one value per edge, which says what is known of its numbers.
//
// A number that depends on the graph's inputs is represented by a place: an integer that says which
// number of which source it is. A source is an input of the graph, what a recurrent layer puts out, or
// the result of an operator that computes. Operators that only move numbers are run on the places.

/// An origin of numbers.
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
  /// The shape; of a level's outputs `[T, B, features]`, regardless of the order that the node uses.
  var shape: [Int]

  var count: Int { shape.reduce(1, *) }
  var places: Range<Int> { start..<start + count }
}

extension [FlowSource] {
  /// The source of a place; nil for numbers of the file.
  ///
  /// Sources are in the order of their places.
  func index(of place: Int) -> Int? {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle].start <= place { low = middle + 1 } else { high = middle }
    }
    return low > 0 && self[low - 1].places.contains(place) ? low - 1 : nil
  }

  /// The sources that places are from, and whether every place is from one of them, not a number of the file.
  func used(by places: [Int]) -> (sources: [FlowSource], isComplete: Bool) {
    var (found, isComplete, last) = (Set<Int>(), true, -1)
    for place in places where last < 0 || !self[last].places.contains(place) {
      if let index = index(of: place) {
        found.insert(index)
        last = index
      } else {
        isComplete = false
      }
    }
    return (found.sorted().map { self[$0] }, isComplete)
  }
}

/// The lattice value of an edge: everything that is known of its numbers.
struct FlowValue<Scalar: KernelScalar> {
  enum Content {
    /// Numbers that do not depend on the graph's inputs, sizes aside.
    case known(ONNXValue<Scalar>)
    /// The origin of each number.
    case places(NDArray<Int>, isReal: Bool)
    /// Nothing.
    case unknown
  }

  /// The place of a constant 0, and of any other constant number.
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
  /// The last recurrent level that the numbers passed through.
  var level: Int?
  /// The inputs of the graph that the numbers depend on.
  var inputs: Set<String> = []
  /// Whether every number is 0, though neither shape nor numbers may be known.
  var isZero = false
  /// Whether it depends on constants other than 0.
  var isFilled = false

  /// A constant.
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

  /// Whether it holds floating-point numbers; false if nothing is known.
  var isReal: Bool {
    switch content {
    case .places(_, let isReal): isReal
    case .known(.real): true
    default: false
    }
  }

  /// The places, nil if nothing is known.
  ///
  /// Places of constant numbers say only whether each number is 0.
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

  /// A value that depends on others, of which nothing else is known.
  init(joining values: [FlowValue]) {
    content = .unknown
    for value in values {
      for name in value.path { pass(name) }
      for name in value.moves where !moves.contains(name) { moves.append(name) }
      for name in value.reorders where !reorders.contains(name) { reorders.append(name) }
      level = [level, value.level].compactMap(\.self).max()
      for name in value.inputs where inputs.count < Self.most { inputs.insert(name) }
      isFilled = isFilled || value.isFilled
    }
    isZero = !values.isEmpty && values.allSatisfy(\.isZero)
  }

  /// The maximum number of names that a value stores, so that values stay small in long graphs.
  private static var most: Int { 16 }

  /// Records that the numbers passed through an operator.
  mutating func pass(_ name: String) {
    guard !path.contains(name), path.count <= Self.most else { return }
    path.append(path.count < Self.most ? name : "…")
  }

  /// Whether it depends on the graph's inputs or layers, or an operator that is not known.
  var isConstant: Bool { isKnown || level == nil && inputs.isEmpty && path.isEmpty }
}

/// The arrangement of places compared with their source.
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
      let index = sources.index(of: first),
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
    } else {
      self = Self.isComplete(numbers, source) ? .reordered(source: index) : .other
    }
  }

  /// Whether each place of a source is there once.
  private static func isComplete(_ numbers: [Int], _ source: FlowSource) -> Bool {
    var isThere = [Bool](repeating: false, count: source.count)
    for number in numbers {
      guard source.places.contains(number), !isThere[number - source.start] else { return false }
      isThere[number - source.start] = true
    }
    return true
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
