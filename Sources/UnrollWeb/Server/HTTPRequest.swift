// A request without a body, and its parser.

internal import UnrollFormats

/// An error response: a status and a sentence.
package struct WebError: Error, Equatable {
  package var status: Int
  package var sentence: String

  package init(status: Int, sentence: String) {
    (self.status, self.sentence) = (status, sentence)
  }

  /// Returns the error for an invalid value of a field, with the closest valid name.
  package static func bad(
    _ field: String, expected: String, found: String, among names: [String] = []
  ) -> WebError {
    let hint = NearestName.hint(for: found, among: names)
    return WebError(
      status: 400, sentence: "\(field): expected \(expected), found '\(found.prefix(80))'\(hint)")
  }
}

/// The head of a request; bodies are not supported.
package struct HTTPRequest {
  package enum Version: String {
    case http10 = "HTTP/1.0"
    case http11 = "HTTP/1.1"
  }

  /// A header field with a lower-case name.
  package struct Field: Equatable {
    package var name: String
    package var value: String

    package init(name: String, value: String) { (self.name, self.value) = (name, value) }
  }

  package var method: String
  /// The target as sent by the client: a path with a query, or an absolute URI.
  package var target: String
  package var version = Version.http11
  package var fields: [Field] = []
  /// Returns whether the client is still waiting and the server may continue.
  package var isActive: () -> Bool = { true }

  package init(method: String, target: String, version: Version = .http11) {
    (self.method, self.target, self.version) = (method, target, version)
  }

  /// Returns the values of all fields with a lower-case name.
  package func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

  /// The host and port of `http://HOST:PORT/...`; nil for other targets.
  package var authority: String? {
    targetWithoutScheme.map { String($0.prefix { !"/?#".contains($0) }) }
  }

  private var targetWithoutScheme: Substring? {
    let scheme = "http://"
    guard target.prefix(scheme.count).lowercased() == scheme else { return nil }
    return target.dropFirst(scheme.count)
  }

  private var pathAndQuery: Substring {
    targetWithoutScheme.map { $0.drop { !"/?#".contains($0) } } ?? target[...]
  }

  /// The path as sent by the client.
  package var path: String {
    let path = String(pathAndQuery.prefix { $0 != "?" })
    return path.isEmpty ? "/" : path
  }

  /// The text after the first question mark, as sent by the client.
  package var query: String? {
    pathAndQuery.firstIndex(of: "?").map { String(pathAndQuery[$0...].dropFirst()) }
  }

  /// Whether the connection stays open after the response.
  package var keepsConnection: Bool {
    let words = values("connection").flatMap { $0.lowercased().split(separator: ",") }
      .map { String($0.filter { !" \t".contains($0) }) }
    if words.contains("close") { return false }
    return version == .http11 || words.contains("keep-alive")
  }
}

