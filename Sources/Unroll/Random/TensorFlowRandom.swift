// TensorFlow's random operations on the CPU, bit for bit: `random_uniform`, `random_uniform_int`,
// `random_normal`, `truncated_normal`, and the Glorot initialiser built on the first.
//
//   key      (low, high) words of the graph seed        counter  (0, 0, low, high) of the op seed
//   float32  23 low bits of a word as the fraction of a number in 1 ..< 2, minus 1
//   float64  20 low bits of one word, then 32 of the next, likewise
//   normal   Box and Muller; the sine comes first; u is at least 1e-7
//   truncated normal: groups of one block's results, each with 256 samples reserved per result
//
// Blocks belong to positions, so neither the size nor the number of threads changes a value. Normals use the C
// library's log, sin and cos, as in TensorFlow: another library may differ in the last bit. Verified by
// `unroll verify` with the golden set `tf1`, group `random`.

internal import RealModule
internal import UnrollContracts

/// One random operation of a TensorFlow graph, bit for bit.
///
/// TensorFlow has no stream: the graph's seed and the op seed identify an operation, which gives the
/// same numbers in every session. `run` counts executions of the same node within one session.
///
/// ```swift
/// let kernel = TensorFlowRandom(seed: 15009, opSeed: 70).glorotUniform(fanIn: 5, fanOut: 2)
/// ```
public struct TensorFlowRandom: Sendable {
  /// The graph's seed.
  public var seed: Int64
  /// The operation's seed.
  public var opSeed: Int64
  /// The number of previous executions of the node in this session.
  public var run: Int

  /// Creates the operation with a graph seed and an op seed.
  ///
  /// As in `tf.get_seed`, a pair of zeros means (0, 2³¹ − 1); in TensorFlow itself two zeros would take
  /// the seed from the clock.
  public init(seed: Int64, opSeed: Int64, run: Int = 0) {
    self.seed = seed
    self.opSeed = seed == 0 && opSeed == 0 ? 0x7FFF_FFFF : opSeed
    self.run = run
  }

  /// Returns the generator at the first block of this run of `count` numbers.
  private func generator(count: Int) -> Philox {
    require(
      (0...1 << 40).contains(count) && run >= 0,
      "TensorFlowRandom: expected a count in 0 ... \(1 << 40) and a run of at least 0, got \(count) and \(run)."
    )
    let (key, counter) = (UInt64(bitPattern: seed), UInt64(bitPattern: opSeed))
    let start = Philox(
      counter: SIMD4(0, 0, UInt32(truncatingIfNeeded: counter), UInt32(counter >> 32)),
      key: SIMD2(UInt32(truncatingIfNeeded: key), UInt32(key >> 32)))
    return start.advanced(by: 256 &* UInt64(count) &* UInt64(run))
  }

  /// Returns the raw words of the first `count` blocks.
  public func words(blockCount count: Int) -> [UInt32] {
    let start = generator(count: 0)
    require(
      count >= 0, "TensorFlowRandom.words: expected a count of at least 0, got \(count).")
    return (0..<count).flatMap { index in
      let block = start.advanced(by: UInt64(index)).block
      return [block[0], block[1], block[2], block[3]]
    }
  }

  private func blocks(count: Int, perBlock: Int, _ body: (Int, SIMD4<UInt32>) -> Void) {
    let start = generator(count: count)
    for block in 0..<(count + perBlock - 1) / perBlock {
      body(block * perBlock, start.advanced(by: UInt64(block)).block)
    }
  }

