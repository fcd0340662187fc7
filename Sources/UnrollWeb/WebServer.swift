// The server as a program starts it.

internal import Foundation

/// Why the server cannot serve.
public struct WebServerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// One sentence.
  public let description: String

  init(_ description: String) { self.description = description }
}

/// The lab as a live page.
public struct WebServer: Sendable {
  /// The address to listen at.
  public var host: String
  /// The port; 0 for any that is free.
  public var port: Int
  /// A language model's run, for the page's second part.
  public var run: String?

  /// Creates a server.
  public init(host: String = "127.0.0.1", port: Int = 8080, run: String? = nil) {
    (self.host, self.port, self.run) = (host, port, run)
  }

  /// Whether only this machine can reach the address.
  public var isLoopback: Bool { ["127.0.0.1", "localhost", "::1"].contains(host) }

  /// Serves until the process is told to stop (SIGINT, SIGTERM, SIGQUIT, or SIGHUP unless it is ignored).
  ///
  /// The calling thread waits for that. Two requests are computed at a time; `Threads.count` 1 gives each a core of
  /// its own. The limit on open files is raised where it is low.
  ///
  /// - Parameter ready: Called with the page's address when it can be opened; it has a token in it
  ///   if other machines can reach it.
  /// - Throws: `WebServerError` if the address cannot be listened at, or too few files may be open.
  public func serve(ready: (String) -> Void) throws {
    // Before anything is opened: what follows cannot go on without descriptors.
    let table = ConnectionTable(limit: try OpenFiles.connections())
    let listener = try Listener(host: host, port: port)
    let token = isLoopback ? nil : Self.newToken()
    let workers = FigureWorkers(count: 2)
    defer { workers.close() }
    let site = Site(
      Doors(host: host, port: listener.port, token: token), workers: workers, run: run)
    let server = HTTPServer(listener: listener, table: table) { site.respond(to: $0) }
    try StopSignals.noted { stop in
      // Nobody can go to the address that stands for all.
      let known = ["0.0.0.0", "::"].contains(host) ? ProcessInfo.processInfo.hostName : host
      let name = known.contains(":") ? "[\(known)]" : known
      ready("http://\(name):\(listener.port)/" + (token.map { "?token=\($0)" } ?? ""))
      try server.run(until: stop)
    }
  }

  private static func newToken() -> String {
    (0..<4).map { _ in String(UInt64.random(in: 0...UInt64.max), radix: 36) }.joined()
  }
}
