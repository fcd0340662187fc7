#if Command
/// Times repeated runs by the rule of Benchmarks/peers, so that the results are comparable.
struct Stopwatch: Sendable {
  /// Median, minimum and 90th percentile, in seconds.
  let median, fastest, ninetieth: Double
  /// The first run, with cold caches, in seconds.
  let firstCall: Double
  /// Number of timed runs; short work is repeated within each run.
  let runs: Int

  /// Times `work` after a warm-up: at least 20 runs and 0.3 s, or at least 3 runs and 3 s.
  init(_ work: () -> Void) {
    let clock = ContinuousClock()
    func seconds(_ repeats: Int) -> Double {
      let start = clock.now
      for _ in 0..<repeats { work() }
      return start.duration(to: clock.now) / .seconds(1) / Double(repeats)
    }
    firstCall = seconds(1)
    var warm = clock.now
    let warmEnd = warm + .milliseconds(100)
    var single = Double.infinity
    var count = 0
    while warm < warmEnd && count < 3000 {
      single = min(single, seconds(1))
      warm = clock.now
      count += 1
    }
    // Reading the clock takes tens of nanoseconds, so a timed run lasts at least 5 µs.
    let repeats = single < 5e-6 ? Int(5e-6 / max(single, 1e-9)) + 1 : 1
    var samples: [Double] = []
    let start = clock.now
    while true {
      samples.append(seconds(repeats))
      let elapsed = start.duration(to: clock.now)
      if samples.count >= 20 && elapsed >= .milliseconds(300) { break }
      if samples.count >= 3 && elapsed >= .seconds(3) { break }
    }
    samples.sort()
    runs = samples.count
    median = samples[runs / 2]
    fastest = samples[0]
    ninetieth = samples[min(runs - 1, runs * 9 / 10)]
  }
}
#endif
