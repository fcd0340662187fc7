#if Command
/// Repeated runs of one piece of work: the rule of the peers' harness, so that times compare.
struct Stopwatch: Sendable {
  /// Seconds: the median, the fastest, and the time that nine in ten stay below.
  let median, fastest, ninetieth: Double
  /// The first run, before anything was warm.
  let firstCall: Double
  /// Timed runs; short work is repeated inside each.
  let runs: Int

  /// Times `work`: warm-up, then 20 runs and 0.3 s, or 3 s and at least 3 runs.
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
    // The clock itself takes tens of nanoseconds: a timed run lasts 5 µs at least.
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
