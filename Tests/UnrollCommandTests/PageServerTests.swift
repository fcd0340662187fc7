// The page's server under stress: few descriptors, many connections, foreign host names, a hanging gnuplot, and all
// ways to stop it.

import Foundation
import Testing
import UnrollFigures
import UnrollTestSupport

@Suite("The page's server under attack", .serialized)
struct PageServerTests {
  /// A server process started by the shell, and its port.
  private final class Server {
    let process = Process()
    let port: UInt16
    private let output = Pipe()

    // The shell command, such as a limit, runs before `exec`.
    init(_ shell: String = ":", _ arguments: String = "") throws {
      process.executableURL = URL(fileURLWithPath: "/bin/bash")
      process.arguments = [
        "-c", "\(shell); exec '\(CommandTests.binary.path)' lab serve --port 0 \(arguments)",
      ]
      process.standardOutput = output
      process.standardError = output
      try process.run()
      var text = ""
      while !text.contains("http://") || !text.hasSuffix("\n") {
        let data = output.fileHandleForReading.availableData
        try #require(!data.isEmpty, "the server ended: \(text)")
        text += String(decoding: data, as: UTF8.self)
      }
      let address = try #require(text.split(separator: " ").last { $0.hasPrefix("http://") })
      port = try #require(
        address.split(separator: ":").last.flatMap { UInt16($0.prefix { $0.isNumber }) })
    }

    /// Sends a signal; returns the exit code if the server ends in time.
    func stop(_ signal: Int32 = SIGTERM, within seconds: Double = 4) -> Int32? {
      kill(process.processIdentifier, signal)
      let end = Date(timeIntervalSinceNow: seconds)
      while process.isRunning, Date() < end { usleep(20_000) }
      guard !process.isRunning else { return nil }
      return process.terminationStatus
    }

