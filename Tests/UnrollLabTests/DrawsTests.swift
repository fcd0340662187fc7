// Compares the order of the draws, and experiments with many draws of weights, with NumPy.

import Foundation
import Testing
import Unroll
import UnrollLab
import UnrollTestSupport

@Suite("The order of the draws")
struct DrawsTests {
  private func notebook(_ change: (inout LabSettings) -> Void = { _ in }) -> LabSettings {
    var settings = LabSettings()
    settings.draws = .notebook
    change(&settings)
    return settings
  }

  @Test("One experiment in the notebook's order gives the notebook's numbers")
  func notebookNumbers() throws {
    // TensorFlow's means, with which the notebook run is also compared.
    let memory = try MemoryExperiment.run(notebook())
    #expect(abs(memory.distances[0].summaries[0].mean - 0.6476359600108117) < 4e-5)
    #expect(abs(memory.distances[2].summaries[5].mean - 0.0024765929758169135) < 4e-5)
    let gradient = try GradientExperiment.run(notebook { $0.scale = 1 })
    func mean(_ point: GradientPoint) throws -> Double {
      try #require(gradient.sets.first { $0.point == point }).summary.mean
    }
    #expect(abs(try mean(.zero) / 9.239015547279905e-07 - 1) < 0.01)
    #expect(abs(try mean(.random) / 6.984298972412262e-07 - 1) < 0.01)
    #expect(abs(try mean(.asLeft) / 3.4486526552131344e-08 - 1) < 0.01)
    // Run alone, the experiment draws other weights.
    let fresh = try GradientExperiment.run(LabSettings(scale: 1))
    #expect(abs(fresh.sets[0].summary.mean / 4.61e-5 - 1) < 0.01)
    // The GRU with saturated gates starts from the states after the RNN's.
    let kept = try MemoryExperiment.run(
      notebook {
        ($0.cell, $0.keepBias, $0.initialWeights) = (.gruResetBefore, 40, .tensorflow)
      })
    #expect(abs(kept.distances[0].summaries[0].mean - 1.592) < 5e-4)
    #expect(abs(kept.distances[2].summaries[2].mean - 1.143) < 5e-4)
    let initial = try MemoryExperiment.run(
      notebook { ($0.cell, $0.initialWeights) = (.gruResetBefore, .tensorflow) })
    #expect(abs(initial.distances[2].summaries[2].mean - 0.07086327384691686) < 1e-5)
  }

  @Test("A single step takes the states that the notebook draws for it")
  func singleSteps() throws {
    let all = try MemoryExperiment.run(notebook())
    for (index, step) in [10, 20, 30].enumerated() {
      let one = try MemoryExperiment.run(notebook { $0.steps = [step] })
      #expect(one.distances[0].norms == all.distances[index].norms)
    }
    #expect(abs(all.distances[1].summaries[0].mean - 0.15839251858765238) < 4e-5)
    // In the fresh order, step 20 alone would use the states of step 10.
    let fresh = try MemoryExperiment.run(LabSettings(steps: [20]))
    #expect(abs(fresh.distances[0].summaries[0].mean - 0.1744) < 5e-4)
    // Other steps use the states of the last of the notebook's steps that is not after them.
    for (step, of) in [(5, 10), (10, 10), (25, 20), (49, 30)] {
      let between = try MemoryExperiment.run(notebook { $0.steps = [step] })
      let theirs = try MemoryExperiment.run(notebook { $0.steps = [of] })
      #expect(between.curves == theirs.curves, "step \(step)")
    }
    #expect(
      try MemoryExperiment.run(notebook { $0.steps = [10] }).curves
        != MemoryExperiment.run(notebook { $0.steps = [20] }).curves)
  }

  @Test("Inputs without the subtraction are the other reading of the notebook's line")
  func otherReading() throws {
    let result = try MemoryExperiment.run(notebook { $0.inputOffset = 0 })
    #expect(abs(result.distances[0].summaries[0].mean - 0.0119) < 5e-5)
    let error = #expect(throws: LabError.self) {
      try MemoryExperiment.run(notebook { $0.inputOffset = .nan })
    }
    #expect(error?.description == "input-offset: expected a finite number, got nan")
  }

  @Test("The later edition is an order of draws, too")
  func laterEdition() throws {
    let edition = LaterEditionExperiment.run()
    let memory = try MemoryExperiment.run(edition.settings)
    for (ours, theirs) in zip(memory.distances.map(\.fractionAboveTenth), edition.fractions) {
      #expect(abs(ours - theirs) < 1e-12)
    }
    #expect(abs(memory.drifts[2].mean[1] - edition.driftAtStep20) < 1e-12)
  }

  @Test("Every cell can be run in every order", arguments: CellKind.allCases, LabDraws.allCases)
  func everyOrder(cell: CellKind, draws: LabDraws) throws {
    for initialWeights in LabInitialWeights.allCases {
      var settings = LabSettings(
        cell: cell, scale: 3, steps: [3, 7], hiddenSize: 4, inputSize: 2, batchSize: 5,
        timeStepCount: 9, seed: 11, precision: .float64)
      (settings.draws, settings.initialWeights) = (draws, initialWeights)
      let memory = try MemoryExperiment.run(settings)
      let gradient = try GradientExperiment.run(settings)
      #expect(memory.curves.allSatisfy { $0.allSatisfy(\.isFinite) })
      #expect(gradient.sets.allSatisfy { $0.norms.allSatisfy(\.isFinite) })
      let gates = try GateExperiment.run(settings)
      #expect(gates.gates.count == cell.gateCount - 1)
      // All experiments use the same weights.
      let weights = ExperimentDraws<Double>(settings).cell.parameters[.candidate].recurrentWeights
      let spectrum = try SpectrumExperiment.run(settings, sequences: 1)
      #expect(spectrum.recurrentRadius == Matrix(weights).spectralRadius)
      // Another order gives other numbers, and the same order the same numbers.
      var fresh = settings
      fresh.draws = .fresh
      let other = try MemoryExperiment.run(fresh)
      #expect((other.curves == memory.curves) == (draws == .fresh))
    }
  }
}

