// Repeats an experiment with many seeds, because a single draw of weights says little about a scale: some networks with
// large weights keep information about their initial state, and some do not.

internal import Unroll

/// The results of many draws of inputs, weights and states at one scale.
///
/// Each list has one element per seed, in the order of `WeightDrawsResult.seeds`.
public struct WeightDrawsPoint: Sendable, Equatable, Codable {
  /// The scale.
  public var scale: Double
  /// The median distance between the runs from zero and from a random state.
  public var memory: [Double]
  /// The median, mean and largest gradient norm from a zero state; infinite if one overflows.
  public var gradientMedian, gradientMean, gradientLargest: [Double]

  /// The fraction of draws whose state still depends on the initial state: a median distance above 0.001.
  public var memoryShare: Double
  /// The fraction of draws whose median gradient norm is above 0.001.
  public var gradientShare: Double
  /// The fraction of draws in which the gradient norm of some sequence is above 100.
  public var explodingShare: Double
  /// The quantiles at 10, 25, 50, 75 and 90 % of `memory` over the draws.
  public var memoryQuantiles: [Double]
  /// The number of draws whose state depends on the initial state and whose median gradient is below 0.001: small
  /// differences vanish but large ones do not, so the runs have converged to different states.
  public var settledCount: Int
  /// The number of such draws whose median gradient is above √H: small differences have grown.
  public var growingCount: Int

  init(scale: Double, _ draws: [WeightDraws.Draw], _ hiddenSize: Int) {
    self.scale = scale
    memory = draws.map(\.memory)
    gradientMedian = draws.map(\.gradient.median)
    gradientMean = draws.map(\.gradient.mean)
    gradientLargest = draws.map(\.gradient.largest)
    let count = Double(max(1, draws.count))
    let keeping = draws.filter { $0.memory > WeightDraws.threshold }
    memoryShare = Double(keeping.count) / count
    gradientShare = Double(draws.count { $0.gradient.median > WeightDraws.threshold }) / count
    explodingShare = Double(draws.count { $0.gradient.largest > 100 }) / count
    let sorted = memory.sorted()
    memoryQuantiles = [0.1, 0.25, 0.5, 0.75, 0.9].map { Summary.quantile($0, of: sorted) }
    settledCount = keeping.count { $0.gradient.median < WeightDraws.threshold }
    // The norm of the gradient of Σ h is √H if differences neither shrink nor grow.
    let unit = Double(hiddenSize).squareRoot()
    growingCount = keeping.count { $0.gradient.median > unit }
  }

  /// The number of draws that keep the dependency.
  var keepingCount: Int { memory.count { $0 > WeightDraws.threshold } }
}

/// The results of many draws of weights, by scale.
public struct WeightDrawsResult: Sendable, Equatable, Codable {
  /// The seed of each draw: consecutive, starting at the settings' seed.
  public var seeds: [Int]
  /// The step at which distances and gradients are computed.
  public var step: Int
  /// One point for each scale.
  public var points: [WeightDrawsPoint]
}

/// The experiment with many draws of weights.
public enum WeightDraws {
  /// The default number of draws of the report and the command.
  public static let defaultCount = 100
  /// The maximum number of draws.
  public static let mostDraws = 10_000
  /// A median distance or gradient above this counts as not vanished.
  static let threshold = 1e-3

  /// The result of one draw at one scale.
  struct Draw: Sendable {
    var memory: Double
    var gradient: Spread
  }

  /// Calls `body` with the settings of each draw, on all threads.
  ///
  /// - Parameters:
  ///   - settings: The settings of the first draw; the others have the seeds after its seed.
  ///   - count: The number of draws.
  ///   - progress: Called with the number of draws that are done.
  ///   - body: Called on several threads at a time.
  /// - Returns: The seeds, and the result for each.
  static func each<Result: Sendable>(
    _ settings: LabSettings, count: Int, progress: (Int) -> Void,
    _ body: (LabSettings) -> Result
  ) -> (seeds: [Int], results: [Result]) {
    // The generator's seeds end at 2³² − 1 and go on at 0.
    let seeds = (0..<count).map { (settings.seed + $0) % (Int(UInt32.max) + 1) }
    var results = [Result?](repeating: nil, count: count)
    let chunk = max(8, 2 * Threads.count)
    for start in stride(from: 0, to: count, by: chunk) {
      let end = min(count, start + chunk)
      results.withUnsafeMutableBufferPointer { results in
        Threads.forEach(end - start) { index in
          var settings = settings
          settings.seed = seeds[start + index]
          results[start + index] = body(settings)
        }
      }
      progress(end)
    }
    return (seeds, results.compactMap(\.self))
  }

  /// Runs every scale with every seed; the settings have been validated.
  static func run(
    _ settings: LabSettings, scales: [Double], count: Int, progress: (Int) -> Void
  ) -> WeightDrawsResult {
    let (seeds, draws) = each(settings, count: count, progress: progress) { settings in
      switch settings.precision {
      case .float32: run(settings, scales, Float.self)
      case .float64: run(settings, scales, Double.self)
      }
    }
    return WeightDrawsResult(
      seeds: seeds, step: settings.steps.last ?? 0,
      points: scales.enumerated().map { index, scale in
        WeightDrawsPoint(scale: scale, draws.map { $0[index] }, settings.hiddenSize)
      })
  }

  private static func run<Scalar: KernelScalar>(
    _ settings: LabSettings, _ scales: [Double], _ type: Scalar.Type
  ) -> [Draw] {
    let step = settings.steps.last ?? 0
    let first = ExperimentDraws<Scalar>(settings)
    return scales.map { scale in
      var draws = first.with(scale: scale)
      let state = draws.sweepState()
      let layer = RecurrentLayer(cell: draws.cell)
      let inputs = draws.inputs[0..<step + 1]
      let zero = layer.forward(inputs, from: layer.zeroState(batchSize: settings.batchSize))
      let random = layer.forward(inputs, from: state.state())
      let distances = (zero.finalState.whole - random.finalState.whole).rowNorms.elements
      var seed = layer.zeroState(batchSize: settings.batchSize)
      seed.hidden.fill(1)
      let gradient = layer.backward(zero, finalState: seed).initialState.whole
      return Draw(
        memory: Summary.median(overflowIsInfinite(distances).sorted()),
        gradient: Spread(overflowIsInfinite(gradient.rowNorms.elements)))
    }
  }
}
