// One client connection, whose requests are read and answered in order on a separate thread.

internal import Foundation

/// The timeouts of a connection.
package struct Timeouts: Sendable {
  /// Until the first byte of a request.
  package var idle: Duration
  /// Until the first byte of a request, for a connection beyond the limit.
  package var surplus: Duration
  /// From a request's first byte to the end of its head.
  package var head: Duration
  /// While the client reads nothing of a response.
  package var answer: Duration
  /// From the last response until the client closes the connection.
  package var ending: Duration

  package init(
    idle: Duration = .seconds(20), surplus: Duration = .seconds(2), head: Duration = .seconds(5),
    answer: Duration = .seconds(20), ending: Duration = .seconds(1)
  ) {
    (self.idle, self.surplus, self.head) = (idle, surplus, head)
    (self.answer, self.ending) = (answer, ending)
  }
}

/// A connection, used only by its thread.
package final class HTTPConnection {
  package typealias Handler = @Sendable (HTTPRequest) -> HTTPResponse

  private let socket: Socket
  private let table: ConnectionTable
  private let timeouts: Timeouts
  private let respond: Handler
  private var reader = HTTPRequestReader()
  private var hasEnded = false

  /// The maximum number of bytes of further requests that are read while a response is computed.
  private static let maximumPipelinedBytes = 64 * 1024

  /// Creates the server's side of a connection that is in the table.
  package init(
    _ socket: Socket, _ table: ConnectionTable, timeouts: Timeouts = Timeouts(),
    respond: @escaping Handler
  ) {
    (self.socket, self.table, self.timeouts, self.respond) = (socket, table, timeouts, respond)
  }

  /// Answers requests until either side closes the connection; removes it from the table.
  ///
  /// - Parameter isSurplus: Whether the connection exceeds the limit.
  package func serve(isSurplus: Bool) {
    defer { table.close(socket) }
    do {
      var idle = isSurplus ? timeouts.surplus : timeouts.idle
      while let request = try nextRequest(within: idle) {
        guard try answer(request) else { return drain() }
        idle = timeouts.idle
      }
    } catch let error as WebError {
      // The bytes after a malformed request are not parsed.
      guard (try? send(.text(error.status, error.sentence), to: nil)) != nil else { return }
      drain()
    } catch {}
  }

  /// - Returns: A request; nil if the client has disconnected or sends none.
  private func nextRequest(within idle: Duration) throws -> HTTPRequest? {
    var deadline = ContinuousClock.now + idle
    var hasBegun = false
    while true {
      if let request = try reader.next() { return request }
      if !reader.isEmpty, !hasBegun { (hasBegun, deadline) = (true, .now + timeouts.head) }
      guard !hasEnded else { return nil }
      switch socket.receive(until: deadline, { reader.append($0) }) {
      case .bytes: break
      case .end: hasEnded = true
      case .late:
        guard hasBegun else { return nil }
        throw WebError(
          status: 408,
          sentence: "request: expected its head within \(timeouts.head.components.seconds) s")
      }
    }
  }

  /// Answers a request.
  ///
  /// - Returns: Whether the connection stays open.
  private func answer(_ request: HTTPRequest) throws -> Bool {
    switch table.begin(socket) {
    case .ending: return false
    case .surplus:
      let busy = "busy: expected fewer connections at once; try again"
      return try send(.text(429, busy), to: request, ends: true)
    case .admitted: break
    }
    defer { table.end(socket) }
    var request = request
    request.isActive = { [unowned self] in !table.isCancelled && isConnected }
    return try send(respond(request), to: request)
  }

  /// Whether the client is still connected; bytes received meanwhile are kept.
  private var isConnected: Bool {
    while !hasEnded, reader.waitingCount < Self.maximumPipelinedBytes {
      switch socket.receive(until: .now, { reader.append($0) }) {
      case .bytes: break
      case .end: hasEnded = true
      case .late: return true
      }
    }
    return !hasEnded
  }

  /// Sends a response to a request, or to malformed input.
  ///
  /// - Returns: Whether the connection stays open.
  @discardableResult
  private func send(
    _ response: HTTPResponse, to request: HTTPRequest?, ends: Bool = false
  ) throws -> Bool {
    var keeps = request?.keepsConnection ?? false
    if ends || response.endsConnection || table.isShuttingDown { keeps = false }
    let hasBody = request?.method != "HEAD"
    switch response.body {
    case .bytes(let bytes):
      let head = response.head(isChunked: false, keepsConnection: keeps)
      try send(hasBody ? head + bytes : head)
    case .stream(let write):
      // Without chunks, the end of the connection marks the end of the body.
      let isChunked = request?.version == .http11
      keeps = keeps && isChunked
      try send(response.head(isChunked: isChunked, keepsConnection: keeps))
      guard hasBody else { break }
      let stream = HTTPStream(isActive: { !self.table.isShuttingDown && self.isConnected }) {
        bytes in
        // An empty chunk would end the body.
        guard !bytes.isEmpty else { return }
        guard isChunked else { return try self.send(bytes) }
        let size = String(bytes.count, radix: 16)
        try self.send(Array("\(size)\r\n".utf8) + bytes + Array("\r\n".utf8))
      }
      do { try write(stream) } catch {
        // The head was already sent, so the error is signalled by omitting the last chunk.
        if !(error is ConnectionLost || error is CancellationError) { report(error) }
        throw ConnectionLost()
      }
      if isChunked { try send(Array("0\r\n\r\n".utf8)) }
    }
    return keeps
  }

  private func send(_ bytes: [UInt8]) throws(ConnectionLost) {
    try socket.send(all: bytes, timeout: timeouts.answer)
  }

  /// Reads remaining bytes for a moment.
  ///
  /// Closing a connection with unread bytes resets it, and the client may lose the response.
  private func drain() {
    socket.finishSending()
    let deadline = ContinuousClock.now + timeouts.ending
    while !hasEnded, !table.isShuttingDown, socket.receive(until: deadline, { _ in }) == .bytes {}
  }
}
