// Ranks implemented as threads of this process, for testing everything except MPI.

import Foundation
import Unroll
import UnrollLanguage

/// The state shared by the threads.
final class RankMeeting: @unchecked Sendable {
  let count: Int
  let hasMemory: Bool
  private let condition = NSCondition()
  private var arrived = 0
  private var round = 0
  private var given: [[UInt8]]
  private var taken: [[UInt8]] = []
  private var memory: [UnsafeMutableRawPointer] = []

  init(count: Int, hasMemory: Bool) {
    self.count = count
    self.hasMemory = hasMemory
    given = Array(repeating: [], count: count)
  }

  deinit {
    for part in memory { part.deallocate() }
  }

  /// Keeps memory alive until all ranks have ended.
  func keep(_ part: UnsafeMutableRawPointer) { condition.withLock { memory.append(part) } }

  /// Returns the bytes of all ranks once they have arrived.
  func gather(_ bytes: [UInt8], rank: Int) -> [[UInt8]] {
    condition.lock()
    defer { condition.unlock() }
    given[rank] = bytes
    arrived += 1
    let mine = round
    if arrived == count {
      (taken, arrived) = (given, 0)
      round += 1
      condition.broadcast()
    }
    while round == mine { condition.wait() }
    return taken
  }
}

/// A rank.
///
/// Ranks share no data, as on different hosts, unless shared memory is enabled, as on one
/// host.
final class ThreadRanks: Ranks {
  let rank: Int
  var count: Int { meeting.count }
  private(set) var sentBytes = 0
  let waitedSeconds = 0.0
  private let meeting: RankMeeting
  private var plan = ShardPlan(shardCount: 1, batchSize: 1, rankCount: 1)
  private var sums: [UnsafeMutableBufferPointer<Float>] = []
  private var offered: [[[UInt8]]] = []

  init(_ rank: Int, _ meeting: RankMeeting) {
    self.rank = rank
    self.meeting = meeting
  }

  var hasSharedMemory: Bool { meeting.hasMemory }

  func sharedMemory(byteCounts: [Int]) -> [UnsafeMutableRawPointer]? {
    guard meeting.hasMemory else { return nil }
    let mine = UnsafeMutableRawPointer.allocate(byteCount: byteCounts[rank], alignment: 4096)
    meeting.keep(mine)
    return gather(withUnsafeBytes(of: UInt(bitPattern: mine)) { Array($0) }).compactMap { bytes in
      UnsafeMutableRawPointer(bitPattern: bytes.withUnsafeBytes { $0.load(as: UInt.self) })
    }
  }

  func barrier() { _ = gather([]) }

  func gather(_ bytes: [UInt8]) -> [[UInt8]] { meeting.gather(bytes, rank: rank) }

  func broadcast(_ bytes: [UInt8]?) -> [UInt8] { gather(bytes ?? [])[0] }

  func beginSums(_ plan: ShardPlan, _ sums: [UnsafeMutableBufferPointer<Float>]) {
    (self.plan, self.sums) = (plan, sums)
    offered = Array(repeating: [], count: sums.count)
  }

  func contribute(_ index: Int, shard: Int, _ values: UnsafePointer<Float>) -> Bool {
    // Copied now, so that later changes are not visible to the others.
    offered[index].append(
      Array(UnsafeRawBufferPointer(start: values, count: 4 * sums[index].count)))
    return false
  }

  func finishSums() {
    for (index, sum) in sums.enumerated() {
      guard let base = sum.baseAddress else { continue }
      let parts = gather(offered[index].flatMap(\.self)).flatMap { bytes in
        bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
      }
      parts.withUnsafeBufferPointer { all in
        guard let start = all.baseAddress else { return }
        OrderedSum.compute(
          (0..<plan.shardCount).map { start + $0 * sum.count }, at: 0..<sum.count,
          into: base)
      }
    }
  }

  /// Runs `body` on all ranks in parallel and returns the results in rank order.
  static func run<Result: Sendable>(
    _ count: Int, hasMemory: Bool = false, _ body: @escaping @Sendable (any Ranks) throws -> Result
  ) throws -> [Result] {
    let meeting = RankMeeting(count: count, hasMemory: hasMemory)
    let lock = NSLock()
    nonisolated(unsafe) var results: [Int: Swift.Result<Result, any Error>] = [:]
    let group = DispatchGroup()
    for rank in 0..<count {
      group.enter()
      let thread = Thread {
        let result = Swift.Result { try body(ThreadRanks(rank, meeting)) }
        lock.withLock { results[rank] = result }
        group.leave()
      }
      thread.stackSize = 8 << 20
      thread.start()
    }
    group.wait()
    return try (0..<count).compactMap { try results[$0]?.get() }
  }
}
