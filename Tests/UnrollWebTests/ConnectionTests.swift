// Connections: consecutive requests, slow and disconnected clients, shutdown.

import Foundation
import Testing
import UnrollWeb

@Suite("Connections")
struct ConnectionTests {
  /// Responds with the target.
  private static let echo: HTTPConnection.Handler = { request in
    HTTPResponse(type: "text/plain", Array(request.target.utf8))
  }

  private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  @Test("Requests that come at once are answered in order; what is no request ends the connection")
  func pipelined() throws {
    let client = try Client(respond: Self.echo)
    client.send("GET /one HTTP/1.1\r\n\r\nHEAD /two HTTP/1.1\r\n\r\nGET /three HTTP/1.0\r\n")
    client.send("Connection: keep-alive\r\n\r\n\r\nGET /four HTTP/2.0\r\n")
    client.send("GET /five HTTP/1.1\r\n\r\n")
    let parts = text(try client.received()).components(separatedBy: "HTTP/1.1 ")
    #expect(parts.count == 5)
    #expect(parts[1].hasPrefix("200 OK\r\n") && parts[1].hasSuffix("\r\n\r\n/one"))
    #expect(parts[1].contains("Connection: keep-alive\r\n"))
    #expect(parts[2].hasPrefix("200 OK\r\n") && parts[2].hasSuffix("\r\n\r\n"))
    #expect(parts[2].contains("Content-Length: 4\r\n"))
    #expect(parts[3].contains("Connection: keep-alive\r\n") && parts[3].hasSuffix("/three"))
    #expect(parts[4].hasPrefix("505 HTTP Version Not Supported\r\n"))
    #expect(parts[4].contains("Connection: close\r\n"))
    #expect(parts[4].hasSuffix("\r\n\r\nversion: expected HTTP/1.0 or HTTP/1.1, found HTTP/2.0\n"))
  }

  @Test("The answer to HEAD has the fields of the answer to GET")
  func head() throws {
    let replies = try ["GET", "HEAD"].map { method in
      let client = try Client(respond: Self.echo)
      client.send("\(method) /path HTTP/1.1\r\nConnection: close\r\n\r\n")
      return try Reply(client.received())
    }
    #expect(replies[0].text == "/path" && replies[1].text.isEmpty)
    var fields = replies.map(\.fields)
    for index in fields.indices {
      #expect(fields[index].removeValue(forKey: "date")?.hasSuffix(" GMT") == true)
    }
    #expect(fields[0] == fields[1])
    #expect(fields[0]["content-length"] == "5")
  }

  @Test("A moment is written as header fields have it")
  func date() {
    let text = HTTPResponse.text(of: Date(timeIntervalSince1970: 784_111_777))
    #expect(text == "Sun, 06 Nov 1994 08:49:37 GMT")
  }

