#if Command
internal import Foundation

/// The signal that asked this process to stop; 0 for none.
///
/// Only the handler writes it and the moment of it.
nonisolated(unsafe) private var pendingSignal: sig_atomic_t = 0
/// When it came, in milliseconds.
nonisolated(unsafe) private var pendingMoment = 0
/// Whether there is anything to keep: a signal before that ends the process at once.
nonisolated(unsafe) private var hasWork = true
/// Whether a launcher passes signals on, so that one that was sent once may come twice.
nonisolated(unsafe) private var hasLauncher = false
/// Whether a person reads standard error.
nonisolated(unsafe) private var hasTerminal = false

/// Notes a signal.
///
/// Calls nothing that a handler must not call.
private func noteSignal(_ number: Int32) {
  let error = errno
  defer { errno = error }
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  let moment = Int(now.tv_sec) * 1000 + Int(now.tv_nsec) / 1_000_000
  guard pendingSignal != 0 else {
    pendingSignal = sig_atomic_t(number)
    pendingMoment = moment
    if !hasWork {
      say("stopped before training began; nothing was trained yet\n")
      _exit(128 + number)
    }
    if hasTerminal && number == SIGINT {
      say("\nstopping; press Ctrl-C again to stop at once\n")
    }
    return
  }
  // `timeout` and some shells send a signal twice within a few milliseconds; a person needs longer.
  guard number == SIGINT || number == SIGQUIT, !hasLauncher, moment - pendingMoment >= 200
  else { return }
  signal(number, SIG_DFL)
  raise(number)
}

private func say(_ text: StaticString) {
  _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
}

/// Work that a person (Ctrl-C), a closed terminal or a scheduler may interrupt, and that then cleans up itself.
enum Interruption {
  /// Under an MPI launcher SIGUSR1 asks to stop, too: mpirun passes it on and waits, where after the other
  /// ones it kills within a second.
  private static let signals =
    [SIGINT, SIGTERM, SIGQUIT, SIGHUP] + (Launcher.rank == nil ? [] : [SIGUSR1])

  /// Calls `body`, in which signals that ask to stop are noted and do not end the process.
  ///
  /// They are SIGINT, SIGTERM, SIGQUIT and SIGHUP. A second SIGINT or SIGQUIT, 0.2 seconds later or more, does end it.
  /// Nor does it end if who reads its progress goes away: Ctrl-C also ends the `tee` behind a pipe, and then
  /// the work must still be kept.
  ///
  /// - Parameters:
  ///   - hasBegun: Whether there is something to keep from the beginning; if not, a signal before ``beginWork()`` ends
  ///     the process with a sentence.
  ///   - body: The work.
  /// - Returns: What `body` returns.
  static func noted<Result>(hasBegun: Bool = true, during body: () throws -> Result) rethrows
    -> Result
  {
    hasLauncher = Launcher.rank != nil
    // Ranks end together.
    hasWork = hasBegun || hasLauncher
    hasTerminal = Terminal.isInteractive
    // A parent may have started us with these signals blocked; then no handler would be called.
    var wanted = sigset_t()
    sigemptyset(&wanted)
    var installed: [Int32] = []
    for number in signals {
      let before = signal(number, noteSignal)
      // nohup's way to say that a closed terminal must not stop the work.
      if number == SIGHUP,
        unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
      {
        signal(number, SIG_IGN)
        continue
      }
      installed.append(number)
      sigaddset(&wanted, number)
    }
    pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
    signal(SIGPIPE, SIG_IGN)
    // Not restored: what is said at the end has no reader then, either.
    defer { for number in installed { signal(number, SIG_DFL) } }
    return try body()
  }

  /// Lets SIGQUIT (Ctrl-\\) end the process, unless whoever started it has it ignored: Swift's runtime would print the
  /// report of a crash and go on.
  static func leaveQuitToTheSystem() {
    let before = signal(SIGQUIT, SIG_DFL)
    if unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
      signal(SIGQUIT, SIG_IGN)
      return
    }
    // A parent may have started us with it blocked.
    var quit = sigset_t()
    sigemptyset(&quit)
    sigaddset(&quit, SIGQUIT)
    pthread_sigmask(SIG_UNBLOCK, &quit, nil)
  }

  /// From now on there is something to keep: a signal is noted.
  static func beginWork() { hasWork = true }

  /// Whether a launcher that sent the signal will kill soon: after SIGUSR1 it does not.
  static var killIsNear: Bool { pendingSignal != 0 && pendingSignal != SIGUSR1 }

  /// The exit code that the noted signal asks for; nil if there was none.
  static var exitCode: Int32? { pendingSignal == 0 ? nil : 128 + Int32(pendingSignal) }
}
#endif
