// A child process controlled through a socket. All waits have timeouts; a process that does not answer in time is
// killed with its descendants.

internal import Foundation
internal import UnrollPlatform

/// A child process; one socket for its standard input and output, another for its standard error.
final class ChildProcess {
  /// The reason why an exchange failed.
  enum Failure: Error {
    case ended, late, cancelled
  }

  /// The process identifier.
  let identifier: pid_t
  private let channel: Int32
  private let errors: Int32
  /// The end of its standard error output.
  private(set) var errorOutput: [UInt8] = []
  private var isReaped = false

  /// Starts a program in a folder.
  ///
  /// The child leads a new process group, so that Ctrl-C in a terminal does not reach it and ``end()`` also kills its
  /// descendants.
  ///
  /// - Throws: `GnuplotError` with the system's message.
  init(path: String, arguments: [String], folder: String) throws(GnuplotError) {
    let (ownChannel, itsChannel) = try Self.pair()
    let ownErrors: Int32
    let itsErrors: Int32
    do { (ownErrors, itsErrors) = try Self.pair() } catch {
      for descriptor in [ownChannel, itsChannel] { close(descriptor) }
      throw error
    }
    defer { for descriptor in [itsChannel, itsErrors] { close(descriptor) } }
    #if canImport(Darwin)
    var actions: posix_spawn_file_actions_t?
    var attributes: posix_spawnattr_t?
    #else
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    for (from, to) in [(itsChannel, 0), (itsChannel, 1), (itsErrors, 2)] as [(Int32, Int32)] {
      posix_spawn_file_actions_adddup2(&actions, from, to)
    }
    // Close inherited descriptors, so that the child does not keep a server's connections open.
    for descriptor in Self.openDescriptors where descriptor > 2 {
      posix_spawn_file_actions_addclose(&actions, descriptor)
    }
    // Reset the signal mask and actions, which the child would inherit.
    var (none, usual) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigemptyset(&usual)
    for signal in [SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT] { sigaddset(&usual, signal) }
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &usual)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes,
      Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