  @Test("The connection ends when the version or the client says so, and not before")
  func ends() throws {
    for (request, ends) in [
      ("GET / HTTP/1.1\r\n\r\n", false), ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", true),
      ("GET / HTTP/1.0\r\n\r\n", true), ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false),
    ] {
      let client = try Client(respond: Self.echo)
      client.send(request + "GET /again HTTP/1.1\r\nConnection: close\r\n\r\n")
      #expect(text(try client.received()).contains("/again") == !ends, "\(request)")
    }
  }

  @Test("An answer reaches a client that sends a body nobody reads")
  func body() throws {
    let site = Site(AccessRules(hosts: ["localhost"]), workers: FigureWorkers(count: 1), run: nil)
    let client = try Client { site.respond(to: $0) }
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
    client.send(String(repeating: "GET / HTTP/1.1\r\n\r\n", count: 50_000))
    client.finishSending()
    let reply = try Reply(client.received())
    #expect(reply.status == 405 && reply.fields["connection"] == "close")
    #expect(reply.text == "method: expected GET or HEAD, found POST\n")
  }

  // MARK: - Streams

  @Test("A body that is computed while it is sent comes in chunks, and to HTTP/1.0 until the end")
  func stream() throws {
    let respond: HTTPConnection.Handler = { _ in
      HTTPResponse(type: "text/event-stream") { stream in
        for part in ["one ", "", "two ", String(repeating: "3", count: 20_000)] {
          try stream.write(part)
        }
      }
    }
    let whole = "one two " + String(repeating: "3", count: 20_000)
    let client = try Client(respond: respond)
    client.send("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
    let reply = try Reply(client.received())
    #expect(reply.fields["transfer-encoding"] == "chunked" && reply.text == whole)
    #expect(reply.fields["content-length"] == nil)
    let old = try Client(respond: respond)
    old.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    let answer = try Reply(old.received())
    #expect(answer.fields["transfer-encoding"] == nil && answer.text == whole)
    #expect(answer.fields["connection"] == "close")
    let head = try Client(respond: respond)
    head.send("HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
    #expect(text(try head.received()).hasSuffix("\r\n\r\n"))
    // After chunks another request may follow.
    let next = try Client(respond: respond)
    next.send("GET / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
    #expect(text(try next.received()).contains("0\r\n\r\nHTTP/1.1 200 OK\r\n"))
  }

  @Test("A body that ends with an error is not taken for a whole one")
  func brokenStream() throws {
    let client = try Client { _ in
      HTTPResponse(type: "text/plain") { stream in
        try stream.write("one")
        throw WebError(status: 400, sentence: "two")
      }
    }
    client.send("GET / HTTP/1.1\r\n\r\n")
    let received = text(try client.received())
    #expect(received.hasSuffix("\r\n\r\n3\r\none\r\n"))
  }

  // MARK: - Slow and disconnected clients

  @Test("A head that does not come in time is told so; a client that asks nothing is left")
  func slow() throws {
    let timeouts = Timeouts(idle: .milliseconds(300), head: .milliseconds(100))
    let slow = try Client(timeouts: timeouts, respond: Self.echo)
    slow.send("GET / HTTP/1.1\r\nHos")
    let reply = try Reply(slow.received())
    #expect(reply.status == 408 && reply.text == "request: expected its head within 0 s\n")
    // Bytes that arrive one by one do not extend the timeout.
    let dripping = try Client(timeouts: timeouts, respond: Self.echo)
    let sender = Background {
      for _ in 0..<100 {
        dripping.send("G")
        usleep(10_000)
      }
    }
    #expect(try Reply(dripping.received()).status == 408)
    try sender.value()
    // Empty lines do not start a request and do not extend the timeout.
    for text in ["", "\r\n\r\n"] {
      let idle = try Client(timeouts: timeouts, respond: Self.echo)
      idle.send(text)
      #expect(try idle.received().isEmpty)
    }
    let between = try Client(timeouts: timeouts, respond: Self.echo)
    between.send("GET / HTTP/1.1\r\n\r\n")
    #expect(text(try between.received()).hasSuffix("\r\n\r\n/"))
  }

  @Test("A client that does not read its answer is left")
  func unread() throws {
    let table = ConnectionTable(limit: 8)
    let large = [UInt8](repeating: 0, count: 16 << 20)
    let client = try Client(table, timeouts: Timeouts(answer: .milliseconds(100))) { _ in
      HTTPResponse(type: "application/zip", large)
    }
    client.send("GET / HTTP/1.1\r\n\r\n")
    try client.waitUntilServed()
    #expect(table.count == 0)
  }

  @Test("A client that goes while it is waited on is noticed, behind further requests too")
  func leaves() throws {
    for further in ["", "GET /next HTTP/1.1\r\n\r\n"] {
      let (hasBegun, hasLeft) = (Flag(), Flag())
      let client = try Client { request in
        #expect(request.isActive())
        hasBegun.set()
        for _ in 0..<5000 where request.isActive() { usleep(2000) }
        if !request.isActive() { hasLeft.set() }
        return Self.echo(request)
      }
      client.send("GET / HTTP/1.1\r\n\r\n" + further)
      #expect(hasBegun.isSetSoon())
      client.leave()
      try client.waitUntilServed()
      #expect(hasLeft.isSet)
    }
  }

  @Test("Requests that come while one is answered are kept for later")
  func meanwhile() throws {
    let (hasBegun, mayEnd) = (Flag(), Flag())
    let client = try Client { request in
      hasBegun.set()
      while !mayEnd.isSet, request.isActive() { usleep(1000) }
      return Self.echo(request)
    }
    client.send("GET /one HTTP/1.1\r\n\r\n")
    #expect(hasBegun.isSetSoon())
    client.send("GET /two HTTP/1.1\r\nConnection: close\r\n\r\n")
    usleep(50_000)
    mayEnd.set()
    let received = text(try client.received())
    #expect(received.contains("/oneHTTP/1.1 200 OK") && received.hasSuffix("/two"))
  }

  // MARK: - Many connections

  @Test("Beyond the limit the longest idle connection goes; if all are busy the new one is told so")
  func limit() throws {
    let table = ConnectionTable(limit: 2)
    let (mayEnd, hasBegun) = (Flag(), Flag())
    let respond: HTTPConnection.Handler = { request in
      hasBegun.set()
      while request.target == "/wait", !mayEnd.isSet { usleep(1000) }
      return Self.echo(request)
    }
    let busy = try Client(table, respond: respond)
    busy.send("GET /wait HTTP/1.1\r\n\r\n")
    #expect(hasBegun.isSetSoon())
    let idle = try Client(table, respond: respond)
    let next = try Client(table, respond: respond)
    #expect(try idle.received().isEmpty)
    next.send("GET /wait HTTP/1.1\r\n\r\n")
    usleep(100_000)
    let surplus = try Client(table, timeouts: Timeouts(surplus: .seconds(10)), respond: respond)
    surplus.send("GET / HTTP/1.1\r\n\r\n")
    let reply = try Reply(surplus.received())
    #expect(reply.status == 429 && reply.fields["retry-after"] == "1")
    #expect(reply.text == "busy: expected fewer connections at once; try again\n")
    surplus.leave()
    try surplus.waitUntilServed()
    // A surplus client without a request is disconnected.
    let silent = try Client(table, timeouts: Timeouts(surplus: .milliseconds(50)), respond: respond)
    #expect(try silent.received().isEmpty)
    try silent.waitUntilServed()
    // A surplus client that sends a request when a connection is free again gets a response.
    let late = try Client(table, timeouts: Timeouts(surplus: .seconds(10)), respond: respond)
    mayEnd.set()
    #expect(text(try next.received(until: "\r\n\r\n/wait")).contains("200 OK"))
    next.leave()
    try next.waitUntilServed()
    late.send("GET /late HTTP/1.1\r\nConnection: close\r\n\r\n")
    #expect(try Reply(late.received()).text == "/late")
  }

  @Test("At the end idle connections go at once, answers may be finished, and then are given up")
  func end() throws {
    let table = ConnectionTable(limit: 8)
    let (hasBegun, isCancelled, streams) = (Flag(), Flag(), Flag())
    let idle = try Client(table, respond: Self.echo)
    let busy = try Client(table) { request in
      hasBegun.set()
      for _ in 0..<5000 where request.isActive() { usleep(2000) }
      isCancelled.set()
      return .text(503, "cancelled")
    }
    busy.send("GET / HTTP/1.1\r\n\r\n")
    let streaming = try Client(table) { _ in
      HTTPResponse(type: "text/plain") { stream in
        streams.set()
        while stream.isActive() { usleep(2000) }
        throw CancellationError()
      }
    }
    streaming.send("GET / HTTP/1.1\r\n\r\n")
    #expect(hasBegun.isSetSoon() && streams.isSetSoon())
    table.beginShutdown()
    #expect(try idle.received().isEmpty)
    #expect(!text(try streaming.received()).contains("0\r\n\r\n"))
    #expect(!isCancelled.isSet)
    table.cancel()
    let reply = try Reply(busy.received())
    #expect(reply.status == 503 && reply.fields["connection"] == "close")
    try busy.waitUntilServed()
    #expect(table.count == 0)
  }

  @Test("The server takes the process's limit on open files as it is")
  func openFiles() throws {
    #if canImport(Glibc)
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
    let resource = RLIMIT_NOFILE
    #endif
    var before = rlimit()
    try #require(getrlimit(resource, &before) == 0)
    defer { _ = setrlimit(resource, &before) }
    var lower = before
    lower.rlim_cur = rlim_t(OpenFiles.most - 40)
    try #require(setrlimit(resource, &lower) == 0)
    // Other tests may open or close files meanwhile.
    let count = try OpenFiles.connections()
    #expect(count < 256 && count > 100)
    var after = rlimit()
    #expect(getrlimit(resource, &after) == 0 && after.rlim_cur == lower.rlim_cur)
  }
}
