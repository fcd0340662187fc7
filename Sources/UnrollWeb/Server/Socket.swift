// Connections as the operating system has them. This file and SystemCalls.swift are the only ones of this target
// that call the C library.

internal import UnrollPlatform

/// The client closed the connection, or takes nothing from it any more.
package struct ConnectionLost: Error {}

/// One end of a connection.
package struct Socket: Sendable {
  package let descriptor: Int32

  /// What a wait for bytes ended with.
  package enum Arrival {
    case bytes, end, late
  }

  /// The most bytes that are received at once.
  package static let blockSize = 16 * 1024

  /// Takes an open connection over: what follows never raises SIGPIPE, and no child process inherits it.
  package init(adopting descriptor: Int32) {
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    #if canImport(Darwin)
    setOption(SOL_SOCKET, SO_NOSIGPIPE)
    #endif
    // The parts of a stream are sent as they come. Fails on sockets that are not TCP's, where it means nothing.
    setOption(Int32(IPPROTO_TCP), TCP_NODELAY)
  }

  private func setOption(_ level: Int32, _ name: Int32) {
    var on: Int32 = 1
    setsockopt(descriptor, level, name, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Waits for bytes, and hands them to `take`.
  package func receive(
    until deadline: ContinuousClock.Instant, _ take: (UnsafeRawBufferPointer) -> Void
  ) -> Arrival {
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
  ///   - bytes: All of these.
  ///   - patience: How long the client may take none of them.
  /// - Throws: `ConnectionLost`.
  package func send(all bytes: [UInt8], patience: Duration) throws(ConnectionLost) {
    var sent = 0
    var deadline = ContinuousClock.now + patience
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { bytes in
        let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
        return SystemCalls.transmit(rest, to: descriptor)
      }
      if count > 0 {
        sent += count
        deadline = .now + patience
      } else {
        guard errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR,
          SystemCalls.wait(for: POLLOUT, on: descriptor, until: deadline)
        else { throw ConnectionLost() }
      }
    }
  }

  /// Tells the client that nothing more will come.
  package func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Ends the connection for both sides, which wakes whoever waits for it here.
  ///
  /// The descriptor stays taken.
  package func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Ends the connection and gives its descriptor back.
  package func end() {
    // A child process that was started at this moment may hold it, too.
    hangUp()
    close(descriptor)
  }
}

/// A socket that takes connections in.
struct Listener: Sendable {
  /// What an attempt to accept a connection ended with.
  enum Arrival {
    case connection(Socket), none, tooFewDescriptors
  }

  let descriptor: Int32
  /// The port, also where any free one was asked for.
  let port: Int

  /// Listens at the first address of a host that can be listened at.
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
    // A client that leaves between `poll` and `accept` must not make `accept` wait.
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    // A server that was just ended can be started again at once.
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
      // The port is at the same place for both families.
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

  /// Takes a connection in, if one waits.
  ///
  /// - Throws: `WebServerError` if the socket listens no more.
  func accept() throws(WebServerError) -> Arrival {
    let descriptor = SystemCalls.takeConnection(from: descriptor)
    if descriptor >= 0 { return .connection(Socket(adopting: descriptor)) }
    switch errno {
    case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .tooFewDescriptors
    case EBADF, EINVAL, ENOTSOCK:
      throw WebServerError("the page ended: \(String(cString: strerror(errno)))")
    // The client has gone, or the network has a problem that is its own.
    default: return .none
    }
  }

  func end() { close(descriptor) }
}
