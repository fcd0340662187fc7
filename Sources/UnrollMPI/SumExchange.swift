// The sums of a step, by a thread of their own, while the trainer's goes on with the way back. Every array is
// cut into slices, one for each rank. A shard's numbers go to the slices' ranks as soon as they are ready;
// a rank that has all shards' numbers of its slice sums them in shard order and sends the sum to all.

internal import CMPI
internal import Foundation
internal import UnrollLanguage

/// Exchanges and sums.
final class SumExchange: @unchecked Sendable {
  // Sendable: `condition` guards what both threads use.

  /// One array of a step.
  private struct Item {
    var sum: UnsafeMutableBufferPointer<Float>
    /// This rank's part of the array.
    var slice: Range<Int>
    /// The slice's numbers of each shard, once they are there.
    var parts: [UnsafePointer<Float>?]
    /// How many are not there yet.
    var missing: Int
    var isSummed = false
  }

  /// What a request is for.
  private enum Purpose {
    /// A shard's numbers, for this rank's slice.
    case part(item: Int, shard: Int, from: Int)
    /// Another rank's sum.
    case sum(from: Int)
    case sending(to: Int)
  }

  private enum Stage { case idle, working, finished, ended }

  private let mpi: MPIHandle
  private let watch: RankWatch
  private let condition = NSCondition()
  private var stage = Stage.idle
  private var isThreadRunning = false
  private var failure: (any Error)?
  /// Whether the trainer's thread has nothing else to do than to wait.
  private var isAwaited = false
  private var offered: [(item: Int, shard: Int, values: UnsafePointer<Float>)] = []
  private let overlaps = ProcessInfo.processInfo.environment["UNROLL_MPI_OVERLAP"] != "0"

  private var plan = ShardPlan(shardCount: 1, batchSize: 1, rankCount: 1)
  private var items: [Item] = []
  private var purposes: [Purpose] = []
  /// Where other shards' numbers arrive.
  private var room = UnsafeMutableBufferPointer<Float>.allocate(capacity: 1)
  private var open = 0
  private var unsummed = 0

  private(set) var sentBytes = 0
  private(set) var waitedSeconds = 0.0

  init(_ mpi: MPIHandle, _ watch: RankWatch) {
    self.mpi = mpi
    self.watch = watch
  }

  deinit { room.deallocate() }

  private var rank: Int { mpi.rank }

  // MARK: The trainer's thread

  func begin(_ plan: ShardPlan, _ sums: [UnsafeMutableBufferPointer<Float>]) {
    self.plan = plan
    items = sums.map { sum in
      Item(
        sum: sum, slice: plan.slice(of: rank, count: sum.count),
        parts: Array(repeating: nil, count: plan.shardCount), missing: plan.shardCount)
    }
    condition.withLock {
      offered.removeAll(keepingCapacity: true)
      (failure, isAwaited, stage) = (nil, false, .working)
      if !isThreadRunning {
        isThreadRunning = true
        let thread = Thread { [self] in work() }
        thread.name = "unroll sums"
        thread.start()
      }
      condition.broadcast()
    }
  }

  func contribute(_ item: Int, shard: Int, _ values: UnsafePointer<Float>) {
    condition.withLock {
      offered.append((item, shard, values))
      condition.broadcast()
    }
  }

  func finish() throws {
    let start = ContinuousClock.now
    condition.lock()
    isAwaited = true
    condition.broadcast()
    while stage == .working { condition.wait() }
    stage = .idle
    let failure = failure
    condition.unlock()
    waitedSeconds += start.duration(to: .now) / .seconds(1)
    if let failure { throw failure }
  }

  func end() {
    condition.withLock {
      stage = .ended
      condition.broadcast()
    }
  }

  // MARK: The exchange's thread

  private func work() {
    while true {
      condition.lock()
      while stage == .idle || stage == .finished { condition.wait() }
      let isOver = stage == .ended
      condition.unlock()
      if isOver { return }
      var found: (any Error)?
      do { try exchange() } catch { found = error }
      condition.withLock {
        failure = found
        if stage == .working { stage = .finished }
        condition.broadcast()
      }
    }
  }

  /// One step's sums.
  private func exchange() throws {
    try receive()
    var patience = Patience(watch)
    while open > 0 || unsummed > 0 {
      let (ready, isAwaited) = condition.withLock {
        () -> ([(item: Int, shard: Int, values: UnsafePointer<Float>)], Bool) in
        guard overlaps || self.isAwaited else { return ([], false) }
        defer { offered.removeAll(keepingCapacity: true) }
        return (offered, self.isAwaited)
      }
      for (item, shard, values) in ready { try take(item, shard, values) }
      let found = try look()
      if !ready.isEmpty || found {
        patience.reset()
      } else {
        try patience.look(from: awaited())
        if isAwaited { patience.pass() } else { rest() }
      }
    }
  }