/// An incremental parser of requests.
///
/// Each byte is examined once, and input that is too long is rejected before it is complete.
package struct HTTPRequestReader {
  package static let longestTarget = 8000
  package static let longestField = 16 * 1024
  package static let longestFields = 32 * 1024
  package static let mostFields = 64
  /// A target with the longest method and the version.
  private static let longestFirstLine = longestTarget + 32

  private var bytes: [UInt8] = []
  private var lineStart = 0
  private var scanned = 0
  private var request: HTTPRequest?
  private var fieldBytes = 0

  package init() {}

  /// Whether no bytes of another request have been received.
  package var isEmpty: Bool { request == nil && bytes.isEmpty }
  /// The number of received bytes that have not been parsed.
  package var waitingCount: Int { bytes.count }

  package mutating func append(_ new: some Sequence<UInt8>) { bytes.append(contentsOf: new) }

  /// Returns the next request; nil if more bytes are needed.
  ///
  /// - Throws: `WebError` for a malformed or too large request; the parser must not be used afterwards.
  package mutating func next() throws(WebError) -> HTTPRequest? {
    while let end = bytes[scanned...].firstIndex(of: UInt8(ascii: "\n")) {
      let line = bytes[lineStart..<end]
      guard line.last == UInt8(ascii: "\r"), !line.dropLast().contains(UInt8(ascii: "\r")) else {
        throw Self.malformed("expected lines that end in CR LF and hold neither by itself")
      }
      let isWhole = try take(line.dropLast())
      (lineStart, scanned) = (end + 1, end + 1)
      guard isWhole, let request else { continue }
      bytes.removeSubrange(..<lineStart)
      (self.request, fieldBytes, lineStart, scanned) = (nil, 0, 0, 0)
      return request
    }
    bytes.removeSubrange(..<lineStart)
    (lineStart, scanned) = (0, bytes.count)
    try checkLength(of: bytes.count)
    return nil
  }

  /// Parses a line.
  ///
  /// - Returns: Whether it was the empty line at the end of a request.
  private mutating func take(_ line: ArraySlice<UInt8>) throws(WebError) -> Bool {
    try checkLength(of: line.count)
    guard request != nil else {
      // RFC 9112, 2.2: ignore empty lines before a request.
      if !line.isEmpty { request = try Self.firstLine(line) }
      return false
    }
    guard !line.isEmpty else { return true }
    fieldBytes += line.count
    guard fieldBytes <= Self.longestFields else {
      throw WebError(
        status: 431, sentence: "fields: expected at most \(Self.longestFields) bytes together")
    }
    guard let count = request?.fields.count, count < Self.mostFields else {
      throw WebError(status: 431, sentence: "fields: expected at most \(Self.mostFields)")
    }
    request?.fields.append(try Self.field(line))
    return false
  }

  private func checkLength(of count: Int) throws(WebError) {
    if request == nil {
      guard count <= Self.longestFirstLine else { throw Self.longTarget }
    } else if count > Self.longestField {
      throw WebError(
        status: 431, sentence: "field: expected at most \(Self.longestField) bytes")
    }
  }

  private static var longTarget: WebError {
    WebError(status: 414, sentence: "address: expected at most \(longestTarget) bytes")
  }

  private static func malformed(_ what: String) -> WebError {
    WebError(status: 400, sentence: "request: \(what)")
  }

  private static func firstLine(_ line: ArraySlice<UInt8>) throws(WebError) -> HTTPRequest {
    let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard words.count == 3, isToken(words[0]), !words[1].isEmpty else {
      throw malformed("expected a method, a target and HTTP/1.1 with one space between them")
    }
    guard words[1].allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw malformed("expected a target of printable ASCII")
    }
    guard words[1].count <= longestTarget else { throw longTarget }
    let name = String(decoding: words[2], as: UTF8.self)
    guard let version = HTTPRequest.Version(rawValue: name) else {
      let form = Array(words[2])
      let isVersion =
        form.count == 8 && form.starts(with: "HTTP/".utf8) && form[6] == UInt8(ascii: ".")
        && isDigit(form[5]) && isDigit(form[7])
      guard isVersion else { throw malformed("expected HTTP/1.1 after the target") }
      throw WebError(
        status: 505, sentence: "version: expected HTTP/1.0 or HTTP/1.1, found \(name)")
    }
    return HTTPRequest(
      method: String(decoding: words[0], as: UTF8.self),
      target: String(decoding: words[1], as: UTF8.self), version: version)
  }

  private static func field(_ line: ArraySlice<UInt8>) throws(WebError) -> HTTPRequest.Field {
    if line.first.map(isBlank) == true {
      throw malformed("expected each field on one line, found one that is continued")
    }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), isToken(line[..<colon]) else {
      throw malformed("expected fields of a name, a colon without a space before it, and a value")
    }
    let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
    var value = line[(colon + 1)...]
    while let first = value.first, isBlank(first) { value.removeFirst() }
    while let last = value.last, isBlank(last) { value.removeLast() }
    guard value.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == UInt8(ascii: "\t") }) else {
      throw malformed("expected text in the field '\(name.prefix(40))', found a control character")
    }
    return HTTPRequest.Field(name: name, value: String(decoding: value, as: UTF8.self))
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  /// Returns whether the bytes are a token (RFC 9110, 5.6.2).
  private static func isToken(_ bytes: ArraySlice<UInt8>) -> Bool {
    !bytes.isEmpty
      && bytes.allSatisfy { byte in
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
          || "!#$%&'*+-.^_`|~".utf8.contains(byte)
      }
  }
}
