// The public interface of the server.

internal import Foundation

/// An error that prevents the server from serving.
public struct WebServerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A sentence for the user.
  public let description: String

  init(_ description: String) { self.description = description }
}

/// The lab and a language model as a live page.
public struct WebServer: Sendable {
  /// The address to listen on.
  public var host: String
  /// The port; 0 for any free port.
  public var port: Int
  /// The run of a language model, for the page's second part.
  public var run: String?

  /// Creates a server.
  public init(host: String = "127.0.0.1", port: Int = 8080, run: String? = nil) {
    (self.host, self.port, self.run) = (host, port, run)
  }

  /// Whether only this machine can reach the address.
  public var isLoopback: Bool { ["127.0.0.1", "localhost", "::1"].contains(host) }

  /// The most files that the process has open while the server runs, including those that are open now.
  ///
  /// A program whose limit on open files is lower may raise it before it calls ``serve(ready:)``.
  public static var wantedOpenFiles: Int { OpenFiles.most }

  /// Serves until the process is told to stop (SIGINT, SIGTERM, SIGQUIT, or SIGHUP unless it is ignored).
  ///
  /// Blocks the calling thread. Two requests are computed at a time; set `Threads.count` to 1 to give each one core.
  /// If the process's limit on open files is below ``wantedOpenFiles``, fewer clients are served at a time.
  ///
  /// - Parameter ready: Called with the page's URL when it can be opened; the URL contains a token if other machines
  ///   can reach it.
  /// - Throws: `WebServerError` if the server cannot listen on the address, or too few files may be open.
  public func serve(ready: (String) -> Void) throws {
    // Checked first, because the rest needs descriptors.
    let table = ConnectionTable(limit: try OpenFiles.connections())
    let listener = try Listener(host: host, port: port)
    let token = isLoopback ? nil : Self.newToken()
    let workers = FigureWorkers(count: 2)
    defer { workers.close() }
    let site = Site(
      AccessRules(host: host, port: listener.port, token: token), workers: workers, run: run)
    let server = HTTPServer(listener: listener, table: table) { site.respond(to: $0) }
    try StopSignals.observed { stop in
      // A wildcard address cannot be opened; use the host name instead.
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
