// Who is connected. A server has room for so many connections as it may open files, less those that it needs
// itself; beyond that the connection that has been idle for the longest makes room for a new one.

internal import Foundation
internal import Synchronization

/// The open connections of a server.
package final class ConnectionTable: Sendable {
  /// Whether a request may be answered.
  package enum Admission {
    case admitted
    /// The connection is beyond the limit.
    case surplus
    /// The server, or the connection, is being ended.
    case ending
  }

  private struct Entry {
    var socket: Socket
    /// When its last request began or ended, or it was opened.
    var since = ContinuousClock.now
    var hasRequest = false
    /// Beyond the limit, when no other connection was idle: it will be told so.
    var isSurplus = false
    /// Its thread was told to end.
    var isLeaving = false
    var isBusy: Bool { hasRequest && ContinuousClock.now - since < ConnectionTable.longestAnswer }
  }

  private enum Phase: Int {
    case open, ending, cancelled
  }

  private struct State {
    var entries: [Int32: Entry] = [:]
    var phase = Phase.open

    /// Those that stay.
    var stayingCount: Int { entries.values.count { !$0.isLeaving } }

    /// Ends a connection; its own thread closes it.
    mutating func hangUp(_ descriptor: Int32) {
      entries[descriptor]?.isLeaving = true
      entries[descriptor]?.socket.hangUp()
    }

    /// - Returns: Whether there was an idle one.
    mutating func evictIdlest() -> Bool {
      let idle = entries.filter { !$0.value.isBusy && !$0.value.isLeaving }
      guard let idlest = idle.min(by: { $0.value.since < $1.value.since }) else { return false }
      hangUp(idlest.key)
      return true
    }
  }

  private let state = Mutex(State())
  /// A text takes at most two minutes; after that whoever asked does not read the answer, and counts as idle.
  private static let longestAnswer = Duration.seconds(150)
  /// How many may be open.
  package let limit: Int

  package init(limit: Int) { self.limit = limit }

  /// How many are open, with those that are being ended.
  package var count: Int { state.withLock { $0.entries.count } }

  /// A connection was accepted.
  ///
  /// - Returns: Whether there is room; if not, it gets an answer that says so.
  package func open(_ socket: Socket) -> Bool {
    state.withLock { state in
      var entry = Entry(socket: socket)
      if state.stayingCount >= limit { entry.isSurplus = !state.evictIdlest() }
      state.entries[socket.descriptor] = entry
      return !entry.isSurplus
    }
  }

  /// A request has begun.
  package func begin(_ socket: Socket) -> Admission {
    state.withLock { state in
      guard state.phase == .open, var entry = state.entries[socket.descriptor], !entry.isLeaving
      else { return .ending }
      // Some other may have gone meanwhile.
      if entry.isSurplus { entry.isSurplus = state.stayingCount > limit }
      if !entry.isSurplus { (entry.hasRequest, entry.since) = (true, .now) }
      state.entries[socket.descriptor] = entry
      return entry.isSurplus ? .surplus : .admitted
    }
  }

  /// A request was answered.
  package func end(_ socket: Socket) {
    state.withLock { state in
      state.entries[socket.descriptor]?.hasRequest = false
      state.entries[socket.descriptor]?.since = .now
      // It was left alone because it was busy.
      if state.phase != .open { state.hangUp(socket.descriptor) }
    }
  }

  /// Closes a connection; nobody uses its socket after that.
  package func close(_ socket: Socket) {
    state.withLock { state in
      state.entries[socket.descriptor] = nil
      // Under the lock: the number may belong to another connection at once.
      socket.end()
    }
  }

  /// Ends the connection that has been idle for the longest, to make room.
  package func evict() { state.withLock { _ = $0.evictIdlest() } }

  // MARK: - The end

  /// Whether the server was told to stop.
  package var isEnding: Bool { state.withLock { $0.phase != .open } }
  /// Whether nobody waits for answers any more.
  package var isCancelled: Bool { state.withLock { $0.phase == .cancelled } }

  /// Ends connections without a request; the others may be answered.
  package func beginEnding() {
    state.withLock { state in
      state.phase = .ending
      for (descriptor, entry) in state.entries where !entry.hasRequest { state.hangUp(descriptor) }
    }
  }

  /// Gives up what is still computed.
  package func cancel() { state.withLock { $0.phase = .cancelled } }

  /// Ends all connections.
  package func hangUp() {
    state.withLock { state in
      for descriptor in state.entries.keys { state.hangUp(descriptor) }
    }
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
  /// - Returns: How many connections may be open.
  /// - Throws: `WebServerError` if there are too few for the page.
  static func connections() throws(WebServerError) -> Int {
    let own = reserve()
    guard let found = SystemCalls.raiseOpenFileLimit(to: own + surplus + mostConnections) else {
      return mostConnections
    }
    let left = found - own - surplus
    guard left >= leastConnections else {
      throw WebServerError(
        "open files: the system allows \(found), and the page needs at least \(own + surplus + leastConnections); raise the limit (ulimit -n)"
      )
    }
    return min(left, mostConnections)
  }

  /// Descriptors that are not for connections: those that are open, the listening socket, the pipe of signals, two
  /// gnuplots (four while one starts), files of figures, a model and a corpus.
  private static func reserve() -> Int {
    let open = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/fd"))?.count ?? 16
    return open + 1 + 2 + 2 * 8 + 24
  }
}
