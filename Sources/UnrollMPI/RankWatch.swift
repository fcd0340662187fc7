// Whether the other ranks are still there. MPI does not say: a receive from a dead rank is never over. The
// launcher notices the death and sends everybody a signal; then whoever waits looks which process is gone.

internal import CMPI
internal import Foundation
internal import Synchronization
internal import UnrollLanguage

/// The other ranks' processes.
final class RankWatch: @unchecked Sendable {
  // Sendable: `peers` is set once, before another thread begins.
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
  private let killIsNear: @Sendable () -> Bool
  /// When that was seen first.
  private let warning = Mutex<ContinuousClock.Instant?>(nil)
  /// Seconds that the launcher leaves between its signal and the kill, but for what it takes to say something.
  private let grace: Double
  /// By rank; empty before they have met.
  var peers: [Peer] = []
  /// Seconds without an answer after which a rank counts as lost; much longer than any step.
  private let limit: Double

  init(_ mpi: MPIHandle, killIsNear: @escaping @Sendable () -> Bool) {
    let environment = ProcessInfo.processInfo.environment
    self.mpi = mpi
    self.killIsNear = killIsNear
    limit = environment["UNROLL_RANK_TIMEOUT"].flatMap(Double.init) ?? 600
    let given = environment["OMPI_MCA_odls_base_sigkill_timeout"].flatMap(Double.init)
    grace = max(0.6, (given ?? 1) - 0.4)
  }

  /// Seconds since the launcher said that it is going to kill; nil if it has not.
  private var secondsWarned: Double? {
    guard killIsNear() else { return nil }
    return warning.withLock { first in
      let start = first ?? .now
      first = start
      return start.duration(to: .now) / .seconds(1)
    }
  }

  private var rank: Int { mpi.rank }

  /// A rank cannot be reached, as MPI says.
  var unreachable: RankError {
    lost.map { RankError(.lost($0)) }
      ?? RankError(.lost("rank \(rank): MPI reports that another rank cannot be reached"))
  }

  /// Whether another rank's process is gone, as far as this machine can see.
  private func isDead(_ other: Int) -> Bool {
    other != rank && peers[other].host == peers[rank].host
      && kill(peers[other].process, 0) != 0 && errno == ESRCH
  }

  /// Whether no rank before this one is left on this machine.
  var isLowestAlive: Bool {
    peers.count > rank
      && !(0..<rank).contains { peers[$0].host == peers[rank].host && !isDead($0) }
  }

  /// What has happened to another rank.
  private var lost: String? {
    guard let dead = peers.indices.first(where: isDead) else { return nil }
    return "rank \(dead) (process \(peers[dead].process) on \(peers[dead].host)) has died"
  }

  /// Ends the wait of somebody who waits in vain.
  ///
  /// - Parameters:
  ///   - seconds: How long nothing has come.
  ///   - ranks: The ranks that something is expected of; empty if that is not known.
  /// - Throws: `RankError` if one is gone, or rank 0 has said that it cannot go on.
  func check(after seconds: Double, from ranks: [Int]) throws {
    if mpi.calls.has_ended(mpi.job) != 0 { throw RankError(.ended) }
    if let lost { throw RankError(.lost(lost)) }
    // Of a rank on another host only its silence is known; what is to be said of it must be said before the
    // launcher kills.
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

/// How somebody waits: at first at once again, then ever more calmly, and not for ever.
struct Patience {
  private let watch: RankWatch
  private var looks = 0
  /// Seconds without anything, as far as this process ran: one that was suspended has not waited.
  private var seconds = 0.0
  private var lastCheck = ContinuousClock.now

  init(_ watch: RankWatch) { self.watch = watch }

  /// Something has come.
  mutating func reset() {
    (looks, seconds, lastCheck) = (0, 0, .now)
  }

  /// Looks, now and then, whether the others are still there.
  ///
  /// - Parameter ranks: The ranks that something is expected of.
  /// - Throws: `RankError` if one is gone.
  mutating func look(from ranks: @autoclosure () -> [Int] = []) throws {
    looks += 1
    guard looks % 16 == 0 else { return }
    let passed = lastCheck.duration(to: .now) / .seconds(1)
    guard passed > 0.02 else { return }
    lastCheck = .now
    seconds += min(passed, 1)
    try watch.check(after: seconds, from: ranks())
  }

  /// Lets some time pass, when there is nothing else to do.
  func pass() {
    if looks < 20_000 { sched_yield() } else { usleep(200) }
  }
}
