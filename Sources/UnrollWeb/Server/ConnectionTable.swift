// The open connections. Their number is limited by the number of files the server may open, minus those it needs
// itself. Beyond the limit, the connection that has been idle longest is closed to admit a new one.

internal import Foundation
internal import Synchronization
internal import UnrollPlatform

/// The open connections of a server.
package final class ConnectionTable: Sendable {
  /// Whether a request may be answered.
  package enum Admission {
    case admitted
    /// The connection exceeds the limit.
    case surplus
    /// The server or the connection is shutting down.
    case ending
  }

  private struct Entry {
    var socket: Socket
    /// The time when its last request started or ended, or when it was opened.
    var since = ContinuousClock.now
    var hasRequest = false
    /// Whether it exceeds the limit because no other connection was idle; it gets an error response.
    var isSurplus = false
    /// Whether its thread was told to end.
    var isClosing = false
    var isBusy: Bool { hasRequest && ContinuousClock.now - since < ConnectionTable.longestAnswer }
  }

  private enum Phase: Int {
    case open, ending, cancelled
  }

  private struct State {
    var entries: [Int32: Entry] = [:]
    var phase = Phase.open

    /// The number of connections that are not closing.
    var stayingCount: Int { entries.values.count { !$0.isClosing } }

    /// Shuts a connection down; its thread closes it.
    mutating func shutDown(_ descriptor: Int32) {
      entries[descriptor]?.isClosing = true
      entries[descriptor]?.socket.shutDown()
    }

    /// - Returns: Whether there was an idle connection.
    mutating func evictIdle() -> Bool {
      let idle = entries.filter { !$0.value.isBusy && !$0.value.isClosing }
      guard let idlest = idle.min(by: { $0.value.since < $1.value.since }) else { return false }
      shutDown(idlest.key)
      return true
    }
  }

  private let state = Mutex(State())
  /// A connection counts as idle after this time: texts take at most two minutes, so its client does not read the
  /// answer.
  private static let longestAnswer = Duration.seconds(150)
  /// The maximum number of open connections.
  package let limit: Int

  package init(limit: Int) { self.limit = limit }

  /// The number of open connections, including those that are closing.
  package var count: Int { state.withLock { $0.entries.count } }

  /// Adds an accepted connection.
  ///
  /// - Returns: Whether it is within the limit; if not, it gets an error response.
  package func open(_ socket: Socket) -> Bool {
    state.withLock { state in
      var entry = Entry(socket: socket)
      if state.stayingCount >= limit { entry.isSurplus = !state.evictIdle() }
      state.entries[socket.descriptor] = entry
      return !entry.isSurplus
    }
  }

  /// Notes the start of a request.
  package func begin(_ socket: Socket) -> Admission {
    state.withLock { state in
      guard state.phase == .open, var entry = state.entries[socket.descriptor], !entry.isClosing
      else { return .ending }
      // Another connection may have closed meanwhile.
      if entry.isSurplus { entry.isSurplus = state.stayingCount > limit }
      if !entry.isSurplus { (entry.hasRequest, entry.since) = (true, .now) }
      state.entries[socket.descriptor] = entry
      return entry.isSurplus ? .surplus : .admitted
    }
  }

  /// Notes the end of a request.
  package func end(_ socket: Socket) {
    state.withLock { state in
      state.entries[socket.descriptor]?.hasRequest = false
      state.entries[socket.descriptor]?.since = .now
      // It was not closed earlier because it was busy.
      if state.phase != .open { state.shutDown(socket.descriptor) }
    }
  }

  /// Closes a connection, whose socket must not be used afterwards.
  package func close(_ socket: Socket) {
    state.withLock { state in
      state.entries[socket.descriptor] = nil
      // Under the lock, because the descriptor may be reused immediately.
      socket.end()
    }
  }

  /// Shuts the connection down that has been idle longest.
  package func evict() { state.withLock { _ = $0.evictIdle() } }

  // MARK: - Shutdown

  /// Whether the server was told to stop.
  package var isShuttingDown: Bool { state.withLock { $0.phase != .open } }
  /// Whether computations were cancelled.
  package var isCancelled: Bool { state.withLock { $0.phase == .cancelled } }

  /// Shuts idle connections down; the others may be answered.
  package func beginShutdown() {
    state.withLock { state in
      state.phase = .ending
      for (descriptor, entry) in state.entries where !entry.hasRequest {
        state.shutDown(descriptor)
      }
    }
  }

  /// Cancels running computations.
  package func cancel() { state.withLock { $0.phase = .cancelled } }

  /// Shuts all connections down.
  package func shutDown() {
    state.withLock { state in
      for descriptor in state.entries.keys { state.shutDown(descriptor) }
    }
  }
}

/// The limit on open files, and the number available for connections.
package enum OpenFiles {
  /// The maximum number of connections, whatever the limit on open files.
  static let maximumConnections = 256
  /// The number of additional connections that get an error response.
  static let surplus = 16
  /// The minimum number of connections to use the page: a browser opens six.
  static let minimumConnections = 12

  /// The number of open files with the maximum number of connections.
  package static var most: Int { reserve() + surplus + maximumConnections }

  /// Returns the number of connections that the process's limit on open files allows.
  ///
  /// - Returns: At least ``minimumConnections``, and at most ``maximumConnections``.
  /// - Throws: `WebServerError` if there are too few for the page.
  package static func connections() throws(WebServerError) -> Int {
    let own = reserve()
    guard let found = OpenFileLimit.current else { return maximumConnections }
    let left = found - own - surplus
    guard left >= minimumConnections else {
      throw WebServerError(
        "open files: the system allows \(found), and the page needs at least \(own + surplus + minimumConnections); raise the limit (ulimit -n)"
      )
    }
    return min(left, maximumConnections)
  }

  /// Returns the number of descriptors reserved for other purposes: those that are open, the listening socket, the
  /// signal pipe, two gnuplot processes (four during a restart), figure files, a model and a corpus.
  private static func reserve() -> Int {
    let open = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/fd"))?.count ?? 16
    return open + 1 + 2 + 2 * 8 + 24
  }
}
