// The notebook's later edition (for Keras, seed 137): weights before inputs, and one number for
// the memory at a step, the share of distances above 0.1.

internal import Unroll

/// What the later edition's experiment gives.
public struct LaterEditionResult: Sendable, Codable {
  /// The settings that give the same numbers in `MemoryExperiment`.
  public var settings: LabSettings
  /// The zero-based steps.
  public var steps: [Int]
  /// The mean over six pairs of the share of distances above 0.1, for each step.
  public var fractions: [Double]
  /// The mean distance of the state at step 20 from the random initial state.
  public var driftAtStep20: Double
}

/// The later edition's long-term dependency: T 50, B 100, D 5, H 8, float32.
public enum LaterEditionExperiment {
  /// The pairs in that edition's order.
  package static let pairs = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]

  /// Runs it.
  ///
  /// - Parameters:
  ///   - seed: 137 in the course.
  ///   - scale: 1 in the course.
  ///   - steps: 5, 10 and 20 in the course.
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
