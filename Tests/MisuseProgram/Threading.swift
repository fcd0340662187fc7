// A program that counts the threads of its passes, in a process without other threads.

import Unroll

#if canImport(Glibc)
import Glibc

enum Threading {
  /// Prints, for each thread count given to passes, the number of threads of the process and the number of them that a
  /// pass used.
  ///
  /// The thread counts increase, because the pool keeps the threads of earlier passes; the last is 1 again, for which
  /// all others must sleep.
  static func run() {
    var random = NumPyRandom(seed: 1)
    let layer = RecurrentLayer(
      cell: Cell<Float>(.lstm, inputSize: 9, hiddenSize: 70, using: &random))
    let inputs = Tensor<Float>(shape: [20, 256, 9], repeating: 0.5)
    let state = layer.zeroState(batchSize: 256)
    let frozen = layer.frozen()
    var (trace, gradients) = (SequenceTrace<Float>(), LayerGradients<Float>())
    var result = SequenceOutputs<Float>()
    for count in [1, 2, 4, 1] {
      usleep(100_000)  // the threads of the pass before fall asleep
      let (process, own) = (seconds(CLOCK_PROCESS_CPUTIME_ID), seconds(CLOCK_THREAD_CPUTIME_ID))
      Threads.use(count) {
        for _ in 0..<40 {
          layer.forward(inputs, from: state, into: &trace)
          layer.backward(trace, outputs: trace.outputs, into: &gradients)
          frozen.run(inputs, from: state, into: &result)
        }
      }
      let mine = seconds(CLOCK_THREAD_CPUTIME_ID) - own
      let others = seconds(CLOCK_PROCESS_CPUTIME_ID) - process - mine
      print(count, threadCount(), others > mine / 50 ? "shared" : "alone")
    }
  }

  private static func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// The number of threads of this process.
  static func threadCount() -> Int {
    guard let folder = opendir("/proc/self/task") else { return 0 }
    defer { closedir(folder) }
    var count = -2  // "." and ".."
    while readdir(folder) != nil { count += 1 }
    return count
  }
}
#else
enum Threading {
  static func run() {}
}
#endif
