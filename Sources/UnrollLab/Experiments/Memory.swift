// Memory: the distance at step t between two runs that differ only in their initial state. It shrinks as the initial
// state is forgotten.

package import Unroll

/// The distances between the states of six pairs of runs at one step.
public struct DistanceSet: Sendable, Codable {
  /// The zero-based step.
  public var step: Int
  /// The distance in each sequence, for each of the six pairs.
  public var norms: [[Double]]
  /// The histogram of the distances for each pair.
  public var histograms: [Histogram]
  /// The statistics of the distances for each pair.
  public var summaries: [Summary]
  /// The fraction of distances above 0.1, averaged over the pairs.
  public var fractionAboveTenth: Double
}

/// The distance of a state from the initial state.
public struct Drift: Sendable, Codable {
  /// The zero-based step.
  public var step: Int
  /// The mean distance over the sequences, from initial states zero, random, random × 100.
  public var mean: [Double]
  /// The largest change of one element, for the same three.
  public var largest: [Double]
}

/// The result of the memory experiment.
public struct MemoryResult: Sendable, Codable {
  /// The settings.
  public var settings: LabSettings
  /// The distances at each of the settings' steps.
  public var distances: [DistanceSet]
  /// The drifts at the same steps.
  public var drifts: [Drift]
  /// The median distance at every step for each of the six pairs.
  public var curves: [[Double]]
  /// The first step at which a state is not finite; nil if there is none.
  public var overflowStep: Int?
}

/// The memory experiment, forward in time.
public enum MemoryExperiment {
  /// The names of the six pairs, in the notebook's order.
  public static let pairTitles = [
    "zero − random 1", "zero − random 2", "random 1 − random 2", "100·random 1 − zero",
    "100·random 1 − random 1", "100·random 1 − random 2",
  ]

  /// The pairs, as indices into zero, random 1, random 2, 100·random 1.
  static let notebookPairs = [(0, 1), (0, 2), (1, 2), (3, 0), (3, 1), (3, 2)]

  /// Runs the experiment with a new random stream: draws inputs, weights, then states for each step.
  ///
  /// - Parameters:
  ///   - settings: The settings.
  ///   - progress: Called after each step with the number completed.
  /// - Returns: The results.
  /// - Throws: `LabError` for invalid settings.
  public static func run(
    _ settings: LabSettings, progress: (Int) -> Void = { _ in }
  ) throws(LabError) -> MemoryResult {
    try settings.validate()
    return switch settings.precision {
    case .float32: run(settings, Float.self, progress)
    case .float64: run(settings, Double.self, progress)
    }
  }

  private static func run<Scalar: KernelScalar>(
    _ settings: LabSettings, _ type: Scalar.Type, _ progress: (Int) -> Void
  ) -> MemoryResult {
    var draws = ExperimentDraws<Scalar>(settings)
    return measure(draws.cell, draws.inputs, settings, draws.statePairs(), progress: progress)
  }

  /// Measures one cell.
  ///
  /// - Parameters:
  ///   - cell: The cell.
  ///   - inputs: `[T, B, D]`.
  ///   - settings: Steps and sizes.
  ///   - pairs: Two random states for each of the steps.
  ///   - progress: Called after each step with the number completed.
  /// - Returns: Distances, drifts and curves.
  static func measure<Scalar: KernelScalar>(
    _ cell: Cell<Scalar>, _ inputs: Tensor<Scalar>, _ settings: LabSettings,
    _ pairs: [StatePair], progress: (Int) -> Void = { _ in }
  ) -> MemoryResult {
    var result = MemoryResult(settings: settings, distances: [], drifts: [], curves: [])
    for (index, (step, pair)) in zip(settings.steps, pairs).enumerated() {
      let runs = FourRuns(cell, inputs, pair.first, pair.second)
      result.distances.append(runs.distances(at: step))
      result.drifts.append(runs.drift(at: step))
      if step == settings.steps.last {
        let perStep = (0..<settings.timeStepCount).map { time in
          runs.norms(at: time).map { Summary.median(overflowIsInfinite($0).sorted()) }
        }
        result.curves = notebookPairs.indices.map { pair in perStep.map { $0[pair] } }
      }
      let overflow = runs.overflowStep
      result.overflowStep = [result.overflowStep, overflow].compactMap(\.self).min()
      progress(index + 1)
    }
    return result
  }
}

/// Runs of one cell from four initial states: zero, two random states, and the first of them times 100.
package struct FourRuns<Scalar: KernelScalar> {
  package let starts: [RecurrentState<Scalar>]
  package let traces: [SequenceTrace<Scalar>]

  package init(
    _ cell: Cell<Scalar>, _ inputs: Tensor<Scalar>, _ first: DrawnState,
    _ second: DrawnState
  ) {
    let zero = RecurrentLayer(cell: cell).zeroState(batchSize: inputs.shape[1])
    self.init(
      cell, inputs, from: [zero, first.state(), second.state(), first.state(times: 100)])
  }

  /// Creates runs from four given states.
  package init(
    _ cell: Cell<Scalar>, _ inputs: Tensor<Scalar>,
    from starts: [RecurrentState<Scalar>]
  ) {
    let layer = RecurrentLayer(cell: cell)
    self.starts = starts
    traces = starts.map { layer.forward(inputs, from: $0) }
  }

  /// Returns the six distances of every sequence after a step.
  package func norms(
    at time: Int, pairs: [(Int, Int)] = MemoryExperiment.notebookPairs
  ) -> [[Scalar]] {
    let states = traces.map { $0.wholeState(after: time) }
    return pairs.map { (states[$0.0] - states[$0.1]).rowNorms.elements }
  }

  package func distances(at step: Int) -> DistanceSet {
    let norms = norms(at: step)
    let doubles = norms.map { overflowIsInfinite($0) }
    let summaries = doubles.map { Summary($0) }
    return DistanceSet(
      step: step, norms: doubles, histograms: norms.map { Histogram($0) }, summaries: summaries,
      fractionAboveTenth: summaries.reduce(0) { $0 + $1.fractionAboveTenth }
        / Double(summaries.count))
  }

  package func drift(at step: Int) -> Drift {
    let changes = [0, 1, 3].map { traces[$0].wholeState(after: step) - starts[$0].whole }
    return Drift(
      step: step, mean: overflowIsInfinite(changes.map { $0.rowNorms.mean }),
      largest: overflowIsInfinite(changes.map(\.maximumMagnitude)))
  }

  /// The first step after which a state of any run is not finite; nil if there is none.
  package var overflowStep: Int? {
    func isFinite(_ time: Int) -> Bool {
      traces.allSatisfy { $0.wholeState(after: time).elements.allSatisfy(\.isFinite) }
    }
    return (0..<traces[0].hiddenStates.shape[0]).first { !isFinite($0) }
  }
}
