internal import CUnrollKernels

/// The limit to which benchmarks are compared.
public enum MultiplyAddPeak {
  /// Flops per second of multiply-adds on registers alone, by the current instruction set.
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
    var type = kernelType
    unroll_parallel(
      threads, Int32(threads),
      { context, _, _ in
        guard let type = context?.load(as: Int32.self) else { return }
        var sink = 0.0
        _ = unroll_multiply_add_peak(type, rounds, &sink)
      }, &type)
    // Every thread did the same.
    var sink = 0.0
    return Double(threads) * unroll_multiply_add_peak(type, 1, &sink) * Double(rounds)
  }
}
