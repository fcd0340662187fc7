// Fixed points of a step with a constant input, found by Newton's method from many starts, and their
// stability.
//
// Source: Sussillo, Barak (2013), "Opening the black box".

internal import ComplexModule
package import Unroll

/// A fixed point of a cell's step: a state that the step does not change.
public struct FixedPoint: Sendable, Codable {
  /// The state: h followed by c.
  public var state: [Double]
  /// The norm of F(s) − s.
  public var residual: Double
  /// The spectral radius of ∂F/∂s; below 1, nearby states converge to the point.
  public var spectralRadius: Double
  /// The number of eigenvalues with magnitude above 1: all at a source, some at a saddle.
  public var unstableDirections: Int
  /// The number of starts from which it was found.
  public var startCount: Int

  /// Whether nearby states converge to the point.
  ///
  /// A point with spectral radius 1 is neither stable nor unstable.
  public var isStable: Bool { spectralRadius < 1 - 1e-9 }
}

package enum FixedPointSearch {
  /// The residual, relative to the norm of the state, that counts as zero.
  private static let tolerance = 1e-11
  /// The distance below which two points are the same.
  private static let sameness = 1e-6

  /// Searches for fixed points.
  ///
  /// - Parameters:
  ///   - map: The step.
  ///   - input: The constant input, `[D]`.
  ///   - starts: The initial states of the search, `[N, S]`.
  /// - Returns: The distinct points, in descending order of the number of starts.
  package static func run(_ map: StepMap, input: [Double], starts: Tensor<Double>) -> [FixedPoint] {
    let row = Tensor(repeatingRow: input, count: 1)
    var found: [FixedPoint] = []
    for index in 0..<starts.shape[0] {
      guard let (state, residual) = newton(map, row, starts[index..<index + 1]) else {
        continue
      }
      if let same = found.firstIndex(where: { distance($0.state, state.elements) < sameness }) {
        found[same].startCount += 1
        continue
      }
      let values = map.jacobians(row, state)[0].eigenvalues
      found.append(
        FixedPoint(
          state: state.elements, residual: residual,
          spectralRadius: values.first?.length ?? .nan,
          unstableDirections: values.count { $0.length > 1 + 1e-9 }, startCount: 1))
    }
    return found.sorted { $0.startCount > $1.startCount }
  }

  /// Returns the largest change of a start in one step, relative to max(1, norm of the start).
  package static func largestChange(
    _ map: StepMap, input: [Double], starts: Tensor<Double>
  ) -> Double {
    let inputs = Tensor(repeatingRow: input, count: starts.shape[0])
    let changes = (map.step(inputs, starts) - starts).rowNorms.elements
    return zip(changes, starts.rowNorms.elements).map { $0 / max(1, $1) }.max() ?? 0
  }

  private static func distance(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
  }

  /// Solves F(s) − s = 0 by Newton's method with step-size control.
  private static func newton(
    _ map: StepMap, _ input: Tensor<Double>, _ start: Tensor<Double>
  ) -> (Tensor<Double>, Double)? {
    var state = start
    var change = map.step(input, state) - state
    for _ in 0..<100 {
      let residual = change.norm
      guard residual.isFinite else { return nil }
      let isSmall = residual <= tolerance * max(1, state.norm)
      // (J − 1)·δ = −(F(s) − s)
      var matrix = map.jacobians(input, state)[0]
      for index in 0..<map.size { matrix[index, index] -= 1 }
      guard let step = matrix.solving(change.elements.map { -$0 }) else {
        return isSmall ? (state, residual) : nil
      }
      let direction = Tensor(shape: state.shape, elements: step)
      // If a step hardly changes any state, a small residual alone does not show that the point is near.
      if isSmall, direction.norm <= sameness / 10 { return (state, residual) }
      var (length, isBetter) = (1.0, false)
      while length > 1e-4, !isBetter {
        let next = state + direction * length
        let nextChange = map.step(input, next) - next
        if nextChange.norm < residual {
          (state, change, isBetter) = (next, nextChange, true)
        }
        length /= 2
      }
      if !isBetter { return isSmall ? (state, residual) : nil }
    }
    return nil
  }
}
