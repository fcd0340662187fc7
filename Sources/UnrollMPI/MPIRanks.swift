// Ranks over MPI. All calls of MPI are made by one thread at a time: between steps by the trainer's, during a
// step's sums by the one that exchanges them. Nothing blocks inside MPI: whoever waits looks again and
// again, and sees between two looks whether a rank has died.

internal import CMPI
internal import Foundation
internal import Synchronization
public import UnrollLanguage

/// The processes that an MPI launcher started.
public final class MPIRanks: Ranks {
  /// This process's number, from 0.
  public let rank: Int
  /// How many there are.
  public let count: Int
  private let mpi: MPIHandle
  private let watch: RankWatch
  private let exchange: SumExchange

  /// Bytes that this process has sent of gradients and their sums.
  public var sentBytes: Int { exchange.sentBytes }
  /// Seconds that it waited for the others' gradients and sums after its own work was done.
  public var waitedSeconds: Double { exchange.waitedSeconds + meetingSeconds }
  private var meetingSeconds = 0.0
  /// Whether ranks sum in memory that all of them see.
  public private(set) var hasCommonMemory = false

  /// Meets the other ranks.
  ///
  /// - Parameter killIsNear: Whether a signal has come after which the launcher kills, as mpirun does when a rank has
  ///   died.
  /// - Throws: `RankError` if MPI is not there or cannot begin, or a rank is gone already.
  public init(killIsNear: @escaping @Sendable () -> Bool) throws {
    mpi = try MPIHandle()
    (rank, count) = (mpi.rank, Int(mpi.job.pointee.count))
    watch = RankWatch(mpi, killIsNear: killIsNear)
    exchange = SumExchange(mpi, watch)
    let facts = "\(ProcessInfo.processInfo.hostName) \(ProcessInfo.processInfo.processIdentifier)"
    watch.peers = try gather(Array(facts.utf8)).map { RankWatch.Peer($0) }
  }

  /// Parts with the other ranks, which do the same.
  public func end() {
    exchange.end()
    mpi.calls.stop(mpi.job)
  }

  /// Ends all ranks, because this one cannot go on and has said why.
  public func abandon() -> Never {
    if rank == 0 {
      mpi.calls.say_ended(mpi.job)
      // Time for the message: then the others end in silence.
      for _ in 0..<20 {
        _ = mpi.calls.has_ended(mpi.job)
        usleep(5000)
      }
    }
    mpi.calls.abort(1)
    exit(1)
  }

  /// Whether this rank is the one that tells a person why the job ends: others may know it, too.
  public func speaks(of error: any Error) -> Bool {
    switch (error as? RankError)?.problem {
    case .ended: false
    case .different: rank == 0
    case .failed: true
    case .lost: watch.isLowestAlive
    case nil: true
    }
  }

