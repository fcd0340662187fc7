// Compares sentences of the report with the numbers that they describe, for other seeds and cells than the
// notebook's.

import Foundation
import RealModule
import Testing
import Unroll
import UnrollLab
import UnrollTestSupport

@Suite("What the report says")
struct StatementTests {
  private static let seeds = [1, 2, 7, 15009]

  private func settings(_ cell: CellKind, seed: Int, scale: Double = 2) -> LabSettings {
    LabSettings(
      cell: cell, scale: scale, steps: [4, 9], hiddenSize: 5, inputSize: 3, batchSize: 7,
      timeStepCount: 11, seed: seed)
  }

  @Test("Numbers have three significant digits in sentences and four in tables")
  func numbers() {
    for (value, text, short) in [
      (0.0, "0", "0"), (1, "1", "1"), (0.8150000000000001, "0.815", "0.815"),
      (9.239015547279905e-07, "9.24e-7", "9.239e-7"), (1e-7, "1e-7", "1e-7"),
      (37569.9, "37,600", "37570"), (-1234.56, "-1230", "-1235"), (999.96, "1000", "1000"),
      (0.00099996, "0.001", "0.001"), (123456, "123,000", "123500"),
      (45_512_022.82976726, "4.55e7", "4.551e7"), (1e300, "1e300", "1e300"),
      (Double.leastNonzeroMagnitude, "4.94e-324", "4.941e-324"),
      (.infinity, "overflow", "overflow"), (.nan, "–", "–"),
    ] {
      #expect(LabNumber.text(value) == text)
      #expect(LabNumber.short(value) == short)
    }
    #expect(LabNumber.short(nil) == "–")
    #expect(LabNumber.steps(45_512_022.82976726) == "more than a million steps")
    #expect(LabNumber.steps(.infinity) == "more than a million steps")
    #expect(LabNumber.steps(29.71) == "29.7 steps" && LabNumber.steps(1) == "1 step")
    #expect(LabNumber.steps(0.99996) == "1 step" && LabNumber.steps(0) == "0 steps")
    #expect(LabNumber.share(1, of: "draws") == "all of the draws")
    #expect(LabNumber.share(0, of: "draws") == "none of the draws")
    #expect(LabNumber.share(0.999, of: "draws") == "more than 99 % of the draws")
    #expect(LabNumber.percent(0.004) == "less than 1 %" && LabNumber.percent(0.44) == "44 %")
    #expect(LabNumber.percent(0.999) == "more than 99 %" && LabNumber.percent(0) == "0 %")
    #expect(LabNumber.count(1, "step") == "1 step" && LabNumber.count(60, "step") == "60 steps")
  }

