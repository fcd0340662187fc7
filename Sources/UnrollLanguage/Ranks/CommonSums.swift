// Sums of ranks that have memory in common: those of one host. Nothing is sent. Gradients are computed
// where the other ranks can read them; when all have come, each sums its slices of the arrays into memory that
// all read.

internal import Unroll
internal import UnrollContracts

/// Exchanges by reading what the others have written.
final class CommonSums: ShardSums {
  /// What one thread does at a time: some numbers of one array.
  private struct Piece {
    var array: Int
    var range: Range<Int>
  }

  private static let pieceSize = 1 << 16

  private let ranks: any Ranks
  private let plan: ShardPlan
  /// Each rank's part: where its shards' arrays stand today, then as many sets of arrays as a rank has shards, and on
  /// rank 0 the sums.
  private let parts: [UnsafeMutableRawPointer]
  /// Where arrays begin in a set, in numbers.
  private let offsets: [Int]
  private let capacities: [Int]
  /// A set's numbers, and the bytes before the first set.
  private let setSize, tableSize: Int
  private let mostShards: Int
  /// Memory for the sums, the same for all ranks.
  let sumPlaces: [UnsafeMutablePointer<Float>]
  private var sums: [UnsafeMutableBufferPointer<Float>] = []
  /// Arrays that did not stand where the others can read them.
  private(set) var copies = 0

  /// Nil if the ranks have no memory in common, or there is only one.
  ///
  /// - Parameters:
  ///   - capacities: How many numbers each array has at most.
  ///   - plan: Which rank has which shard.
  ///   - ranks: The ranks; all call this.
  /// - Throws: `RankError` if one of them is gone.
  init?(of capacities: [Int], _ plan: ShardPlan, _ ranks: any Ranks) throws {
    var (offsets, size) = ([Int](), 0)
    for capacity in capacities {
      offsets.append(size)
      size += (capacity + 15) / 16 * 16
    }
    mostShards = (plan.shardCount + plan.rankCount - 1) / plan.rankCount
    tableSize = (8 * mostShards * capacities.count + 63) / 64 * 64
    let sets = (0..<plan.rankCount).map { plan.shards(of: $0).count + ($0 == 0 ? 1 : 0) }
    let byteCounts = sets.map { [tableSize] in tableSize + 4 * size * $0 }
    guard plan.rankCount > 1, let parts = try ranks.commonMemory(byteCounts: byteCounts)
    else { return nil }
    (self.ranks, self.plan, self.parts) = (ranks, plan, parts)
    (self.offsets, self.capacities, setSize) = (offsets, capacities, size)
    let first = parts[0] + tableSize + 4 * size * plan.shards(of: 0).count
    sumPlaces = offsets.map { (first + 4 * $0).assumingMemoryBound(to: Float.self) }
  }

  /// Memory for the arrays of one of this rank's shards, which the others read where it stands.
  func gradientPlaces(_ set: Int) -> [UnsafeMutablePointer<Float>] {
    let first = parts[ranks.rank] + tableSize + 4 * setSize * set
    return offsets.map { (first + 4 * $0).assumingMemoryBound(to: Float.self) }
  }

  /// Where a rank says how far from the beginning of its part an array of a shard stands.
  private func table(_ array: Int, shard: Int, of rank: Int) -> UnsafeMutablePointer<Int> {
    let index = array * mostShards + shard - plan.shards(of: rank).lowerBound
    return parts[rank].assumingMemoryBound(to: Int.self) + index
  }

  func beginSums(_ plan: ShardPlan, _ sums: [UnsafeMutableBufferPointer<Float>]) {
    self.sums = sums
  }

  func contribute(_ index: Int, shard: Int, _ values: UnsafePointer<Float>) -> Bool {
    let part = parts[ranks.rank]
    var distance = UnsafeRawPointer(values) - UnsafeRawPointer(part)
    let sets = plan.shards(of: ranks.rank).count
    let isThere = distance >= tableSize && distance < tableSize + 4 * setSize * sets
    if !isThere {
      // Of a cell whose kernel makes its gradients' memory itself: no array of its layer stands there.
      require(
        sums[index].count <= capacities[index],
        "CommonSums: expected at most \(capacities[index]) numbers, got \(sums[index].count).")
      let set = shard - plan.shards(of: ranks.rank).lowerBound
      let place = gradientPlaces(set)[index]
      place.update(from: values, count: sums[index].count)
      copies += 1
      distance = UnsafeRawPointer(place) - UnsafeRawPointer(part)
    }
    table(index, shard: shard, of: ranks.rank).pointee = distance
    return isThere
  }

  func finishSums() throws {
    try ranks.meet()
    let shards = sums.indices.map { array in
      (0..<plan.rankCount).flatMap { rank in
        plan.shards(of: rank).map { shard in
          UnsafePointer(
            (parts[rank] + table(array, shard: shard, of: rank).pointee)
              .assumingMemoryBound(to: Float.self))
        }
      }
    }
    forEachPiece(of: Array(sums.indices), { plan.slice(of: ranks.rank, count: $0) }) { piece in
      OrderedSum.of(shards[piece.array], at: piece.range, into: sumPlaces[piece.array])
    }
    try ranks.meet()
    // Sums that this rank will change are wanted elsewhere.
    let apart = sums.indices.filter { sums[$0].baseAddress != sumPlaces[$0] }
    forEachPiece(of: apart, { 0..<$0 }) { piece in
      let start = piece.range.lowerBound
      sums[piece.array].baseAddress.map {
        ($0 + start).update(from: sumPlaces[piece.array] + start, count: piece.range.count)
      }
    }
  }

  /// Calls `body` for pieces of a part of some arrays, on several threads.
  private func forEachPiece(
    of arrays: [Int], _ part: (_ count: Int) -> Range<Int>, _ body: (Piece) -> Void
  ) {
    var pieces: [Piece] = []
    for array in arrays {
      let range = part(sums[array].count)
      for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.pieceSize) {
        let end = min(range.upperBound, start + Self.pieceSize)
        pieces.append(Piece(array: array, range: start..<end))
      }
    }
    Threads.forEach(pieces.count) { body(pieces[$0]) }
  }
}
