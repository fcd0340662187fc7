// Ridge regression: the linear function of a state that best predicts a target, and how well it does on other data.

internal import Unroll

/// The states of a ridge regression, prepared once for any number of targets.
package struct RidgeRegression: Sendable {
  private let means: [Double]
  /// The states minus their means, transposed: `[S, N]`.
  private let centred: Matrix
  /// The covariance of the states times N, plus λ on the diagonal: `[S, S]`.
  private var gram: Matrix

  /// Prepares states.
  ///
  /// - Parameters:
  ///   - states: `[N, S]`, one row per observation.
  ///   - ridge: λ, relative to N times the mean variance of a number of the state; more than 0.
  package init(states: Matrix, ridge: Double) {
    means = states.columnMeans
    let rows = states.subtracting(means)
    centred = rows.transposed
    gram = centred * rows
    let trace = (0..<gram.rows).reduce(0) { $0 + gram[$1, $1] }
    // States that never change predict nothing: any positive number keeps the equations regular.
    let penalty = trace > 0 ? ridge * trace / Double(gram.rows) : 1
    for index in 0..<gram.rows { gram[index, index] += penalty }
  }

  /// Fits targets: minimises Σ ‖y − s·W − b‖² + λ ‖W‖².
  ///
  /// - Parameter targets: y, `[N, K]`.
  /// - Returns: The readout; nil if a number is not finite.
  package func readout(of targets: Matrix) -> LinearReadout? {
    let targetMeans = targets.columnMeans
    guard let weights = gram.solving(centred * targets.subtracting(targetMeans)) else { return nil }
    return LinearReadout(weights: weights, stateMeans: means, targetMeans: targetMeans)
  }
}

/// A linear readout y = s·W + b of states.
package struct LinearReadout: Sendable {
  /// W, one row per number of the state and one column per target.
  package let weights: Matrix
  fileprivate let stateMeans, targetMeans: [Double]

  /// The coefficient of determination R² of each target, on states that the readout may not have seen.
  ///
  /// 1 minus the ratio of the squared error to the variance: 1 for a perfect prediction, 0 for the mean, less for a
  /// worse one; NaN for a target that never changes.
  ///
  /// - Parameters:
  ///   - states: `[N, S]`.
  ///   - targets: `[N, K]`.
  /// - Returns: K numbers.
  package func determination(states: Matrix, targets: Matrix) -> [Double] {
    let predictions = states.subtracting(stateMeans) * weights
    let means = targets.columnMeans
    return (0..<targets.columns).map { column in
      var (error, variance) = (0.0, 0.0)
      for row in 0..<targets.rows {
        let target = targets[row, column]
        let difference = target - targetMeans[column] - predictions[row, column]
        error += difference * difference
        variance += (target - means[column]) * (target - means[column])
      }
      return 1 - error / variance
    }
  }
}

extension Matrix {
  /// The mean of each column; NaN without rows.
  fileprivate var columnMeans: [Double] {
    (0..<columns).map { column in
      (0..<rows).reduce(0) { $0 + self[$1, column] } / Double(rows)
    }
  }

  /// The matrix minus a row.
  fileprivate func subtracting(_ row: [Double]) -> Matrix {
    var result = self
    for index in 0..<rows {
      for column in 0..<columns { result[index, column] -= row[column] }
    }
    return result
  }
}
