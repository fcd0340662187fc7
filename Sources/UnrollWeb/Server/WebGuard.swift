// Access checks of every request.

internal import Foundation

/// The host names and the token that give access to the server.
package struct AccessRules: Sendable {
  /// Accepted values of the Host field, with ports.
  package var hosts: Set<String>
  /// The token required from other machines.
  package var token: String?

  package init(hosts: Set<String>) { self.hosts = hosts }

  /// Creates the access rules of an address: loopback names, or any name with a token.
  package init(host: String, port: Int, token: String?) {
    let names =
      token == nil
      ? ["127.0.0.1", "localhost", "[::1]", host.contains(":") ? "[\(host)]" : host] : []
    hosts = Set(names.map { "\($0):\(port)" })
    if port == 80 { hosts.formUnion(names) }
    self.token = token
  }

  package func allows(_ host: String) -> Bool { token != nil || hosts.contains(host.lowercased()) }
}

/// Checks the host, target, origin, token and size of a request.
struct WebGuard: Sendable {
  let access: AccessRules

  /// Checks a request.
  ///
  /// - Returns: A response that replaces that of the routes: it sets a cookie if the URL contains the token.
  /// - Throws: `WebError`.
  func admit(_ request: HTTPRequest) throws(WebError) -> HTTPResponse? {
    let host = try host(of: request)
    guard request.method == "GET" || request.method == "HEAD" else {
      throw WebError(
        status: 405, sentence: "method: expected GET or HEAD, found \(request.method.prefix(40))")
    }
    try checkTarget(request, host)
    guard request.values("expect").isEmpty else {
      throw WebError(status: 417, sentence: "expect: expected no such field, and no body")
    }
    try checkBody(request)
    guard access.allows(host) else {
      throw WebError(
        status: 421,
        sentence: "host: expected this server's own address, found '\(host.prefix(80))'")
    }
    for origin in request.values("origin") where origin.lowercased() != "http://\(host)" {
      throw WebError(
        status: 403, sentence: "origin: expected http://\(host), found '\(origin.prefix(80))'")
    }
    if request.values("sec-fetch-site").contains("cross-site"), request.path != "/" {
      throw WebError(status: 403, sentence: "origin: expected the page itself, found another site")
    }
    return try checkToken(request)
  }

  // MARK: - Names

  /// Returns the host name in a request.
  private func host(of request: HTTPRequest) throws(WebError) -> String {
    let hosts = request.values("host")
    guard hosts.count == 1 || (hosts.isEmpty && request.version == .http10) else {
      let found = hosts.isEmpty ? "none" : "\(hosts.count)"
      throw WebError(status: 400, sentence: "host: expected one Host field, found \(found)")
    }
    let host = hosts.first ?? ""
    if host.utf8.contains(where: { "@/\\, \t?#".utf8.contains($0) }) {
      throw .bad("host", expected: "a name and a port", found: host)
    }
    return host
  }

  private func checkTarget(_ request: HTTPRequest, _ host: String) throws(WebError) {
    guard !request.target.hasPrefix("/") else { return }
    guard let authority = request.authority else {
      throw .bad("target", expected: "a path or this server's own address", found: request.target)
    }
    guard Self.normalized(authority) == Self.normalized(host),
      access.allows(authority) || access.allows(host)
    else { throw .bad("target", expected: "this server's own address", found: request.target) }
  }

  /// Removes the default port from an authority.
  private static func normalized(_ authority: String) -> String {
    let text = authority.lowercased()
    return text.hasSuffix(":80") ? String(text.dropLast(3)) : text
  }

  // MARK: - Bodies and tokens

  private func checkBody(_ request: HTTPRequest) throws(WebError) {
    for text in request.values("content-length") {
      guard let length = Int(text), length >= 0, text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") })
      else { throw .bad("content-length", expected: "a number of bytes", found: text) }
      guard length == 0 else {
        throw WebError(status: 413, sentence: "body: expected none, found \(length) bytes")
      }
    }
    // A chunked body has no length; requests with bodies are rejected.
    guard request.values("transfer-encoding").isEmpty else {
      throw WebError(status: 413, sentence: "body: expected none, found a chunked body")
    }
  }

  private func checkToken(_ request: HTTPRequest) throws(WebError) -> HTTPResponse? {
    guard let token = access.token else { return nil }
    let cookies = request.values("cookie").flatMap { $0.split(separator: ";") }
      .map { $0.trimmingCharacters(in: .whitespaces) }
    if cookies.contains(where: { Self.isSame($0, "unroll-token=\(token)") }) { return nil }
    let fields = (request.query ?? "").split(separator: "&")
    let given = fields.first { $0.hasPrefix("token=") }?.dropFirst("token=".count)
    guard request.path == "/", let given, Self.isSame(String(given), token) else {
      throw WebError(
        status: 401,
        sentence: "token: expected the address that was printed when the server started")
    }
    let others = fields.filter { !$0.hasPrefix("token=") }
    var response = HTTPResponse(type: "text/plain; charset=utf-8", [])
    response.status = 303
    response.fields += [
      ("Location", others.isEmpty ? "/" : "/?" + others.joined(separator: "&")),
      ("Set-Cookie", "unroll-token=\(token); Path=/; HttpOnly; SameSite=Lax"),
    ]
    return response
  }

  /// Compares texts in constant time.
  private static func isSame(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    guard a.count == b.count else { return false }
    return zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
