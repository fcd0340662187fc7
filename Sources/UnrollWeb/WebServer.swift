// The server: routes, limits, and how it starts and stops.

#if Page
internal import Foundation
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import ServiceLifecycle
internal import UnixSignals

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

  /// Serves until the process is told to stop (SIGINT, SIGTERM).
  ///
  /// Two requests are computed at a time; `Threads.count` 1 gives each a core of its own.
  ///
  /// - Parameter ready: Called with the page's address when it can be opened; it has a token in it
  ///   if other machines can reach it.
  /// - Throws: The system's error if the address cannot be listened at.
  public func serve(ready: @escaping @Sendable (String) -> Void) async throws {
    let doors = Doors()
    let (host, token) = (host, isLoopback ? nil : Self.newToken())
    let quiet = Logger(label: "unroll", factory: { _ in SwiftLogNoOpLogHandler() })
    let app = Application(
      router: Self.router(doors, workers: FigureWorkers(count: 2), run: run),
      server: .http1(
        configuration: .init(
          idleTimeout: .seconds(20),
          httpDecoderConfiguration: .init(
            maxHeaderFieldSize: 16 * 1024, maxHeaderListSize: 32 * 1024, maxHeaderFieldCount: 64))),
      configuration: .init(
        address: .hostname(host, port: port), serverName: nil,
        availableConnectionsDelegate: MaximumAvailableConnections(256, logger: quiet)),
      onServerRunning: { channel in
        guard let port = channel.localAddress?.port else { return }
        doors.open(host: host, port: port, token: token)
        // Nobody can go to the address that stands for all.
        let known = ["0.0.0.0", "::"].contains(host) ? ProcessInfo.processInfo.hostName : host
        let name = known.contains(":") ? "[\(known)]" : known
        ready("http://\(name):\(port)/" + (token.map { "?token=\($0)" } ?? ""))
      }, logger: quiet)
    var configuration = ServiceGroupConfiguration(
      services: [app], gracefulShutdownSignals: [.sigint, .sigterm], logger: quiet)
    configuration.maximumGracefulShutdownDuration = .seconds(3)
    try await ServiceGroup(configuration: configuration).run()
  }

  private static func newToken() -> String {
    (0..<4).map { _ in String(UInt64.random(in: 0...UInt64.max), radix: 36) }.joined()
  }

  /// All routes behind their guard.
  static func router(
    _ doors: Doors, workers: FigureWorkers, run: String?, watch: ClientWatch = ClientWatch()
  ) -> Router<BasicRequestContext> {
    let router = Router(
      context: BasicRequestContext.self, options: [.autoGenerateHeadEndpoints])
    router.addMiddleware { WebGuard<BasicRequestContext>(doors: doors) }
    let pages: [(path: RouterPath, type: String, bytes: [UInt8])] = [
      ("/", "text/html; charset=utf-8", PackageResources.page_html),
      ("page.css", "text/css; charset=utf-8", PackageResources.page_css),
      ("page.js", "text/javascript; charset=utf-8", PackageResources.page_js),
      ("model.js", "text/javascript; charset=utf-8", PackageResources.model_js),
    ]
    for page in pages {
      router.get(page.path) { _, _ in
        Response(
          status: .ok, headers: [.contentType: page.type],
          body: .init(byteBuffer: ByteBuffer(bytes: page.bytes)))
      }
    }
    LabRoutes(workers: workers, watch: watch).add(to: router)
    LanguageRoutes(workers: workers, watch: watch, run: run).add(to: router)
    return router
  }
}
#endif
