import Foundation
import Testing
import Unroll
import UnrollLab
import UnrollTestSupport

@Suite("Experiments")
struct ExperimentTests {
  static let float = Result { try NotebookRun.run() }
  static let double = Result { try NotebookRun.run(LabSettings(precision: .float64)) }

  @Test("Every number of the notebook holds, in both precisions")
  func notebook() throws {
    for result in [try Self.float.get(), try Self.double.get()] {
      #expect(result.comparison.count == 48)
      for row in result.comparison { #expect(row.holds, "\(row)") }
    }
  }

  @Test("Parity: the bars of the notebook's specification, and the story of the two GRUs")
  func parity() throws {
    let rows = try ParityExperiment.run().rows
    func row(_ cell: CellKind, _ precision: LabPrecision) throws -> ParityRow {
      try #require(rows.first { $0.cell == cell && $0.precision == precision })
    }
    #expect(try row(.rnn, .float64).relativeErrorSum <= 2.25e-7)
    #expect(try row(.gruResetBefore, .float64).relativeErrorSum <= 6e-7)
    #expect(try row(.rnn, .float32).relativeErrorSum <= 1e-6)
    #expect(try row(.gruResetBefore, .float32).relativeErrorSum <= 2e-6)
    for cell in [CellKind.rnn, .gruResetBefore] {
      let float = try row(cell, .float32)
      #expect(float.distanceFromTruth <= float.referenceDistanceFromTruth)
    }
    // NumPy's float64 result for the variant implemented in the notebook.
    #expect(abs(try row(.gruResetAfter, .float64).relativeErrorSum - 0.9037854324358946) < 1e-9)
    #expect(abs(try row(.rnn, .float64).relativeErrorSum - 2.240529771170321e-07) < 1e-12)
  }

  @Test("The distances are TensorFlow's, for all three steps and all six pairs")
  func distances() throws {
    let result = try Self.float.get()
    // The values of Tests/Golden/tf1/notebook_exp_scale2; `unroll verify` compares the arrays.
    #expect(abs(result.memoryRNN.distances[0].summaries[0].mean - 0.6476359600108117) < 1e-5)
    #expect(
      abs(result.memoryInitialGRU.distances[2].summaries[2].mean - 0.07086327384691686) < 1e-5)
    #expect(result.gradientRNN.sets[0].summary.maximum < 1e-6)
  }

