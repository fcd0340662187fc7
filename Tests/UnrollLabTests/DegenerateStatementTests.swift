// Texts of the report for degenerate data: few, equal, missing or overflowing numbers; one sequence, step, unit or
// draw; zero weights.

import Foundation
import Testing
import Unroll
import UnrollLab
import UnrollTestSupport

@Suite("What the report says of degenerate numbers")
struct DegenerateStatementTests {
  private func settings(
    _ cell: CellKind = .rnn, scale: Double = 2, hidden: Int = 3, batch: Int = 4, time: Int = 8,
    seed: Int = 5
  ) -> LabSettings {
    LabSettings(
      cell: cell, scale: scale, hiddenSize: hidden, inputSize: 2, batchSize: batch,
      timeStepCount: time, seed: seed)
  }

  /// Returns all texts of a section.
  private func texts(_ section: LabReport.Section) -> [String] {
    [section.title, section.interpretation]
      + section.figures.flatMap {
        [$0.figure.title, $0.alternative] + $0.figure.panels.map(\.title)
      }
      + section.tables.map(\.caption)
  }

  /// Phrases that no sentence may contain.
  private func faults(_ text: String) -> [String] {
    let patterns = [
      #"(?<![.\d])\b1 (draws|steps|sequences|starts|scales|points|fixed points|units|pairs)\b"#,
      #"\b([02-9]|[1-9]\d+) (draw|step|sequence|start|scale|fixed point)\b"#,
      #"\b(all [12] have|each of 1)\b"#, #"\b1 of \d+ (have|are)\b"#, #"\b1 have\b"#,
      #"(?<!step )\b1 are\b"#,
      #"\b(0|100) % of the"#, #"(\S+) instead of \1(?=[\s,;])"#, #"largest 0(?![.\d])"#,
      #"\b(nan|inf|-inf)\b"#, #"  "#, #"factor of [01] "#, #"between (\S+) and \1\b"#,
    ]
    return patterns.filter {
      text.range(of: $0, options: [.regularExpression, .caseInsensitive]) != nil
    }
  }

  private static let sizes: [(hidden: Int, batch: Int, time: Int)] = [
    (1, 1, 1), (1, 1, 2), (3, 1, 8), (1, 4, 8), (3, 4, 1), (3, 2, 8), (3, 4, 2), (3, 4, 40),
  ]

