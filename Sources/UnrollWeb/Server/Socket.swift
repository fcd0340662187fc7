// Sockets. Only this file and SystemCalls.swift of this target call the C library.

internal import UnrollPlatform

/// The client closed the connection, or does not read.
package struct ConnectionLost: Error {}

/// The server's end of a connection.
package struct Socket: Sendable {
  package let descriptor: Int32

  /// The result of waiting for bytes.
  package enum ReceiveResult {
    case bytes, end, late
  }

  /// The maximum number of bytes received at once.
  package static let blockSize = 16 * 1024

  /// Takes over an open connection and configures it: no SIGPIPE, not inherited by child processes.
  package init(adopting descriptor: Int32) {
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    #if canImport(Darwin)
    setOption(SOL_SOCKET, SO_NOSIGPIPE)
    #endif
    // Send parts of a stream immediately. Fails harmlessly on sockets other than TCP.
    setOption(Int32(IPPROTO_TCP), TCP_NODELAY)
  }

  private func setOption(_ level: Int32, _ name: Int32) {
    var on: Int32 = 1
    setsockopt(descriptor, level, name, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Waits for bytes and passes them to `take`.
  package func receive(
    until deadline: ContinuousClock.Instant, _ take: (UnsafeRawBufferPointer) -> Void
  ) -> ReceiveResult {
    withUnsafeTemporaryAllocation(byteCount: Self.blockSize, alignment: 1) { block in
      while true {
        let count = recv(descriptor, block.baseAddress, block.count, Int32(MSG_DONTWAIT))
        if count > 0 {
          take(UnsafeRawBufferPointer(rebasing: block[..<count]))
          return .bytes
        }
        if count == 0 { return .end }
        guard errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR else { return .end }
        guard SystemCalls.wait(for: POLLIN, on: descriptor, until: deadline) else { return .late }
      }
    }
  }

  /// Sends bytes.
  ///
  /// - Parameters:
  ///   - bytes: The bytes, all of which are sent.
  ///   - timeout: The maximum time without progress.
  /// - Throws: `ConnectionLost`.
  package func send(all bytes: [UInt8], timeout: Duration) throws(ConnectionLost) {
    var sent = 0
    var deadline = ContinuousClock.now + timeout
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { bytes in
        let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
        return SystemCalls.transmit(rest, to: descriptor)
      }
      if count > 0 {
        sent += count
        deadline = .now + timeout
      } else {
        guard errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR,
          SystemCalls.wait(for: POLLOUT, on: descriptor, until: deadline)
        else { throw ConnectionLost() }
      }
    }
  }

  /// Shuts down the sending direction.
  package func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Shuts down both directions, which wakes threads that wait for the connection.
  ///
  /// The descriptor stays open.
  package func shutDown() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Shuts the connection down and closes its descriptor.
  package func end() {
    // A child process that was started at this moment may have inherited it.
    shutDown()
    close(descriptor)
  }
}

/// A listening socket.
struct Listener: Sendable {
  /// The result of accepting a connection.
  enum AcceptResult {
    case connection(Socket), none, tooFewDescriptors
  }

  let descriptor: Int32
  /// The port, also if 0 was requested.
  let port: Int

  /// Listens on the first usable address of a host.
  init(host: String, port: Int) throws(WebServerError) {
    func problem(_ why: String) -> WebServerError {
      WebServerError("\(host):\(port) cannot be listened at: \(why)")
    }
    var hints = addrinfo()
    hints.ai_socktype = SystemCalls.streamSocket
    hints.ai_flags = AI_NUMERICSERV
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, "\(port)", &hints, &found) == 0 else {
      throw problem("no address of that name was found")
    }
    defer { freeaddrinfo(found) }
    var code = EADDRNOTAVAIL
    var next = found
    while let address = next {
      if let descriptor = Self.listen(at: address.pointee) {
        self.descriptor = descriptor
        self.port = Self.port(of: descriptor)
        return
      }
      code = errno
      next = address.pointee.ai_next
    }
    throw problem(Self.sentence(of: code))
  }

  private static func listen(at address: addrinfo) -> Int32? {
    let descriptor = socket(address.ai_family, address.ai_socktype, address.ai_protocol)
    guard descriptor >= 0 else { return nil }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    // If a client disconnects between `poll` and `accept`, `accept` must not block.
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    // Allow restarting a server immediately after it ended.
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    if bind(descriptor, address.ai_addr, address.ai_addrlen) == 0,
      SystemCalls.openForClients(descriptor)
    {
      return descriptor
    }
    let code = errno
    close(descriptor)
    errno = code
    return nil
  }

  private static func port(of descriptor: Int32) -> Int {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = getsockname(descriptor, $0, &size)
      }
      // The port is at the same offset for both families.
      return storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
        Int(UInt16(bigEndian: $0.pointee.sin_port))
      }
    }
  }

  private static func sentence(of code: Int32) -> String {
    switch code {
    case EADDRINUSE:
      "the port is in use by another program; choose another port, or 0 for any that is free"
    case EACCES, EPERM: "the system does not allow this port; choose one of 1024 and above"
    case EADDRNOTAVAIL: "this machine does not have that address"
    default: String(cString: strerror(code))
    }
  }

  /// Accepts a connection if one is waiting.
  ///
  /// - Throws: `WebServerError` if the socket can no longer accept connections.
  func accept() throws(WebServerError) -> AcceptResult {
    let descriptor = SystemCalls.takeConnection(from: descriptor)
    if descriptor >= 0 { return .connection(Socket(adopting: descriptor)) }
    switch errno {
    case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .tooFewDescriptors
    case EBADF, EINVAL, ENOTSOCK:
      throw WebServerError("the server stopped: \(String(cString: strerror(errno)))")
    // The client has disconnected, or a transient network error occurred.
    default: return .none
    }
  }

  func end() { close(descriptor) }
}
