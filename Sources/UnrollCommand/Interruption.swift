internal import Foundation

/// The signal that asked this process to stop; 0 for none.
///
/// Only the handler writes it.
nonisolated(unsafe) private var pendingSignal: sig_atomic_t = 0

/// Work that a person (Ctrl-C) or a scheduler may interrupt, and that then cleans up itself.
enum Interruption {
  /// Under an MPI launcher SIGUSR1 asks to stop, too: mpirun passes it on and waits, where after the other
  /// two it kills within a second.
  private static let signals =
    [SIGINT, SIGTERM] + (Launcher.rank == nil ? [] : [SIGUSR1])

  /// Calls `body`, in which SIGINT and SIGTERM do not end the process but are noted.
  ///
  /// Nor does it end if who reads its progress goes away: Ctrl-C also ends the `tee` behind a pipe, and then
  /// the work must still be kept.
  static func noted<Result>(during body: () throws -> Result) rethrows -> Result {
    // A parent may have started us with these signals blocked; then no handler would be called.
    var wanted = sigset_t()
    sigemptyset(&wanted)
    for number in signals {
      signal(number) { pendingSignal = sig_atomic_t($0) }
      sigaddset(&wanted, number)
    }
    pthread_sigmask(SIG_UNBLOCK, &wanted, nil)
    signal(SIGPIPE, SIG_IGN)
    // Not restored: what is said at the end has no reader then, either.
    defer { for number in signals { signal(number, SIG_DFL) } }
    return try body()
  }

  /// Whether a launcher that sent the signal will kill soon: after SIGUSR1 it does not.
  static var killIsNear: Bool { pendingSignal == SIGINT || pendingSignal == SIGTERM }

  /// The exit code that the noted signal asks for; nil if there was none.
  static var exitCode: Int32? { pendingSignal == 0 ? nil : 128 + Int32(pendingSignal) }
}
