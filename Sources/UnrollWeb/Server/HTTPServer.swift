// The accept loop of the server, and its shutdown.

/// An HTTP/1.1 server.
struct HTTPServer: Sendable {
  let listener: Listener
  let table: ConnectionTable
  let respond: HTTPConnection.Handler

  /// The grace periods at shutdown: for running computations, and for clients to read the error response
  /// afterwards.
  private static let graces: (answer: Duration, sentence: Duration) = (
    .milliseconds(1300), .milliseconds(200)
  )

  /// Serves until a descriptor is readable.
  ///
  /// - Throws: `WebServerError` if the socket can no longer accept connections.
  func run(until stop: Int32) throws(WebServerError) {
    defer { end() }
    while true {
      // Beyond this limit not even an error response is possible, so clients wait in the backlog.
      let hasRoom = table.count < table.limit + OpenFiles.surplus
      let (isStopped, hasClient) = SystemCalls.readable(
        stop, hasRoom ? listener.descriptor : -1, milliseconds: hasRoom ? -1 : 10)
      if isStopped { return }
      guard hasClient else { continue }
      switch try listener.accept() {
      case .connection(let socket): start(socket)
      case .none: break
      case .tooFewDescriptors:
        // The remaining descriptors are needed for running requests.
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

  /// Closes idle connections immediately, and the others when they are answered or time out.
  private func end() {
    listener.end()
    table.beginShutdown()
    waitUntilEmpty(Self.graces.answer)
    table.cancel()
    waitUntilEmpty(Self.graces.sentence)
    table.shutDown()
    waitUntilEmpty(Self.graces.sentence)
  }

  private func waitUntilEmpty(_ limit: Duration) {
    let deadline = ContinuousClock.now + limit
    while table.count > 0, ContinuousClock.now < deadline { SystemCalls.pause(milliseconds: 5) }
  }
}