  /// Everybody's bytes, in the order of ranks.
  ///
  /// - Throws: `RankError` if one of them is gone.
  public func gather(_ bytes: [UInt8]) throws -> [[UInt8]] {
    // What is short goes along with the sizes: most of what is said fits, at one message's cost.
    let short = 256
    var first = [UInt8](repeating: 0, count: 8 + short)
    withUnsafeBytes(of: Int64(bytes.count).littleEndian) { first.replaceSubrange(0..<8, with: $0) }
    if bytes.count <= short { first.replaceSubrange(8..<8 + bytes.count, with: bytes) }
    var all = [UInt8](repeating: 0, count: first.count * count)
    // MPI writes until it says that it is done: the addresses must hold so long.
    let size = Int64(first.count)
    try first.withUnsafeMutableBytes { first in
      try all.withUnsafeMutableBytes { all in
        try talk { mpi.calls.gather(mpi.job, first.baseAddress, all.baseAddress, size) }
      }
    }
    let pieces = (0..<count).map { all[$0 * first.count..<($0 + 1) * first.count] }
    let sizes = pieces.map { piece in
      piece.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    guard sizes.contains(where: { $0 > short }) else {
      return zip(pieces, sizes).map { Array($0.dropFirst(8).prefix($1)) }
    }
    let total = sizes.reduce(0, +)
    guard total <= Int(Int32.max) else {
      throw RankError(.different("expected at most 2 GB to gather, found \(total) bytes"))
    }
    let counts = sizes.map { Int32($0) }
    var places = [Int32](repeating: 0, count: count)
    for other in 1..<count { places[other] = places[other - 1] + counts[other - 1] }
    var whole = [UInt8](repeating: 0, count: total)
    var mine = bytes
    try mine.withUnsafeMutableBytes { mine in
      try whole.withUnsafeMutableBytes { whole in
        try counts.withUnsafeBufferPointer { counts in
          try places.withUnsafeBufferPointer { places in
            guard let counts = counts.baseAddress, let places = places.baseAddress else { return }
            try talk {
              mpi.calls.gather_sizes(mpi.job, mine.baseAddress, whole.baseAddress, counts, places)
            }
          }
        }
      }
    }
    return zip(places, sizes).map { Array(whole[Int($0)..<Int($0) + $1]) }
  }

  /// Rank 0's bytes for everybody; the others give nil.
  ///
  /// - Throws: `RankError` if one of them is gone.
  public func broadcast(_ bytes: [UInt8]?) throws -> [UInt8] {
    var size = Int64(bytes?.count ?? 0)
    try withUnsafeMutablePointer(to: &size) { size in
      try talk { mpi.calls.broadcast(mpi.job, size, 8) }
    }
    var result = bytes ?? [UInt8](repeating: 0, count: Int(size))
    let most = 1 << 30
    for start in stride(from: 0, to: Int(size), by: most) {
      let part = Int64(min(most, Int(size) - start))
      try result.withUnsafeMutableBytes { buffer in
        try talk { mpi.calls.broadcast(mpi.job, buffer.baseAddress.map { $0 + start }, part) }
      }
    }
    return result
  }

  /// Memory that all ranks see, if they are on one host that has so much for it.
  ///
  /// `UNROLL_MPI_MEMORY=0` does without.
  ///
  /// - Throws: `RankError` if one of them is gone.
  public func commonMemory(byteCounts: [Int]) throws -> [UnsafeMutableRawPointer]? {
    let isWanted = ProcessInfo.processInfo.environment["UNROLL_MPI_MEMORY"] != "0"
    guard try all(isWanted && Int(mpi.job.pointee.host_count) == count) else { return nil }
    // Darwin takes names of at most 31 bytes.
    let number = String(UInt64.random(in: 0 ... .max), radix: 36)
    let name = "/unroll-\(ProcessInfo.processInfo.processIdentifier)-\(number)"
    let mine = HostMemory(making: name, byteCount: byteCounts[rank])
    // Once all have it mapped, nobody needs the name.
    defer { if mine != nil { shm_unlink(name) } }
    let names = try gather(mine == nil ? [] : Array(name.utf8))
    let parts = (0..<count).compactMap { other in
      if other == rank { return mine }
      return HostMemory(
        opening: String(decoding: names[other], as: UTF8.self), byteCount: byteCounts[other])
    }
    hasCommonMemory = try all(parts.count == count)
    guard hasCommonMemory else {
      for part in parts { part.unmap() }
      return nil
    }
    return parts.map(\.start)
  }

  /// Whether this is so on all ranks.
  private func all(_ condition: Bool) throws -> Bool {
    try gather([condition ? 1 : 0]).allSatisfy { $0 == [1] }
  }

  /// Returns when all ranks have called it, and common memory is the same for all.
  ///
  /// - Throws: `RankError` if one of them is gone.
  public func meet() throws {
    let start = ContinuousClock.now
    // MPI orders its own messages; what stands in memory is ordered by what passes it on.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    try talk { mpi.calls.meet(mpi.job) }
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    meetingSeconds += start.duration(to: .now) / .seconds(1)
  }

  /// Begins sums over shards.
  public func beginSums(_ plan: ShardPlan, _ sums: [UnsafeMutableBufferPointer<Float>]) {
    exchange.begin(plan, sums)
  }

  /// Sends what others sum.
  ///
  /// - Returns: true: it is read where it stands.
  public func contribute(_ index: Int, shard: Int, _ values: UnsafePointer<Float>) -> Bool {
    exchange.contribute(index, shard: shard, values)
    return true
  }

  /// Waits until all sums are there.
  ///
  /// - Throws: `RankError` if a rank is gone.
  public func finishSums() throws { try exchange.finish() }

  /// Begins to talk, and looks until it is over.
  private func talk(_ begin: () -> Int32) throws {
    guard begin() == 0 else { throw watch.unreachable }
    var patience = Patience(watch)
    while true {
      switch mpi.calls.has_talked(mpi.job) {
      case 1: return
      case 0:
        try patience.look()
        patience.pass()
      default: throw watch.unreachable
      }
    }
  }

  /// Why MPI cannot be called here; nil if it can.
  public static var problem: String? { MPIHandle.problem }

  /// The MPI that is called, or why there is none, for people.
  public static var library: String { MPIHandle.library }
}
