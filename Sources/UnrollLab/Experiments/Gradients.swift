// Gradient flow: how strongly the sum of the state at step t depends on the initial state. It is
// what forgetting looks like to a learning rule.

package import Unroll

/// The initial states at which gradients are taken.
public enum GradientPoint: String, Sendable, Codable, CaseIterable {
  /// Zero.
  case zero
  /// A random state, uniform in 0 ..< 1.
  case random
  /// A hundred times the random state: what the notebook leaves in its variable.
  case asLeft = "as-left"
}

/// The gradient norms at one initial state.
public struct GradientSet: Sendable, Codable {
  /// The initial state.
  public var point: GradientPoint
  /// The norm for each sequence, at the step that was asked for; infinite if it overflows.
  public var norms: [Double]
  /// The histogram of those that are finite.
  public var histogram: Histogram
  /// What they come to.
  public var summary: Summary
  /// The steps t of `curve`: all of them, or about a hundred of a longer sequence.
  public var curveSteps: [Int]
  /// The median norm of the gradient of Σ h at step t, for each of `curveSteps`.
  public var curve: [Double]
  /// The mean and the largest norm for each of `curveSteps`.
  public var meanCurve, largestCurve: [Double]
  /// The first step t for which the gradient of Σ h at t overflows in some sequence; nil if none does.
  public var overflowStep: Int?
}

/// What the experiment of gradient flow found.
public struct GradientResult: Sendable, Codable {
  /// What was asked; the step is the last of `steps`.
  public var settings: LabSettings
  /// The step whose state is summed.
  public var step: Int
  /// One set for each initial state.
  public var sets: [GradientSet]
}

/// The experiment of gradient flow, backward in time.
public enum GradientExperiment {
  /// Runs the experiment on its own seed: draws inputs, weights, then one state.
  ///
  /// - Parameters:
  ///   - settings: What to do.
  ///   - points: The initial states.
  ///   - curvePoints: About how many steps the curve has; each costs a pass.
  ///   - progress: Called after each initial state with how many are done.
  /// - Returns: What was found.
  /// - Throws: `LabError` for settings that cannot be used.
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

  /// Measures one cell at initial states made from one drawn state.
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

/// The steps of a curve that costs a pass for each point.
func curveSteps(_ timeStepCount: Int, atMost count: Int = 100) -> [Int] {
  Array(stride(from: 0, to: timeStepCount, by: max(1, timeStepCount / count)))
}

/// Gradients of Σ h at a step with respect to the initial state.
package struct GradientFlow<Scalar: KernelScalar> {
  package let layer: RecurrentLayer<Scalar>

  package init(_ cell: Cell<Scalar>) {
    layer = RecurrentLayer(cell: cell)
  }

  /// The gradient of Σ h at `step`; the sequence need be run no further.
  package func gradient(
    _ inputs: Tensor<Scalar>, from start: RecurrentState<Scalar>, at step: Int
  ) -> RecurrentState<Scalar> {
    let trace = layer.forward(inputs[0..<step + 1], from: start)
    var seed = layer.zeroState(batchSize: inputs.shape[1])
    seed.hidden = Tensor(shape: seed.hidden.shape, repeating: 1)
    return layer.backward(trace, finalState: seed).initialState
  }

  /// The norm of that gradient for each sequence.
  package func norms(
    _ inputs: Tensor<Scalar>, from start: RecurrentState<Scalar>, at step: Int
  ) -> [Scalar] {
    gradient(inputs, from: start, at: step).whole.rowNorms.elements
  }

  /// What the norms at a step come to.
  ///
  /// Every step takes a pass of its own.
  package func summary(
    _ inputs: Tensor<Scalar>, from start: RecurrentState<Scalar>, at step: Int
  ) -> Summary {
    Summary(overflowIsInfinite(norms(inputs, from: start, at: step)))
  }

  /// The first step whose gradient overflows.
  ///
  /// Between the curve's last step that does not and its first that does, it is found by bisection.
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
