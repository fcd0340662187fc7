// Integers, permutations and choices of NumPy's legacy generator. For 8 bits, 16 bits and booleans, a word is split
// into pieces, low bits first, across the elements of one call.

internal import UnrollContracts

extension NumPyRandom {
  /// The integer types that `numpy.random.randint` distinguishes; they consume words differently.
  public enum IntegerType: Sendable {
    /// `numpy.bool_`.
    case bool
    /// `numpy.int8`, `numpy.uint8`.
    case bits8
    /// `numpy.int16`, `numpy.uint16`.
    case bits16
    /// `numpy.int32`, `numpy.uint32`.
    case bits32
    /// `numpy.int64`, `numpy.uint64`, and `int` on Linux.
    case bits64
  }

  /// `numpy.random.randint(low, high, count, dtype)`: uniform in low ..< high.
  ///
  /// - Precondition: `low` < `high`, and the range fits the type.
  public mutating func randint(
    _ low: Int, _ high: Int, count: Int, type: IntegerType = .bits64
  ) -> [Int] {
    require(low < high, "NumPyRandom.randint: expected low < high, got \(low) and \(high).")
    Self.check(count: count, "NumPyRandom.randint")
    let range = UInt64(bitPattern: Int64(high &- 1 &- low))
    switch type {
    case .bits64:
      return (0..<count).map { _ in low &+ Int(truncatingIfNeeded: interval(range)) }
    case .bits32:
      require(
        range <= 0xFFFF_FFFF, "NumPyRandom.randint: expected a range of 32 bits, got \(range).")
      return (0..<count).map { _ in low &+ Int(truncatingIfNeeded: interval(range)) }
    case .bool: return pieces(low, range, count, width: 1)
    case .bits8: return pieces(low, range, count, width: 8)
    case .bits16: return pieces(low, range, count, width: 16)
    }
  }

  private mutating func pieces(_ low: Int, _ range: UInt64, _ count: Int, width: Int) -> [Int] {
    require(
      range >> width == 0, "NumPyRandom.randint: expected a range of \(width) bits, got \(range).")
    guard range > 0 else { return [Int](repeating: low, count: count) }
    let mask = UInt32(truncatingIfNeeded: UInt64.max >> range.leadingZeroBitCount)
    var (word, left) = (UInt32(0), 0)
    return (0..<count).map { _ in
      while true {
        if left == 0 { (word, left) = (nextWord(), 32 / width) } else { word >>= UInt32(width) }
        left -= 1
        let value = word & mask
        if UInt64(value) <= range { return low + Int(value) }
      }
    }
  }

  /// `numpy.random.shuffle(values)`, in place.
  public mutating func shuffle<Element>(_ values: inout [Element]) {
    guard values.count > 1 else { return }
    for index in stride(from: values.count - 1, to: 0, by: -1) {
      values.swapAt(index, Int(interval(UInt64(index))))
    }
  }

  /// `numpy.random.permutation(count)`: the numbers 0 ..< count in random order.
  public mutating func permutation(_ count: Int) -> [Int] {
    Self.check(count: count, "NumPyRandom.permutation")
    var values = Array(0..<count)
    shuffle(&values)
    return values
  }

  /// `numpy.random.choice(population, count, replace, p)`: indices in 0 ..< population.
  ///
  /// - Parameters:
  ///   - population: The number of items to choose from; at least 1.
  ///   - count: The number of draws; at most `population` without replacement.
  ///   - replacing: Whether an index can be drawn twice.
  ///   - probabilities: The probability of each index, at least 0, with sum 1; nil for uniform.
  /// - Returns: The indices in the order of the draws.
  public mutating func choice(
    _ population: Int, count: Int, replacing: Bool = true, probabilities: [Double]? = nil
  ) -> [Int] {
    require(
      population > 0 && (replacing || count <= population),
      "NumPyRandom.choice: expected at most \(population) draws without replacement, got \(count).")
    Self.check(count: count, "NumPyRandom.choice")
    guard let probabilities else {
      return replacing
        ? randint(0, population, count: count) : Array(permutation(population).prefix(count))
    }
    require(
      probabilities.count == population,
      "NumPyRandom.choice: expected \(population) probabilities, got \(probabilities.count).")
    // NaN or a sum of 0 would select an index out of range.
    require(
      probabilities.allSatisfy { $0 >= 0 && $0.isFinite } && probabilities.contains { $0 > 0 },
      "NumPyRandom.choice: expected finite probabilities of at least 0, some of them above 0, got \(probabilities.prefix(8))."
    )
    if replacing {
      let sums = cumulative(probabilities)
      return (0..<count).map { _ in position(of: nextDouble(), in: sums) }
    }
    require(
      probabilities.count(where: { $0 > 0 }) >= count,
      "NumPyRandom.choice: expected \(count) non-zero probabilities, got fewer.")
    var left = probabilities
    var found: [Int] = []
    while found.count < count {
      let draws = (found.count..<count).map { _ in nextDouble() }
      for index in found { left[index] = 0 }
      let sums = cumulative(left)
      var seen = Set<Int>()
      found += draws.map { position(of: $0, in: sums) }.filter { seen.insert($0).inserted }
    }
    return found
  }

  private func cumulative(_ probabilities: [Double]) -> [Double] {
    var sum = 0.0
    let sums = probabilities.map { probability in
      sum += probability
      return sum
    }
    return sums.map { $0 / sum }
  }

  /// Returns the first position whose cumulative probability exceeds the value.
  private func position(of value: Double, in sums: [Double]) -> Int {
    var (low, high) = (0, sums.count)
    while low < high {
      let middle = (low + high) / 2
      if value < sums[middle] { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
