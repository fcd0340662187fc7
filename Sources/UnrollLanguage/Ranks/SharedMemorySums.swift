// Sums through shared memory, for ranks on one host. Gradients are computed in memory that the other ranks can read.
// When all are complete, each rank sums its slices of the arrays into shared memory.

internal import Unroll
internal import UnrollContracts

/// Exchanges gradients through shared memory.
final class SharedMemorySums: ShardSums {
  /// The unit of work of a thread: a range of one array.
  private struct Piece {
    var array: Int
    var range: Range<Int>
  }

  private static let pieceSize = 1 << 16

  private let ranks: any Ranks
  private let plan: ShardPlan
  /// The part of each rank: a table with the current offsets of its shards' arrays, one set of arrays per shard, and on
  /// rank 0 the sums.
  private let parts: [UnsafeMutableRawPointer]
  /// The offsets of the arrays in a set, in elements.
  private let offsets: [Int]
  private let capacities: [Int]
  /// The elements of a set, and the bytes before the first set.
  private let setSize, tableSize: Int
  private let mostShards: Int
  /// The memory for the sums, shared by all ranks.
  let sumPlaces: [UnsafeMutablePointer<Float>]
  private var sums: [UnsafeMutableBufferPointer<Float>] = []
  /// The number of arrays that had to be copied into shared memory.
  private(set) var copies = 0

  /// Creates the exchange; nil if the ranks have no shared memory, or there is only one.
  ///
  /// - Parameters:
  ///   - capacities: The maximum number of elements of each array.
  ///   - plan: The assignment of shards to ranks.
  ///   - ranks: The ranks; collective.
  /// - Throws: `RankError` if a rank is lost.
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
    guard plan.rankCount > 1, let parts = try ranks.sharedMemory(byteCounts: byteCounts)
    else { return nil }
    (self.ranks, self.plan, self.parts) = (ranks, plan, parts)
    (self.offsets, self.capacities, setSize) = (offsets, capacities, size)
    let first = parts[0] + tableSize + 4 * size * plan.shards(of: 0).count
    sumPlaces = offsets.map { (first + 4 * $0).assumingMemoryBound(to: Float.self) }
  }

  /// Returns the memory for the arrays of one of this rank's shards, which the other ranks read in place.
  func gradientPlaces(_ set: Int) -> [UnsafeMutablePointer<Float>] {
    let first = parts[ranks.rank] + tableSize + 4 * setSize * set
    return offsets.map { (first + 4 * $0).assumingMemoryBound(to: Float.self) }
  }

  /// Returns the table entry with the offset of a shard's array in the part of a rank.
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
      // Kernels that allocate their gradients themselves do not write to this memory.
      require(
        sums[index].count <= capacities[index],
        "SharedMemorySums: expected at most \(capacities[index]) numbers, got \(sums[index].count)."
      )
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
    try ranks.barrier()
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
      OrderedSum.compute(shards[piece.array], at: piece.range, into: sumPlaces[piece.array])
    }
    try ranks.barrier()
    // Sums that this rank will modify have a separate destination.
    let apart = sums.indices.filter { sums[$0].baseAddress != sumPlaces[$0] }
    forEachPiece(of: apart, { 0..<$0 }) { piece in
      let start = piece.range.lowerBound
      sums[piece.array].baseAddress.map {
        ($0 + start).update(from: sumPlaces[piece.array] + start, count: piece.range.count)
      }
    }
  }

  /// Calls `body` on several threads for pieces of a range of some arrays.
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
