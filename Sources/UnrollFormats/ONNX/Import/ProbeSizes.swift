internal import Foundation

/// The sizes that a graph's inputs have in a probe.
///
/// Sizes that the file declares are kept. The others are prime numbers, different from each other and from the sizes of
/// the layers, so that no two axes can be confused.
struct ProbeSizes {
  /// The size of each axis with a name.
  private var named: [String: Int] = [:]
  /// Whether axes of a fixed size are given other ones, too, where they are not features.
  private let ignoresDeclared: Bool
  private var primes: [Int]
  private var unnamed: [String: [Int]] = [:]
  /// The features that the first layer reads.
  private let inputSize: Int

  /// The sizes of time and batch where nothing declares them.
  private(set) var standard: (time: Int, batch: Int)

  /// Whether any axis has a size that the file does not declare.
  private(set) var isOpen = false

  /// The maximum number of places of a value; larger graphs are probed with smaller sizes than they declare.
  static let limit = 1 << 20

  /// The sizes for two probes, or one if the file declares all of them.
  ///
  /// - Parameters:
  ///   - graph: The graph.
  ///   - layers: Sizes of its layers: input, hidden, output.
  ///   - inputSize: What the first layer reads.
  /// - Returns: The sizes of each probe.
  static func probes(
    _ graph: GraphProto, layers: Set<Int>, inputSize: Int
  ) -> [ProbeSizes] {
    var graph = graph
    // Old files list their arrays among the inputs.
    let arrays = Set(graph.initializer.map(\.name))
    graph.input.removeAll { arrays.contains($0.name) }
    let declared = graph.input.flatMap { $0.type.tensorType.shape?.dim ?? [] }
    let primes = [5, 3, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79]
      .filter { !layers.contains($0) && !declared.map(\.value).contains(.dimValue(Int64($0))) }
    let largest = layers.max() ?? 1
    guard primes.count > 2 else { return [] }
    func make(_ primes: [Int], ignoresDeclared: Bool) -> ProbeSizes {
      ProbeSizes(
        graph, primes: primes, inputSize: inputSize, ignoresDeclared: ignoresDeclared)
    }
    let first = make(primes, ignoresDeclared: false)
    let isLarge = graph.input.contains { input in
      let (leading, overflow) = first.shape(of: input).dropLast().reduce((1, false)) {
        let (product, overflow) = $0.0.multipliedReportingOverflow(by: max($1, 1))
        return (product, $0.1 || overflow)
      }
      let (count, isTooMany) = leading.multipliedReportingOverflow(by: largest)
      return overflow || isTooMany || count > limit
    }
    let others = Array(primes.dropFirst(2)) + primes.prefix(2)
    if isLarge {
      return [make(primes, ignoresDeclared: true), make(others, ignoresDeclared: true)]
    }
    return first.isOpen ? [first, make(others, ignoresDeclared: false)] : [first]
  }

  private init(
    _ graph: GraphProto, primes: [Int], inputSize: Int, ignoresDeclared: Bool
  ) {
    (self.primes, self.inputSize, self.ignoresDeclared) = (primes, inputSize, ignoresDeclared)
    standard = (primes[0], primes[1])
    for input in graph.input {
      let dims = input.type.tensorType.shape?.dim ?? []
      unnamed[input.name] = dims.enumerated().map { axis, dimension in
        let isFeature = axis == dims.count - 1 && dims.count >= 3
        switch dimension.value {
        case .dimValue(let fixed) where fixed > 0 && (!ignoresDeclared || isFeature || fixed == 1):
          return Int(clamping: fixed)
        case .dimValue(let fixed) where fixed > 0:
          // Axes that share a declared size share the new size, too.
          return self.size(named: "fixed \(fixed)")
        case .dimParam(let name) where !name.isEmpty && !isFeature:
          isOpen = true
          return self.size(named: name)
        default:
          isOpen = true
          return isFeature ? inputSize : self.size(named: "\(input.name) \(axis)")
        }
      }
    }
  }

  private mutating func size(named name: String) -> Int {
    if let size = named[name] { return size }
    let size = primes[min(named.count, primes.count - 1)]
    named[name] = size
    return size
  }

  /// The shape that an input has.
  func shape(of input: ValueInfoProto) -> [Int] { unnamed[input.name] ?? [] }
}
