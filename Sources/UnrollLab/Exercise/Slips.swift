// Common mistakes in a forward or backward pass, as switches. What each of them changes is in `PlainCell`,
// `PlainSequence` and `LargeProblem`; their names and explanations are in `SlipTable`.

/// How a computation differs from the right one; the default is right.
package struct Slips: Equatable, Sendable {
  /// Where a GRU's reset gate acts.
  enum Reset { case beforeProduct, afterProduct, onInputToo, nowhere, replacedByUpdate }
  /// What is added to the gates' arguments.
  enum Biases { case once, omitted, twice, withoutReset, withoutUpdate }
  /// The function of the gates.
  enum GateFunction { case sigmoid, tanh, hardSigmoidFifth, hardSigmoidSixth }
  /// The function of the candidate, and of an LSTM's c.
  enum CandidateFunction { case tanh, sigmoid, identity, rectifier }
  /// The state that a step reads.
  enum Carry { case previous, initial, partlyOverwritten, scaledBeforeCandidate }
  /// How the inputs' axes and the order of the steps are read.
  enum Reading {
    case given, reversed, reversedAndBack, batchAsTime, reshaped, reshapedAndBack, reshapedBack
  }
  /// The order of an LSTM's gates in the kernel.
  enum GateOrder { case tensorFlow, keras, onnx }
  /// How an LSTM's state becomes its output.
  enum CellOutput { case activated, plain, previous }
  /// Which number stands for a vector of differences, or for a gradient.
  enum Norm {
    case euclidean, squared, sumOfMagnitudes, meanMagnitude, largest, rootMeanSquare, meanSquare
  }
  /// The derivative of tanh.
  enum Derivative {
    case ofOutput, omitted, ofPreviousState, ofTanhOfOutput, notSquared, afterProduct
  }
  /// Whose U is transposed.
  enum Transposed { case none, all, reset, update, candidate }
  /// What is differentiated.
  enum Objective { case sum, mean, meanOverBatch, everyElement, sumOverSteps }
  /// How far back the gradient is taken.
  enum Reach { case initialState, firstOutput }

  /// The right computation.
  package init() {}

  var reset = Reset.beforeProduct
  var biases = Biases.once
  var gateFunction = GateFunction.sigmoid
  var candidateFunction = CandidateFunction.tanh
  var carry = Carry.previous
  var reading = Reading.given
  var gateOrder = GateOrder.tensorFlow
  var cellOutput = CellOutput.activated
  /// u and 1 − u exchanged in h′.
  var invertsUpdate = false
  /// The candidate is added without its factor 1 − u.
  var omitsComplement = false
  /// r and u exchanged.
  var exchangesGates = false
  /// An LSTM's forget gate without the offset 1.
  var omitsForgetOffset = false
  /// [h, x] times a kernel whose first rows are those of x.
  var putsStateFirst = false
  /// W read column by column.
  var readsInputByColumns = false
  /// Uᵀ in the place of U.
  var transposed = Transposed.none
  /// The update gate reads r ⊙ h.
  var updatesFromReset = false
  /// The state before a step as its output.
  var outputsLate = false
  /// The last state as every output: the same array in every place of a list.
  var repeatsLast = false
  /// Zero in the place of the given initial state.
  var ignoresInitialState = false
  /// 0.5 subtracted from inputs that are centred already.
  var centresTwice = false
  /// The large problem's other weights: of task 5 in task 3, of task 3 in task 5.
  var usesOtherWeights = false
  /// The number of steps by which a step is missed.
  var stepShift = 0
  var norm = Norm.euclidean
  /// Random 1 in the place of 100 times random 1.
  var omitsHundred = false
  var derivative = Derivative.ofOutput
  var objective = Objective.sum
  var reach = Reach.initialState
  /// U in the place of Uᵀ in the backward pass.
  var transposesInBackward = false
  /// The factors of the steps multiplied from the first to the last.
  var multipliesInTimeOrder = false
  /// The gradient at random 1 in the place of the zero state.
  var startsAtRandom = false
}
