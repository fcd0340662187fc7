internal import CUnrollKernels
internal import UnrollContracts

/// The number of threads on which layers run.
///
/// Results are bit-identical for any number of threads.
///
/// ``count`` is the default of the process. ``use(_:_:)`` sets the number for individual passes:
///
/// ```swift
/// // A server that answers each request on one thread:
/// Threads.use(1) { frozen.run(inputs, from: state, into: &result) }
/// ```
public enum Threads {
  /// The maximum number of threads of a pass, including the calling thread; at most 256.
  ///
  /// Within ``use(_:_:)`` this is the number given there.
  ///
  /// The initial value is the environment variable `UNROLL_THREADS`. If that is not a positive number, it is the number
  /// of cores available to the process, which respects its affinity and control group. Setting 0 restores the initial
  /// value. A new value does not affect passes that are already running.
  public static var count: Int {
    get { Int(unroll_thread_count()) }
    set { unroll_set_thread_count(Int32(clamping: newValue)) }
  }

  /// The number of cores available to the process.
  public static var availableCores: Int { Int(unroll_available_cores()) }

  /// Returns the number of cores in a process's affinity mask (0 means this process); nil if unknown.
  package static func boundCores(of process: Int32) -> Int? {
    let count = Int(unroll_bound_cores(process))
    return count > 0 ? count : nil
  }

  /// Calls `body` for every index below `count` on several threads and returns when all calls have finished.
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

  /// Calls `body` with at most this number of threads for its passes.
  ///
  /// The number applies to the calling thread until `body` returns, for layers, networks, frozen layers, dense layers
  /// and losses. Other threads are not affected. Calls may be nested; the innermost applies. Results are bit-identical
  /// for any number.
  ///
  /// - Parameters:
  ///   - count: The number of threads, including the calling thread; at least 1, capped at 256.
  ///   - body: The code that runs the passes.
  /// - Returns: The result of `body`.
  /// - Throws: What `body` throws.
  /// - Complexity: O(1) plus the cost of `body`. No allocation.
  public static func use<Result>(_ count: Int, _ body: () throws -> Result) rethrows -> Result {
    require(count > 0, "Threads.use: expected at least one thread, got \(count).")
    let before = unroll_force_thread_count(Int32(clamping: count))
    defer { unroll_force_thread_count(before) }
    return try body()
  }
}
