// One client: its requests are read, answered and counted one after another, on a thread of its own.

internal import Foundation

/// How long a client may take.
package struct Patience: Sendable {
  /// Until the first byte of a request.
  package var idle: Duration
  /// The same, of a connection beyond the limit.
  package var surplus: Duration
  /// From a request's first byte until its head is whole.
  package var head: Duration
  /// While nothing of an answer is taken.
  package var answer: Duration
  /// After the last answer, until the client closes the connection, too.
  package var ending: Duration

  package init(
    idle: Duration = .seconds(20), surplus: Duration = .seconds(2), head: Duration = .seconds(5),
    answer: Duration = .seconds(20), ending: Duration = .seconds(1)
  ) {
    (self.idle, self.surplus, self.head) = (idle, surplus, head)
    (self.answer, self.ending) = (answer, ending)
  }
}

/// A connection; it is touched by its own thread alone.
package final class HTTPConnection {
  package typealias Handler = @Sendable (HTTPRequest) -> HTTPResponse

  private let socket: Socket
  private let table: ConnectionTable
  private let patience: Patience
  private let respond: Handler
  private var reader = HTTPRequestReader()
  private var hasEnded = false

  /// The most bytes of further requests that are taken from the client while it waits for an answer.
  private static let mostWaiting = 64 * 1024

  /// Creates the server's end of a connection that is in the table.
  package init(
    _ socket: Socket, _ table: ConnectionTable, patience: Patience = Patience(),
    respond: @escaping Handler
  ) {
    (self.socket, self.table, self.patience, self.respond) = (socket, table, patience, respond)
  }

  /// Answers requests until either side ends the connection; takes it out of the table.
  ///
  /// - Parameter isSurplus: Whether it is beyond the limit.
  package func serve(isSurplus: Bool) {
    defer { table.close(socket) }
    do {
      var idle = isSurplus ? patience.surplus : patience.idle
      while let request = try nextRequest(within: idle) {
        guard try answer(request) else { return drain() }
        idle = patience.idle
      }
    } catch let error as WebError {
      // What follows a request that cannot be read is no request either.
      guard (try? send(.text(error.status, error.sentence), to: nil)) != nil else { return }
      drain()
    } catch {}
  }

  /// - Returns: A request; nil if the client has gone, or sends none.
  private func nextRequest(within idle: Duration) throws -> HTTPRequest? {
    var deadline = ContinuousClock.now + idle
    var hasBegun = false
    while true {
      if let request = try reader.next() { return request }
      if !reader.isEmpty, !hasBegun { (hasBegun, deadline) = (true, .now + patience.head) }
      guard !hasEnded else { return nil }
      switch socket.receive(until: deadline, { reader.append($0) }) {
      case .bytes: break
      case .end: hasEnded = true
      case .late:
        guard hasBegun else { return nil }
        throw WebError(
          status: 408,
          sentence: "request: expected its head within \(patience.head.components.seconds) s")
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
    request.isAwaited = { [unowned self] in !table.isCancelled && isConnected }
    return try send(respond(request), to: request)
  }

  /// Whether the client is still there; bytes that come meanwhile are kept for later.
  private var isConnected: Bool {
    while !hasEnded, reader.waitingCount < Self.mostWaiting {
      switch socket.receive(until: .now, { reader.append($0) }) {
      case .bytes: break
      case .end: hasEnded = true
      case .late: return true
      }
    }
    return !hasEnded
  }

  /// Sends a response to a request, or to something that is none.
  ///
  /// - Returns: Whether the connection stays open.
  @discardableResult
  private func send(
    _ response: HTTPResponse, to request: HTTPRequest?, ends: Bool = false
  ) throws -> Bool {
    var keeps = request?.keepsConnection ?? false
    if ends || response.endsConnection || table.isEnding { keeps = false }
    let hasBody = request?.method != "HEAD"
    switch response.body {
    case .bytes(let bytes):
      let head = response.head(isChunked: false, keepsConnection: keeps)
      try send(hasBody ? head + bytes : head)
    case .stream(let write):
      // Where there are no chunks the end of the connection is the end of the body.
      let isChunked = request?.version == .http11
      keeps = keeps && isChunked
      try send(response.head(isChunked: isChunked, keepsConnection: keeps))
      guard hasBody else { break }
      let stream = HTTPStream(isAwaited: { !self.table.isEnding && self.isConnected }) { bytes in
        // An empty chunk would be the last one.
        guard !bytes.isEmpty else { return }
        guard isChunked else { return try self.send(bytes) }
        let size = String(bytes.count, radix: 16)
        try self.send(Array("\(size)\r\n".utf8) + bytes + Array("\r\n".utf8))
      }
      do { try write(stream) } catch {
        // The head has gone: the body ends without its last chunk.
        if !(error is ConnectionLost || error is CancellationError) { report(error) }
        throw ConnectionLost()
      }
      if isChunked { try send(Array("0\r\n\r\n".utf8)) }
    }
    return keeps
  }

  private func send(_ bytes: [UInt8]) throws(ConnectionLost) {
    try socket.send(all: bytes, patience: patience.answer)
  }

  /// Reads what the client still sends, for a moment: a connection that is closed with bytes unread is reset, and the
  /// client may lose the answer.
  private func drain() {
    socket.finishSending()
    let deadline = ContinuousClock.now + patience.ending
    while !hasEnded, !table.isEnding, socket.receive(until: deadline, { _ in }) == .bytes {}
  }
}
