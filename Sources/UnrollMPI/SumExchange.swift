// Computes the sums of a step on a separate thread, concurrently with the backward pass. Every array is divided into
// slices, one per rank. Each rank sends a shard's values to the owners of the slices when they are ready. The owner of
// a slice sums all shards in shard order and sends the sum to all ranks.

internal import CMPI
internal import Foundation
internal import UnrollLanguage

/// The exchange of gradients and sums of one rank.
final class SumExchange: @unchecked Sendable {
  // Sendable: `condition` guards the state shared by both threads.

  /// An array to be summed.
  private struct Item {
    var sum: UnsafeMutableBufferPointer<Float>
    /// The range that this rank sums.
    var slice: Range<Int>
    /// The values of the slice for each shard, nil until they are available.
    var parts: [UnsafePointer<Float>?]
    /// The number of shards that are not yet available.
    var missing: Int
    var isSummed = false
  }

  /// The purpose of an MPI request.
  private enum Purpose {
    /// Receives a shard's values for this rank's slice.
    case part(item: Int, shard: Int, from: Int)
    /// Receives another rank's sum.
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
  /// Whether the trainer's thread is waiting for the sums.
  private var isAwaited = false
  private var offered: [(item: Int, shard: Int, values: UnsafePointer<Float>)] = []
  private let overlaps = ProcessInfo.processInfo.environment["UNROLL_MPI_OVERLAP"] != "0"

  private var plan = ShardPlan(shardCount: 1, batchSize: 1, rankCount: 1)
  private var items: [Item] = []
  private var purposes: [Purpose] = []
  /// The buffer for values received from other shards.
  private var receiveBuffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: 1)
  private var open = 0
  private var unsummed = 0

  private(set) var sentBytes = 0
  private(set) var waitedSeconds = 0.0

  init(_ mpi: MPIHandle, _ watch: RankWatch) {
    self.mpi = mpi
    self.watch = watch
  }

  deinit { receiveBuffer.deallocate() }

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

  /// Exchanges and sums the arrays of one step.
  private func exchange() throws {
    try postReceives()
    var backoff = Backoff(watch)
    while open > 0 || unsummed > 0 {
      let (ready, isAwaited) = condition.withLock {
        () -> ([(item: Int, shard: Int, values: UnsafePointer<Float>)], Bool) in
        guard overlaps || self.isAwaited else { return ([], false) }
        defer { offered.removeAll(keepingCapacity: true) }
        return (offered, self.isAwaited)
      }
      for (item, shard, values) in ready { try submit(item, shard, values) }
      let found = try poll()
      if !ready.isEmpty || found {
        backoff.reset()
      } else {
        try backoff.check(from: awaited())
        if isAwaited { backoff.pause() } else { yieldCore() }
      }
    }
  }

  /// Leaves the core to the backward pass until new values are ready or 0.5 ms have passed.
  ///
  /// Polling more often would slow the other thread down by evicting its cache lines.
  private func yieldCore() {
    condition.withLock {
      guard offered.isEmpty || !overlaps, !isAwaited else { return }
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.0005))
    }
  }

  /// Posts all receives in advance, so that MPI need not buffer messages.
  private func postReceives() throws {
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
    if receiveBuffer.count < needed {
      receiveBuffer.deallocate()
      receiveBuffer = .allocate(capacity: needed)
    }
    var used = 0
    for index in items.indices {
      let slice = items[index].slice
      for shard in 0..<plan.shardCount where !mine.contains(shard) {
        guard !slice.isEmpty, let place = receiveBuffer.baseAddress.map({ $0 + used }) else {
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

  /// Sends a shard's values to the ranks that sum them.
  private func submit(_ index: Int, _ shard: Int, _ values: UnsafePointer<Float>) throws {
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
    OrderedSum.compute(
      items[index].parts.compactMap(\.self), at: 0..<slice.count, into: sum + slice.lowerBound)
    for other in 0..<plan.rankCount where other != rank {
      try send(UNROLL_MPI_SUMS, sum + slice.lowerBound, slice.count, to: other, tag: index)
    }
  }

  /// Polls for completed requests; returns whether there were any.
  private func poll() throws -> Bool {
    let count = mpi.calls.poll(mpi.job, Int32(purposes.count))
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
    _ channel: Int, _ values: UnsafePointer<Float>, _ count: Int, to other: Int, tag: Int
  ) throws {
    sentBytes += 4 * count
    try add(.sending(to: other)) {
      mpi.calls.send(
        mpi.job, $0, Int32(channel), values, Int64(count), Int32(other), Int32(tag))
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

  /// Returns the ranks with outstanding requests.
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