  /// Leaves the core to the way back, until it offers something or some time has passed: every look costs
  /// the other thread far more than the time it takes, for the caches that it leaves behind.
  private func rest() {
    condition.withLock {
      guard offered.isEmpty || !overlaps, !isAwaited else { return }
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.0005))
    }
  }

  /// Asks for everything that will come: then it need not be kept elsewhere first.
  private func receive() throws {
    let mine = plan.shards(of: rank)
    let remote = plan.shardCount - mine.count
    let others = plan.rankCount - 1
    let most = items.count * (remote + mine.count * others + 2 * others)
    guard mpi.calls.reserve(mpi.job, Int32(most)) != 0 else {
      throw RankError(.failed("no memory for \(most) messages of a step"))
    }
    purposes.removeAll(keepingCapacity: true)
    (open, unsummed) = (0, items.count)
    let needed = items.reduce(0) { $0 + $1.slice.count * remote }
    if room.count < needed {
      room.deallocate()
      room = .allocate(capacity: needed)
    }
    var used = 0
    for index in items.indices {
      let slice = items[index].slice
      for shard in 0..<plan.shardCount where !mine.contains(shard) {
        guard !slice.isEmpty, let place = room.baseAddress.map({ $0 + used }) else {
          items[index].missing -= 1
          continue
        }
        used += slice.count
        items[index].parts[shard] = UnsafePointer(place)
        let from = owner(of: shard)
        try add(.part(item: index, shard: shard, from: from)) {
          mpi.calls.receive(
            mpi.job, $0, Int32(UNROLL_MPI_PARTS), place, Int64(slice.count), Int32(from),
            Int32(index * plan.shardCount + shard))
        }
      }
      for other in 0..<plan.rankCount where other != rank {
        let theirs = plan.slice(of: other, count: items[index].sum.count)
        guard !theirs.isEmpty, let sum = items[index].sum.baseAddress else { continue }
        try add(.sum(from: other)) {
          mpi.calls.receive(
            mpi.job, $0, Int32(UNROLL_MPI_SUMS), sum + theirs.lowerBound,
            Int64(theirs.count), Int32(other), Int32(index))
        }
      }
    }
  }

  /// One of this rank's shards has its numbers: they go to those who sum them.
  private func take(_ index: Int, _ shard: Int, _ values: UnsafePointer<Float>) throws {
    items[index].parts[shard] = values + items[index].slice.lowerBound
    items[index].missing -= 1
    for other in 0..<plan.rankCount where other != rank {
      let theirs = plan.slice(of: other, count: items[index].sum.count)
      guard !theirs.isEmpty else { continue }
      try send(
        UNROLL_MPI_PARTS, values + theirs.lowerBound, theirs.count, to: other,
        tag: index * plan.shardCount + shard)
    }
    try sumIfWhole(index)
  }

  private func sumIfWhole(_ index: Int) throws {
    guard items[index].missing == 0, !items[index].isSummed else { return }
    items[index].isSummed = true
    unsummed -= 1
    let slice = items[index].slice
    guard !slice.isEmpty, let sum = items[index].sum.baseAddress else { return }
    OrderedSum.of(
      items[index].parts.compactMap(\.self), at: 0..<slice.count, into: sum + slice.lowerBound)
    for other in 0..<plan.rankCount where other != rank {
      try send(UNROLL_MPI_SUMS, sum + slice.lowerBound, slice.count, to: other, tag: index)
    }
  }

  /// Sees what has come and gone; whether anything has.
  private func look() throws -> Bool {
    let count = mpi.calls.look(mpi.job, Int32(purposes.count))
    guard count >= 0 else { throw watch.unreachable }
    for place in 0..<Int(count) {
      let slot = Int(mpi.job.pointee.finished[place])
      open -= 1
      if case .part(let item, _, _) = purposes[slot] {
        items[item].missing -= 1
        try sumIfWhole(item)
      }
      purposes[slot] = .sending(to: rank)
    }
    return count > 0
  }

  private func send(
    _ way: Int, _ values: UnsafePointer<Float>, _ count: Int, to other: Int, tag: Int
  ) throws {
    sentBytes += 4 * count
    try add(.sending(to: other)) {
      mpi.calls.send(
        mpi.job, $0, Int32(way), values, Int64(count), Int32(other), Int32(tag))
    }
  }

  private func add(_ purpose: Purpose, _ begin: (_ slot: Int32) -> Int32) throws {
    guard begin(Int32(purposes.count)) == 0 else { throw watch.unreachable }
    purposes.append(purpose)
    open += 1
  }

  private func owner(of shard: Int) -> Int {
    (0..<plan.rankCount).first { plan.shards(of: $0).contains(shard) } ?? 0
  }

  /// The ranks of which something is still expected.
  private func awaited() -> [Int] {
    var result: Set<Int> = []
    for purpose in purposes {
      switch purpose {
      case .part(_, _, let other), .sum(let other): result.insert(other)
      case .sending(let other): result.insert(other)
      }
    }
    return result.subtracting([rank]).sorted()
  }
}
