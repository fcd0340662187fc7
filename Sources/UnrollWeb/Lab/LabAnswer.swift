// The lab's results for the page: numbers, figures, arrays.

internal import Foundation
internal import RealModule
internal import Unroll
package import UnrollFigures
package import UnrollFormats
package import UnrollLab

/// The result for one part of the page.
package struct PartAnswer: Sendable {
  package var numbers: [String: JSONNumber]
  package var figure: Figure
  package var alternative: String
  package var arrays: [String: StoredArray]
}

/// A number, a list of numbers, or a text, as JSON.
package enum JSONNumber: Sendable, Encodable {
  case number(Double), numbers([Double]), text(String)

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    // JSON has neither infinity nor NaN.
    case .number(let value):
      if value.isFinite { try container.encode(value) } else { try container.encode("\(value)") }
    case .numbers(let values): try container.encode(values.map { JSONNumber.number($0) })
    case .text(let text): try container.encode(text)
    }
  }
}

/// Computation of the parts of the page.
package enum LabAnswers {
  package static func answer(
    _ part: LabQuery.Part, _ settings: LabSettings, _ cancellation: Cancellation
  ) throws -> PartAnswer {
    try cancellation.check()
    do {
      return switch part {
      case .memory: try memory(settings)
      case .flow: try flow(settings, cancellation)
      case .spectrum: try spectrum(settings)
      case .gates: try gates(settings)
      case .phase: try phase(settings, cancellation)
      }
    } catch let error as LabError {
      throw WebError(status: 400, sentence: error.description)
    }
  }

  private static func memory(_ settings: LabSettings) throws -> PartAnswer {
    let result = try MemoryExperiment.run(settings)
    let section = result.section()
    let set = result.distances[0]
    return PartAnswer(
      numbers: [
        "medians": .numbers(set.summaries.map(\.median)),
        "means": .numbers(set.summaries.map(\.mean)),
        "fraction_above_tenth": .number(set.fractionAboveTenth),
        "drift": .numbers(result.drifts[0].largest),
      ], figure: section.figures[0].figure, alternative: section.figures[0].alternative,
      arrays: section.arrays)
  }

  /// Computes norms against t, forward and backward, on one logarithmic axis.
  private static func flow(_ settings: LabSettings, _ cancellation: Cancellation) throws
    -> PartAnswer
  {
    let memory = try MemoryExperiment.run(settings)
    try cancellation.check()
    let gradients = try GradientExperiment.run(settings, points: [.zero], curvePoints: 12)
    var lines = [0, 2, 5].map { pair in
      Line(
        "forward: \(MemoryExperiment.pairTitles[pair])",
        x: memory.curves[pair].indices.map { Double($0) },
        // Overflow is a missing value in the figure.
        y: memory.curves[pair].map { $0.isFinite ? $0 : .nan })
    }
    lines += gradients.sets.map { set in
      Line(
        "backward: gradient at a \(set.point.rawValue) state",
        x: set.curveSteps.map { Double($0) }, y: set.curve.map { $0.isFinite ? $0 : .nan })
    }
    let figure = Figure(
      name: "flow", title: "Norms against t, forward and backward",
      panels: [
        Panel(
          title: "", x: .whole("step t"),
          y: .decades("median norm", holding: lines.flatMap(\.y), floor: 1e-30),
          content: .lines(lines))
      ], size: (960, 460))
    let zero = gradients.sets[0]
    return PartAnswer(
      numbers: [
        "gradient_median": .number(zero.summary.median),
        "gradient_zeros": .number(Double(zero.summary.zeroCount)),
        "gradient_curve": .numbers(zero.curve),
      ], figure: figure,
      alternative:
        "The median distance of runs and the median gradient norm at every step, on a logarithmic axis.",
      arrays: [
        "distances": StoredArray(Tensor(rows: memory.curves)),
        "gradients": StoredArray(Tensor(rows: gradients.sets.map(\.curve))),
        "gradient_steps": StoredArray(zero.curveSteps),
      ])
  }

  /// The work limit of full Jacobians of all steps, and of the passes of one scale: about three seconds each.
  private static let spectrumLimit = 50_000_000
  private static let phaseLimit = 400_000_000

  private static func spectrum(_ settings: LabSettings) throws -> PartAnswer {
    let size = settings.cell.hasCellState ? 2 * settings.hiddenSize : settings.hiddenSize
    guard size * size * size * settings.timeStepCount <= spectrumLimit else {
      throw WebError(
        status: 413,
        sentence:
          "spectrum: expected time × state³ of at most \(spectrumLimit / 1_000_000) million, found \(size * size * size * settings.timeStepCount); the command line has no such limit"
      )
    }
    let result = try SpectrumExperiment.run(settings, sequences: LabQuery.sequenceCount)
    let last = result.singularValues.last ?? []
    return PartAnswer(
      numbers: [
        "exponents": .numbers(Array(result.exponents.prefix(3))),
        "recurrent_radius": .number(result.recurrentRadius),
        "largest_singular_value": .number(last.first ?? .nan),
        "smallest_singular_value": .number(last.last ?? .nan),
        "underflowed": .number(Double(result.underflowCount)),
        "gradient_entries": .number(Double(result.gradientCount)),
        "stable_points": result.isEveryStateFixed
          ? .text("none: nearby states do not move")
          : .number(Double(result.fixedPoints.count { $0.isStable })),
        "fixed_points": result.isEveryStateFixed
          ? .text("every state") : .number(Double(result.fixedPoints.count)),
      ], figure: result.figure(name: "spectrum"),
      alternative:
        "The singular values of the Jacobian product and the spectral radius at every step.",
      arrays: result.section().arrays)
  }

  private static func gates(_ settings: LabSettings) throws -> PartAnswer {
    let result = try GateExperiment.run(settings)
    let half = result.lifetimes.map(\.halfLife).sorted()
    return PartAnswer(
      numbers: [
        "means": .numbers(result.gates.map(\.mean)),
        "gates": .text(result.gates.map(\.gate.rawValue).joined(separator: ", ")),
        "closed": .numbers(result.gates.map(\.shareClosed)),
        "open": .numbers(result.gates.map(\.shareOpen)),
        "half_lives": .numbers(
          half.isEmpty ? [] : [half[0], Summary.median(half), half[half.count - 1]]),
      ], figure: result.figure(name: "gates"),
      alternative: "A histogram of each gate's values, and the gates' means at every step.",
      arrays: result.section().arrays)
  }

  private static func phase(_ settings: LabSettings, _ cancellation: Cancellation) throws
    -> PartAnswer
  {
    let passes = min(settings.timeStepCount, 200)
    let work =
      settings.timeStepCount * settings.batchSize * settings.hiddenSize
      * (settings.hiddenSize + settings.inputSize)
    guard passes * work <= phaseLimit else {
      throw WebError(
        status: 413,
        sentence:
          "phase: expected time × batch × hidden × (hidden + input) of at most \(phaseLimit / passes), found \(work); the command line has no such limit"
      )
    }
    let result = try ScaleSweep.run(settings, scales: ScaleSweep.defaultScales)
    try cancellation.check()
    let section = result.section(name: "phase")
    let (figure, alternative) = section.figures[section.figures.count - 1]
    return PartAnswer(
      numbers: [
        "scales": .numbers(result.points.map(\.scale)),
        "memory": .numbers(result.points.map(\.memory)),
        "gradient": .numbers(result.points.map(\.gradient)),
      ], figure: figure,
      alternative: alternative, arrays: section.arrays)
  }
}

extension Figure {
  /// Returns a phase diagram with a mark at the current scale.
  func marking(scale: Double) -> Figure {
    var figure = self
    guard scale > 0 else { return figure }
    for index in figure.panels.indices {
      guard case .heatMap = figure.panels[index].content else { continue }
      figure.panels[index].levels = [Level(Double.log2(scale), "here")]
    }
    return figure
  }

  /// The clickable areas of the diagram: each panel's axes as fractions from the upper left corner, and the logarithms
  /// of the scales at their lower and upper ends; empty for another figure.
  var clickableAreas: [[Double]] {
    panels.indices.compactMap { index in
      guard case .heatMap = panels[index].content, let range = panels[index].y.range else {
        return nil
      }
      let area = plotArea(ofPanel: index)
      return [
        area.x.lowerBound, area.x.upperBound, 1 - area.y.upperBound, 1 - area.y.lowerBound,
        range.lowerBound, range.upperBound,
      ]
    }
  }
}
