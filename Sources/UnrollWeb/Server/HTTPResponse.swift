// A response and its serialisation.

package import Foundation

/// A response to a request.
package struct HTTPResponse {
  package enum Body {
    case bytes([UInt8])
    /// Sent piece by piece while it is computed.
    case stream((HTTPStream) throws -> Void)
  }

  package var status = 200
  /// The header fields, except those for length, date and connection.
  package var fields: [(name: String, value: String)]
  package var body: Body
  /// Whether to close the connection afterwards, regardless of the request.
  package var endsConnection = false

  /// Creates a response with bytes of a media type.
  package init(type: String, _ bytes: [UInt8]) {
    (fields, body) = ([("Content-Type", type)], .bytes(bytes))
  }

  /// Creates a response whose body is computed while it is sent.
  package init(type: String, streaming write: @escaping (HTTPStream) throws -> Void) {
    (fields, body) = ([("Content-Type", type)], .stream(write))
  }

  /// Returns a response with a value as JSON.
  package static func json(_ value: any Encodable) throws -> HTTPResponse {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return HTTPResponse(
      type: "application/json; charset=utf-8", Array(try encoder.encode(value)))
  }

  /// Returns a response with a sentence as plain text.
  package static func text(_ status: Int, _ sentence: String) -> HTTPResponse {
    var response = HTTPResponse(
      type: "text/plain; charset=utf-8", Array((sentence + "\n").utf8))
    response.status = status
    if status == 405 { response.fields.append(("Allow", "GET, HEAD")) }
    if status == 429 { response.fields.append(("Retry-After", "1")) }
    return response
  }

  /// The security fields of every response.
  private static let securityFields = [
    ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"), ("X-Frame-Options", "DENY"),
    ("Cache-Control", "no-store"),
  ]

  /// The content security policy: only the page's own scripts, styles and images.
  private static let policy = """
    default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
    """

  /// Returns the bytes before the body.
  ///
  /// - Parameters:
  ///   - isChunked: Whether the body is sent in chunks.
  ///   - keepsConnection: Whether the connection stays open.
  ///   - date: The current time.
  /// - Returns: The status line and the fields.
  package func head(isChunked: Bool, keepsConnection: Bool, date: Date = Date()) -> [UInt8] {
    var lines = fields + Self.securityFields
    switch body {
    case .bytes(let bytes): lines.append(("Content-Length", "\(bytes.count)"))
    case .stream: if isChunked { lines.append(("Transfer-Encoding", "chunked")) }
    }
    lines.append(("Connection", keepsConnection ? "keep-alive" : "close"))
    lines.append(("Date", Self.text(of: date)))
    let text = lines.map { "\($0): \($1)\r\n" }.joined()
    return Array("HTTP/1.1 \(status) \(Self.reason(status))\r\n\(text)\r\n".utf8)
  }

  /// Formats a date for header fields (RFC 9110, 5.6.7).
  package static func text(of date: Date) -> String {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = .gmt
    let parts = calendar.dateComponents(
      [.year, .month, .day, .weekday, .hour, .minute, .second], from: date)
    func two(_ number: Int?) -> String { "0\(number ?? 0)".suffix(2).description }
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    let day = "\(days[(parts.weekday ?? 1) - 1]), \(two(parts.day))"
    let time = "\(two(parts.hour)):\(two(parts.minute)):\(two(parts.second))"
    return "\(day) \(months[(parts.month ?? 1) - 1]) \(parts.year ?? 0) \(time) GMT"
  }

  package static func reason(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 303: "See Other"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 417: "Expectation Failed"
    case 421: "Misdirected Request"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 503: "Service Unavailable"
    case 505: "HTTP Version Not Supported"
    // The reason phrase may be empty.
    default: ""
    }
  }
}

/// The destination of a body that is computed while it is sent.
package struct HTTPStream {
  /// Returns whether the client is still reading.
  package var isActive: () -> Bool
  /// Sends bytes; throws `ConnectionLost` if the client does not read them.
  package var send: ([UInt8]) throws -> Void

  package func write(_ text: String) throws { try send(Array(text.utf8)) }
}
