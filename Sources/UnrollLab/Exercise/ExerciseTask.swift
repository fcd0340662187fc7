// The tasks of the exercise with the notebook's points, and every threshold of the grading.

/// A task of the exercise, by the notebook's number.
package enum ExerciseTask: Int, Sendable, CaseIterable {
  /// The student's forward pass against TensorFlow's.
  case forward = 1
  /// GRU weights that make it the RNN.
  case gruAsRNN = 2
  /// Distances between runs from different initial states.
  case forgetting = 3
  /// GRU weights that keep the state.
  case keeping = 4
  /// Gradient norms by hand.
  case vanishing = 5
  /// GRU weights whose gradient does not vanish.
  case survivingGradient = 6

  /// A few words.
  package var title: String {
    switch self {
    case .forward: "your own forward pass"
    case .gruAsRNN: "a GRU that is an RNN"
    case .forgetting: "long-term dependency"
    case .keeping: "a GRU that keeps its state"
    case .vanishing: "vanishing gradients"
    case .survivingGradient: "a gradient that survives"
    }
  }

  /// The notebook's points.
  package var points: Double {
    switch self {
    case .forward: ExerciseThreshold.rnnPoints + ExerciseThreshold.gruPoints
    case .gruAsRNN: 4
    case .forgetting: 2
    case .keeping: 4
    case .vanishing: 3
    case .survivingGradient: 3
    }
  }

  /// The name of its answer, without extension.
  package var answerName: String { "task\(rawValue)" }
}

/// What is asked of an answer.
///
/// All thresholds are upper bounds, but for gradient norms.
enum ExerciseThreshold {
  /// The points of task 1 by cell.
  static let rnnPoints = 4.0
  static let gruPoints = 5.0
  /// The notebook's relative error: of outputs and of the final state, in tasks 1 and 5.
  ///
  /// A correct float32 program shows 2e-6 in task 1 at most.
  static let relativeError = 1e-5
  static let gradientError = 1e-3
  /// The largest difference of a distance in task 3, where rounding grows from step to step.
  static let distance = 1e-4
  /// The GRU's relative error to the RNN in task 2: for all points, and for half of them.
  static let gruAsRNN = (full: 1e-5, half: 1e-2)
  /// The drift of the state by step 30 in task 4, relative to the largest element of the initial state, at least 1.
  static let drift = (full: 0.01, half: 0.1)
  /// The smallest gradient norm in task 6.
  static let survival = (full: 1.0, half: 0.1)
  /// The largest gradient norm in task 6: above it, gradients explode.
  static let explosion = 100.0
}