  @Test(
    "Every sentence is one that can be said of its numbers", .tags(.slow),
    arguments: CellKind.allCases)
  func sentences(cell: CellKind) throws {
    for (hidden, batch, time) in Self.sizes {
      for scale in [0, 0.5, 2, 1000] {
        for seed in [5, 4_294_967_295] {
          let base = settings(
            cell, scale: scale, hidden: hidden, batch: batch, time: time, seed: seed)
          var all = [base]
          if cell.retention != nil {
            for bias in [-1000.0, 0, 18, 1000] {
              var keeping = base
              keeping.keepBias = bias
              all.append(keeping)
            }
          }
          for settings in all {
            var sections = [
              try MemoryExperiment.run(settings).section(),
              try GradientExperiment.run(settings).section(),
              try SpectrumExperiment.run(settings, sequences: 2).section(),
              try GateExperiment.run(settings).section(),
              try GradientParts.run(settings).section(),
            ]
            for (scales, draws) in [([scale], 0), ([scale], 1), ([scale], 3), ([0, 3, 1000], 2)]
            where settings.keepBias == nil {
              sections.append(
                try ScaleSweep.run(settings, scales: scales, weightDraws: draws).section())
            }
            for text in sections.flatMap(texts) {
              #expect(
                faults(text).isEmpty,
                "seed \(seed), scale \(scale), sizes \(hidden) \(batch) \(time): '\(text)'")
            }
          }
        }
      }
    }
  }

  @Test("The notebook's report is sound for sizes of one, too", arguments: [1, 2, 40])
  func notebook(time: Int) throws {
    for (hidden, batch) in [(1, 1), (3, 2)] {
      let result = try NotebookRun.run(
        LabSettings(hiddenSize: hidden, batchSize: batch, timeStepCount: time, seed: 4_294_967_295))
      for text in result.report(sweeps: []).sections.flatMap(texts) {
        #expect(faults(text).isEmpty, "\(faults(text)) in '\(text)'")
      }
    }
  }

  @Test("One sequence has a distance and a gradient, not a median of them")
  func oneSequence() throws {
    let one = settings(batch: 1)
    #expect(try MemoryExperiment.run(one).statement.hasPrefix("The distance between the runs"))
    #expect(
      try MemoryExperiment.run(settings()).statement.hasPrefix("The median distance between"))
    let set = try #require(try GradientExperiment.run(one).sets.first)
    let said = try GradientExperiment.run(one).statement
    #expect(
      said.hasPrefix("From the state zero the norm is \(LabNumber.text(set.norms[0])): it has "))
    let none = settings(scale: 0, batch: 1)
    #expect(
      try GradientExperiment.run(none).statement.hasPrefix(
        "From the state zero the gradient is exactly 0."))
    #expect(
      try GradientExperiment.run(settings(scale: 0)).statement.hasPrefix(
        "From the state zero every gradient is exactly 0."))
  }

  @Test("What became of the pairs is told by their medians, and by the largest distance")
  func pairs() throws {
    var result = try MemoryExperiment.run(settings())
    let set = try #require(result.distances.last)
    func said(_ medians: [Double], largest: Double) -> String {
      var changed = set
      for (index, median) in medians.enumerated() {
        changed.summaries[index].median = median
        changed.summaries[index].maximum = largest
      }
      result.distances = [changed]
      return result.statement
    }
    let gone = [Double](repeating: 1e-4, count: 6)
    #expect(
      said(gone, largest: 0.5).hasSuffix(
        "the medians of all six pairs are below 0.001: at least half of the sequences have forgotten their initial state; the largest distance is 0.5."
      ))
    #expect(
      said(gone, largest: 9e-4).hasSuffix(
        "At step 7 every distance is below 0.001: the initial state has been forgotten."))
    #expect(
      said([0, 0, 0, 0, 0, 0], largest: 0).hasSuffix(
        "At step 7 every distance is exactly 0: the initial state has been forgotten."))
    #expect(
      said([1e-4, 1e-4, 1e-4, 1e-4, 1e-4, 2], largest: 3).hasSuffix(
        "5 of 6 are below 0.001, and for the other pair the state still depends on the initial state."
      ))
    #expect(
      said([1e-4, 1, 1, 1, 1, 2], largest: 3).hasSuffix(
        "1 of 6 is below 0.001, and for the other pairs the state still depends on the initial state."
      ))
  }

  @Test("Weights of 0 leave nothing: no exponent, no largest gradient")
  func nothing() throws {
    let spectrum = try SpectrumExperiment.run(settings(scale: 0), sequences: 2)
    #expect(
      spectrum.statement
        == "The largest exponent is −∞: along the runs, a step removes every small difference. 1 fixed point was found from 27 starts; it is stable."
    )
    let sweep = try ScaleSweep.run(settings(), scales: [0])
    #expect(
      sweep.statement
        == "Is there a scale that keeps a long-term memory? In the one draw of seed 5, at step 7, the median distance vanishes at scale 0, and the median gradient vanishes at scale 0. Every gradient is exactly 0 at scale 0."
    )
    let parts = try GradientParts.run(settings(time: 1))
    #expect(parts.statement.hasPrefix("Of ") && parts.statement.contains("the only step adds"))
  }

  @Test("One draw is not compared with itself, and seeds that begin again at 0 are listed so")
  func draws() throws {
    let one = try ScaleSweep.run(settings(), scales: [1, 2], weightDraws: 1)
    #expect(!one.statement.contains("draws"))
    #expect(one.section().tables[1].caption.hasPrefix("1 draw of weights (seed 5) at step 7"))
    let last = try ScaleSweep.run(
      settings(seed: 4_294_967_294), scales: [1, 2], weightDraws: 4)
    #expect(last.statement.contains("(seeds 4294967294 to 4294967295 and 0 to 1)"))
    let two = try ScaleSweep.run(settings(seed: 4_294_967_295), scales: [1], weightDraws: 2)
    #expect(two.statement.contains("(seeds 4294967295 and 0)"), "\(two.statement)")
  }

  @Test("Scales that come twice are refused")
  func scales() throws {
    let error = #expect(throws: LabError.self) {
      try ScaleSweep.run(settings(), scales: [1, 2, 1])
    }
    #expect(error?.description == "scale: expected different scales, got 1.0,2.0,1.0")
  }

  @Test("The half-life of a gate is exact for biases far from 0")
  func halfLives() {
    #expect(LabNumber.halfLife(ofBias: 0) == 1)
    #expect(abs(LabNumber.halfLife(ofBias: -1000) / (0.6931471805599453 / 1000) - 1) < 1e-12)
    #expect(abs(LabNumber.halfLife(ofBias: 40) / (0.6931471805599453 * exp(40)) - 1) < 1e-12)
    #expect(LabNumber.halfLife(ofBias: 1000) == .infinity)
  }

  @Test("An exponent next to 0 is told as a percentage, and a factor is above 1 either way")
  func exponents() throws {
    var result = try SpectrumExperiment.run(settings(), sequences: 1)
    for (exponent, words) in [
      (0.0011, "small differences grow by 0.11 % a step"),
      (-0.05, "small differences shrink by 4.88 % a step"),
      (0.0005, "small differences change by less than 0.1 % a step"),
      (-0.6931471805599453, "small differences shrink by a factor of 2 a step"),
      (1.0986122886681098, "small differences grow by a factor of 3 a step"),
    ] {
      result.exponents[0] = exponent
      #expect(result.statement.contains(words), "\(result.statement)")
    }
    #expect(result.section().tables[0].rows[2][1].hasSuffix(" of one sequence"))
  }

  @Test("How many fixed points are stable is told in words for one, all and none")
  func points() throws {
    var result = try SpectrumExperiment.run(settings(), sequences: 1)
    let start = try #require(result.fixedPoints.first)
    var (stable, other) = (start, start)
    (stable.spectralRadius, other.spectralRadius) = (0.5, 2)
    for (points, words) in [
      ([], "No fixed point was found from"), ([stable], "; it is stable."),
      ([other], "; it is not stable."), ([stable, stable], "; all of them are stable."),
      ([other, other], "; none of them is stable."), ([stable, other], "; 1 of them is stable."),
      ([stable, stable, other], "; 2 of them are stable."),
    ] {
      result.fixedPoints = points
      #expect(result.statement.contains(words), "\(result.statement)")
      #expect(result.section().tables.count == (points.isEmpty ? 1 : 2))
    }
  }

  @Test("Default steps are those that the sequence has")
  func steps() {
    for (time, steps) in [(50, [10, 20, 30]), (31, [10, 20, 30]), (30, [10, 20]), (20, [10])]
      + [(10, [9]), (1, [0])]
    {
      #expect(LabSettings(timeStepCount: time).steps == steps)
    }
    #expect(LabSettings(steps: [3], timeStepCount: 20).steps == [3])
  }
}
