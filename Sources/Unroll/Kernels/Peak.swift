internal import CUnrollKernels

/// The limit to which benchmarks are compared.
public enum MultiplyAddPeak {
  /// Flops per second of multiply-adds on registers alone, at the current level.
  ///
  /// The best of several short runs on each of `threads` threads at once.
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

/// Rounds of 160 multiply-adds of vectors: some milliseconds.
private let rounds = 60_000

extension KernelScalar {
  fileprivate static func _peakOnAllThreads(_ threads: Int) -> Double {
    let isDouble = _isDouble != 0
    if isDouble {
      unroll_parallel(threads, { _, _ in _ = unroll_peak_f64(rounds) }, nil)
    } else {
      unroll_parallel(threads, { _, _ in _ = unroll_peak_f32(rounds) }, nil)
    }
    // Every thread did the same.
    return Double(threads) * (isDouble ? unroll_peak_f64(1) : unroll_peak_f32(1)) * Double(rounds)
  }
}
