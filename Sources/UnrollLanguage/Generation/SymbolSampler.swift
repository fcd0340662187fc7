// Draws the next symbol from a softmax with temperature, top-k and top-p, without allocation.

internal import RealModule
internal import Unroll

/// The settings for sampling symbols.
///
/// They are applied in this order, as in Hugging Face's transformers, llama.cpp and vLLM: the temperature divides the
/// logits, ``topK`` keeps the likeliest symbols, and ``topP`` applies to the renormalised probabilities of the
/// rest.
public struct SamplingOptions: Sendable, Equatable {
  /// The divisor of the logits: 0 takes the likeliest symbol, 1 keeps the model's probabilities.
  public var temperature = 1.0
  /// The number of likeliest symbols to draw from; nil for all.
  ///
  /// Ties are broken in vocabulary order.
  public var topK: Int?
  /// The cumulative probability of top-p (nucleus) sampling, above 0 and at most 1; 1 disables it.
  ///
  /// Symbols are drawn from the smallest set of most probable symbols whose total probability reaches this, after ``topK``.
  public var topP = 1.0
  /// Symbols that are never drawn, such as `<unk>`.
  public var banned: [Int32] = []
  /// The seed of all draws.
  public var seed: UInt64 = 0

  /// The defaults.
  public init() {}

  /// A sentence that describes what is wrong; nil if the options are valid.
  public var problem: String? {
    guard temperature >= 0, temperature.isFinite else {
      return "temperature: expected a number of at least 0, found \(temperature)"
    }
    if let topK, topK < 1 { return "top_k: expected at least 1, found \(topK)" }
    guard topP > 0, topP <= 1 else {
      return "top_p: expected more than 0 and at most 1, found \(topP)"
    }
    return nil
  }
}

/// Draws symbols from logits.
///
/// The random number is a function of seed, sequence and position (Philox4x32-10), so a text does not depend on the
/// other texts or on the number of threads.
package struct SymbolSampler {
  package let options: SamplingOptions
  private var weights: [Double]
  private var heap: [Int32]

  package init(_ options: SamplingOptions, symbolCount: Int) {
    self.options = options
    weights = [Double](repeating: 0, count: symbolCount)
    heap = [Int32](repeating: 0, count: symbolCount)
  }

  /// Returns a uniform number in 0 ..< 1.
  private func uniform(_ sequence: Int, _ place: Int) -> Double {
    let philox = Philox(
      counter: SIMD4(
        UInt32(truncatingIfNeeded: place), UInt32(truncatingIfNeeded: place >> 32),
        UInt32(truncatingIfNeeded: sequence), 0x5A4D),
      key: SIMD2(
        UInt32(truncatingIfNeeded: options.seed), UInt32(truncatingIfNeeded: options.seed >> 32)))
    let words = philox.block
    return Double(UInt64(words[0]) << 21 ^ UInt64(words[1]) >> 11) / 9_007_199_254_740_992
  }

  /// Draws a symbol.
  ///
  /// - Parameters:
  ///   - logits: One per symbol.
  ///   - sequence: The index of the text.
  ///   - place: The number of symbols drawn before.
  /// - Returns: The symbol.
  package mutating func draw(
    _ logits: UnsafeBufferPointer<Float>, sequence: Int, place: Int
  ) -> Int32 {
    var most = 0
    for index in logits.indices where isBetter(logits, index, than: most) { most = index }
    if options.temperature == 0 { return Int32(most) }
    let top = Double(logits[most])
    var total = 0.0
    for index in logits.indices {
      let weight =
        isBanned(index) ? 0 : Double.exp((Double(logits[index]) - top) / options.temperature)
      weights[index] = weight
      total += weight
    }
    let cutsSome = (options.topK ?? Int.max) < weights.count || options.topP < 1
    return cutsSome
      ? drawCut(total, uniform(sequence, place)) : drawAll(total, uniform(sequence, place))
  }

  private func isBanned(_ index: Int) -> Bool {
    for symbol in options.banned where Int(symbol) == index { return true }
    return false
  }

  private func isBetter(_ logits: UnsafeBufferPointer<Float>, _ index: Int, than most: Int) -> Bool
  {
    if isBanned(index) { return false }
    return isBanned(most) || logits[index] > logits[most]
  }

  private func drawAll(_ total: Double, _ uniform: Double) -> Int32 {
    var left = uniform * total
    var last = 0
    for (index, weight) in weights.enumerated() where weight > 0 {
      left -= weight
      last = index
      if left < 0 { break }
    }
    return Int32(last)
  }

  /// Pops the likeliest symbols from a heap, as many as the options require; ties in index order.
  ///
  /// Applies top-k, then top-p to the rest.
  private mutating func drawCut(_ total: Double, _ uniform: Double) -> Int32 {
    for index in heap.indices { heap[index] = Int32(index) }
    var count = heap.count
    for root in stride(from: count / 2 - 1, through: 0, by: -1) { sink(root, count) }
    let most = min(options.topK ?? heap.count, heap.count)
    // Without top-k the total is known, and only the symbols of top-p are popped.
    let isWhole = most == heap.count
    var kept = 0.0
    while count > heap.count - most {
      // Popped symbols are stored behind the heap, in reverse order.
      heap.swapAt(0, count - 1)
      count -= 1
      sink(0, count)
      kept += weights[Int(heap[count])]
      if isWhole && kept >= options.topP * total { break }
    }
    if !isWhole && options.topP < 1 {
      let goal = options.topP * kept
      (count, kept) = (heap.count, 0)
      while count > heap.count - most && kept < goal {
        count -= 1
        kept += weights[Int(heap[count])]
      }
    }
    var left = uniform * kept
    var last = heap[heap.count - 1]
    for place in stride(from: heap.count - 1, through: count, by: -1) {
      guard weights[Int(heap[place])] > 0 else { break }
      last = heap[place]
      left -= weights[Int(last)]
      if left < 0 { break }
    }
    return last
  }

  private func precedes(_ a: Int32, _ b: Int32) -> Bool {
    let (x, y) = (weights[Int(a)], weights[Int(b)])
    return x > y || x == y && a < b
  }

  private mutating func sink(_ start: Int, _ count: Int) {
    var root = start
    while true {
      var child = 2 * root + 1
      guard child < count else { return }
      if child + 1 < count && precedes(heap[child + 1], heap[child]) { child += 1 }
      guard precedes(heap[child], heap[root]) else { return }
      heap.swapAt(root, child)
      root = child
    }
  }
}
