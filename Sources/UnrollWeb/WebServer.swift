// The server: routes, limits, and how it starts and stops.

#if Page
internal import Foundation
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle
internal import UnixSignals

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
  /// Two requests are computed at a time; `Threads.count` 1 gives each a core of its own. The limit on open
  /// files is raised where it is low.
  ///
  /// - Parameter ready: Called with the page's address when it can be opened; it has a token in it
  ///   if other machines can reach it.
  /// - Throws: `WebServerError` if the address cannot be listened at, or too few files may be open.
  public func serve(ready: @escaping @Sendable (String) -> Void) async throws {
    let loopCount = 2
    // Before anything is opened: what follows cannot go on without descriptors.
    let connections = Connections(limit: try OpenFiles.connections(loopCount: loopCount))
    let loops = MultiThreadedEventLoopGroup(numberOfThreads: loopCount)
    let workers = FigureWorkers(count: 2)
    let result: Result<Void, any Error>
    do {
      try await serve(connections, loops, workers, ready)
      result = .success(())
    } catch {
      result = .failure(problem(error))
    }
    workers.close()
    try? await loops.shutdownGracefully()
    try result.get()
  }

  private func serve(
    _ connections: Connections, _ loops: MultiThreadedEventLoopGroup, _ workers: FigureWorkers,
    _ ready: @escaping @Sendable (String) -> Void
  ) async throws {
    let doors = Doors()
    let (host, token) = (host, isLoopback ? nil : Self.newToken())
    let quiet = Logger(label: "unroll", factory: { _ in SwiftLogNoOpLogHandler() })
    let app = Application(
      router: Self.router(doors, workers: workers, run: run),
      server: .http1(
        configuration: .init(
          additionalChannelHandlers: [GateInstaller(doors: doors, connections: connections)],
          idleTimeout: .seconds(20),
          httpDecoderConfiguration: .init(
            maxHeaderFieldSize: 16 * 1024, maxHeaderListSize: 32 * 1024, maxHeaderFieldCount: 64))),
      configuration: .init(
        address: .hostname(host, port: port), serverName: nil,
        availableConnectionsDelegate: MaximumAvailableConnections(
          connections.limit + OpenFiles.surplus, logger: quiet)),
      onServerRunning: { channel in
        guard let port = channel.localAddress?.port else { return }
        try? await channel.pipeline.addHandler(
          AcceptErrors(connections: connections), position: .first
        ).get()
        doors.open(host: host, port: port, token: token)
        // Nobody can go to the address that stands for all.
        let known = ["0.0.0.0", "::"].contains(host) ? ProcessInfo.processInfo.hostName : host
        let name = known.contains(":") ? "[\(known)]" : known
        ready("http://\(name):\(port)/" + (token.map { "?token=\($0)" } ?? ""))
      }, eventLoopGroupProvider: .shared(loops), logger: quiet)
    var configuration = ServiceGroupConfiguration(
      services: [app], gracefulShutdownSignals: Self.signals, logger: quiet)
    // Then answers that are still made are given up, so that all ends within three seconds.
    configuration.maximumGracefulShutdownDuration = .seconds(1.5)
    try await ServiceGroup(configuration: configuration).run()
  }

  /// The signals that end the server.
  ///
  /// Under `nohup` SIGHUP is ignored: a terminal that closes does not end it then.
  private static var signals: [UnixSignal] {
    let old = signal(SIGHUP, SIG_IGN)
    let isIgnored = unsafeBitCast(old, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    signal(SIGHUP, old)
    return [.sigint, .sigterm, .sigquit] + (isIgnored ? [] : [.sighup])
  }

  /// The system's error as a sentence.
  private func problem(_ error: any Error) -> any Error {
    let why: String
    switch error {
    case let error as IOError:
      switch error.errnoCode {
      case EADDRINUSE:
        why =
          "the port is in use by another program; choose another port, or 0 for any that is free"
      case EACCES, EPERM:
        why = "the system does not allow this port; choose one of 1024 and above"
      case EADDRNOTAVAIL: why = "this machine does not have that address"
      default: why = String(cString: strerror(error.errnoCode))
      }
    case is SocketAddressError, is SocketAddressError.UnknownHost:
      why = "no address of that name was found"
    default: return error
    }
    return WebServerError("\(host):\(port) cannot be listened at: \(why)")
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
      ("icon.svg", "image/svg+xml", PackageResources.icon_svg),
      // What browsers ask for beside a figure that is opened by itself.
      ("favicon.ico", "image/svg+xml", PackageResources.icon_svg),
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