  @Test("An experiment is a function: the same settings give the same result")
  func pure() throws {
    func json(_ value: some Encodable) throws -> Data {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      return try encoder.encode(value)
    }
    for cell in CellKind.allCases {
      for precision in LabPrecision.allCases {
        let settings = LabSettings(
          cell: cell, scale: 1.5, steps: [3, 7], hiddenSize: 6, inputSize: 2, batchSize: 9,
          timeStepCount: 10, seed: 7, precision: precision)
        #expect(try json(MemoryExperiment.run(settings)) == json(MemoryExperiment.run(settings)))
        #expect(
          try json(GradientExperiment.run(settings)) == json(GradientExperiment.run(settings)))
        let back = try JSONDecoder().decode(
          MemoryResult.self, from: json(MemoryExperiment.run(settings)))
        #expect(back.settings == settings)
      }
    }
  }

  @Test(
    "A cell that keeps its state keeps it, exactly from the stated biases on",
    arguments: [CellKind.gruResetBefore, .gruResetAfter])
  func keeping(cell: CellKind) throws {
    for (precision, exact, leaky) in [(LabPrecision.float32, 18.0, 5.0), (.float64, 38, 20)] {
      let kept = try MemoryExperiment.run(
        LabSettings(cell: cell, keepBias: exact, precision: precision))
      #expect(kept.drifts.allSatisfy { $0.largest.allSatisfy { $0 == 0 } })
      let lost = try MemoryExperiment.run(
        LabSettings(cell: cell, keepBias: leaky, precision: precision))
      #expect(lost.drifts.allSatisfy { $0.largest.contains { $0 > 0 } })
      let gradient = try GradientExperiment.run(
        LabSettings(cell: cell, keepBias: exact, precision: precision))
      #expect(gradient.sets.allSatisfy { abs($0.summary.mean - 8.0.squareRoot()) < 1e-6 })
    }
  }

  @Test("An LSTM that keeps its cell state keeps it")
  func keepingLSTM() throws {
    let result = try MemoryExperiment.run(
      LabSettings(cell: .lstm, keepBias: 40, precision: .float64))
    // The cell state is constant; h changes once, from its initial value to tanh c.
    let curve = try #require(result.curves.first)
    #expect(abs(curve[10] - curve[49]) < 1e-12)
  }

  @Test("GRU as RNN: exact in float32 from 30 on, and not before the sigmoid vanishes")
  func gruAsRNN() throws {
    let result = try GRUAsRNNExperiment.run()
    #expect(result.chosen.isBitwiseEqual && result.chosen.relativeError == 0)
    #expect(result.untouched == 1)
    let five = try #require(result.sweep.first { $0.bias == 5 })
    #expect(abs(five.relativeError - 0.0324951) < 1e-6)
  }

  @Test("Small scales vanish forward and backward, and a sweep is the single runs")
  func sweep() throws {
    let settings = LabSettings(steps: [30], precision: .float64)
    let result = try ScaleSweep.run(settings, scales: [0.25, 1.3])
    #expect(result.points[0].memoryFate == .vanishes && result.points[0].gradientFate == .vanishes)
    #expect(result.points[1].memory > 1e-3)
    var single = settings
    single.scale = 1.3
    let memory = try MemoryExperiment.run(single)
    #expect(abs(memory.curves[0][30] - result.points[1].memory) < 1e-15)
    let gradient = try GradientExperiment.run(single)
    #expect(gradient.sets[0].curve[30] == result.points[1].gradient)
  }

  static let refused: [(LabSettings, String)] = [
    (LabSettings(hiddenSize: 0), "hidden: expected at least 1, got 0"),
    (LabSettings(batchSize: -3), "batch: expected at least 1, got -3"),
    (LabSettings(scale: .nan), "scale: expected a finite number of at least 0, got nan"),
    (LabSettings(scale: 1e300), "scale: expected a number that float32 can hold, got 1e+300"),
    (LabSettings(steps: [50]), "steps: expected steps in 0 ... 49 (the sequence has 50), got 50"),
    (LabSettings(steps: []), "steps: expected at least one step, got none"),
    (LabSettings(steps: [3, 4, 3]), "steps: expected different steps, got 3,4,3"),
    (LabSettings(seed: -1), "seed: expected 0 ... 4294967295, got -1"),
    (
      LabSettings(keepBias: 20),
      "cell: expected a cell with a gate that keeps its state (gru, gru-after, lstm, mgu, janet), got rnn"
    ),
    (
      LabSettings(cell: .gruResetBefore, keepBias: .infinity),
      "keep-bias: expected a finite number, got inf"
    ),
  ]

  @Test("Settings that cannot be used are refused with a sentence", arguments: refused)
  func refusals(settings: LabSettings, sentence: String) {
    let error = #expect(throws: LabError.self) { try MemoryExperiment.run(settings) }
    #expect(error?.description == sentence)
  }

  @Test("Arrays that would not fit are refused before they are made")
  func memory() {
    for size in [1_000_000_000, Int.max / 8] {
      let error = #expect(throws: LabError.self) {
        try GradientExperiment.run(LabSettings(hiddenSize: size))
      }
      #expect(error?.description.hasPrefix("sizes: the arrays would need about") == true)
    }
  }
}

@Suite("Statistics")
struct StatisticsTests {
  @Test("The relative error is the notebook's")
  func relative() {
    #expect(relativeError(Tensor<Double>([1, 0]), Tensor([1, 0])) == 0)
    #expect(relativeError(Tensor<Double>([1, 2]), Tensor([-1, 2])) == 1)
    #expect(relativeError(Tensor<Double>([0]), Tensor([1e-9])) == 0.1)
    #expect(relativeError(Tensor<Double>([.nan]), Tensor([1])).isNaN)
  }

  @Test("Histograms count as NumPy does: the last bin holds its upper edge")
  func histogram() {
    let histogram = Histogram([0.0, 1, 2, 3, 4], binCount: 4)
    #expect(histogram.counts == [1, 1, 1, 2])
    #expect(histogram.edges == [0, 1, 2, 3, 4])
    #expect(Histogram([Float](repeating: 2, count: 7)).counts[10] == 7)
    #expect(Histogram([Double]()).counts.reduce(0, +) == 0)
    #expect(Histogram([1.0, .nan, .infinity]).counts.reduce(0, +) == 1)
  }

  @Test("A summary knows its median and its zeros")
  func summary() {
    let summary = Summary([0, 4, 1, 0.05])
    #expect(summary.median == 0.525 && summary.zeroCount == 1 && summary.maximum == 4)
    #expect(summary.fractionAboveTenth == 0.5)
  }
}
