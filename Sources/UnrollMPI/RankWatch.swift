// Detects lost ranks. MPI does not report them: a receive from a dead rank never completes. The launcher notices the
// death and signals all ranks; each waiting rank then checks which process has died.

internal import CMPI
internal import Foundation
internal import Synchronization
internal import UnrollLanguage

/// The processes of the other ranks.
final class RankWatch: @unchecked Sendable {
  // Sendable: `peers` is set once, before other threads start.
  struct Peer {
    let host: String
    let process: pid_t

    init(_ bytes: [UInt8]) {
      let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
      host = words.first.map(String.init) ?? ""
      process = words.last.flatMap { pid_t($0) } ?? 0
    }
  }

  private let mpi: MPIHandle
  private let isTerminating: @Sendable () -> Bool
  /// The time at which the signal was first noticed.
  private let warning = Mutex<ContinuousClock.Instant?>(nil)
  /// Seconds between the launcher's signal and its kill, minus a margin for the message.
  private let grace: Double
  /// The processes by rank; empty until they have been gathered.
  var peers: [Peer] = []
  /// Seconds without an answer after which a rank counts as lost; much longer than any step.
  private let limit: Double

  init(_ mpi: MPIHandle, isTerminating: @escaping @Sendable () -> Bool) {
    let environment = ProcessInfo.processInfo.environment
    self.mpi = mpi
    self.isTerminating = isTerminating
    limit = environment["UNROLL_RANK_TIMEOUT"].flatMap(Double.init) ?? 600
    let given = environment["OMPI_MCA_odls_base_sigkill_timeout"].flatMap(Double.init)
    grace = max(0.6, (given ?? 1) - 0.4)
  }

  /// Seconds since the launcher's signal; nil before it.
  private var secondsWarned: Double? {
    guard isTerminating() else { return nil }
    return warning.withLock { first in
      let start = first ?? .now
      first = start
      return start.duration(to: .now) / .seconds(1)
    }
  }

  private var rank: Int { mpi.rank }

  /// The error for a rank that MPI cannot reach.
  var unreachable: RankError {
    lost.map { RankError(.lost($0)) }
      ?? RankError(.lost("rank \(rank): MPI reports that another rank cannot be reached"))
  }

  /// Whether another rank's process on this host has died; false for other hosts.
  private func isDead(_ other: Int) -> Bool {
    other != rank && peers[other].host == peers[rank].host
      && kill(peers[other].process, 0) != 0 && errno == ESRCH
  }

  /// Whether no lower rank is alive on this host.
  var isLowestAlive: Bool {
    peers.count > rank
      && !(0..<rank).contains { peers[$0].host == peers[rank].host && !isDead($0) }
  }

  /// A description of a dead rank; nil if none is known.
  private var lost: String? {
    guard let dead = peers.indices.first(where: isDead) else { return nil }
    return "rank \(dead) (process \(peers[dead].process) on \(peers[dead].host)) has died"
  }

  /// Stops waiting for a rank that is lost.
  ///
  /// - Parameters:
  ///   - seconds: The time since the last message.
  ///   - ranks: The ranks that messages are expected from; empty if unknown.
  /// - Throws: `RankError` if a rank is lost or rank 0 has announced an abort.
  func check(after seconds: Double, from ranks: [Int]) throws {
    if mpi.calls.is_abort_announced(mpi.job) != 0 { throw RankError(.ended) }
    if let lost { throw RankError(.lost(lost)) }
    // Death on another host is known only by silence, and must be reported before the launcher kills this process.
    let isWarned =
      peers.contains { $0.host != peers[rank].host }
      && min(seconds, secondsWarned ?? 0) > grace
    guard isWarned || seconds > limit else { return }
    let names = ranks.map(String.init).joined(separator: ", ")
    let whom =
      ranks.isEmpty
      ? "another rank" : ranks.count == 1 ? "rank \(names)" : "one of the ranks \(names)"
    let hosts = Set(ranks.filter { $0 < peers.count }.map { peers[$0].host }).sorted()
    let place = hosts.isEmpty ? "" : " (on \(hosts.joined(separator: ", ")))"
    throw RankError(
      .lost("\(whom)\(place) has not answered for \(String(format: "%.1f", seconds)) seconds"))
  }
}

/// Polling with increasing pauses and a time limit.
struct Backoff {
  private let watch: RankWatch
  private var polls = 0
  /// Seconds without a message, not counting time in which this process was suspended.
  private var seconds = 0.0
  private var lastCheck = ContinuousClock.now

  init(_ watch: RankWatch) { self.watch = watch }

  /// Notes that a message has arrived.
  mutating func reset() {
    (polls, seconds, lastCheck) = (0, 0, .now)
  }

  /// Checks from time to time whether the other ranks are alive.
  ///
  /// - Parameter ranks: The ranks that messages are expected from.
  /// - Throws: `RankError` if a rank is lost.
  mutating func check(from ranks: @autoclosure () -> [Int] = []) throws {
    polls += 1
    guard polls % 16 == 0 else { return }
    let passed = lastCheck.duration(to: .now) / .seconds(1)
    guard passed > 0.02 else { return }
    lastCheck = .now
    seconds += min(passed, 1)
    try watch.check(after: seconds, from: ranks())
  }

  /// Pauses before the next poll.
  func pause() {
    if polls < 20_000 { sched_yield() } else { usleep(200) }
  }
}
