// Wrappers of system calls that differ between systems, for sockets, threads, signals and limits.

internal import Synchronization
internal import UnrollPlatform

package enum SystemCalls {
  package static var streamSocket: Int32 {
    #if canImport(Glibc)
    Int32(SOCK_STREAM.rawValue)
    #else
    SOCK_STREAM
    #endif
  }

  // Distinct names for the three calls below, because methods of sockets have the names of the calls.

  package static func openForClients(_ descriptor: Int32) -> Bool { listen(descriptor, 256) == 0 }

  package static func takeConnection(from descriptor: Int32) -> Int32 {
    accept(descriptor, nil, nil)
  }

  /// Sends as many bytes as possible without blocking; returns an error instead of raising SIGPIPE.
  package static func transmit(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int {
    #if canImport(Darwin)
    // The socket has the option SO_NOSIGPIPE.
    let flags = MSG_DONTWAIT
    #else
    let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
    #endif
    return send(descriptor, bytes.baseAddress, bytes.count, flags)
  }

  /// Waits until a descriptor is ready or closed.
  ///
  /// - Returns: Whether it is; false after the deadline.
  package static func wait(
    for events: Int32, on descriptor: Int32, until deadline: ContinuousClock.Instant
  ) -> Bool {
    while true {
      let left = deadline - .now
      guard left > .zero else { return false }
      // At least 1 ms, because 0 would not wait.
      let milliseconds = Int32(clamping: Int(left / .milliseconds(1)) + 1)
      var polled = pollfd(fd: descriptor, events: Int16(events), revents: 0)
      let count = poll(&polled, 1, milliseconds)
      if count > 0 { return true }
      if count < 0, errno != EINTR { return false }
    }
  }

  /// Waits until one of two descriptors is readable, for at most this many milliseconds (−1 for no limit).
  package static func readable(_ first: Int32, _ second: Int32, milliseconds: Int32) -> (Bool, Bool)
  {
    var polled = [first, second].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    guard poll(&polled, 2, milliseconds) > 0 else { return (false, false) }
    return (polled[0].revents != 0, polled[1].revents != 0)
  }

  package static func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }

  // MARK: - Threads

  private static let stackSize = 512 * 1024

  /// Runs `body` on a new thread.
  ///
  /// - Returns: Whether the thread could be created.
  package static func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
    pthread_attr_init(attributes)
    pthread_attr_setstacksize(attributes, stackSize)
    pthread_attr_setdetachstate(attributes, Int32(PTHREAD_CREATE_DETACHED))
    let hasStarted = create(attributes, Unmanaged.passRetained(Work(body)))
    pthread_attr_destroy(attributes)
    attributes.deallocate()
    return hasStarted
  }

  private static func create(
    _ attributes: UnsafeMutablePointer<pthread_attr_t>, _ work: Unmanaged<Work>
  ) -> Bool {
    #if canImport(Glibc) || canImport(Android)
    var thread: pthread_t = 0
    #else
    var thread: pthread_t?
    #endif
    let result = pthread_create(&thread, attributes, { runWork($0) }, work.toOpaque())
    if result != 0 { work.release() }
    return result == 0
  }

  fileprivate final class Work: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}

private func runWork(_ work: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  if let work { Unmanaged<SystemCalls.Work>.fromOpaque(work).takeRetainedValue().body() }
  return nil
}

/// The descriptor that the signal handler writes to; −1 if there is none.
private let signalPipe = Atomic<Int32>(-1)

/// Wakes the server from a signal handler.
///
/// Calls only async-signal-safe functions.
private func wakeServer(_ number: Int32) {
  let error = errno
  var byte = UInt8(truncatingIfNeeded: number)
  _ = write(signalPipe.load(ordering: .relaxed), &byte, 1)
  errno = error
}

/// The signals that stop a server.
enum StopSignals {
  private typealias Action = (@convention(c) (Int32) -> Void)?

  /// Calls `body` with a descriptor that becomes readable when the process is told to stop.
  ///
  /// Handles SIGINT, SIGTERM, SIGQUIT and SIGHUP, and restores their previous actions afterwards. SIGHUP stays ignored
  /// if it was ignored, as under `nohup`, so that closing the terminal does not end the server.
  static func observed(during body: (Int32) throws -> Void) throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else {
      throw WebServerError("the server cannot start: \(String(cString: strerror(errno)))")
    }
    defer { for end in ends { close(end) } }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    guard signalPipe.compareExchange(expected: -1, desired: ends[1], ordering: .relaxed).exchanged
    else { throw WebServerError("the server cannot start: this process already runs one") }
    var noted = sigset_t()
    sigemptyset(&noted)
    var before: [(number: Int32, action: Action)] = []
    for number in [SIGINT, SIGTERM, SIGQUIT, SIGHUP] {
      let action = signal(number, wakeServer)
      if number == SIGHUP, isIgnored(action) {
        signal(number, action)
        continue
      }
      before.append((number, action))
      sigaddset(&noted, number)
    }
    // The parent process may have blocked them.
    pthread_sigmask(SIG_UNBLOCK, &noted, nil)
    defer {
      for (number, action) in before { signal(number, action) }
      signalPipe.store(-1, ordering: .relaxed)
    }
    try body(ends[0])
  }

  private static func isIgnored(_ action: Action) -> Bool {
    unsafeBitCast(action, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
