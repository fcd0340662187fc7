// States that a step with a constant input leaves where they are, found by Newton's method from many
// starts, and what becomes of states near them.
//
// Source: Sussillo, Barak (2013), "Opening the black box".

internal import ComplexModule
package import Unroll

/// A state that a step does not change.
public struct FixedPoint: Sendable, Codable {
  /// The state, h and c side by side.
  public var state: [Double]
  /// The norm of F(s) − s.
  public var residual: Double
  /// The magnitude of the largest eigenvalue of ∂F/∂s: below 1, states nearby come closer.
  public var spectralRadius: Double
  /// How many eigenvalues are beyond 1 in magnitude: all of them at a source, some at a saddle.
  public var unstableDirections: Int
  /// From how many starts it was found.
  public var startCount: Int

  /// Whether states nearby come closer.
  ///
  /// A point is neither stable nor unstable whose spectral radius is 1: neighbours stay where they are.
  public var isStable: Bool { spectralRadius < 1 - 1e-9 }
}

package enum FixedPointSearch {
  /// A residual relative to the state's size that counts as none.
  private static let tolerance = 1e-11
  /// Points closer than this are one.
  private static let sameness = 1e-6

  /// Finds fixed points.
  ///
  /// - Parameters:
  ///   - map: The step.
  ///   - input: The input of every step, `[D]`.
  ///   - starts: Where to begin, `[N, S]`.
  /// - Returns: Different points, the one that was found from most starts first.
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

  /// The largest change of a start by one step, relative to its size, which counts as at least 1.
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

  /// Newton's method for F(s) − s = 0, with shorter steps where whole ones lead away.
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
      // Where a step hardly moves any state, a small change alone does not show that the point is near.
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
