// Who is connected. A server has room for so many connections as it may open files, less those that it needs
// itself; beyond that the connection that has been idle for the longest makes room for a new one.

#if Page
internal import Foundation
internal import NIOCore
internal import Synchronization

/// The open connections of a server.
final class Connections: Sendable {
  private struct Entry {
    var channel: any Channel
    /// When its last request began or ended, or it was opened.
    var since: ContinuousClock.Instant
    /// Requests that are being answered.
    var requestCount = 0
    var isBusy: Bool { requestCount > 0 && ContinuousClock.now - since < Connections.longestAnswer }
    /// Beyond the limit, when no other connection was idle: it will be told so.
    var isSurplus = false
  }

  private let entries = Mutex<[ObjectIdentifier: Entry]>([:])
  /// A text takes at most two minutes; after that whoever asked does not read the answer, and counts as idle.
  private static let longestAnswer = Duration.seconds(150)
  /// How many may be open.
  let limit: Int

  init(limit: Int) { self.limit = limit }

  /// How many are open.
  var count: Int { entries.withLock { $0.count } }

  /// A connection was accepted.
  ///
  /// - Returns: Whether there is room; if not, it gets an answer that says so.
  func open(_ channel: any Channel) -> Bool {
    let (hasRoom, evicted) = entries.withLock { entries -> (Bool, (any Channel)?) in
      var entry = Entry(channel: channel, since: .now)
      var evicted: (any Channel)?
      if entries.count >= limit {
        evicted = Self.removeIdlest(&entries)
        entry.isSurplus = evicted == nil
      }
      entries[ObjectIdentifier(channel)] = entry
      return (!entry.isSurplus, evicted)
    }
    evicted?.close(promise: nil)
    return hasRoom
  }

  /// A request has begun.
  ///
  /// - Returns: Whether it may be answered; not so on a connection beyond the limit.
  func begin(_ channel: any Channel) -> Bool {
    entries.withLock { entries in
      guard var entry = entries[ObjectIdentifier(channel)] else { return true }
      // Some other may have gone meanwhile.
      if entry.isSurplus { entry.isSurplus = entries.count > limit }
      if !entry.isSurplus { (entry.requestCount, entry.since) = (entry.requestCount + 1, .now) }
      entries[ObjectIdentifier(channel)] = entry
      return !entry.isSurplus
    }
  }

  /// Whether a request is being answered.
  func isBusy(_ channel: any Channel) -> Bool {
    entries.withLock { $0[ObjectIdentifier(channel)]?.isBusy ?? false }
  }

  /// A response has ended.
  func end(_ channel: any Channel) {
    entries.withLock { entries in
      guard var entry = entries[ObjectIdentifier(channel)] else { return }
      (entry.requestCount, entry.since) = (max(0, entry.requestCount - 1), .now)
      entries[ObjectIdentifier(channel)] = entry
    }
  }

  /// A connection was closed.
  func close(_ channel: any Channel) {
    entries.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(channel)) }
  }

  /// Closes the connection that has been idle for the longest, to make room.
  func evict() {
    let evicted = entries.withLock { Self.removeIdlest(&$0) }
    evicted?.close(promise: nil)
  }

  private static func removeIdlest(
    _ entries: inout [ObjectIdentifier: Entry]
  ) -> (any Channel)? {
    let idle = entries.filter { !$0.value.isBusy }
    guard let (key, entry) = idle.min(by: { $0.value.since < $1.value.since }) else { return nil }
    entries[key] = nil
    return entry.channel
  }
}

/// How many files this process may open, and what of that is left for connections.
enum OpenFiles {
  /// The most connections, however many files may be open.
  static let mostConnections = 256
  /// Connections beyond the limit that are told so.
  static let surplus = 16
  /// The least connections with which the page can be used: a browser opens six.
  static let leastConnections = 12

  /// Raises the limit on open files as far as the server can use it, and the system allows.
  ///
  /// - Parameter loopCount: How many event loops there will be; each has three descriptors.
  /// - Returns: How many connections may be open.
  /// - Throws: `WebServerError` if there are too few for the page.
  static func connections(loopCount: Int) throws(WebServerError) -> Int {
    #if canImport(Darwin)
    let resource = RLIMIT_NOFILE
    #else
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #endif
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return mostConnections }
    let own = reserve(loopCount: loopCount)
    let wanted = rlim_t(own + surplus + mostConnections)
    if limit.rlim_cur < wanted {
      let old = limit
      limit.rlim_cur = min(wanted, limit.rlim_max)
      if setrlimit(resource, &limit) != 0 { limit = old }
    }
    let found = Int(min(limit.rlim_cur, wanted))
    let left = found - own - surplus
    guard left >= leastConnections else {
      throw WebServerError(
        "open files: the system allows \(found), and the page needs at least \(own + surplus + leastConnections); raise the limit (ulimit -n)"
      )
    }
    return min(left, mostConnections)
  }

  /// Descriptors that are not for connections: those that are open, those of the event loops, the listening
  /// socket, two gnuplots (four while one starts), files of figures, a model and a corpus.
  private static func reserve(loopCount: Int) -> Int {
    let open = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/fd"))?.count ?? 16
    return open + 3 * loopCount + 1 + 2 * 8 + 24
  }
}
#endif
