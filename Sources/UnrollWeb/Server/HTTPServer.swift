// The server's loop: connections are accepted while there is room, and ended when the process is told to stop.

/// A server of HTTP/1.1.
struct HTTPServer: Sendable {
  let listener: Listener
  let table: ConnectionTable
  let respond: HTTPConnection.Handler

  /// How long answers that are being computed may take when the server is told to stop, and how long their
  /// clients may then take the sentence that says so.
  private static let graces: (answer: Duration, sentence: Duration) = (
    .milliseconds(1300), .milliseconds(200)
  )

  /// Serves until a descriptor is readable.
  ///
  /// - Throws: `WebServerError` if the socket listens no more.
  func run(until stop: Int32) throws(WebServerError) {
    defer { end() }
    while true {
      // Beyond that nobody could be told that there are too many: they wait until others have gone.
      let hasRoom = table.count < table.limit + OpenFiles.surplus
      let (isStopped, hasClient) = SystemCalls.readable(
        stop, hasRoom ? listener.descriptor : -1, milliseconds: hasRoom ? -1 : 10)
      if isStopped { return }
      guard hasClient else { continue }
      switch try listener.accept() {
      case .connection(let socket): start(socket)
      case .none: break
      case .tooFewDescriptors:
        // What is left is needed for the answers that are being made.
        table.evict()
        SystemCalls.pause(milliseconds: 10)
      }
    }
  }

  private func start(_ socket: Socket) {
    let isSurplus = !table.open(socket)
    let hasThread = SystemCalls.startThread { [table, respond] in
      HTTPConnection(socket, table, respond: respond).serve(isSurplus: isSurplus)
    }
    if !hasThread {
      table.close(socket)
      table.evict()
    }
  }

  /// Ends idle connections at once, and the others when they are answered or out of time.
  private func end() {
    listener.end()
    table.beginEnding()
    waitUntilEmpty(Self.graces.answer)
    table.cancel()
    waitUntilEmpty(Self.graces.sentence)
    table.hangUp()
    waitUntilEmpty(Self.graces.sentence)
  }

  private func waitUntilEmpty(_ limit: Duration) {
    let deadline = ContinuousClock.now + limit
    while table.count > 0, ContinuousClock.now < deadline { SystemCalls.pause(milliseconds: 5) }
  }
}
