// The list of known mistakes: their names, what they are, what would be right, and the switch that makes them.

/// A result of the exercise that slips explain.
package enum ExercisePart: CaseIterable, Sendable {
  case rnnOutputs, gruOutputs, lstmOutputs
  /// Task 3.
  case distances
  /// Task 5.
  case gradientNorms
}

/// One known mistake.
package struct Slip: Sendable {
  /// A few words that name it.
  package let name: String
  /// What was computed, and what is right.
  package let explanation: String
  /// The results in which it can be made.
  let parts: Set<ExercisePart>
  /// Makes the mistake.
  let make: @Sendable (inout Slips) -> Void

  init(
    _ name: String, _ explanation: String, in parts: Set<ExercisePart>,
    make: @escaping @Sendable (inout Slips) -> Void
  ) {
    (self.name, self.explanation, self.parts, self.make) = (name, explanation, parts, make)
  }

  /// The computation with mistakes.
  package static func slips(_ made: [Slip]) -> Slips { made.reduce(into: Slips()) { $1.make(&$0) } }
}

package enum SlipTable {
  /// Every known mistake.
  package static let all = equations + weights + sequence + differences + gradients

  /// The mistakes that can be made in one result.
  package static func slips(in part: ExercisePart) -> [Slip] {
    all.filter { $0.parts.contains(part) }
  }

  private static let rnn: Set<ExercisePart> = [.rnnOutputs, .distances, .gradientNorms]
  private static let gated: Set<ExercisePart> = [.gruOutputs, .lstmOutputs]
  private static let toy: Set<ExercisePart> = [.rnnOutputs, .gruOutputs, .lstmOutputs]
  private static let every = rnn.union(gated)

  /// The equations of the cells.
  private static let equations: [Slip] = [
    Slip(
      "reset gate after the product",
      "You compute c = tanh(x·Wc + r ⊙ (h·Uc) + bc), as PyTorch and cuDNN do. Here r multiplies h before the product: c = tanh(x·Wc + (r ⊙ h)·Uc + bc).",
      in: [.gruOutputs]
    ) { $0.reset = .afterProduct },
    Slip(
      "reset gate also on the input",
      "You multiply x·Wc by r, too. The reset gate acts on h alone: c = tanh(x·Wc + (r ⊙ h)·Uc + bc).",
      in: [.gruOutputs]
    ) { $0.reset = .onInputToo },
    Slip(
      "no reset gate",
      "The candidate reads h without the reset gate. Right is c = tanh(x·Wc + (r ⊙ h)·Uc + bc).",
      in: [.gruOutputs]
    ) { $0.reset = .nowhere },
    Slip(
      "update gate in the place of the reset gate",
      "The candidate reads u ⊙ h. Right is c = tanh(x·Wc + (r ⊙ h)·Uc + bc).",
      in: [.gruOutputs]
    ) { $0.reset = .replacedByUpdate },
    Slip(
      "update gate inverted",
      "You compute h′ = (1 − u) ⊙ h + u ⊙ c. Here u keeps the old state: h′ = u ⊙ h + (1 − u) ⊙ c.",
      in: [.gruOutputs]
    ) { $0.invertsUpdate = true },
    Slip(
      "candidate without the factor 1 − u",
      "You compute h′ = u ⊙ h + c. Right is h′ = u ⊙ h + (1 − u) ⊙ c.", in: [.gruOutputs]
    ) { $0.omitsComplement = true },
    Slip(
      "update gate from the reset state",
      "The update gate reads r ⊙ h. Only the candidate does: u = σ(x·Wu + h·Uu + bu).",
      in: [.gruOutputs]
    ) { $0.updatesFromReset = true },
    Slip(
      "reset and update gate exchanged",
      "The weights of r are used for u, and those of u for r. Names with r are the reset gate's, names with u the update gate's.",
      in: [.gruOutputs]
    ) { $0.exchangesGates = true },
    Slip(
      "sigmoid in the place of tanh",
      "The new state is passed through a sigmoid. Right is h′ = tanh(x·W + h·U + b).", in: rnn
    ) { $0.candidateFunction = .sigmoid },
    Slip(
      "sigmoid and tanh exchanged",
      "The gates are passed through tanh and the candidate through the sigmoid. Gates need values from 0 to 1: σ; the candidate: tanh.",
      in: gated
    ) { ($0.gateFunction, $0.candidateFunction) = (.tanh, .sigmoid) },
    Slip(
      "candidate through a sigmoid",
      "The candidate is passed through a sigmoid. It needs tanh; σ is for the gates.", in: gated
    ) { $0.candidateFunction = .sigmoid },
    Slip(
      "no activation function",
      "The argument of tanh is used as it is. Pass it through tanh.", in: every
    ) { $0.candidateFunction = .identity },
    Slip(
      "rectifier in the place of tanh", "max(0, …) is used. The cells here use tanh.", in: every
    ) { $0.candidateFunction = .rectifier },
    Slip(
      "hard sigmoid",
      "The gates are clip(0.2·a + 0.5, 0, 1), as in old Keras. Right is σ(a) = 1 / (1 + exp(−a)).",
      in: gated
    ) { $0.gateFunction = .hardSigmoidFifth },
    Slip(
      "hard sigmoid of slope 1/6",
      "The gates are clip(a/6 + 0.5, 0, 1), as PyTorch's hardsigmoid. Right is σ(a) = 1 / (1 + exp(−a)).",
      in: gated
    ) { $0.gateFunction = .hardSigmoidSixth },
    Slip(
      "forget offset missing",
      "The forget gate is σ(…) of its argument alone. TensorFlow 1 adds an offset of 1: f = σ(x·Wf + h·Uf + bf + 1).",
      in: [.lstmOutputs]
    ) { $0.omitsForgetOffset = true },
    Slip(
      "output without tanh", "You compute h′ = o ⊙ c′. Right is h′ = o ⊙ tanh(c′).",
      in: [.lstmOutputs]
    ) { $0.cellOutput = .plain },
    Slip(
      "output from the old cell state",
      "You compute h′ = o ⊙ tanh(c) with c before the step. Right is h′ = o ⊙ tanh(c′).",
      in: [.lstmOutputs]
    ) { $0.cellOutput = .previous },
  ]

  /// Which numbers are multiplied with which.
  private static let weights: [Slip] = [
    Slip(
      "LSTM gates in the order of Keras and PyTorch",
      "The kernel's columns are read as i, f, g, o. TensorFlow 1 has i, g, f, o.",
      in: [.lstmOutputs]
    ) { $0.gateOrder = .keras },
    Slip(
      "LSTM gates in the order of ONNX",
      "The kernel's columns are read as i, o, f, g. TensorFlow 1 has i, g, f, o.",
      in: [.lstmOutputs]
    ) { $0.gateOrder = .onnx },
    Slip("bias omitted", "No bias is added. Add b to x·W + h·U.", in: every) {
      $0.biases = .omitted
    },
    Slip("bias added twice", "Every bias is added twice. Add b once.", in: every) {
      $0.biases = .twice
    },
    Slip(
      "bias of the reset gate omitted", "r lacks its bias. Add biasr, which is 1 here.",
      in: [.gruOutputs]
    ) { $0.biases = .withoutReset },
    Slip(
      "bias of the update gate omitted", "u lacks its bias. Add biasu, which is 1 here.",
      in: [.gruOutputs]
    ) { $0.biases = .withoutUpdate },
    Slip(
      "[h, x] in the place of [x, h]",
      "The state is put before the input, but the first rows of the joined kernel are the input's. Join [x, h] and [W; U] in the same order.",
      in: every
    ) { $0.putsStateFirst = true },
    Slip(
      "W read column by column",
      "W is used as if its numbers stood in the file column by column (Fortran, MATLAB, Julia, R), or was reshaped where it should be transposed. The files are row by row: W[input, unit].",
      in: every
    ) { $0.readsInputByColumns = true },
    Slip(
      "U transposed",
      "h is multiplied with Uᵀ. States are rows, and U[before, after]: h·U. In a file that was read column by column U is transposed, too.",
      in: every
    ) { $0.transposed = .all },
    Slip(
      "U of the reset gate transposed", "Right is h·Ur, with wtr_h as it is in the file.",
      in: [.gruOutputs]
    ) { $0.transposed = .reset },
    Slip(
      "U of the update gate transposed", "Right is h·Uu, with wtu_h as it is in the file.",
      in: [.gruOutputs]
    ) { $0.transposed = .update },
    Slip(
      "U of the candidate transposed", "Right is (r ⊙ h)·Uc, with wtc_h as it is in the file.",
      in: [.gruOutputs]
    ) { $0.transposed = .candidate },
  ]

  /// States, steps and axes.
  private static let sequence: [Slip] = [
    Slip(
      "state not carried over",
      "Every step starts from the initial state. Step t starts from the state after step t − 1.",
      in: every
    ) { $0.carry = .initial },
    Slip(
      "state overwritten unit by unit",
      "A new h[j] is written into the vector from which the next units are still computed. Keep the old state until all units are done.",
      in: rnn.union([.gruOutputs])
    ) { $0.carry = .partlyOverwritten },
    Slip(
      "state overwritten before the candidate uses it",
      "h is already u ⊙ h when the candidate is computed. Compute c from the old state, then h′.",
      in: [.gruOutputs]
    ) { $0.carry = .scaledBeforeCandidate },
    Slip(
      "outputs one step late",
      "Output t is the state before step t. Step t's output is the state after it.", in: every
    ) { $0.outputsLate = true },
    Slip(
      "the last state as every output",
      "All outputs are the state after the last step: the same array was put into the list again and again, and changed afterwards. Append a copy, or make a new array in each step.",
      in: every
    ) { $0.repeatsLast = true },
    Slip(
      "batch and time exchanged",
      "The first axis is taken as time. It is the sequence; the second is the step.", in: toy
    ) { $0.reading = .batchAsTime },
    Slip(
      "axes reshaped in the place of transposed",
      "The inputs were reshaped to [step, sequence, input], which mixes steps and sequences. Exchange the axes instead (np.swapaxes(inputs, 0, 1)).",
      in: toy
    ) { $0.reading = .reshaped },
    Slip(
      "outputs reshaped in the place of transposed",
      "The outputs were reshaped from [step, sequence, unit] to [sequence, step, unit], which mixes them. Exchange the axes instead (np.swapaxes(outputs, 0, 1)).",
      in: toy
    ) { $0.reading = .reshapedBack },
    Slip(
      "inputs and outputs reshaped in the place of transposed",
      "Inputs and outputs were reshaped between [sequence, step] and [step, sequence], which mixes them. Exchange the axes instead (np.swapaxes(inputs, 0, 1)).",
      in: toy
    ) { $0.reading = .reshapedAndBack },
    Slip(
      "time reversed", "The sequence is read from its last step to its first. Begin with step 0.",
      in: every
    ) { $0.reading = .reversed },
    Slip(
      "time reversed, outputs put back in order",
      "The sequence is read from its last step to its first, and the outputs are reversed again. Begin with step 0.",
      in: toy
    ) { $0.reading = .reversedAndBack },
    Slip(
      "initial state ignored",
      "The run starts from zero, whatever the initial state is. Start from the state that is given.",
      in: [.distances]
    ) { $0.ignoresInitialState = true },
    Slip(
      "0.5 subtracted again",
      "0.5 was subtracted from the inputs. The inputs in large.npz are centred already.",
      in: [.distances, .gradientNorms]
    ) { $0.centresTwice = true },
    Slip(
      "weights of the other task",
      "Task 3 uses wt_h, wt_x and bias; task 5 uses task5_wt_h, task5_wt_x and task5_bias.",
      in: [.distances, .gradientNorms]
    ) { $0.usesOtherWeights = true },
    Slip(
      "one step too early",
      "Steps are counted from 0: step 30 is outputs[:, 30], the state after 31 updates.",
      in: [.distances, .gradientNorms]
    ) { $0.stepShift = -1 },
    Slip(
      "one step too late",
      "Steps are counted from 0: step 30 is outputs[:, 30], the state after 31 updates.",
      in: [.distances, .gradientNorms]
    ) { $0.stepShift = 1 },
  ]

  /// Norms, and the pairs of task 3.
  private static let differences: [Slip] = [
    Slip(
      "square root missing", "The sum of squares is not a norm yet: take its square root.",
      in: [.distances, .gradientNorms]
    ) { $0.norm = .squared },
    Slip(
      "sum of magnitudes in the place of the Euclidean norm",
      "Right is the square root of the sum of squares over the units.",
      in: [.distances, .gradientNorms]
    ) { $0.norm = .sumOfMagnitudes },
    Slip(
      "mean of magnitudes in the place of the Euclidean norm",
      "Right is the square root of the sum of squares over the units.",
      in: [.distances, .gradientNorms]
    ) { $0.norm = .meanMagnitude },
    Slip(
      "mean of squares in the place of the Euclidean norm",
      "Right is the square root of the sum of squares over the units.",
      in: [.distances, .gradientNorms]
    ) { $0.norm = .meanSquare },
    Slip(
      "largest element in the place of the Euclidean norm",
      "Right is the square root of the sum of squares over the units.",
      in: [.distances, .gradientNorms]
    ) { $0.norm = .largest },
    Slip(
      "root of the mean square in the place of the Euclidean norm",
      "The root of the mean square is smaller by √8. Right is the square root of the sum of squares over the units.",
      in: [.distances, .gradientNorms]
    ) { $0.norm = .rootMeanSquare },
    Slip(
      "random 1 not multiplied by 100",
      "The last three pairs use 100·init_rand1 as an initial state.", in: [.distances]
    ) { $0.omitsHundred = true },
  ]

  /// Backward passes.
  private static let gradients: [Slip] = [
    Slip(
      "derivative of tanh forgotten",
      "The gradient is multiplied with Uᵀ alone. Multiply it with 1 − h[t]² first, in every step.",
      in: [.gradientNorms]
    ) { $0.derivative = .omitted },
    Slip(
      "derivative at the state before the step",
      "You use 1 − h[t−1]². The derivative of step t is 1 − h[t]², with the state after the step.",
      in: [.gradientNorms]
    ) { $0.derivative = .ofPreviousState },
    Slip(
      "derivative with tanh taken twice",
      "You use 1 − tanh(h[t])². h[t] is a tanh already: 1 − h[t]².", in: [.gradientNorms]
    ) { $0.derivative = .ofTanhOfOutput },
    Slip(
      "derivative 1 − h", "You use 1 − h[t]. The derivative of tanh is 1 − h[t]².",
      in: [.gradientNorms]
    ) { $0.derivative = .notSquared },
    Slip(
      "derivative after the product with Uᵀ",
      "You compute (g·Uᵀ) ⊙ (1 − h[t]²). The derivative comes first: (g ⊙ (1 − h[t]²))·Uᵀ.",
      in: [.gradientNorms]
    ) { $0.derivative = .afterProduct },
    Slip(
      "U in the place of Uᵀ in the backward pass",
      "States are rows: forward h·U, backward g·Uᵀ.", in: [.gradientNorms]
    ) { $0.transposesInBackward = true },
    Slip(
      "steps multiplied in the order of time",
      "The backward pass begins with the last step, 30, and ends with step 0.",
      in: [.gradientNorms]
    ) { $0.multipliesInTimeOrder = true },
    Slip(
      "gradient of the last state of all",
      "You differentiate the state at step 49. The task asks for step 30.", in: [.gradientNorms]
    ) { $0.stepShift = 19 },
    Slip(
      "gradient with respect to the first output",
      "The backward pass ends at the state after step 0. Go one step further: to the initial state.",
      in: [.gradientNorms]
    ) { $0.reach = .firstOutput },
    Slip(
      "gradient at random 1",
      "The run starts from init_rand1. The task asks for the gradient at initial_state, zero.",
      in: [.gradientNorms]
    ) { $0.startsAtRandom = true },
    Slip(
      "norm of the whole Jacobian",
      "The norm is over the gradients of all 8 elements of h. The task asks for the gradient of their sum.",
      in: [.gradientNorms]
    ) { $0.objective = .everyElement },
    Slip(
      "gradient of the mean in the place of the sum",
      "Σ h is differentiated, not its mean: begin with 1 for every unit.", in: [.gradientNorms]
    ) { $0.objective = .mean },
    Slip(
      "gradient divided by the number of sequences",
      "Sequences do not affect each other: begin with 1 for every unit of each sequence.",
      in: [.gradientNorms]
    ) { $0.objective = .meanOverBatch },
    Slip(
      "gradient of all states in the place of one",
      "You differentiate Σ h of steps 0 to 30. The task asks for step 30 alone.",
      in: [.gradientNorms]
    ) { $0.objective = .sumOverSteps },
  ]
}
