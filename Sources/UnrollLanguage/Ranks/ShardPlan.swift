// The division of a batch. It is a property of the run, not of the machines: a shard's gradient is bit-identical
// wherever it is computed, and shards are summed in order.

internal import UnrollContracts

/// The assignment of a batch's rows to shards, and of shards to ranks.
public struct ShardPlan: Sendable, Equatable {
  /// S, the number of shards per batch.
  public let shardCount: Int
  /// B, the number of rows of the batch.
  public let batchSize: Int
  /// R, the number of ranks.
  public let rankCount: Int

  /// Creates a plan.
  ///
  /// - Precondition: 1 ≤ R ≤ S ≤ B.
  public init(shardCount: Int, batchSize: Int, rankCount: Int) {
    require(
      1 <= rankCount && rankCount <= shardCount && shardCount <= batchSize,
      "ShardPlan.init: expected 1 ≤ ranks ≤ shards ≤ rows, got \(rankCount), \(shardCount) and \(batchSize)."
    )
    self.shardCount = shardCount
    self.batchSize = batchSize
    self.rankCount = rankCount
  }

  /// Returns the rows of a shard; the sizes of shards differ by at most 1.
  public func rows(of shard: Int) -> Range<Int> {
    Self.piece(shard, of: shardCount, in: batchSize)
  }

  /// Returns the shards of a rank, which are contiguous.
  public func shards(of rank: Int) -> Range<Int> {
    Self.piece(rank, of: rankCount, in: shardCount)
  }

  /// Returns the rows of all shards of a rank.
  package func rows(ofRank rank: Int) -> Range<Int> {
    let shards = shards(of: rank)
    return rows(of: shards.lowerBound).lowerBound..<rows(of: shards.upperBound - 1).upperBound
  }

  /// Returns the range of an array that a rank sums, in whole cache lines.
  public func slice(of rank: Int, count: Int) -> Range<Int> {
    let lines = Self.piece(rank, of: rankCount, in: (count + 15) / 16)
    return min(count, 16 * lines.lowerBound)..<min(count, 16 * lines.upperBound)
  }

  /// Returns one of `count` pieces whose sizes differ by at most 1.
  static func piece(_ index: Int, of count: Int, in whole: Int) -> Range<Int> {
    whole * index / count..<whole * (index + 1) / count
  }
}

/// Sums of arrays in shard order.
public enum OrderedSum {
  /// sum[i] += values[i].
  public static func add(
    _ values: UnsafePointer<Float>, to sum: UnsafeMutablePointer<Float>, count: Int
  ) {
    add(sum, values, into: sum, count)
  }

  /// For each i of a range: sum[i] = ((parts[0])[i] + (parts[1])[i]) + ...
  ///
  /// Works in blocks that stay in the cache.
  ///
  /// - Precondition: There is at least one part.
  public static func compute(
    _ parts: [UnsafePointer<Float>], at range: Range<Int>, into sum: UnsafeMutablePointer<Float>
  ) {
    require(!parts.isEmpty, "OrderedSum.compute: expected at least one part, got none.")
    guard parts.count > 1 else {
      (sum + range.lowerBound).update(from: parts[0] + range.lowerBound, count: range.count)
      return
    }
    for start in stride(from: range.lowerBound, to: range.upperBound, by: 4096) {
      let size = min(4096, range.upperBound - start)
      add(parts[0] + start, parts[1] + start, into: sum + start, size)
      for part in parts.dropFirst(2) { add(sum + start, part + start, into: sum + start, size) }
    }
  }

  private static func add(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into sum: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    var i = 0
    while i + 16 <= count {
      let total =
        UnsafeRawPointer(a + i).loadUnaligned(as: SIMD16<Float>.self)
        + UnsafeRawPointer(b + i).loadUnaligned(as: SIMD16<Float>.self)
      UnsafeMutableRawPointer(sum + i).storeBytes(of: total, as: SIMD16<Float>.self)
      i += 16
    }
    while i < count {
      sum[i] = a[i] + b[i]
      i += 1
    }
  }
}
