// NumPy's legacy generator (`numpy.random.seed`, `RandomState`), bit for bit.
//
//   words      MT19937 (Matsumoto and Nishimura 1998); an integer seed fills the key by Knuth's
//              recurrence (`init_genrand`), not by `init_by_array`
//   doubles    53 bits from two words: (a·2²⁶ + b) / 2⁵³, a of 27 bits, b of 26
//   normals    Marsaglia's polar method; the second value of a pair is returned first, the first
//              is cached for the next call, and seeding discards it
//   integers   masked rejection
//
// Verified by `unroll verify` with the golden set `numpy_rng`, recorded from NumPy 1.26.4.

internal import RealModule
internal import UnrollContracts

/// NumPy's legacy random generator, `numpy.random.RandomState`, bit for bit.
///
/// ```swift
/// var random = NumPyRandom(seed: 15009)
/// let inputs = random.rand([4, 5, 3])  // numpy.random.rand(4, 5, 3)
/// ```
public struct NumPyRandom: RandomStream, Sendable {
  private var key = [UInt32](repeating: 0, count: 624)
  /// The number of used words of the key; 624 after seeding.
  public private(set) var position = 624
  /// The cached normal value that the next call will return, if any.
  private(set) var cachedNormal: Double?

  /// Creates a generator in the state after `numpy.random.seed(seed)`.
  public init(seed: UInt32) {
    self.seed(seed)
  }

  /// Resets the generator like `numpy.random.seed(seed)`; discards a cached normal value.
  public mutating func seed(_ seed: UInt32) {
    var word = seed
    for index in 0..<624 {
      key[index] = word
      word = 1_812_433_253 &* (word ^ (word >> 30)) &+ UInt32(index) &+ 1
    }
    position = 624
    cachedNormal = nil
  }

  /// The 624 words of the state: `numpy.random.get_state()[1]`.
  public var keyWords: [UInt32] { key }

  /// Returns the next 32-bit word.
  public mutating func nextWord() -> UInt32 {
    if position == 624 { refill() }
    var word = key[position]
    position += 1
    word ^= word >> 11
    word ^= (word << 7) & 0x9D2C_5680
    word ^= (word << 15) & 0xEFC6_0000
    return word ^ (word >> 18)
  }

  private mutating func refill() {
    key.withUnsafeMutableBufferPointer { key in
      for index in 0..<624 {
        let mixed =
          (key[index] & 0x8000_0000) | (key[index == 623 ? 0 : index + 1] & 0x7FFF_FFFF)
        let partner = key[index < 227 ? index + 397 : index - 227]
        key[index] = partner ^ (mixed >> 1) ^ (mixed & 1 == 0 ? 0 : 0x9908_B0DF)
      }
    }
    position = 0
  }

  /// Returns the next double in 0 ..< 1, with 53 random bits.
  public mutating func nextDouble() -> Double {
    let high = nextWord() >> 5
    let low = nextWord() >> 6
    return (Double(high) * 67_108_864 + Double(low)) / 9_007_199_254_740_992
  }

  /// Returns the next standard normal value.
  public mutating func nextNormal() -> Double {
    if let kept = cachedNormal {
      cachedNormal = nil
      return kept
    }
    while true {
      let x1 = 2 * nextDouble() - 1
      let x2 = 2 * nextDouble() - 1
      let square = x1 * x1 + x2 * x2
      guard square < 1, square != 0 else { continue }
      let factor = (-2 * Double.log(square) / square).squareRoot()
      cachedNormal = factor * x1
      return factor * x2
    }
  }

  /// Returns a uniform integer of at least 0 and at most `maximum`, by masked rejection.
  mutating func interval(_ maximum: UInt64) -> UInt64 {
    guard maximum > 0 else { return 0 }
    let mask = UInt64.max >> maximum.leadingZeroBitCount
    while true {
      let value: UInt64
      if maximum <= 0xFFFF_FFFF {
        value = UInt64(nextWord()) & mask
      } else {
        let high = UInt64(nextWord())
        value = (high << 32 | UInt64(nextWord())) & mask
      }
      if value <= maximum { return value }
    }
  }
}

// MARK: - Arrays, with NumPy's names

extension NumPyRandom {
  /// `numpy.random.rand(…)`, `numpy.random.random_sample(shape)`: uniform in 0 ..< 1.
  public mutating func rand(_ shape: [Int]) -> Tensor<Double> {
    fill(shape) { $0.nextDouble() }
  }

  /// `numpy.random.randn(…)`, `numpy.random.standard_normal(shape)`.
  public mutating func randn(_ shape: [Int]) -> Tensor<Double> {
    fill(shape) { $0.nextNormal() }
  }

  /// `numpy.random.uniform(low, high, shape)`.
  public mutating func uniform(_ low: Double, _ high: Double, _ shape: [Int]) -> Tensor<Double> {
    let width = high - low
    return fill(shape) { low + width * $0.nextDouble() }
  }

  /// `numpy.random.normal(mean, deviation, shape)`.
  public mutating func normal(
    mean: Double, deviation: Double, _ shape: [Int]
  ) -> Tensor<Double> {
    fill(shape) { mean + deviation * $0.nextNormal() }
  }

  private mutating func fill(
    _ shape: [Int], _ next: (inout NumPyRandom) -> Double
  ) -> Tensor<Double> {
    var result = Tensor<Double>(shape: shape)
    let count = result.count
    result.withUnsafeMutableElements { elements in
      for index in 0..<count { elements[index] = next(&self) }
    }
    return result
  }

  /// Uniform values for an initialiser, drawn as doubles: low + (high − low)·u.
  public mutating func uniform<Scalar: KernelScalar>(
    count: Int, from low: Scalar, to high: Scalar
  ) -> [Scalar] {
    Self.check(count: count, "NumPyRandom.uniform")
    let (start, width) = (Double(low), Double(high) - Double(low))
    return (0..<count).map { _ in Scalar(start + width * nextDouble()) }
  }

  /// Standard normal values for an initialiser.
  public mutating func normal<Scalar: KernelScalar>(
    count: Int, of type: Scalar.Type
  ) -> [Scalar] {
    Self.check(count: count, "NumPyRandom.normal")
    return (0..<count).map { _ in Scalar(nextNormal()) }
  }

  static func check(count: Int, _ operation: StaticString) {
    require(count >= 0, "\(operation): expected a count of at least 0, got \(count).")
  }
}
