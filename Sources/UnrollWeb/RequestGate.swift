// What a connection lets in: requests that are meant for this server, as they stand on the wire. What comes after
// has one name and one path left of each request, and could not tell.

#if Page
internal import Foundation
internal import NIOCore
internal import NIOHTTP1

/// Puts a gate into each connection's pipeline, next to what reads the requests.
final class GateInstaller: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = NIOAny

  private let doors: Doors
  private let connections: Connections

  init(doors: Doors, connections: Connections) {
    (self.doors, self.connections) = (doors, connections)
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let pipeline = context.pipeline.syncOperations
    do {
      let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
      let gate = RequestGate(doors: doors, connections: connections)
      try pipeline.addHandler(gate, position: .after(decoder))
    } catch {
      // Without its gate nothing may come in.
      context.close(promise: nil)
    }
  }
}

/// Counts a connection's requests; refuses those that name another host, and those beyond the limit.
final class RequestGate: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  /// How long a connection beyond the limit may wait before it asks something.
  private static let surplusWait = TimeAmount.seconds(2)

  private let doors: Doors
  private let connections: Connections
  private var hasEnded = false

  init(doors: Doors, connections: Connections) {
    (self.doors, self.connections) = (doors, connections)
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let channel = context.channel
    guard !connections.open(channel) else { return }
    let connections = connections
    context.eventLoop.scheduleTask(in: Self.surplusWait) {
      // If it asks now it is answered by `channelRead`; a silent one goes.
      if !connections.isBusy(channel) { channel.close(promise: nil) }
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    connections.close(context.channel)
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !hasEnded else { return }
    if case .head(let head) = unwrapInboundIn(data) {
      guard connections.begin(context.channel) else {
        return refuse(
          context, .tooManyRequests, "busy: expected fewer connections at once; try again")
      }
      if let sentence = Self.problem(of: head, doors) {
        return refuse(context, .badRequest, sentence)
      }
    }
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if case .end = unwrapOutboundIn(data) { connections.end(context.channel) }
    context.write(data, promise: promise)
  }

  private func refuse(
    _ context: ChannelHandlerContext, _ status: HTTPResponseStatus, _ sentence: String
  ) {
    hasEnded = true
    let body = ByteBuffer(string: sentence + "\n")
    var headers = HTTPHeaders([
      ("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "\(body.readableBytes)"),
      ("Connection", "close"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
    ])
    if status == .tooManyRequests { headers.add(name: "Retry-After", value: "1") }
    let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    let channel = context.channel
    context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
      channel.close(promise: nil)
    }
  }

  // MARK: - Names

  /// What is wrong with the names in a request; nil if they are this server's, or if there is one that the
  /// routes' own guard refuses.
  static func problem(of head: HTTPRequestHead, _ doors: Doors) -> String? {
    let hosts = head.headers["Host"]
    guard hosts.count == 1 || (hosts.isEmpty && head.version != .http1_1) else {
      return "host: expected one Host field, found \(hosts.isEmpty ? "none" : "\(hosts.count)")"
    }
    let host = hosts.first ?? ""
    if host.utf8.contains(where: { "@/\\, \t?#".utf8.contains($0) }) {
      return "host: expected a name and a port, found '\(host.prefix(80))'"
    }
    // Other methods are refused by the guard of the routes.
    guard head.method == .GET || head.method == .HEAD, !head.uri.hasPrefix("/") else { return nil }
    guard let authority = authority(ofTarget: head.uri) else {
      return
        "target: expected a path or this server's own address, found '\(head.uri.prefix(80))'"
    }
    guard normalized(authority) == normalized(host), doors.knows(authority) || doors.knows(host)
    else {
      return "target: expected this server's own address, found '\(head.uri.prefix(80))'"
    }
    return nil
  }

  /// The host and port of `http://HOST:PORT/...`; nil for another target.
  private static func authority(ofTarget target: String) -> String? {
    let scheme = "http://"
    guard target.prefix(scheme.count).lowercased() == scheme else { return nil }
    let rest = target.dropFirst(scheme.count)
    return String(rest.prefix { !"/?#".contains($0) })
  }

  /// An authority without the port that goes without saying.
  private static func normalized(_ authority: String) -> String {
    let text = authority.lowercased()
    return text.hasSuffix(":80") ? String(text.dropLast(3)) : text
  }
}

/// On the listening socket: too few descriptors are no reason to listen no more.
final class AcceptErrors: ChannelInboundHandler, Sendable {
  typealias InboundIn = NIOAny

  private let connections: Connections

  init(connections: Connections) { self.connections = connections }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let error = error as? IOError else { return context.fireErrorCaught(error) }
    // What is left is needed for the answers that are being made.
    if [EMFILE, ENFILE].contains(error.errnoCode) { connections.evict() }
  }
}
#endif