@Suite("Many draws of weights")
struct WeightDrawsTests {
  private struct Oracle: Decodable {
    struct Row: Decodable {
      var scale: Double
      var rnn: [[Double]]
    }
    var seeds: [Int]
    var step: Int
    var scales: [Row]
  }

  @Test("Each draw is NumPy's, and so are the shares")
  func numpy() throws {
    let path = goldenFolder + "/files/weight_draws.json"
    let oracle = try JSONDecoder().decode(
      Oracle.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    let result = try #require(
      try ScaleSweep.run(
        LabSettings(steps: [oracle.step], precision: .float64), scales: oracle.scales.map(\.scale),
        weightDraws: oracle.seeds.count
      ).weightDraws)
    #expect(result.seeds == oracle.seeds)
    // The number of 100 other draws that keep the dependency, computed independently.
    let published = [0.62: 0.0, 0.97: 0.10, 2.4: 0.78, 8: 0.69]
    for (point, row) in zip(result.points, oracle.scales) {
      for (index, theirs) in row.rnn.enumerated() {
        let ours = [
          point.memory[index], point.gradientMedian[index], point.gradientMean[index],
          point.gradientLargest[index],
        ]
        for (a, b) in zip(ours, theirs) {
          // Chaos amplifies rounding, and values far below the threshold are rounding errors.
          #expect(abs(a - b) <= 1e-5 * abs(b) + 1e-12, "scale \(row.scale), draw \(index)")
        }
      }
      #expect(point.memoryShare == Double(row.rnn.count { $0[0] > 1e-3 }) / 40)
      #expect(point.gradientShare == Double(row.rnn.count { $0[1] > 1e-3 }) / 40)
      #expect(point.explodingShare == Double(row.rnn.count { $0[3] > 100 }) / 40)
      let share = try #require(published[row.scale])
      let deviation = (share * (1 - share) * (1.0 / 40 + 1.0 / 100)).squareRoot()
      #expect(abs(point.memoryShare - share) <= 3 * deviation, "scale \(row.scale)")
    }
    // The draw of the settings' seed at scale 8: one sequence explodes although the median vanishes.
    #expect(result.points[3].gradientMedian[0] < 1e-18)
    #expect(result.points[3].gradientLargest[0] > 4e4)
  }

  @Test("The first draw is the sweep's own, and any number of threads gives the same")
  func ownDraw() throws {
    for cell in CellKind.allCases {
      var settings = LabSettings(
        cell: cell, steps: [3, 7], hiddenSize: 4, inputSize: 2, batchSize: 5, timeStepCount: 9,
        seed: 4_294_967_294)
      for draws in LabDraws.allCases {
        settings.draws = draws
        let sweep = try ScaleSweep.run(settings, scales: [0.5, 6], weightDraws: 3)
        let many = try #require(sweep.weightDraws)
        #expect(many.seeds == [4_294_967_294, 4_294_967_295, 0])
        for (point, own) in zip(many.points, sweep.points) {
          #expect(point.memory[0] == own.memory)
          #expect(point.gradientMedian[0] == own.gradient)
          #expect(point.gradientLargest[0] == own.gradientSpread.largest)
        }
        let single = try Threads.use(1) {
          try ScaleSweep.run(settings, scales: [0.5, 6], weightDraws: 3)
        }
        #expect(single.weightDraws == many)
      }
    }
  }

  @Test("Quantiles are numpy.quantile's, and infinity is a number like others")
  func quantiles() {
    #expect(Summary.quantile(0.1, of: [0, 1, 2, 3, 4]) == 0.4)
    #expect(Summary.quantile(0.5, of: [1, 2]) == 1.5)
    #expect(Summary.quantile(1, of: [1, 2, .infinity]) == .infinity)
    #expect(Summary.quantile(0.5, of: [.infinity, .infinity]) == .infinity)
    #expect(Summary.quantile(0.5, of: []).isNaN)
  }

  @Test("A number of draws that cannot be is refused")
  func refusals() {
    for count in [-1, 10_001] {
      let error = #expect(throws: LabError.self) {
        try ScaleSweep.run(LabSettings(), scales: [1], weightDraws: count)
      }
      #expect(error?.description == "weight-draws: expected 0 ... 10000, got \(count)")
    }
  }
}
