internal import CUnrollKernels
internal import UnrollContracts

/// The threads on which layers run.
///
/// Results have the same bits for any number of them.
///
/// ``count`` is the default of the process. ``use(_:_:)`` sets the number for single passes:
///
/// ```swift
/// // A server that answers each request on one thread:
/// Threads.use(1) { frozen.run(inputs, from: state, into: &result) }
/// ```
public enum Threads {
  /// The threads that a pass may use, the calling one included.
  ///
  /// Within ``use(_:_:)`` it is the number given there.
  ///
  /// At first `UNROLL_THREADS`, or else, where that is empty or not a positive number, the cores that the process
  /// may use: affinity and control group are respected. Setting 0 returns to that; the most is 256. It may be set at any time: a pass
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
          count, unroll_thread_count(),
          { context, index, _ in
            context?.assumingMemoryBound(to: ((Int) -> Void).self).pointee(index)
          }, context)
      }
    }
  }

  /// Calls `body`, whose passes use at most this number of threads.
  ///
  /// The number applies to the calling thread until `body` returns, and to whatever it computes: passes of layers,
  /// networks and frozen layers, dense layers, losses. Other threads keep their own. Calls may be nested; the
  /// innermost applies. Results have the same bits for any number.
  ///
  /// - Parameters:
  ///   - count: The number of threads, the calling one included; at least 1. Above 256 it is 256.
  ///   - body: The passes.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws.
  /// - Complexity: O(1) besides `body`. No allocation.
  public static func use<Result>(_ count: Int, _ body: () throws -> Result) rethrows -> Result {
    require(count > 0, "Threads.use: expected at least one thread, got \(count).")
    let before = unroll_force_thread_count(Int32(clamping: count))
    defer { unroll_force_thread_count(before) }
    return try body()
  }
}
