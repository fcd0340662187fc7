// How a batch is cut. The cuts belong to the run, not to the machines: a shard's gradient has the same
// bits wherever it is computed, and shards are summed in their order.

internal import UnrollContracts

/// Which rows of a batch are which shard, and which rank has it.
public struct ShardPlan: Sendable, Equatable {
  /// S, the shards of a batch.
  public let shardCount: Int
  /// B, the rows of the whole batch.
  public let batchSize: Int
  /// R, the ranks.
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

  /// The rows of a shard: equally many, or one more.
  public func rows(of shard: Int) -> Range<Int> {
    Self.piece(shard, of: shardCount, in: batchSize)
  }

  /// The shards of a rank, neighbours.
  public func shards(of rank: Int) -> Range<Int> {
    Self.piece(rank, of: rankCount, in: shardCount)
  }

  /// The rows of a rank's shards together.
  package func rows(ofRank rank: Int) -> Range<Int> {
    let shards = shards(of: rank)
    return rows(of: shards.lowerBound).lowerBound..<rows(of: shards.upperBound - 1).upperBound
  }

  /// The part of an array that a rank sums: whole lines of memory.
  public func slice(of rank: Int, count: Int) -> Range<Int> {
    let lines = Self.piece(rank, of: rankCount, in: (count + 15) / 16)
    return min(count, 16 * lines.lowerBound)..<min(count, 16 * lines.upperBound)
  }

  /// One of equal pieces, whose sizes differ by at most 1.
  static func piece(_ index: Int, of count: Int, in whole: Int) -> Range<Int> {
    whole * index / count..<whole * (index + 1) / count
  }
}

/// Sums in shard order.
public enum OrderedSum {
  /// sum[i] += values[i].
  public static func add(
    _ values: UnsafePointer<Float>, to sum: UnsafeMutablePointer<Float>, count: Int
  ) {
    add(sum, values, into: sum, count)
  }

  /// For the i of a range: sum[i] = ((parts[0])[i] + (parts[1])[i]) + ...
  ///
  /// A piece at a time, which stays in the cache.
  ///
  /// - Precondition: There is a part.
  public static func of(
    _ parts: [UnsafePointer<Float>], at range: Range<Int>, into sum: UnsafeMutablePointer<Float>
  ) {
    require(!parts.isEmpty, "OrderedSum.of: expected at least one part, got none.")
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
