// Ranks over MPI. Only one thread at a time calls MPI: the trainer's thread between steps, the exchange's thread during
// the sums of a step. No call blocks inside MPI: waiting is done by polling, so that the death of a rank is detected.

internal import CMPI
internal import Foundation
internal import Synchronization
public import UnrollLanguage

/// The processes that an MPI launcher started.
public final class MPIRanks: Ranks {
  /// The rank of this process, starting at 0.
  public let rank: Int
  /// The number of ranks.
  public let count: Int
  private let mpi: MPIHandle
  private let watch: RankWatch
  private let exchange: SumExchange

  /// Bytes of gradients and sums sent by this process.
  public var sentBytes: Int { exchange.sentBytes }
  /// Seconds spent waiting for other ranks' gradients and sums after this rank's own work was done.
  public var waitedSeconds: Double { exchange.waitedSeconds + barrierSeconds }
  private var barrierSeconds = 0.0
  /// Whether the ranks sum in shared memory.
  public private(set) var hasSharedMemory = false

  /// Joins the job; collective.
  ///
  /// - Parameter isTerminating: Returns whether a signal announced that the launcher will kill this process, as mpirun
  ///   does after the death of a rank.
  /// - Throws: `RankError` if MPI is not available, fails to start, or a rank is lost.
  public init(isTerminating: @escaping @Sendable () -> Bool) throws {
    mpi = try MPIHandle()
    (rank, count) = (mpi.rank, Int(mpi.job.pointee.count))
    watch = RankWatch(mpi, isTerminating: isTerminating)
    exchange = SumExchange(mpi, watch)
    let facts = "\(ProcessInfo.processInfo.hostName) \(ProcessInfo.processInfo.processIdentifier)"
    watch.peers = try gather(Array(facts.utf8)).map { RankWatch.Peer($0) }
  }

  /// Leaves the job; collective.
  public func end() {
    exchange.end()
    mpi.calls.stop(mpi.job)
  }

  /// Terminates all ranks, after this rank has reported an error.
  public func abort() -> Never {
    if rank == 0 { mpi.calls.announce_abort(mpi.job) }
    // The launcher may lose output that it has not forwarded when a job is aborted, so every rank allows 0.1 s for that and
    // for the delivery of the announcement. A rank that has received it leaves the abort to rank 0, for at most 2 s.
    let isAnnounced = rank != 0 && mpi.calls.is_abort_announced(mpi.job) != 0
    for _ in 0..<(isAnnounced ? 400 : 20) {
      _ = mpi.calls.is_abort_announced(mpi.job)
      usleep(5000)
    }
    mpi.calls.abort(1)
    exit(1)
  }

  /// Returns whether this rank reports an error that ends the job, since several ranks may see it.
  public func shouldReport(_ error: any Error) -> Bool {
    switch (error as? RankError)?.problem {
    case .ended: false
    case .different: rank == 0
    case .failed: true
    case .lost: watch.isLowestAlive
    case nil: true
    }
  }

