// Overflow of float32 is always reported, never shown as NaN.

import Foundation
import Testing
import Unroll
import UnrollFigures
import UnrollFormats
import UnrollLab
import UnrollTestSupport

@Suite("Overflow")
struct OverflowTests {
  /// h ↦ 3·h in two units: the gradient of Σ h at step t has the norm 3^(t+1)·√2, and 3^81 is beyond
  /// float32.
  private func layer(_ gain: Double = 3) -> LayerInNetwork {
    var cell = Cell<Double>(.rnn, inputSize: 1, hiddenSize: 2)
    cell.options.activation = .identity
    cell.parameters.recurrentWeights = Tensor(rows: [[gain, 0], [0, gain]])
    return LayerInNetwork(cell: cell, inputs: Tensor(shape: [100, 3, 1]))
  }

  private func settings(_ precision: LabPrecision = .float32) -> LabSettings {
    LabSettings(
      steps: [10, 90], hiddenSize: 2, inputSize: 1, batchSize: 3, timeStepCount: 100,
      precision: precision)
  }

  @Test("A gradient that overflows names the step, and its figures are drawn")
  func gradient() throws {
    let result = try GradientExperiment.run(settings(), layer: layer())
    for set in result.sets {
      #expect(set.overflowStep == 80)
      #expect(set.norms.allSatisfy { $0 == .infinity } && set.summary.maximum == .infinity)
      #expect(set.curve[79].isFinite && set.curve[80] == .infinity)
    }
    #expect(
      result.overflowNotes.first
        == "initial state zero: the gradient overflows float32 at step 80; compute in float64, or use fewer time steps or smaller weights"
    )
    let section = result.section(weights: "w")
    #expect(
      section.interpretation.contains(
        "the gradient of 3 of 3 sequences overflows float32 at step 90 (the first at step 80); compute in float64, or use fewer time steps or smaller weights."
      ))
    #expect(section.tables[0].rows[0].dropFirst().dropLast().allSatisfy { $0 == "overflow" })
    try expectDrawn([section])
    // No overflow in float64.
    let double = try GradientExperiment.run(settings(.float64), layer: layer())
    #expect(double.sets[0].overflowStep == nil)
    #expect(abs(double.sets[0].summary.median / (pow(3, 91) * 2.0.squareRoot()) - 1) < 1e-12)
    try expectDrawn([double.section(weights: "w")])
  }

  @Test(
    "A gradient that overflows elsewhere is not said to overflow at the step that was asked for")
  func elsewhere() throws {
    var early = settings()
    early.steps = [10]
    let said = try GradientExperiment.run(early, layer: layer()).statement
    // 3^11·√2
    #expect(
      said.hasPrefix(
        "From the state zero every norm is 251,000: it has exploded (above 100). At step 80 a gradient overflows float32; compute in float64, or use fewer"
      ), "\(said)")
    // If float64 overflows as well, the report must not recommend it.
    let steep = try GradientExperiment.run(settings(.float64), layer: layer(1e10)).statement
    #expect(
      steep.contains("overflows float64 at step 90 (the first at step 30); use fewer time steps"))
    #expect(!steep.contains("compute in float64"))
  }

  @Test("The step is found between the points of a thinned curve, and beyond it")
  func bisection() throws {
    var long = settings()
    (long.timeStepCount, long.steps) = (300, [299])
    var layer = layer(1.5)
    layer.inputs = Tensor(shape: [300, 1, 1])
    let result = try GradientExperiment.run(long, layer: layer)
    // A power of 1.5 is exact or rounds once; the norm of two of them is √2 times one.
    let first = (0..<300).first { !Float(pow(1.5, Double($0 + 1)) * 2.0.squareRoot()).isFinite }
    #expect(result.sets[0].curveSteps.count == 100)
    #expect(first.map { $0 % 3 != 0 } == true, "a step of the curve shows nothing")
    #expect(result.sets[0].overflowStep == first)
  }

  @Test("States that overflow are named by memory, and refused by what needs them whole")
  func states() throws {
    var driven = layer()
    driven.inputs.fill(1)
    driven.cell.parameters.bias.fill(1)
    let memory = try MemoryExperiment.run(settings(), layer: driven)
    let step = try #require(memory.overflowStep)
    #expect((70...85).contains(step))
    #expect(memory.distances[1].summaries.allSatisfy { !$0.mean.isNaN })
    let section = memory.section(weights: "w")
    #expect(section.interpretation.contains("The states overflow float32 from step \(step) on"))
    #expect(!section.tables.flatMap(\.rows).joined().contains { $0.contains("nan") })
    try expectDrawn([section])
    #expect(try MemoryExperiment.run(settings(.float64), layer: driven).overflowStep == nil)
    var wild = layer(1e10)
    wild.inputs.fill(1)
    wild.cell.parameters.bias.fill(1)
    let sentence = "the states overflow float64 at step"
    for run in [
      { _ = try SpectrumExperiment.run(settings(), layer: wild) },
      { _ = try GateExperiment.run(settings(), layer: wild) },
      { _ = try GradientParts.run(settings(), layer: wild) },
    ] {
      let error = #expect(throws: LabError.self) { try run() }
      #expect(error?.description.hasPrefix(sentence) == true, "\(String(describing: error))")
    }
  }

  @Test("Weights and data that are not finite are refused", arguments: [Double.nan, .infinity])
  func weights(number: Double) throws {
    var layer = layer()
    layer.cell.parameters.recurrentWeights[0, 1] = number
    let found = number.isNaN ? "NaN" : "inf"
    let sentence =
      "weights: expected finite numbers, got \(found) in recurrent_weights of layer 0"
    for run in [
      { _ = try MemoryExperiment.run(settings(), layer: layer) },
      { _ = try GradientExperiment.run(settings(), layer: layer) },
      { _ = try SpectrumExperiment.run(settings(), layer: layer) },
      { _ = try GateExperiment.run(settings(), layer: layer) },
      { _ = try GradientParts.run(settings(), layer: layer) },
    ] {
      let error = #expect(throws: LabError.self) { try run() }
      #expect(error?.description == sentence)
    }
    let network = RecurrentNetwork(cells: [layer.cell])
    var error = #expect(throws: LabError.self) {
      try LayerInNetwork.all(of: network, reading: layer.inputs)
    }
    #expect(error?.description == sentence)
    var data = layer.inputs
    data[5, 1, 0] = number
    error = #expect(throws: LabError.self) {
      try LayerInNetwork.all(of: RecurrentNetwork(cells: [self.layer().cell]), reading: data)
    }
    #expect(error?.description == "data: expected finite numbers, got NaN or an infinite one")
  }

  @Test("A sweep whose gradients overflow is drawn, and says so")
  func sweep() throws {
    let settings = LabSettings(
      scale: 2, steps: [150], hiddenSize: 32, inputSize: 2, batchSize: 2, timeStepCount: 160,
      seed: 15009)
    let result = try ScaleSweep.run(settings, scales: [1, 30, 100], weightDraws: 2)
    let section = result.section()
    let words = section.tables.flatMap(\.rows).joined() + [section.interpretation]
    #expect(!words.contains { $0.contains("nan") || $0.contains("inf") })
    try expectDrawn([section])
  }

  /// All figures of the sections can be drawn; without gnuplot the report contains a note.
  private func expectDrawn(_ sections: [LabReport.Section]) throws {
    try withTemporaryFolder { folder in
      let report = LabReport(title: "t", introduction: "", sections: sections)
      let outcome = try ReportFolder.write(report, results: [], to: folder)
      #expect((outcome.note == nil) == (Gnuplot.path() != nil))
    }
  }
}
