internal import CUnrollKernels

/// The threads on which layers run.
///
/// Results have the same bits for any number of them.
public enum Threads {
  /// The threads that a pass may use, the calling one included.
  ///
  /// At first `UNROLL_THREADS`, or else the cores that the process may use: affinity and control
  /// group are respected. Setting 0 returns to that; the most is 256. It may be set at any time: a pass
  /// that has begun keeps the number that it began with.
  public static var count: Int {
    get { Int(unroll_thread_count()) }
    set { unroll_set_thread_count(Int32(clamping: newValue)) }
  }

  /// The cores that the process may use.
  public static var availableCores: Int { Int(unroll_available_cores()) }

  /// The cores that a process is bound to, 0 being this one; nil where that is not known.
  package static func boundCores(of process: Int32) -> Int? {
    let count = Int(unroll_bound_cores(process))
    return count > 0 ? count : nil
  }

  /// Calls `body` for every index below `count`, on several threads; returns when all are done.
  package static func forEach(_ count: Int, _ body: (Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      var body = body
      withUnsafeMutablePointer(to: &body) { context in
        unroll_parallel(
          count, { $0?.assumingMemoryBound(to: ((Int) -> Void).self).pointee($1) }, context)
      }
    }
  }

  /// Calls `body` with a number of threads of its own: a hook for tests.
  package static func use<Result>(_ count: Int, _ body: () throws -> Result) rethrows -> Result {
    let before = unroll_force_thread_count(Int32(clamping: count))
    defer { unroll_force_thread_count(before) }
    return try body()
  }

  /// Calls `body` with one number of threads from its beginning to its end.
  ///
  /// Scratch is asked for by a number of threads and then used by it; another thread may set ``count``
  /// in between.
  @inline(__always)
  static func holdingCount(_ body: () -> Void) { use(count, body) }
}