  @Test("What became of the memory is what the distances show", arguments: CellKind.allCases)
  func memory(cell: CellKind) throws {
    for seed in Self.seeds {
      for scale in [0.01, 0.3, 2, 8] {
        let result = try MemoryExperiment.run(settings(cell, seed: seed, scale: scale))
        let set = try #require(result.distances.last)
        let medians = set.summaries.map(\.median)
        let said = result.statement
        #expect(
          said.contains("has been forgotten") == (set.summaries.allSatisfy { $0.maximum < 1e-3 }))
        #expect(said.contains("still depends") == medians.contains { $0 >= 1e-3 })
        for distances in result.distances {
          let median = LabNumber.text(distances.summaries[0].median)
          #expect(said.contains("\(median) at step \(distances.step)"))
        }
      }
    }
  }

  @Test("A cell that keeps its state is said to only if it does")
  func keeping() throws {
    for (bias, isKept) in [(40.0, true), (3, false)] {
      var settings = settings(.gruResetBefore, seed: 3)
      settings.keepBias = bias
      let said = try MemoryExperiment.run(settings).statement
      #expect(said.contains("No element of any state has changed") == isKept)
      #expect(said.contains("The largest change of an element") == !isKept)
      #expect(said.contains("more than a million steps") == isKept)
      #expect(said.contains("14.3 steps") == !isKept)
      let gradient = try GradientExperiment.run(settings).statement
      #expect(gradient.contains("every norm is √H = 2.24") == isKept)
    }
  }

  @Test("How many gradients vanished and exploded is counted", arguments: CellKind.allCases)
  func gradients(cell: CellKind) throws {
    for seed in Self.seeds {
      for scale in [0.3, 2, 30] {
        let result = try GradientExperiment.run(settings(cell, seed: seed, scale: scale))
        for set in result.sets {
          let sentence = try #require(
            result.statement.components(separatedBy: "From the state ").first {
              $0.hasPrefix(set.point.rawValue)
            })
          let (gone, far) = (set.norms.count { $0 < 1e-3 }, set.norms.count { $0 > 100 })
          if set.summary.maximum == 0 {
            #expect(sentence.contains("every gradient is exactly 0"))
          } else if gone == 7 {
            #expect(sentence.contains("all 7 have vanished"))
          } else if gone == 0, far == 0 {
            #expect(sentence.contains("none has vanished (below 0.001) or exploded"))
          } else {
            func some(_ count: Int) -> String {
              count == 0 ? "none has" : count == 1 ? "1 has" : "\(count) have"
            }
            #expect(sentence.contains("of 7, \(some(gone)) vanished"))
            #expect(sentence.contains("and \(some(far)) exploded"))
          }
          let zeros = set.summary.zeroCount
          if zeros > 0, zeros < 7 { #expect(sentence.contains("exactly 0: \(zeros)")) }
        }
      }
    }
  }

  @Test("The answer about the scale is a count over the draws", arguments: CellKind.allCases)
  func scales(cell: CellKind) throws {
    for seed in Self.seeds {
      let result = try ScaleSweep.run(
        settings(cell, seed: seed), scales: [0.2, 2, 9], weightDraws: 6)
      let draws = try #require(result.weightDraws)
      let said = result.section().interpretation
      #expect(said.contains("seeds \(seed) to \(seed + 5)"))
      let (first, last) = (draws.points[0], draws.points[2])
      let counts = draws.points.map { $0.memory.count { $0 > 1e-3 } }
      if counts == [0, 0, 0] {
        #expect(said.contains("in none of the draws at any scale"))
      } else if Set(counts).count > 1 {
        for (count, point) in [(counts[0], first), (counts[2], last)] {
          let share =
            count == 0
            ? "none" : count == 6 ? "all" : "\(Int((100 * Double(count) / 6).rounded())) %"
          #expect(said.contains("\(share) of the draws at scale \(LabNumber.text(point.scale))"))
        }
      }
      // Draws that keep the dependency at the largest scale where any does, by median gradient.
      if let place = counts.lastIndex(where: { $0 > 0 }) {
        let point = draws.points[place]
        let kept = point.memory.indices.filter { point.memory[$0] > 1e-3 }
        let settled = kept.count { point.gradientMedian[$0] < 1e-3 }
        let growing = kept.count { point.gradientMedian[$0] > 5.0.squareRoot() }
        #expect(said.contains("it has vanished in \(settled):") == (settled > 0))
        #expect(said.contains("it is above √H in \(growing):") == (growing > 0))
      }
      #expect(
        said.contains("this draw keeps the dependency") == (result.points[2].memory > 1e-3))
      let explodes = draws.points.contains { $0.gradientLargest.contains { $0 > 100 } }
      #expect(said.contains("Gradients explode in some sequence") == explodes)
      let worst = try #require(result.points.map(\.gradientSpread.largest).max())
      #expect(said.contains("the largest \(LabNumber.text(worst))"))
    }
  }

  @Test("Exploding gradients of the notebook's seed are named, which its medians hide")
  func exploding() throws {
    let result = try ScaleSweep.run(LabSettings(), scales: [1, 8])
    let spread = result.points[1].gradientSpread
    #expect(spread.median < 1e-18 && abs(spread.mean - 376) < 1 && abs(spread.largest - 37570) < 5)
    let said = result.statement
    #expect(
      said.contains(
        "The median hides exploding gradients: at scale 8 the median gradient norm is 9.96e-20, the mean 376 and the largest 37,600."
      ))
    #expect(result.table.rows[1].suffix(2) == ["375.7", "37570"])
    #expect(!result.table.header.contains(""))
  }

  @Test("No section of the report states more than its numbers, for other seeds, too")
  func report() throws {
    for seed in [15009, 3] {
      var settings = LabSettings(batchSize: 20, seed: seed)
      settings.precision = .float32
      let notebook = try NotebookRun.run(settings)
      let sections = notebook.report(sweeps: []).sections
      func said(_ id: String) throws -> String {
        try #require(sections.first { $0.id == id }).interpretation
      }
      // The sentences about TensorFlow's GRU must match its states and gradients.
      let memory = try said("memory-gru-initial")
      #expect(memory.contains(notebook.memoryInitialGRU.statement))
      #expect(!memory.contains("it forgets"))
      let last = try #require(notebook.memoryInitialGRU.distances.last)
      #expect(memory.contains("still depends") == last.summaries.contains { $0.median >= 1e-3 })
      #expect(try said("gradients-gru-initial").contains(notebook.gradientInitialGRU.statement))
      // Both interpretations of the input offset.
      let (ours, other) = (notebook.memoryRNN, notebook.memoryUncentredRNN)
      let reading = try said("memory-rnn")
      for result in [ours, other] {
        #expect(reading.contains(LabNumber.text(result.distances[0].summaries[0].mean)))
      }
      // The notebook's 0.9038 is mentioned only for its seed.
      #expect(try said("parity").contains("0.9038") == (seed == 15009))
      let exact = try said("gru-as-rnn")
      #expect(exact.contains("all bits agree") == notebook.gruAsRNN.chosen.isBitwiseEqual)
      for row in notebook.comparison { #expect(row.holds, "\(row)") }
      #expect(sections.allSatisfy { $0.command?.hasPrefix("unroll lab ") == true })
      for section in sections {
        #expect(
          !section.interpretation.contains("  ") && !section.interpretation.contains("nan"),
          "\(section.id)")
        for table in section.tables { #expect(!table.header.contains("")) }
      }
    }
  }

  @Test("Nothing is required of other sizes that only the notebook's own numbers can meet")
  func otherSizes() throws {
    // Initial states of one unit may be closer together than 0.1.
    let result = try NotebookRun.run(LabSettings(hiddenSize: 1, batchSize: 30, seed: 15009))
    for row in result.comparison { #expect(row.holds, "\(row)") }
  }

  @Test(
    "Every state of a GRU that keeps is a fixed point, and is said to be", arguments: [18.0, 40])
  func everyState(bias: Double) throws {
    let result = try SpectrumExperiment.run(
      LabSettings(cell: .gruResetBefore, keepBias: bias), sequences: 2)
    #expect(result.isEveryStateFixed && result.fixedPoints.isEmpty)
    #expect(result.statement.contains("Every state is a fixed point"))
    #expect(result.section().tables.count == 1)
    // A leaky cell has one fixed point, which every start finds.
    let leaky = try SpectrumExperiment.run(
      LabSettings(cell: .gruResetBefore, keepBias: 12), sequences: 2)
    #expect(!leaky.isEveryStateFixed)
    #expect(
      leaky.fixedPoints.count == 1 && leaky.fixedPoints[0].startCount == leaky.fixedPointStarts)
  }

  @Test("Half-lives beyond a million steps are said so")
  func halfLives() throws {
    // 3.4e8 steps, and a gate that is 1 to the last digit.
    for bias in [20.0, 40] {
      let result = try GateExperiment.run(LabSettings(cell: .gruResetBefore, keepBias: bias))
      #expect(result.statement.contains("more than a million steps"))
      #expect(result.section().tables[1].rows[0][1] == "more than 1,000,000")
    }
    let short = try GateExperiment.run(LabSettings(cell: .gruResetBefore, keepBias: 10))
    #expect(short.section().tables[1].rows[0][1].hasPrefix("1527"))
  }
}
