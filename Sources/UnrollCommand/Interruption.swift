#if Command
internal import Foundation

/// The signal that asked this process to stop; 0 for none.
///
/// Only the signal handler writes this and `pendingMoment`.
nonisolated(unsafe) private var pendingSignal: sig_atomic_t = 0
/// When the signal arrived, in milliseconds of the monotonic clock.
nonisolated(unsafe) private var pendingMoment = 0
/// Whether there is work to save; until then a signal ends the process at once.
nonisolated(unsafe) private var hasWork = true
/// Whether a launcher forwards signals, so that one signal may arrive twice.
nonisolated(unsafe) private var hasLauncher = false
/// Whether standard error is a terminal.
nonisolated(unsafe) private var hasTerminal = false

/// Records a signal.
///
/// Async-signal-safe.
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
  // `timeout` and some shells send a signal twice within a few milliseconds; a second Ctrl-C takes longer.
  guard number == SIGINT || number == SIGQUIT, !hasLauncher, moment - pendingMoment >= 200
  else { return }
  signal(number, SIG_DFL)
  raise(number)
}

private func say(_ text: StaticString) {
  _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
}

/// Signal handling for work that saves its state when Ctrl-C, a closed terminal or a scheduler interrupts it.
enum Interruption {
  /// Under an MPI launcher SIGUSR1 also asks to stop: mpirun forwards it and waits, but after the other signals it
  /// kills within a second.
  private static let signals =
    [SIGINT, SIGTERM, SIGQUIT, SIGHUP] + (Launcher.rank == nil ? [] : [SIGUSR1])

  /// Calls `body` with handlers that record signals instead of ending the process.
  ///
  /// The signals are SIGINT, SIGTERM, SIGQUIT and SIGHUP. A second SIGINT or SIGQUIT at least 0.2 seconds later ends
  /// the process. SIGPIPE is ignored, because Ctrl-C also ends a `tee` that reads the progress, and the work must still
  /// be saved.
  ///
  /// - Parameters:
  ///   - hasBegun: Whether there is work to save from the start; if not, a signal before ``beginWork()`` ends the
  ///     process with a message.
  ///   - body: The work.
  /// - Returns: What `body` returns.
  static func noted<Result>(hasBegun: Bool = true, during body: () throws -> Result) rethrows
    -> Result
  {
    hasLauncher = Launcher.rank != nil
    // Ranks must end together, so none exits on its own.
    hasWork = hasBegun || hasLauncher
    hasTerminal = Terminal.isInteractive
    // The parent process may have blocked these signals; a blocked signal would never reach the handler.
    var wanted = sigset_t()
    sigemptyset(&wanted)
    var installed: [Int32] = []
    for number in signals {
      let before = signal(number, noteSignal)
      // An ignored SIGHUP comes from nohup: a closed terminal must not stop the work.
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
    // SIGPIPE stays ignored: the final messages may have no reader, either.
    defer { for number in installed { signal(number, SIG_DFL) } }
    return try body()
  }

  /// Restores the default action of SIGQUIT (Ctrl-\\), unless the parent ignores it: Swift's runtime would print a
  /// crash report and continue.
  static func leaveQuitToTheSystem() {
    let before = signal(SIGQUIT, SIG_DFL)
    if unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
      signal(SIGQUIT, SIG_IGN)
      return
    }
    // The parent process may have blocked it.
    var quit = sigset_t()
    sigemptyset(&quit)
    sigaddset(&quit, SIGQUIT)
    pthread_sigmask(SIG_UNBLOCK, &quit, nil)
  }

  /// Marks the start of work to save: from now on a signal is recorded.
  static func beginWork() { hasWork = true }

  /// Whether a launcher that sent the signal will kill soon: after SIGUSR1 it does not.
  static var isTerminating: Bool { pendingSignal != 0 && pendingSignal != SIGUSR1 }

  /// The exit code for the recorded signal; nil if there was none.
  static var exitCode: Int32? { pendingSignal == 0 ? nil : 128 + Int32(pendingSignal) }
}
#endif
