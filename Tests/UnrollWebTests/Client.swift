// Clients of a server in this process, connected by a socket pair instead of a port.

import Foundation
import Synchronization
import Testing
import UnrollWeb

/// The client's end of a connection.
final class Client: Sendable {
  private let descriptor: Int32
  private let served: Background<Void>

  /// Connects to a server.
  ///
  /// - Parameters:
  ///   - table: The server's connections.
  ///   - timeouts: The server's timeouts.
  ///   - respond: The server's response.
  /// - Throws: An error if no socket can be created.
  init(
    _ table: ConnectionTable = ConnectionTable(limit: 8), timeouts: Timeouts = Timeouts(),
    respond: @escaping HTTPConnection.Handler
  ) throws {
    var ends: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, SystemCalls.streamSocket, 0, &ends) == 0)
    descriptor = ends[0]
    // A server that does not answer must not block the test for ever.
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    let socket = Socket(adopting: ends[1])
    let isSurplus = !table.open(socket)
    served = Background {
      HTTPConnection(socket, table, timeouts: timeouts, respond: respond)
        .serve(isSurplus: isSurplus)
    }
  }

  deinit { close(descriptor) }

  /// Sends bytes; ignores errors if the server no longer reads.
  func send(_ text: String) {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        SystemCalls.transmit($0, to: descriptor)
      }
      if count > 0 { sent += count } else if errno == EAGAIN { usleep(1000) } else { return }
    }
  }

  /// Shuts down the sending direction.
  func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Closes the connection without further bytes.
  func leave() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Returns the received bytes up to a text or the end of the connection.
  func received(until text: String? = nil) throws -> [UInt8] {
    var (all, block) = ([UInt8](), [UInt8](repeating: 0, count: 4096))
    while text.map({ !String(decoding: all, as: UTF8.self).contains($0) }) ?? true {
      let count = recv(descriptor, &block, block.count, 0)
      try #require(count >= 0, "the connection was reset, or nothing came: \(errno)")
      if count == 0 { break }
      all += block[..<count]
    }
    return all
  }

  /// Waits until the server has closed this connection.
  func waitUntilServed() throws { try served.value() }
}

/// A parsed response.
struct Reply {
  let status: Int
  /// The fields by lower-case name.
  let fields: [String: String]
  let text: String

  /// Parses the bytes of one response and joins its chunks.
  init(_ bytes: [UInt8]) throws {
    let whole = Array(bytes)
    let end = try #require(
      whole.indices.first { whole[$0...].starts(with: "\r\n\r\n".utf8) },
      "\(String(decoding: whole.prefix(200), as: UTF8.self))")
    let lines = String(decoding: whole[..<end], as: UTF8.self).components(separatedBy: "\r\n")
    let words = lines[0].split(separator: " ")
    try #require(words.count >= 2 && words[0] == "HTTP/1.1")
    status = try #require(Int(words[1]))
    var fields: [String: String] = [:]
    for line in lines.dropFirst() {
      let halves = line.components(separatedBy: ": ")
      let name = halves[0].lowercased()
      try #require(fields[name] == nil, "\(name) comes twice")
      fields[name] = halves.dropFirst().joined(separator: ": ")
    }
    self.fields = fields
    let body = whole[(end + 4)...]
    if let length = fields["content-length"], !body.isEmpty {
      try #require(Int(length) == body.count)
    }
    let isChunked = fields["transfer-encoding"] == "chunked"
    text = String(decoding: isChunked ? try Self.joined(body) : Array(body), as: UTF8.self)
  }

  private static func joined(_ chunks: ArraySlice<UInt8>) throws -> [UInt8] {
    var (rest, all) = (chunks, [UInt8]())
    while true {
      let line = rest.prefix { $0 != UInt8(ascii: "\r") }
      let size = try #require(Int(String(decoding: line, as: UTF8.self), radix: 16))
      rest = rest.dropFirst(line.count + 2)
      try #require(rest.count >= size + 2)
      all += rest.prefix(size)
      rest = rest.dropFirst(size + 2)
      guard size > 0 else { break }
    }
    try #require(rest.isEmpty)
    return all
  }

  /// The body as a JSON object.
  func json() throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }
}

/// Work on a separate thread.
final class Background<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, any Error>?>(nil)
  private let isDone = DispatchSemaphore(value: 0)

  init(_ body: @escaping @Sendable () throws -> Value) {
    let thread = Thread { [self] in
      let value = Result { try body() }
      result.withLock { $0 = value }
      isDone.signal()
    }
    thread.start()
  }

  /// Waits at most a minute for the result.
  func value() throws -> Value {
    try #require(isDone.wait(timeout: .now() + 60) == .success, "the work does not end")
    isDone.signal()
    return try #require(result.withLock { $0 }).get()
  }
}

/// A flag set by one thread and awaited by another.
final class Flag: Sendable {
  private let value = Atomic<Bool>(false)

  var isSet: Bool { value.load(ordering: .acquiring) }

  func set() { value.store(true, ordering: .releasing) }

  /// Returns whether it is set within ten seconds.
  func isSetSoon() -> Bool {
    for _ in 0..<5000 where !isSet { usleep(2000) }
    return isSet
  }
}
