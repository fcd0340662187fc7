// Philox4x32 with ten rounds: a block cipher over a counter, so any block can be computed directly.
//
// Source: Salmon, Moraes, Dror, Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011).

/// One 128-bit counter and 64-bit key of Philox4x32-10.
public struct Philox: Sendable {
  /// The four counter words, least significant first.
  public var counter: SIMD4<UInt32>
  /// The two key words.
  public var key: SIMD2<UInt32>

  /// Creates a generator at a counter.
  public init(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) {
    self.counter = counter
    self.key = key
  }

  /// The block of four words for the counter.
  public var block: SIMD4<UInt32> {
    var c = counter
    var k = key
    for round in 0..<10 {
      if round > 0 { k &+= SIMD2(0x9E37_79B9, 0xBB67_AE85) }
      let first = UInt64(c[0]) * 0xD251_1F53
      let second = UInt64(c[2]) * 0xCD9E_8D57
      c = SIMD4(
        UInt32(second >> 32) ^ c[1] ^ k[0], UInt32(truncatingIfNeeded: second),
        UInt32(first >> 32) ^ c[3] ^ k[1], UInt32(truncatingIfNeeded: first))
    }
    return c
  }

  /// Returns the generator advanced by `blocks`: a 128-bit addition to the counter.
  public func advanced(by blocks: UInt64) -> Philox {
    var result = self
    var carry: UInt64 = 0
    let addends = [blocks & 0xFFFF_FFFF, blocks >> 32, 0, 0]
    for word in 0..<4 {
      let sum = UInt64(counter[word]) + addends[word] + carry
      result.counter[word] = UInt32(truncatingIfNeeded: sum)
      carry = sum >> 32
    }
    return result
  }
}
