// The notebook's exercise "Play with the scale": runs the same cell at many scales, forward and backward, to see where
// memory and gradients vanish, survive or explode.

internal import RealModule
internal import Unroll

/// The behaviour of a distance or gradient over the steps.
public enum Fate: String, Sendable, Codable {
  /// Below a thousandth.
  case vanishes
  /// Between a thousandth and a hundred.
  case survives
  /// Above a hundred, or not finite.
  case explodes

  init(_ value: Double) {
    self = value < 1e-3 ? .vanishes : value <= 100 ? .survives : .explodes
  }
}

/// The results at one scale of a sweep.
public struct SweepPoint: Sendable, Codable {
  /// The scale.
  public var scale: Double
  /// The median distance between the runs from zero and from a random state, at every step.
  public var memoryCurve: [Double]
  /// The median norm of the gradient of Σ h at a step, from a zero state, at each of
  /// `ScaleSweepResult.gradientSteps`.
  public var gradientCurve: [Double]
  /// `memoryCurve` at the selected step.
  public var memory: Double
  /// The median gradient norm at the selected step.
  public var gradient: Double
  /// The distribution of gradient norms over the sequences at that step.
  public var gradientSpread: Spread
  /// The first step at which the memory is below 0.001; nil if there is none.
  public var memoryVanishesAt: Int?
  /// The first step of the gradient curve at which the gradient is below 0.001; nil if there
  /// is none.
  public var gradientVanishesAt: Int?
  /// The behaviour of the memory.
  public var memoryFate: Fate
  /// The behaviour of the gradient.
  public var gradientFate: Fate
}

/// The distribution of norms over the sequences; overflow counts as infinity.
public struct Spread: Sendable, Equatable, Codable {
  /// The quantiles at 10, 50 and 90 %.
  public var low, median, high: Double
  /// The mean and the largest.
  public var mean, largest: Double
  /// The fraction of norms above 100.
  public var shareAboveHundred: Double

  /// Computes the distribution of some norms; NaN if there are none.
  init(_ norms: [Double]) {
    let sorted = norms.sorted()
    low = Summary.quantile(0.1, of: sorted)
    median = Summary.median(sorted)
    high = Summary.quantile(0.9, of: sorted)
    mean = norms.reduce(0, +) / Double(norms.count)
    largest = sorted.last ?? .nan
    shareAboveHundred = Double(norms.count { $0 > 100 }) / Double(norms.count)
  }
}

/// The result of a sweep over scales.
public struct ScaleSweepResult: Sendable, Codable {
  /// The settings; `scale` is the first of the scales.
  public var settings: LabSettings
  /// The step of `memory` and `gradient`: the last of the settings.
  public var step: Int
  /// The steps of the gradient curves.
  public var gradientSteps: [Int]
  /// The results for the settings' seed, one per scale, in the given order.
  public var points: [SweepPoint]
  /// The results for many draws of weights; nil if there are none.
  public var weightDraws: WeightDrawsResult?
}

/// The sweep over scales.
public enum ScaleSweep {
  /// 24 scales from 0.25 to 8, logarithmically spaced.
  public static let defaultScales = logarithmicScales(from: 0.25, to: 8, count: 24)

  /// Returns whether a sweep computes the gradient at every step; for longer sequences it computes some.
  package static func showsEveryStep(of timeStepCount: Int) -> Bool {
    curveSteps(timeStepCount).count == timeStepCount
  }

  /// Returns logarithmically spaced numbers, including both ends.
  public static func logarithmicScales(from low: Double, to high: Double, count: Int) -> [Double] {
    guard count > 1 else { return [low] }
    let (start, end) = (Double.log(low), Double.log(high))
    return (0..<count).map { index in
      if index == 0 { return low }
      if index == count - 1 { return high }
      return Double.exp(start + (end - start) * Double(index) / Double(count - 1))
    }
  }

  /// Runs one cell at many scales; every scale uses the same draws.
  ///
  /// - Parameters:
  ///   - settings: The settings except the scale.
  ///   - scales: Finite, at least 0.
  ///   - weightDraws: The number of additional draws of weights, with consecutive seeds starting at the settings'
  ///     seed; 0 for none.
  ///   - progress: Called with the number of completed scales and draws, and the total.
  /// - Returns: A point for each scale.
  /// - Throws: `LabError` for invalid settings.
  public static func run(
    _ settings: LabSettings, scales: [Double], weightDraws: Int = 0,
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws(LabError) -> ScaleSweepResult {
    guard (0...WeightDraws.mostDraws).contains(weightDraws) else {
      throw LabError(
        .outOfRange(expected: "0 ... \(WeightDraws.mostDraws)", found: "\(weightDraws)"),
        field: "weight-draws")
    }
    guard let first = scales.first else {
      throw LabError(.outOfRange(expected: "at least one scale", found: "none"), field: "scale")
    }
    guard Set(scales).count == scales.count else {
      throw LabError(
        .outOfRange(
          expected: "different scales",
          found: scales.map { "\($0)" }.joined(separator: ",").prefix(80).description),
        field: "scale")
    }
    for scale in scales {
      var settings = settings
      settings.scale = scale
      try settings.validate()
    }
    var settings = settings
    settings.scale = first
    let all = scales.count + weightDraws
    var result =
      switch settings.precision {
      case .float32: run(settings, scales, Float.self) { progress($0, all) }
      case .float64: run(settings, scales, Double.self) { progress($0, all) }
      }
    guard weightDraws > 0 else { return result }
    result.weightDraws = WeightDraws.run(settings, scales: scales, count: weightDraws) {
      progress(scales.count + $0, all)
    }
    return result
  }

  private static func run<Scalar: KernelScalar>(
    _ settings: LabSettings, _ scales: [Double], _ type: Scalar.Type, _ progress: (Int) -> Void
  ) -> ScaleSweepResult {
    let step = settings.steps.last ?? 0
    // Always include the selected step.
    let steps = Set(curveSteps(settings.timeStepCount) + [step]).sorted()
    let points = scales.enumerated().map { index, scale in
      var settings = settings
      settings.scale = scale
      var draws = ExperimentDraws<Scalar>(settings)
      let state = draws.sweepState()
      let (inputs, layer) = (draws.inputs, RecurrentLayer(cell: draws.cell))
      let zero = layer.zeroState(batchSize: settings.batchSize)
      let (from, to) = (
        layer.forward(inputs, from: zero), layer.forward(inputs, from: state.state())
      )
      let memory = (0..<settings.timeStepCount).map { time in
        let norms = (from.wholeState(after: time) - to.wholeState(after: time)).rowNorms.elements
        return Summary.median(overflowIsInfinite(norms).sorted())
      }
      let flow = GradientFlow(draws.cell)
      var spread = Spread([])
      let gradient = steps.map { time in
        let norms = overflowIsInfinite(flow.norms(inputs, from: zero, at: time))
        if time == step { spread = Spread(norms) }
        return Summary.median(norms.sorted())
      }
      progress(index + 1)
      return SweepPoint(
        scale: scale, memoryCurve: memory, gradientCurve: gradient, memory: memory[step],
        gradient: spread.median, gradientSpread: spread,
        memoryVanishesAt: memory.firstIndex { Fate($0) == .vanishes },
        gradientVanishesAt: gradient.firstIndex { Fate($0) == .vanishes }.map { steps[$0] },
        memoryFate: Fate(memory[step]), gradientFate: Fate(spread.median))
    }
    return ScaleSweepResult(
      settings: settings, step: step, gradientSteps: steps, points: points)
  }
}