    // A shell changes the directory and executes the program, because not every system can spawn a process in another
    // directory. The folder is passed as an argument, since its name may contain any characters.
    let line = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", folder, path] + arguments
    var words: [UnsafeMutablePointer<CChar>?] = line.map { strdup($0) } + [nil]
    var surroundings: [UnsafeMutablePointer<CChar>?] =
      ProcessInfo.processInfo.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for word in words + surroundings { free(word) } }
    var number: pid_t = 0
    let problem = posix_spawn(&number, line[0], &actions, &attributes, &words, &surroundings)
    guard problem == 0 else {
      for descriptor in [ownChannel, ownErrors] { close(descriptor) }
      throw GnuplotError("gnuplot does not start: \(String(cString: strerror(problem)))")
    }
    (identifier, channel, errors) = (number, ownChannel, ownErrors)
  }

  deinit {
    end()
    for descriptor in [channel, errors] { close(descriptor) }
  }

  /// Creates a socket pair with descriptors that are neither inherited nor standard streams.
  private static func pair() throws(GnuplotError) -> (own: Int32, its: Int32) {
    var ends: [Int32] = [-1, -1]
    #if canImport(Darwin)
    let kind = SOCK_STREAM
    #else
    let kind = Int32(SOCK_STREAM.rawValue)
    #endif
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
      throw GnuplotError("gnuplot does not start: \(String(cString: strerror(errno)))")
    }
    // If this process has no standard streams, new descriptors may have their numbers.
    let raised = ends.map { fcntl($0, F_DUPFD_CLOEXEC, 3) }
    let problem = errno
    for descriptor in ends { close(descriptor) }
    guard raised.allSatisfy({ $0 >= 0 }) else {
      for descriptor in raised where descriptor >= 0 { close(descriptor) }
      throw GnuplotError("gnuplot does not start: \(String(cString: strerror(problem)))")
    }
    let own = raised[0]
    _ = fcntl(own, F_SETFL, fcntl(own, F_GETFL) | O_NONBLOCK)
    #if canImport(Darwin)
    var on: Int32 = 1
    setsockopt(own, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
    #endif
    return (own, raised[1])
  }

  /// The open descriptors of this process.
  static var openDescriptors: [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/fd")) ?? []
    return names.compactMap { Int32($0) }
  }

  // MARK: - Communication

  /// Sends a text and reads the answer until it contains a word.
  ///
  /// - Parameters:
  ///   - text: The text to send.
  ///   - word: The word that ends the answer; empty to return immediately.
  ///   - deadline: The time to give up.
  ///   - shouldContinue: Returns whether to continue; called at least every 50 ms.
  /// - Returns: The answer.
  /// - Throws: `Failure`; the process must not be used afterwards.
  func exchange(
    _ text: String, until word: String, deadline: ContinuousClock.Instant,
    shouldContinue: () -> Bool
  ) throws(Failure) -> String {
    var unsent = Array(text.utf8)[...]
    var answer: [UInt8] = []
    while !unsent.isEmpty || !String(decoding: answer, as: UTF8.self).contains(word) {
      guard shouldContinue() else { throw .cancelled }
      guard ContinuousClock.now < deadline else { throw .late }
      let events = Int16(POLLIN) | (unsent.isEmpty ? 0 : Int16(POLLOUT))
      var polled = [
        pollfd(fd: channel, events: events, revents: 0),
        pollfd(fd: errors, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&polled, 2, 50) > 0 else { continue }
      if polled[1].revents != 0 { readErrors() }
      if polled[0].revents & Int16(POLLOUT) != 0, !unsent.isEmpty {
        let sent = Self.send(unsent, to: channel)
        guard sent > 0 || errno == EAGAIN || errno == EINTR else { throw .ended }
        unsent = unsent.dropFirst(max(0, sent))
      }
      if polled[0].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
        guard let bytes = Self.read(channel) else { throw .ended }
        answer += bytes
      }
    }
    return String(decoding: answer, as: UTF8.self)
  }

  private static func send(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> Int {
    #if canImport(Darwin)
    let flags: Int32 = 0
    #else
    // Return an error instead of raising SIGPIPE if the process has exited.
    let flags = Int32(MSG_NOSIGNAL)
    #endif
    return bytes.withUnsafeBytes {
      #if canImport(Darwin)
      Darwin.send(descriptor, $0.baseAddress, $0.count, flags)
      #else
      Glibc.send(descriptor, $0.baseAddress, $0.count, flags)
      #endif
    }
  }

  /// Reads the available bytes; nil at the end.
  private static func read(_ descriptor: Int32) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = recv(descriptor, &bytes, bytes.count, 0)
    if count < 0, errno == EAGAIN || errno == EINTR { return [] }
    return count > 0 ? Array(bytes[..<count]) : nil
  }

  /// Reads the standard error, so that the process does not block on it.
  private func readErrors() {
    while let bytes = Self.read(errors), !bytes.isEmpty {
      errorOutput = Array((errorOutput + bytes).suffix(4096))
    }
  }

  /// Returns the last lines of the standard error after the process has ended.
  func errorMessage() -> String {
    _ = hasEnded(within: .milliseconds(500))
    readErrors()
    let lines = String(decoding: errorOutput, as: UTF8.self).split(separator: "\n")
      .map { $0.trimmingCharacters(in: .whitespaces) }
    return lines.filter { !$0.isEmpty }.suffix(2).joined(separator: " ")
  }

  // MARK: - Termination

  /// Kills the process and its descendants, and waits up to a second for its exit.
  func end() {
    guard !isReaped else { return }
    kill(-identifier, SIGKILL)
    _ = hasEnded(within: .seconds(1))
  }

  /// Returns whether the process exits in time; reaps it.
  private func hasEnded(within limit: Duration) -> Bool {
    let end = ContinuousClock.now + limit
    while !isReaped {
      var status: Int32 = 0
      let result = waitpid(identifier, &status, WNOHANG)
      isReaped = result == identifier || (result < 0 && errno != EINTR)
      if !isReaped {
        guard ContinuousClock.now < end else { return false }
        usleep(2000)
      }
    }
    return true
  }
}