  /// Returns the bytes of all ranks, in rank order.
  ///
  /// - Throws: `RankError` if a rank is lost.
  public func gather(_ bytes: [UInt8]) throws -> [[UInt8]] {
    // Short data is sent together with the sizes, so that most calls need one message.
    let short = 256
    var first = [UInt8](repeating: 0, count: 8 + short)
    withUnsafeBytes(of: Int64(bytes.count).littleEndian) { first.replaceSubrange(0..<8, with: $0) }
    if bytes.count <= short { first.replaceSubrange(8..<8 + bytes.count, with: bytes) }
    var all = [UInt8](repeating: 0, count: first.count * count)
    // MPI may write until the operation completes, so the addresses must stay valid.
    let size = Int64(first.count)
    try first.withUnsafeMutableBytes { first in
      try all.withUnsafeMutableBytes { all in
        try complete { mpi.calls.gather(mpi.job, first.baseAddress, all.baseAddress, size) }
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
            try complete {
              mpi.calls.gather_sizes(mpi.job, mine.baseAddress, whole.baseAddress, counts, places)
            }
          }
        }
      }
    }
    return zip(places, sizes).map { Array(whole[Int($0)..<Int($0) + $1]) }
  }

  /// Returns rank 0's bytes on every rank; the other ranks pass nil.
  ///
  /// - Throws: `RankError` if a rank is lost.
  public func broadcast(_ bytes: [UInt8]?) throws -> [UInt8] {
    var size = Int64(bytes?.count ?? 0)
    try withUnsafeMutablePointer(to: &size) { size in
      try complete { mpi.calls.broadcast(mpi.job, size, 8) }
    }
    var result = bytes ?? [UInt8](repeating: 0, count: Int(size))
    let most = 1 << 30
    for start in stride(from: 0, to: Int(size), by: most) {
      let part = Int64(min(most, Int(size) - start))
      try result.withUnsafeMutableBytes { buffer in
        try complete { mpi.calls.broadcast(mpi.job, buffer.baseAddress.map { $0 + start }, part) }
      }
    }
    return result
  }

  /// Returns memory shared by all ranks, if they run on one host that has enough.
  ///
  /// `UNROLL_MPI_MEMORY=0` disables it.
  ///
  /// - Throws: `RankError` if a rank is lost.
  public func sharedMemory(byteCounts: [Int]) throws -> [UnsafeMutableRawPointer]? {
    let isWanted = ProcessInfo.processInfo.environment["UNROLL_MPI_MEMORY"] != "0"
    guard try all(isWanted && Int(mpi.job.pointee.host_count) == count) else { return nil }
    // Darwin limits names to 31 bytes.
    let number = String(UInt64.random(in: 0 ... .max), radix: 36)
    let name = "/unroll-\(ProcessInfo.processInfo.processIdentifier)-\(number)"
    let mine = HostMemory(making: name, byteCount: byteCounts[rank])
    // Once all ranks have mapped the memory, the name is no longer needed.
    defer { if mine != nil { shm_unlink(name) } }
    let names = try gather(mine == nil ? [] : Array(name.utf8))
    let parts = (0..<count).compactMap { other in
      if other == rank { return mine }
      return HostMemory(
        opening: String(decoding: names[other], as: UTF8.self), byteCount: byteCounts[other])
    }
    hasSharedMemory = try all(parts.count == count)
    guard hasSharedMemory else {
      for part in parts { part.unmap() }
      return nil
    }
    return parts.map(\.start)
  }

  /// Returns whether the condition holds on all ranks.
  private func all(_ condition: Bool) throws -> Bool {
    try gather([condition ? 1 : 0]).allSatisfy { $0 == [1] }
  }

  /// Returns when all ranks have called it; afterwards each rank sees the others' writes to shared memory.
  ///
  /// - Throws: `RankError` if a rank is lost.
  public func barrier() throws {
    let start = ContinuousClock.now
    // MPI orders only its own messages; the fence orders accesses to shared memory.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    try complete { mpi.calls.barrier(mpi.job) }
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    barrierSeconds += start.duration(to: .now) / .seconds(1)
  }

  /// Starts the sums of a step.
  public func beginSums(_ plan: ShardPlan, _ sums: [UnsafeMutableBufferPointer<Float>]) {
    exchange.begin(plan, sums)
  }

  /// Sends a shard's values to the ranks that sum them.
  ///
  /// - Returns: true, because the values are read in place.
  public func contribute(_ index: Int, shard: Int, _ values: UnsafePointer<Float>) -> Bool {
    exchange.contribute(index, shard: shard, values)
    return true
  }

  /// Waits until all sums are complete.
  ///
  /// - Throws: `RankError` if a rank is lost.
  public func finishSums() throws { try exchange.finish() }

  /// Starts a collective operation and polls until it completes.
  private func complete(_ begin: () -> Int32) throws {
    guard begin() == 0 else { throw watch.unreachable }
    var backoff = Backoff(watch)
    while true {
      switch mpi.calls.is_complete(mpi.job) {
      case 1: return
      case 0:
        try backoff.check()
        backoff.pause()
      default: throw watch.unreachable
      }
    }
  }

  /// The reason why MPI is not available; nil if it is.
  public static var problem: String? { MPIHandle.problem }

  /// The MPI implementation for display, or the reason why it is not available.
  public static var library: String { MPIHandle.library }
}
