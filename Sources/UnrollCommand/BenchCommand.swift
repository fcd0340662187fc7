internal import ArgumentParser
internal import Unroll

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time recurrent layers, float32, one thread.",
    discussion: """
      Forward and training passes (forward, and the gradients of weights, inputs and initial \
      state) of named sizes. GFLOP/s counts multiply-adds as two and nothing else: \
      2·T·B·G·H·(D + H) forward, three times that in training.
      """)

  @Option(help: "Only workloads whose name contains this text, such as 'small gru'.")
  var filter: String = ""

  @Flag(help: "Print the results as JSON.")
  var json = false

  /// The sizes, by the names of the benchmark tables: T, B, D, H.
  private static let sizes: [(name: String, time: Int, batch: Int, input: Int, hidden: Int)] = [
    ("toy", 5, 4, 3, 2), ("course", 50, 100, 5, 8), ("small", 64, 16, 64, 64),
    ("mid", 50, 32, 256, 256),
  ]

  func run() throws {
    var results: [Measurement] = []
    var table = TextTable(["workload", "mode", "median ms", "fastest ms", "runs", "GFLOP/s"])
    for size in Self.sizes {
      for cell in ["rnn", "gru", "gru-after", "lstm"] {
        for mode in ["forward", "train"] where "\(size.name) \(cell) \(mode)".contains(filter) {
          let result = measure(
            size.name, cell, mode, size.time, size.batch, size.input, size.hidden)
          results.append(result)
          table.add([
            "\(size.name) \(cell)", mode, "\((result.medianSeconds * 1e6).rounded() / 1e3)",
            "\((result.fastestSeconds * 1e6).rounded() / 1e3)", "\(result.runs)",
            "\((result.gigaflops * 100).rounded() / 100)",
          ])
          Terminal.note("\(result.name) \(mode): \(result.runs) runs")
        }
      }
    }
    guard !results.isEmpty else {
      throw DataError(description: "no workload contains '\(filter)'")
    }
    if json { try Terminal.printJSON(results) } else { print(table.text) }
  }

  private func measure(
    _ name: String, _ cell: String, _ mode: String, _ time: Int, _ batch: Int, _ input: Int,
    _ hidden: Int
  ) -> Measurement {
    var random = NumPyRandom(seed: 1)
    let layer = RecurrentLayer(cell: makeCell(cell, input, hidden, &random))
    let inputs = Tensor<Float>(random.rand([time, batch, input]) - 0.5)
    let gradient = Tensor<Float>(shape: [time, batch, hidden], repeating: 1)
    let state = layer.zeroState(batchSize: batch)
    let clock = ContinuousClock()
    var seconds: [Double] = []
    let start = clock.now
    // One run to warm up, then for about half a second, but at least five.
    while seconds.count < 6 || (clock.now - start < .milliseconds(500) && seconds.count < 2000) {
      let elapsed = clock.measure {
        let trace = layer.forward(inputs, from: state)
        if mode == "train" { _ = layer.backward(trace, outputs: gradient) }
      }
      seconds.append(
        Double(elapsed.components.attoseconds) * 1e-18 + Double(elapsed.components.seconds))
    }
    let sorted = seconds.dropFirst().sorted()
    let gates = layer.cell.parameters.gates.count
    let flops =
      2.0 * Double(time * batch * gates * hidden * (input + hidden)) * (mode == "train" ? 3 : 1)
    let median = sorted[sorted.count / 2]
    return Measurement(
      name: "\(name) \(cell)", mode: mode, time: time, batch: batch, input: input, hidden: hidden,
      threads: 1, dtype: "float32", runs: sorted.count, medianSeconds: median,
      fastestSeconds: sorted[0], gigaflops: flops / median / 1e9)
  }

  private func makeCell(
    _ name: String, _ input: Int, _ hidden: Int, _ random: inout NumPyRandom
  ) -> any RecurrentCell<Float> {
    switch name {
    case "rnn": BasicRNN(inputSize: input, hiddenSize: hidden, using: &random)
    case "gru":
      GRU(inputSize: input, hiddenSize: hidden, resetGate: .beforeProduct, using: &random)
    case "gru-after":
      GRU(
        inputSize: input, hiddenSize: hidden, resetGate: .afterProduct, biasCount: 2,
        using: &random)
    default: LSTM(inputSize: input, hiddenSize: hidden, using: &random)
    }
  }

  /// One workload, timed.
  private struct Measurement: Encodable {
    let name, mode: String
    let time, batch, input, hidden, threads: Int
    let dtype: String
    let runs: Int
    let medianSeconds, fastestSeconds, gigaflops: Double
  }
}
