// A process that forks while the thread pool is in use, and whose children run passes.

import Unroll

#if canImport(Glibc)
import Glibc

enum Forking {
  /// Forks twenty times; exits with 1 unless every child's results on several threads are bit-identical to the
  /// parent's.
  ///
  /// - Parameter kind: `idle` if the pool's threads sleep meanwhile, or `busy` if another thread runs
  ///   passes on them.
  static func run(_ kind: String) {
    Threads.count = 4
    var random = NumPyRandom(seed: 1)
    let layer = RecurrentLayer(
      cell: Cell<Float>(.lstm, inputSize: 9, hiddenSize: 70, using: &random))
    let inputs = Tensor<Float>(
      shape: [6, 64, 9], elements: random.normal(count: 6 * 64 * 9, of: Float.self))
    let pass = Pass(layer: layer, inputs: inputs)
    let expected = pass.run()
    if kind == "busy" { startThread(pass) }
    for _ in 0..<20 {
      let child = fork()
      if child == 0 {
        alarm(60)  // a child that hangs ends by a signal
        let isSame =
          pass.run().isBitwiseEqual(to: expected) && pass.run().isBitwiseEqual(to: expected)
        _exit(isSame && Threading.threadCount() > 1 ? 0 : 1)
      }
      var status: Int32 = 0
      guard child > 0, waitpid(child, &status, 0) == child, status == 0 else {
        print("a child ended with the status \(status)")
        exit(1)
      }
    }
    // The parent's pool continues to work.
    exit(pass.run().isBitwiseEqual(to: expected) ? 0 : 1)
  }

  private static func startThread(_ pass: Pass) {
    let box = Unmanaged.passRetained(pass)
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        let pass = Unmanaged<Pass>.fromOpaque(argument).takeUnretainedValue()
        while true { _ = pass.run() }
      }, box.toOpaque())
  }
}

private final class Pass: Sendable {
  let layer: RecurrentLayer<Float>
  let inputs: Tensor<Float>

  init(layer: RecurrentLayer<Float>, inputs: Tensor<Float>) {
    (self.layer, self.inputs) = (layer, inputs)
  }

  func run() -> Tensor<Float> {
    let trace = layer.forward(inputs, from: layer.zeroState(batchSize: 64))
    return layer.backward(trace, outputs: trace.outputs).parameters.inputWeights
  }
}
#else
enum Forking {
  static func run(_ kind: String) {}
}
#endif
