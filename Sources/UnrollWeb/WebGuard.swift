// What every request passes first: who asks and how, and what every response carries.

#if Page
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Synchronization

/// The names under which the server may be asked.
final class Doors: Sendable {
  private struct State {
    var hosts: Set<String> = []
    var token: String?
  }

  private let state = Mutex(State())

  /// Opens the server for its own address: on loopback by its names, elsewhere to who has the token.
  func open(host: String, port: Int, token: String?) {
    let names =
      token == nil
      ? ["127.0.0.1", "localhost", "[::1]", host.contains(":") ? "[\(host)]" : host] : []
    state.withLock { state in
      state.hosts = Set(names.map { "\($0):\(port)" })
      if port == 80 { state.hosts.formUnion(names) }
      state.token = token
    }
  }

  /// Names without a port, for tests of the router.
  func open(hosts: Set<String>) { state.withLock { $0.hosts = hosts } }

  func knows(_ host: String) -> Bool {
    state.withLock { $0.token != nil || $0.hosts.contains(host.lowercased()) }
  }

  var token: String? { state.withLock { $0.token } }
}

/// Checks host, origin, token and size; adds the security headers; turns errors into sentences.
struct WebGuard<Context: RequestContext>: RouterMiddleware {
  let doors: Doors

  /// The page's own scripts, styles and pictures, and nothing from anywhere else.
  static var policy: String {
    """
    default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
    """
  }

  func handle(
    _ request: Request, context: Context,
    next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    var response: Response
    do {
      if let cookie = try admit(request) {
        let fields = (request.uri.query ?? "").split(separator: "&").filter {
          !$0.hasPrefix("token=")
        }
        let address = fields.isEmpty ? "/" : "/?" + fields.joined(separator: "&")
        response = Response(status: .seeOther, headers: [.location: address])
        response.headers[.setCookie] = cookie
      } else {
        response = try await next(request, context)
      }
    } catch let error as WebError {
      response = Self.text(.init(code: error.status), error.sentence)
    } catch let error as any HTTPResponseError {
      response = Self.text(error.status, Self.sentence(error.status))
    } catch is CancellationError {
      response = Self.text(
        .serviceUnavailable, "cancelled: the client disconnected, or the server is ending")
    } catch {
      // What went wrong may name files of this machine.
      FileHandle.standardError.write(Data("\(error)\n".utf8))
      response = Self.text(
        .internalServerError, "the server could not answer; its terminal says why")
    }
    for (name, value) in Self.headers { response.headers[name] = value }
    return response
  }

  /// Lets a request in, or refuses it.
  ///
  /// - Returns: The cookie to set, if the request carried the token in its address.
  private func admit(_ request: Request) throws -> String? {
    guard request.method == .get || request.method == .head else {
      throw WebError(status: 405, sentence: "method: expected GET or HEAD, found \(request.method)")
    }
    guard request.uri.string.utf8.count <= 8000 else {
      throw WebError(status: 414, sentence: "address: expected at most 8000 bytes")
    }
    if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > 0 {
      throw WebError(status: 413, sentence: "body: expected none, found \(length) bytes")
    }
    // A body in pieces says no length; nobody would read it.
    guard HTTPField.Name("Transfer-Encoding").flatMap({ request.headers[$0] }) == nil else {
      throw WebError(status: 413, sentence: "body: expected none, found one in pieces")
    }
    guard let host = request.head.authority, doors.knows(host) else {
      throw WebError(
        status: 421,
        sentence:
          "host: expected this server's own address, found '\(request.head.authority ?? "")'")
    }
    for origin in request.headers[values: .origin] where origin.lowercased() != "http://\(host)" {
      throw WebError(status: 403, sentence: "origin: expected http://\(host), found '\(origin)'")
    }
    if let site = HTTPField.Name("Sec-Fetch-Site").flatMap({ request.headers[$0] }),
      site == "cross-site", request.uri.path != "/"
    {
      throw WebError(status: 403, sentence: "origin: expected the page itself, found another site")
    }
    guard let token = doors.token else { return nil }
    if let cookies = request.headers[.cookie],
      cookies.split(separator: ";").contains(where: {
        Self.isSame($0.trimmingCharacters(in: .whitespaces), "unroll-token=\(token)")
      })
    {
      return nil
    }
    if request.uri.path == "/", let given = request.uri.queryParameters["token"],
      Self.isSame(String(given), token)
    {
      return "unroll-token=\(token); Path=/; HttpOnly; SameSite=Lax"
    }
    throw WebError(
      status: 401, sentence: "token: expected the address that was printed when the server started")
  }

  /// Compares without saying by the time it takes where texts differ.
  private static func isSame(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    guard a.count == b.count else { return false }
    return zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }

  private static func sentence(_ status: HTTPResponse.Status) -> String {
    switch status.code {
    case 404: "address: expected one of the page's own, found none here"
    case 413: "size: expected a smaller request"
    default: status.reasonPhrase
    }
  }

  private static func text(_ status: HTTPResponse.Status, _ sentence: String) -> Response {
    var headers: HTTPFields = [.contentType: "text/plain; charset=utf-8"]
    if status == .tooManyRequests { headers[.retryAfter] = "1" }
    return Response(
      status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: sentence + "\n"))
    )
  }

  private static var headers: [(HTTPField.Name, String)] {
    [
      ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"),
      ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Opener-Policy", "same-origin"),
      ("Cross-Origin-Resource-Policy", "same-origin"), ("X-Frame-Options", "DENY"),
      ("Cache-Control", "no-store"),
    ].compactMap { name, value in HTTPField.Name(name).map { ($0, value) } }
  }
}
#endif