    deinit {
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// A connection to the server.
    func connect(seconds: Int = 15) throws -> Int32 {
      #if canImport(Darwin)
      let descriptor = socket(AF_INET, SOCK_STREAM, 0)
      #else
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      #endif
      try #require(descriptor >= 0)
      var limit = timeval(tv_sec: .init(seconds), tv_usec: 0)
      let size = socklen_t(MemoryLayout<timeval>.size)
      setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
      setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = inet_addr("127.0.0.1")
      let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          #if canImport(Darwin)
          Darwin.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
          #else
          Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
          #endif
        }
      }
      try #require(result == 0)
      return descriptor
    }

    /// Sends lines and reads until the server closes the connection.
    func ask(_ lines: String...) throws -> (status: Int, text: String) {
      let descriptor = try connect()
      defer { close(descriptor) }
      let request = lines.map { $0 + "\r\n" }.joined() + "\r\n"
      try #require(write(descriptor, request, request.utf8.count) == request.utf8.count)
      var text = ""
      var bytes = [UInt8](repeating: 0, count: 65536)
      while case let count = read(descriptor, &bytes, bytes.count), count > 0 {
        text += String(decoding: bytes[..<count], as: UTF8.self)
      }
      let status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
      return (status, text.components(separatedBy: "\r\n\r\n").last ?? "")
    }

    /// The status of an ordinary request.
    func status(_ path: String = "/") throws -> Int {
      try ask("GET \(path) HTTP/1.1", "Host: 127.0.0.1:\(port)", "Connection: close").status
    }

    /// The child processes of the server.
    var children: [Int32] {
      let folder = "/proc/\(process.processIdentifier)/task"
      let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      return threads.flatMap { thread in
        ((try? String(contentsOfFile: "\(folder)/\(thread)/children", encoding: .utf8)) ?? "")
          .split(separator: " ").compactMap { Int32($0) }
      }
    }
  }

  @Test("Without LAPACK the page says so in place of the spectrum", .timeLimit(.minutes(2)))
  func withoutLAPACK() throws {
    let server = try Server("export UNROLL_LAPACK=/nonexistent")
    func ask(_ path: String) throws -> (status: Int, text: String) {
      try server.ask(
        "GET \(path) HTTP/1.1", "Host: 127.0.0.1:\(server.port)", "Connection: close")
    }
    for path in ["/api/lab?parts=spectrum", "/api/lab?parts=memory&orthogonal=1"] {
      let refused = try ask(path)
      #expect(refused.status == 400)
      #expect(
        refused.text.hasPrefix(
          "spectra and orthogonal weights need LAPACK: /nonexistent, which UNROLL_LAPACK names"),
        "\(refused.text)")
    }
    #expect(try ask("/api/lab?parts=memory").status == 200)
    #expect(server.stop() == 0)
  }

  @Test("Requests that name another host, or none, are refused", .timeLimit(.minutes(2)))
  func names() throws {
    let server = try Server()
    let own = "Host: 127.0.0.1:\(server.port)"
    let port = server.port
    let close = "Connection: close"
    let cases: [(lines: [String], status: Int, sentence: String)] = [
      (["GET / HTTP/1.1", own], 200, ""),
      (["GET / HTTP/1.1", "host: LOCALHOST:\(port)"], 200, ""),
      (["GET / HTTP/1.1", "Host: [::1]:\(port)"], 200, ""),
      (["GET / HTTP/1.1", "Host:127.0.0.1:\(port) \t"], 200, ""),
      (["GET http://127.0.0.1:\(port)/ HTTP/1.1", own], 200, ""),
      (["GET http://127.0.0.1:\(port) HTTP/1.1", own], 200, ""),
      (["GET HTTP://127.0.0.1:\(port)/page.css HTTP/1.1", own], 200, ""),
      (["GET / HTTP/1.0", own], 200, ""),
      (["GET / HTTP/1.1", own + " "], 200, ""),
      (["GET / HTTP/1.1", "Host:\t127.0.0.1:\(port) \t"], 200, ""),
      (["GET http://127.0.0.1:\(port)/ HTTP/1.1", own + "  "], 200, ""),
      (["GET / HTTP/1.1", "Host: 127.0.0.1 :\(port)"], 400, "host: expected a name and a port"),
      (["GET / HTTP/1.1", own, own], 400, "host: expected one Host field, found 2"),
      (
        ["GET / HTTP/1.1", own, "Host: evil.example"], 400,
        "host: expected one Host field, found 2"
      ),
      (["GET / HTTP/1.1"], 400, "host: expected one Host field, found none"),
      (["GET / HTTP/1.0"], 421, "host: expected this server's own address, found ''"),
      (
        ["GET / HTTP/1.1", "Host: evil.example"], 421,
        "host: expected this server's own address, found 'evil.example'"
      ),
      (["GET / HTTP/1.1", "Host: evil.example:\(port)"], 421, "host: expected"),
      (
        ["GET / HTTP/1.1", "Host: me@127.0.0.1:\(port)"], 400,
        "host: expected a name and a port, found 'me@127.0.0.1:\(port)'"
      ),
      (["GET / HTTP/1.1", "Host: 127.0.0.1:\(port), evil.example"], 400, "host: expected a name"),
      (["GET / HTTP/1.1", "Host: 127.0.0.1:\(port &+ 1)"], 421, "host: expected"),
      (
        ["GET http://evil.example/ HTTP/1.1", own], 400,
        "target: expected this server's own address, found 'http://evil.example/'"
      ),
      (["GET http://evil.example:\(port)/ HTTP/1.1", own], 400, "target: expected"),
      (["GET http://me@127.0.0.1:\(port)/ HTTP/1.1", own], 400, "target: expected"),
      (["GET http://127.0.0.1:\(port)/ HTTP/1.1", "Host: evil.example"], 400, "target: expected"),
      (
        ["GET https://127.0.0.1:\(port)/ HTTP/1.1", own], 400,
        "target: expected a path or this server's own address"
      ),
      (["GET evil.example:80 HTTP/1.1", own], 400, ""),
      (["GET * HTTP/1.1", own], 400, ""),
      (["OPTIONS * HTTP/1.1", own], 405, "method: expected GET or HEAD, found OPTIONS"),
      (["CONNECT evil.example:443 HTTP/1.1", own], 405, "method: expected GET or HEAD"),
      (["POST / HTTP/1.1", own], 405, "method: expected GET or HEAD, found POST"),
      (["GET //evil.example/ HTTP/1.1", own], 404, "address: expected one of the page's own"),
      (["GET /?\(String(repeating: "a", count: 9000)) HTTP/1.1", own], 414, "address: expected"),
      (["NONSENSE"], 400, "request: expected a method, a target and HTTP/1.1"),
      (["GET / HTTP/1.1", "Host : 127.0.0.1:\(port)"], 400, "request: expected fields of a name"),
      (["GET / HTTP/2.0", own], 505, "version: expected HTTP/1.0 or HTTP/1.1, found HTTP/2.0"),
      (["GET / HTTP/1.1", own, "Expect: 100-continue"], 417, "expect: expected no such field"),
      (["GET / HTTP/1.1", own, "Content-Length: 9"], 413, "body: expected none, found 9 bytes"),
      (["GET / HTTP/1.1", own] + (0..<70).map { "A\($0): b" }, 431, "fields: expected at most 64"),
    ]
    for (lines, status, sentence) in cases {
      let request = lines + [close]
      let descriptor = try server.ask(request.joined(separator: "\r\n"))
      #expect(descriptor.status == status, "\(lines[0].prefix(60)): \(descriptor)")
      #expect(descriptor.text.hasPrefix(sentence), "\(lines[0].prefix(60)): \(descriptor.text)")
    }
    #expect(server.stop() == 0)
  }

  @Test("A connection closes if HTTP/1.0 or the request demands it, and stays open otherwise")
  func endings() throws {
    let server = try Server()
    let host = "Host: 127.0.0.1:\(server.port)"
    // Each of these would take 20 seconds, the time limit of an idle connection, if the server did not close it.
    for lines in [
      ["GET /page.css HTTP/1.0", host],
      ["GET /page.css HTTP/1.0", host, "Connection: keep-alive, close"],
      ["GET /page.css HTTP/1.1", host, "Connection: Close"],
      ["GET /page.css HTTP/1.1", host, "Connection: close "],
      ["GET /page.css HTTP/1.1", host, "Connection: x, CLOSE"],
      ["GET /nothing HTTP/1.0", host], ["GET / HTTP/1.0", host, "", "GET / HTTP/1.0", host],
    ] {
      let descriptor = try server.connect(seconds: 8)
      defer { close(descriptor) }
      let request = lines.joined(separator: "\r\n") + "\r\n\r\n"
      try #require(write(descriptor, request, request.utf8.count) == request.utf8.count)
      var text = ""
      var bytes = [UInt8](repeating: 0, count: 65536)
      var count = read(descriptor, &bytes, bytes.count)
      while count > 0 {
        text += String(decoding: bytes[..<count], as: UTF8.self)
        count = read(descriptor, &bytes, bytes.count)
      }
      #expect(count == 0, "\(lines): the connection did not end")
      let head = text.components(separatedBy: "\r\n\r\n")[0].lowercased()
      #expect(head.contains("\r\nconnection: close"), "\(lines): \(head)")
      #expect(text.components(separatedBy: "HTTP/1.").count == 2, "one answer: \(lines)")
    }
    // Two requests, one after the other, on one connection.
    let descriptor = try server.connect(seconds: 8)
    defer { close(descriptor) }
    let request =
      "GET /icon.svg HTTP/1.1\r\n\(host)\r\n\r\nGET /icon.svg HTTP/1.1\r\n\(host)\r\nConnection: close\r\n\r\n"
    _ = write(descriptor, request, request.utf8.count)
    var text = ""
    var bytes = [UInt8](repeating: 0, count: 65536)
    while case let count = read(descriptor, &bytes, bytes.count), count > 0 {
      text += String(decoding: bytes[..<count], as: UTF8.self)
    }
    #expect(text.components(separatedBy: "HTTP/1.1 200").count == 3)
    #expect(server.stop() == 0)
  }

  @Test("The server answers with few open files and many idle connections")
  func fewFiles() throws {
    for limit in [96, 128, 256] {
      let server = try Server("ulimit -n \(limit)")
      let idle = try (0..<(limit - 20)).map { _ in try server.connect() }
      #expect(try server.status() == 200)
      if Gnuplot.path() != nil { #expect(try server.status("/figure/memory.svg?batch=4") == 200) }
      #expect(server.process.isRunning)
      for descriptor in idle { close(descriptor) }
      #expect(try server.status() == 200)
      #expect(server.stop() == 0)
    }
  }

  @Test("The command raises its limit on open files for the page", .needs(.threadFolder))
  func raisedLimit() throws {
    let server = try Server("ulimit -S -n 100")
    let limits = try String(
      contentsOfFile: "/proc/\(server.process.processIdentifier)/limits", encoding: .utf8)
    let line = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max open files") })
    let soft = try #require(line.split(separator: " ").dropFirst(3).first.flatMap { Int($0) })
    #expect(soft > 256)
    #expect(server.stop() == 0)
  }

  @Test("A limit on open files that is too low is reported in a sentence")
  func tooFewFiles() throws {
    let process = Process()
    let errors = Pipe()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = [
      "-c", "ulimit -n 40; exec '\(CommandTests.binary.path)' lab serve --port 0",
    ]
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 1 && process.terminationReason == .exit)
    #expect(
      text.contains("open files: the system allows 40, and the page needs at least"), "\(text)")
    #expect(text.contains("raise the limit (ulimit -n)"))
  }

  @Test(
    "More connections than there is room for: the longest idle ones go, and the page answers at once"
  )
  func manyIdle() throws {
    let server = try Server("ulimit -n 4096 || true")
    let idle = try (0..<300).map { _ in try server.connect() }
    let start = Date()
    #expect(try server.status() == 200)
    #expect(Date().timeIntervalSince(start) < 5)
    for descriptor in idle { close(descriptor) }
    // An incomplete request is idle, too.
    let slow = try (0..<300).map { _ in
      let descriptor = try server.connect()
      _ = write(descriptor, "GET / HTTP/1.1\r\nHos", 19)
      return descriptor
    }
    #expect(try server.status() == 200)
    for descriptor in slow { close(descriptor) }
    #expect(server.stop() == 0)
  }

  @Test(
    "A gnuplot that hangs is replaced, and the server still ends when it is told to", .tags(.slow),
    .needs(.gnuplot, .threadFolder))
  func hungGnuplot() throws {
    let server = try Server()
    #expect(try server.status("/figure/memory.svg?batch=4") == 200)
    let hung = server.children
    #expect(!hung.isEmpty)
    for child in hung { kill(child, SIGSTOP) }
    let start = Date()
    #expect(try server.status("/figure/memory.svg?batch=4&seed=2") == 200)
    #expect(Date().timeIntervalSince(start) < 15)
    for child in hung { #expect(kill(child, 0) == -1) }
    // Stopped while a figure is being drawn that never finishes.
    for child in server.children { kill(child, SIGSTOP) }
    let asked = try server.connect()
    let request =
      "GET /figure/memory.svg?batch=4&seed=3 HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n\r\n"
    _ = write(asked, request, request.utf8.count)
    usleep(500_000)
    let end = Date()
    #expect(server.stop() == 0)
    #expect(Date().timeIntervalSince(end) < 3)
    close(asked)
  }

  @Test(
    "Every signal that asks for it ends the server, with idle connections and without; nothing is left behind"
  )
  func signals() throws {
    for signal in [SIGTERM, SIGINT, SIGQUIT, SIGHUP] {
      let folder = NSTemporaryDirectory() + "unroll-signals-\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let server = try Server("export TMPDIR='\(folder)'")
      let idle = try server.connect()
      if Gnuplot.path() != nil { #expect(try server.status("/figure/memory.svg?batch=4") == 200) }
      let children = server.children
      #expect(server.stop(signal) == 0, "signal \(signal)")
      for child in children { #expect(kill(child, 0) == -1) }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
      close(idle)
    }
    // A closed terminal does not end a process started with nohup.
    let server = try Server("trap '' HUP")
    #expect(server.stop(SIGHUP, within: 1) == nil)
    #expect(try server.status() == 200)
    #expect(server.stop() == 0)
  }

  @Test(
    "With a closed or full standard output, the address is printed on standard error")
  func closedOutput() throws {
    // Standard error goes to the original standard output, which is then closed or full.
    for redirection in ["2>&1 >&-", "2>&1 >/dev/full", "2>&1 >&- <&-"] {
      let server = try Server(":", redirection)
      #expect(try server.status() == 200, "\(redirection)")
      if Gnuplot.path() != nil { #expect(try server.status("/figure/memory.svg?batch=4") == 200) }
      #expect(server.stop() == 0)
    }
  }

  @Test("An address that cannot be bound is reported in words")
  func addresses() throws {
    let server = try Server()
    let command = CommandTests()
    for (arguments, sentence) in [
      (
        ["--port", "\(server.port)"],
        "127.0.0.1:\(server.port) cannot be listened at: the port is in use by another program; choose another port, or 0 for any that is free"
      ),
      (
        ["--host", "192.0.2.1", "--port", "0"],
        "192.0.2.1:0 cannot be listened at: this machine does not have that address"
      ),
      (
        ["--host", "nowhere.invalid", "--port", "0"],
        "nowhere.invalid:0 cannot be listened at: no address of that name was found"
      ),
    ] {
      let result = try command.run(["lab", "serve"] + arguments)
      #expect(result.status == 1)
      #expect(result.errors.contains(sentence), "\(result.errors)")
      #expect(!result.errors.contains("errno"))
    }
    #expect(server.stop() == 0)
  }
}
