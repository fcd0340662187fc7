// The notebook's later edition (for Keras, seed 137): weights are drawn before inputs, and the result is the fraction
// of distances above 0.1 at a step.

internal import Unroll

/// The result of the later edition's experiment.
public struct LaterEditionResult: Sendable, Codable {
  /// Settings that give the same numbers in `MemoryExperiment`.
  public var settings: LabSettings
  /// The zero-based steps.
  public var steps: [Int]
  /// The fraction of distances above 0.1 at each step, averaged over six pairs.
  public var fractions: [Double]
  /// The mean distance of the state at step 20 from the random initial state.
  public var driftAtStep20: Double
}

/// The later edition's long-term dependency: T 50, B 100, D 5, H 8, float32.
public enum LaterEditionExperiment {
  /// The pairs of runs in that edition's order.
  package static let pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]

  /// Runs the experiment.
  ///
  /// - Parameters:
  ///   - seed: The seed; 137 in the notebook.
  ///   - scale: The scale of the weights; 1 in the notebook.
  ///   - steps: The steps; 5, 10 and 20 in the notebook.
  /// - Returns: The fraction for each step.
  public static func run(
    seed: UInt32 = 137, scale: Double = 1, steps: [Int] = [5, 10, 20]
  ) -> LaterEditionResult {
    var settings = LabSettings(scale: scale, steps: steps, seed: Int(seed))
    settings.draws = .laterEdition
    var random = NumPyRandom(seed: seed)
    let parameters: CellParameters<Float> = drawWeights(settings, scale: scale, &random)
    let inputs: Tensor<Float> = drawInputs(settings, &random)
    let first = DrawnState(0, settings, &random)
    let second = DrawnState(0, settings, &random)
    let runs = FourRuns(Cell(settings.cell, parameters: parameters), inputs, first, second)
    return LaterEditionResult(
      settings: settings, steps: steps,
      fractions: steps.map { step in
        let shares = runs.norms(at: step, pairs: pairs).map { norms in
          Double(norms.count { $0 > 0.1 }) / Double(norms.count)
        }
        return shares.reduce(0, +) / Double(shares.count)
      },
      driftAtStep20: runs.drift(at: 20).mean[1])
  }
}
