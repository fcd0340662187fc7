// Gradient flow: the gradient of the sum of the state at step t with respect to the initial state. It is the backward
// counterpart of memory.

package import Unroll

/// The initial states at which gradients are taken.
public enum GradientPoint: String, Sendable, Codable, CaseIterable {
  /// Zero.
  case zero
  /// A random state, uniform in 0 ..< 1.
  case random
  /// The random state times 100: the state that remains in the notebook's variable.
  case asLeft = "as-left"
}

/// The gradient norms at one initial state.
public struct GradientSet: Sendable, Codable {
  /// The initial state.
  public var point: GradientPoint
  /// The norm for each sequence at the selected step; infinite if it overflows.
  public var norms: [Double]
  /// The histogram of the finite norms.
  public var histogram: Histogram
  /// The statistics of the norms.
  public var summary: Summary
  /// The steps t of `curve`: all steps, or about a hundred of a longer sequence.
  public var curveSteps: [Int]
  /// The median norm of the gradient of Σ h at step t, for each of `curveSteps`.
  public var curve: [Double]
  /// The mean and the largest norm at each of `curveSteps`.
  public var meanCurve, largestCurve: [Double]
  /// The first step t for which the gradient of Σ h at t overflows in any sequence; nil if there is none.
  public var overflowStep: Int?
}

/// The result of the gradient flow experiment.
public struct GradientResult: Sendable, Codable {
  /// The settings; the last of `steps` is used.
  public var settings: LabSettings
  /// The step whose state is summed.
  public var step: Int
  /// The results, one per initial state.
  public var sets: [GradientSet]
}

/// The gradient flow experiment, backward in time.
public enum GradientExperiment {
  /// Runs the experiment with a new random stream: draws inputs, weights, then one state.
  ///
  /// - Parameters:
  ///   - settings: The settings.
  ///   - points: The initial states.
  ///   - curvePoints: The approximate number of points of the curve, each of which needs a pass.
  ///   - progress: Called after each initial state with the number completed.
  /// - Returns: The results.
  /// - Throws: `LabError` for invalid settings.
  public static func run(
    _ settings: LabSettings, points: [GradientPoint] = GradientPoint.allCases,
    curvePoints: Int = 100, progress: (Int) -> Void = { _ in }
  ) throws(LabError) -> GradientResult {
    try settings.validate()
    return switch settings.precision {
    case .float32: run(settings, Float.self, points, curvePoints, progress)
    case .float64: run(settings, Double.self, points, curvePoints, progress)
    }
  }

  private static func run<Scalar: KernelScalar>(
    _ settings: LabSettings, _ type: Scalar.Type, _ points: [GradientPoint], _ curvePoints: Int,
    _ progress: (Int) -> Void
  ) -> GradientResult {
    var draws = ExperimentDraws<Scalar>(settings, .backward)
    return measure(
      draws.cell, draws.inputs, settings, draws.gradientState(), points: points,
      curvePoints: curvePoints, progress: progress)
  }

  /// Measures one cell at initial states derived from one random state.
  static func measure<Scalar: KernelScalar>(
    _ cell: Cell<Scalar>, _ inputs: Tensor<Scalar>, _ settings: LabSettings,
    _ state: DrawnState, points: [GradientPoint], curvePoints: Int = 100,
    progress: (Int) -> Void = { _ in }
  ) -> GradientResult {
    let step = settings.steps.last ?? 0
    let flow = GradientFlow(cell)
    let curve = curveSteps(settings.timeStepCount, atMost: curvePoints)
    return GradientResult(
      settings: settings, step: step,
      sets: points.enumerated().map { index, point in
        defer { progress(index + 1) }
        let start: RecurrentState<Scalar>
        switch point {
        case .zero: start = cell.zeroState(batchSize: settings.batchSize)
        case .random: start = state.state()
        case .asLeft: start = state.state(times: 100)
        }
        let norms = flow.norms(inputs, from: start, at: step)
        let finite = norms.filter(\.isFinite)
        let summaries = curve.map { flow.summary(inputs, from: start, at: $0) }
        let doubles = overflowIsInfinite(norms)
        return GradientSet(
          point: point, norms: doubles, histogram: Histogram(finite), summary: Summary(doubles),
          curveSteps: curve, curve: summaries.map(\.median), meanCurve: summaries.map(\.mean),
          largestCurve: summaries.map(\.maximum),
          overflowStep: flow.overflowStep(inputs, from: start, near: curve, summaries, at: step))
      })
  }
}

/// Returns the steps of a curve that needs a pass for each point.
func curveSteps(_ timeStepCount: Int, atMost count: Int = 100) -> [Int] {
  Array(stride(from: 0, to: timeStepCount, by: max(1, timeStepCount / count)))
}

/// The gradients of Σ h at a step with respect to the initial state.
package struct GradientFlow<Scalar: KernelScalar> {
  package let layer: RecurrentLayer<Scalar>

  package init(_ cell: Cell<Scalar>) {
    layer = RecurrentLayer(cell: cell)
  }

  /// Returns the gradient of Σ h at `step`; the sequence is run only up to that step.
  package func gradient(
    _ inputs: Tensor<Scalar>, from start: RecurrentState<Scalar>, at step: Int
  ) -> RecurrentState<Scalar> {
    let trace = layer.forward(inputs[0..<step + 1], from: start)
    var seed = layer.zeroState(batchSize: inputs.shape[1])
    seed.hidden = Tensor(shape: seed.hidden.shape, repeating: 1)
    return layer.backward(trace, finalState: seed).initialState
  }

  /// Returns the norm of that gradient for each sequence.
  package func norms(
    _ inputs: Tensor<Scalar>, from start: RecurrentState<Scalar>, at step: Int
  ) -> [Scalar] {
    gradient(inputs, from: start, at: step).whole.rowNorms.elements
  }

  /// Returns the statistics of the norms at a step.
  ///
  /// Every step needs a separate pass.
  package func summary(
    _ inputs: Tensor<Scalar>, from start: RecurrentState<Scalar>, at step: Int
  ) -> Summary {
    Summary(overflowIsInfinite(norms(inputs, from: start, at: step)))
  }

  /// Returns the first step whose gradient overflows.
  ///
  /// Bisects between the last step of the curve without overflow and the first with overflow.
  fileprivate func overflowStep(
    _ inputs: Tensor<Scalar>, from start: RecurrentState<Scalar>, near steps: [Int],
    _ summaries: [Summary], at asked: Int
  ) -> Int? {
    func overflows(_ step: Int) -> Bool {
      summary(inputs, from: start, at: step).maximum == .infinity
    }
    var high: Int
    if let index = summaries.firstIndex(where: { $0.maximum == .infinity }) {
      high = steps[index]
    } else if overflows(asked) {
      high = asked
    } else {
      return nil
    }
    var low = steps.last { $0 < high } ?? -1
    while high - low > 1 {
      let middle = (low + high) / 2
      if overflows(middle) { high = middle } else { low = middle }
    }
    return high
  }
}