  /// `tf.random_uniform([count])`: float32 in 0 ..< 1.
  public func uniformFloat(count: Int) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(max(0, count) + 3)
    blocks(count: count, perBlock: 4) { _, block in
      for word in 0..<4 { result.append(Self.unit(block[word])) }
    }
    return Array(result.prefix(count))
  }

  /// `tf.random_uniform([count], dtype=tf.float64)`: in 0 ..< 1.
  public func uniformDouble(count: Int) -> [Double] {
    var result: [Double] = []
    result.reserveCapacity(max(0, count) + 1)
    blocks(count: count, perBlock: 2) { _, block in
      result.append(Self.unit(block[0], block[1]))
      result.append(Self.unit(block[2], block[3]))
    }
    return Array(result.prefix(count))
  }

  /// `tf.random_uniform([count], low, high, dtype=tf.int32)`; with the bias of the original.
  ///
  /// - Precondition: `low` < `high`.
  public func uniformInt32(count: Int, from low: Int32, to high: Int32) -> [Int32] {
    require(
      low < high, "TensorFlowRandom.uniformInt32: expected low < high, got \(low), \(high).")
    let range = UInt32(bitPattern: high) &- UInt32(bitPattern: low)
    var result: [Int32] = []
    blocks(count: count, perBlock: 4) { _, block in
      for word in 0..<4 {
        result.append(Int32(bitPattern: UInt32(bitPattern: low) &+ block[word] % range))
      }
    }
    return Array(result.prefix(count))
  }

  /// `tf.random_normal([count])`, float32.
  public func normalFloat(count: Int) -> [Float] {
    var result: [Float] = []
    blocks(count: count, perBlock: 4) { _, block in
      let (first, second) = (Self.pair(block[0], block[1]), Self.pair(block[2], block[3]))
      result += [first.0, first.1, second.0, second.1]
    }
    return Array(result.prefix(count))
  }

  /// `tf.random_normal([count], dtype=tf.float64)`.
  public func normalDouble(count: Int) -> [Double] {
    var result: [Double] = []
    blocks(count: count, perBlock: 2) { _, block in
      let pair = Self.pair(block)
      result += [pair.0, pair.1]
    }
    return Array(result.prefix(count))
  }

  /// `tf.truncated_normal([count])`, float32: normals beyond two deviations are redrawn.
  public func truncatedNormalFloat(count: Int) -> [Float] {
    truncated(count: count, groupSize: 4) { block in
      let (first, second) = (Self.pair(block[0], block[1]), Self.pair(block[2], block[3]))
      return [first.0, first.1, second.0, second.1]
    }
  }

  /// `tf.truncated_normal([count], dtype=tf.float64)`.
  public func truncatedNormalDouble(count: Int) -> [Double] {
    truncated(count: count, groupSize: 2) { block in
      let pair = Self.pair(block)
      return [pair.0, pair.1]
    }
  }

  /// Each group starts at its own block, so that rejections in one group do not affect the next.
  private func truncated<Scalar: KernelScalar>(
    count: Int, groupSize: Int, _ values: (SIMD4<UInt32>) -> [Scalar]
  ) -> [Scalar] {
    let start = generator(count: count)
    let blocksPerGroup = UInt64(256 * groupSize / 4)
    var result: [Scalar] = []
    result.reserveCapacity(count + groupSize)
    for group in 0..<(count + groupSize - 1) / groupSize {
      var kept: [Scalar] = []
      var block = blocksPerGroup * UInt64(group)
      while kept.count < groupSize {
        kept += values(start.advanced(by: block).block).filter { abs($0) < 2 }
        block += 1
      }
      result += kept.prefix(groupSize)
    }
    return Array(result.prefix(count))
  }

  /// `tf.glorot_uniform_initializer` for a matrix, float32: shape `[fanIn, fanOut]`.
  ///
  /// The limit is computed in double and rounded once; the numbers are u·(high − low) + low.
  public func glorotUniform(fanIn: Int, fanOut: Int) -> Tensor<Float> {
    require(
      (0...1 << 24).contains(fanIn) && (0...1 << 24).contains(fanOut),
      "TensorFlowRandom.glorotUniform: expected fans in 0 ... \(1 << 24), got \(fanIn) and \(fanOut)."
    )
    let limit = Float((3 / max(1, Double(fanIn + fanOut) / 2)).squareRoot())
    let width = limit - -limit
    return Tensor(
      shape: [fanIn, fanOut],
      elements: uniformFloat(count: fanIn * fanOut).map { $0 * width + -limit })
  }
}

// MARK: - Conversion of words to numbers

extension TensorFlowRandom {
  static func unit(_ word: UInt32) -> Float {
    Float(bitPattern: word & 0x7F_FFFF | 0x3F80_0000) - 1
  }

  static func unit(_ high: UInt32, _ low: UInt32) -> Double {
    Double(bitPattern: UInt64(high & 0xF_FFFF) << 32 | UInt64(low) | 0x3FF0_0000_0000_0000) - 1
  }

  /// Box–Muller transform of two words; the angle is rounded to float32 once.
  static func pair(_ first: UInt32, _ second: UInt32) -> (Float, Float) {
    let radius = (-2 * Float.log(max(unit(first), 1e-7))).squareRoot()
    let angle = Float(2 * Double.pi * Double(unit(second)))
    return (Float.sin(angle) * radius, Float.cos(angle) * radius)
  }

  /// Box–Muller transform of a block.
  static func pair(_ block: SIMD4<UInt32>) -> (Double, Double) {
    let radius = (-2 * Double.log(max(unit(block[0], block[1]), 1e-7))).squareRoot()
    let angle = 2 * Double.pi * unit(block[2], block[3])
    return (Double.sin(angle) * radius, Double.cos(angle) * radius)
  }
}
