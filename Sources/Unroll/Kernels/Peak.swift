internal import CUnrollKernels

/// The multiply-add bound of the machine, the reference for benchmarks.
public enum MultiplyAddPeak {
  /// Measures multiply-adds on registers with the current instruction set, in flops per second.
  ///
  /// Returns the best of several short runs on `threads` threads in parallel.
  public static func measure<Scalar: KernelScalar>(
    _ type: Scalar.Type, threads: Int
  ) -> Double {
    let clock = ContinuousClock()
    var best = 0.0
    for _ in 0..<12 {
      let start = clock.now
      let flops = Threads.use(threads) { Scalar._peakOnAllThreads(threads) }
      let elapsed = start.duration(to: clock.now)
      best = max(best, flops / (elapsed / .seconds(1)))
    }
    return best
  }
}

/// The number of rounds of 160 vector multiply-adds each; a run takes some milliseconds.
private let rounds = 60_000

extension KernelScalar {
  fileprivate static func _peakOnAllThreads(_ threads: Int) -> Double {
    var type = kernelType
    unroll_parallel(
      threads, Int32(threads),
      { context, _, _ in
        guard let type = context?.load(as: Int32.self) else { return }
        var sink = 0.0
        _ = unroll_multiply_add_peak(type, rounds, &sink)
      }, &type)
    // All threads do the same work.
    var sink = 0.0
    return Double(threads) * unroll_multiply_add_peak(type, 1, &sink) * Double(rounds)
  }
}
