// The request parser: accepted and rejected bytes, and independence of how they are split.

import Testing
import UnrollWeb

@Suite("Reading requests")
struct RequestReaderTests {
  /// The requests parsed from pieces, and the error that ended parsing.
  private func read(_ pieces: [[UInt8]]) -> (requests: [HTTPRequest], error: WebError?) {
    var (reader, requests) = (HTTPRequestReader(), [HTTPRequest]())
    for piece in pieces {
      reader.append(piece)
      do { while let request = try reader.next() { requests.append(request) } } catch {
        return (requests, error)
      }
    }
    return (requests, nil)
  }

  private func read(_ text: String) -> (requests: [HTTPRequest], error: WebError?) {
    read([Array(text.utf8)])
  }

  @Test("A request is taken apart as it stands")
  func whole() throws {
    let text =
      "\r\n\r\nGET /a?b=c HTTP/1.1\r\nHOST:x\r\nA: \t b: c \t\r\nEmpty:\r\nUTF-8: \u{E9}\u{20AC}\r\n\r\nHEAD / HTTP/1.0\r\n\r\nGET"
    let (requests, error) = read(text)
    #expect(error == nil && requests.count == 2)
    let first = try #require(requests.first)
    #expect(first.method == "GET" && first.target == "/a?b=c" && first.version == .http11)
    #expect(
      first.fields == [
        .init(name: "host", value: "x"), .init(name: "a", value: "b: c"),
        .init(name: "empty", value: ""), .init(name: "utf-8", value: "\u{E9}\u{20AC}"),
      ])
    #expect(requests[1].method == "HEAD" && requests[1].version == .http10)
    #expect(requests[1].fields.isEmpty)
  }

  @Test("Pieces of any size make the same requests, and the same refusals")
  func pieces() {
    let texts =
      ["GET /a HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n\r\nHEAD /b HTTP/1.0\r\n\r\n"]
      + Self.refusals.map(\.0)
    for text in texts where text.utf8.count < 2000 {
      let bytes = Array(text.utf8)
      let expected = read(text)
      for size in [1, 2, 3, 7] {
        let pieces = stride(from: 0, to: bytes.count, by: size).map {
          Array(bytes[$0..<min($0 + size, bytes.count)])
        }
        let found = read(pieces)
        #expect(found.error == expected.error, "\(text)")
        #expect(found.requests.map(\.target) == expected.requests.map(\.target))
        #expect(found.requests.map(\.fields) == expected.requests.map(\.fields))
      }
    }
  }

  static let head = "GET / HTTP/1.1\r\nHost: x\r\n"
  static let refusals: [(String, Int, String)] = [
    ("GET / HTTP/1.1\nHost: x\n\n", 400, "request: expected lines that end in CR LF"),
    (head + "A: b\rc\r\n\r\n", 400, "request: expected lines that end in CR LF"),
    ("GET /\r HTTP/1.1\r\n\r\n", 400, "request: expected lines that end in CR LF"),
    (head + "A: b\0c\r\n\r\n", 400, "request: expected text in the field 'a', found a control"),
    (head + "A: \u{7F}\r\n\r\n", 400, "request: expected text in the field 'a', found a control"),
    (head + "A: b\r\n c\r\n\r\n", 400, "request: expected each field on one line"),
    (head + "A: b\r\n\tc\r\n\r\n", 400, "request: expected each field on one line"),
    ("GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400, "request: expected each field on one line"),
    (head + "A : b\r\n\r\n", 400, "request: expected fields of a name, a colon without a space"),
    (head + "A\t: b\r\n\r\n", 400, "request: expected fields of a name"),
    (head + ": b\r\n\r\n", 400, "request: expected fields of a name"),
    (head + "abc\r\n\r\n", 400, "request: expected fields of a name"),
    (head + "a(b: c\r\n\r\n", 400, "request: expected fields of a name"),
    (head + "\u{E9}: c\r\n\r\n", 400, "request: expected fields of a name"),
    ("GET /\r\n\r\n", 400, "request: expected a method, a target and HTTP/1.1 with one space"),
    ("NONSENSE\r\n", 400, "request: expected a method, a target and HTTP/1.1"),
    ("GET  / HTTP/1.1\r\n\r\n", 400, "request: expected a method, a target and HTTP/1.1"),
    (" GET / HTTP/1.1\r\n\r\n", 400, "request: expected a method, a target and HTTP/1.1"),
    ("GET / HTTP/1.1 \r\n\r\n", 400, "request: expected a method, a target and HTTP/1.1"),
    ("GET\t/ HTTP/1.1\r\n\r\n", 400, "request: expected a method, a target and HTTP/1.1"),
    ("G@T / HTTP/1.1\r\n\r\n", 400, "request: expected a method, a target and HTTP/1.1"),
    ("GET /\0 HTTP/1.1\r\n\r\n", 400, "request: expected a target of printable ASCII"),
    ("GET /\u{E9} HTTP/1.1\r\n\r\n", 400, "request: expected a target of printable ASCII"),
    ("GET / http/1.1\r\n\r\n", 400, "request: expected HTTP/1.1 after the target"),
    ("GET / HTTP/11\r\n\r\n", 400, "request: expected HTTP/1.1 after the target"),
    ("GET / HTTP/1.11\r\n\r\n", 400, "request: expected HTTP/1.1 after the target"),
    ("GET / HTTP/2.0\r\n\r\n", 505, "version: expected HTTP/1.0 or HTTP/1.1, found HTTP/2.0"),
    ("GET / HTTP/1.2\r\n\r\n", 505, "version: expected HTTP/1.0 or HTTP/1.1, found HTTP/1.2"),
    ("GET / HTTP/0.9\r\n\r\n", 505, "version: expected HTTP/1.0 or HTTP/1.1, found HTTP/0.9"),
    ("\u{16}\u{3}\u{1}\u{2}\n", 400, "request: expected lines that end in CR LF"),
    (
      "GET /" + String(repeating: "a", count: 8000) + " HTTP/1.1\r\n\r\n", 414,
      "address: expected at most 8000 bytes"
    ),
    // Incomplete requests.
    ("GET /" + String(repeating: "a", count: 9000), 414, "address: expected at most 8000 bytes"),
    (
      head + "A: " + String(repeating: "b", count: 16384), 431,
      "field: expected at most 16384 bytes"
    ),
    (
      head + (0..<5).map { "A\($0): \(String(repeating: "b", count: 7000))\r\n" }.joined(), 431,
      "fields: expected at most 32768 bytes together"
    ),
    (head + (0..<64).map { "A\($0): b\r\n" }.joined(), 431, "fields: expected at most 64"),
  ]

  @Test(
    "What is no request, or too large a one, is refused as soon as that is seen",
    arguments: refusals)
  func refused(text: String, status: Int, sentence: String) throws {
    let (requests, error) = read(text)
    #expect(requests.isEmpty)
    #expect(error?.status == status, "\(text.prefix(80))")
    #expect(error?.sentence.hasPrefix(sentence) == true, "\(error?.sentence ?? "")")
  }

  @Test("What is just small enough is taken")
  func limits() {
    let target = "/" + String(repeating: "a", count: 7999)
    #expect(read("GET \(target) HTTP/1.1\r\n\r\n").requests.first?.target == target)
    let value = String(repeating: "b", count: 16381)
    #expect(read("GET / HTTP/1.1\r\nA: \(value)\r\n\r\n").requests.first?.values("a") == [value])
    let fields = (0..<64).map { "A\($0): b\r\n" }.joined()
    #expect(read("GET / HTTP/1.1\r\n\(fields)\r\n").requests.first?.fields.count == 64)
  }

  @Test("A target has a path, a query and sometimes a host")
  func targets() {
    for (target, authority, path, query) in [
      ("/", nil, "/", nil), ("/a/b?c=d?e", nil, "/a/b", "c=d?e"), ("/?", nil, "/", ""),
      ("//evil/", nil, "//evil/", nil), ("*", nil, "*", nil),
      ("http://h:80/a?b", "h:80", "/a", "b"), ("HTTP://h", "h", "/", nil),
      ("http://h?b", "h", "/", "b"), ("http://me@h/", "me@h", "/", nil),
      ("https://h/", nil, "https://h/", nil), ("http://", "", "/", nil),
    ] as [(String, String?, String, String?)] {
      let request = HTTPRequest(method: "GET", target: target)
      #expect(request.authority == authority, "\(target)")
      #expect(request.path == path, "\(target)")
      #expect(request.query == query, "\(target)")
    }
  }

  @Test("A connection stays open as the version and the client say")
  func connection() {
    for (version, words, keeps) in [
      (.http11, [], true), (.http10, [], false), (.http11, ["close"], false),
      (.http11, ["Upgrade, Close"], false), (.http11, ["a", "CLOSE"], false),
      (.http10, ["Keep-Alive"], true), (.http10, ["a , keep-alive"], true),
      (.http10, ["keep-alive, close"], false), (.http11, ["closed"], true),
    ] as [(HTTPRequest.Version, [String], Bool)] {
      var request = HTTPRequest(method: "GET", target: "/", version: version)
      request.fields = words.map { .init(name: "connection", value: $0) }
      #expect(request.keepsConnection == keeps, "\(version) \(words)")
    }
  }
}
