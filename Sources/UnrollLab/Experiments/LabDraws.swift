// The order in which an experiment draws from its random stream, and the initial weights.
//
// The notebook runs several experiments on one stream, so the weights of its last experiment are drawn after the states
// of the earlier ones. An experiment that runs alone can skip to the same position.

package import Unroll
internal import UnrollFormats

/// The order in which an experiment draws random numbers.
public enum LabDraws: String, Sendable, Codable, CaseIterable {
  /// Inputs, weights, then two states per step, with a new stream.
  case fresh
  /// The notebook's order, which reproduces the notebook's numbers.
  ///
  /// Inputs, the RNN's weights, two states for each of the steps 10, 20 and 30, the same for the GRU, then the
  /// weights of the gradient experiment. A step uses the states of the last of 10, 20 and 30 that is not after it; a
  /// step before 10 uses the first. Gradients are computed at the first state of the GRU's step 30. Uniform weights of
  /// a GRU or LSTM, which the notebook does not draw, follow the RNN's states.
  /// weights of a GRU or LSTM, which the notebook does not draw, come after the RNN's states.
  case notebook
  /// The order of the notebook's later edition: weights, inputs, then two states for all steps.
  case laterEdition = "later-edition"
}

/// The initial weights of an experiment, before its settings change them.
public enum LabInitialWeights: String, Sendable, Codable, CaseIterable {
  /// Weights and biases uniform in ± scale/2.
  case uniform
  /// The weights drawn by TensorFlow 1.13.1 for the notebook's graph: Glorot kernels, zero biases, except 1 for a GRU's
  /// gates and an LSTM's forget gate.
  case tensorflow
}

/// The experiments that share the notebook's stream.
package enum NotebookPart {
  /// Long-term dependency.
  case forward
  /// Gradients.
  case backward
}

/// Two random states for one step.
struct StatePair {
  let first, second: DrawnState

  init(_ cellStateSize: Int, _ settings: LabSettings, _ random: inout NumPyRandom) {
    first = DrawnState(cellStateSize, settings, &random)
    second = DrawnState(cellStateSize, settings, &random)
  }
}

/// The random numbers of an experiment: inputs, weights, and the states drawn afterwards.
package struct ExperimentDraws<Scalar: KernelScalar> {
  /// `[T, B, D]`.
  package let inputs: Tensor<Scalar>
  package let cell: Cell<Scalar>
  /// The state that remains in the notebook's variable; only for its gradients.
  private var leftState: Tensor<Double>?
  private let settings: LabSettings
  /// The stream after the inputs, if weights are drawn next.
  private var afterInputs: NumPyRandom?
  /// The stream after the draws so far.
  private(set) var random: NumPyRandom

  /// Draws inputs and weights in the order of the settings.
  package init(_ settings: LabSettings, _ part: NotebookPart = .forward) {
    self.settings = settings
    random = NumPyRandom(seed: settings.generatorSeed)
    let parameters: CellParameters<Scalar>
    switch settings.draws {
    case .fresh:
      inputs = drawInputs(settings, &random)
      afterInputs = random
      parameters = drawWeights(settings, scale: settings.scale, &random)
    case .laterEdition:
      parameters = drawWeights(settings, scale: settings.scale, &random)
      inputs = drawInputs(settings, &random)
    case .notebook:
      inputs = drawInputs(settings, &random)
      let isNotebooksOwn = part == .forward && settings.cell == .rnn
      if !isNotebooksOwn || settings.initialWeights != .uniform {
        Self.skipWeights(settings, &random)
      }
      if !isNotebooksOwn { _ = Self.notebookPairs(settings, &random) }
      if part == .backward {
        leftState = Self.notebookPairs(settings, &random).last?.first.hidden
      }
      parameters = drawWeights(settings, scale: settings.scale, &random)
    }
    cell = Cell(settings.cell, parameters: parameters)
  }

  /// Returns the same draws with weights of another scale, without drawing the inputs again.
  package func with(scale: Double) -> ExperimentDraws {
    var settings = settings
    settings.scale = scale
    guard let afterInputs else { return ExperimentDraws(settings) }
    return ExperimentDraws(settings, inputs, afterInputs)
  }

  private init(_ settings: LabSettings, _ inputs: Tensor<Scalar>, _ afterInputs: NumPyRandom) {
    (self.settings, self.inputs, self.afterInputs) = (settings, inputs, afterInputs)
    random = afterInputs
    cell = Cell(
      settings.cell, parameters: drawWeights(settings, scale: settings.scale, &random))
  }

  /// Returns the states for each of the settings' steps.
  mutating func statePairs() -> [StatePair] {
    drawnPairs(settings, cell.cellStateSize, &random)
  }

  /// Returns the state at which gradients are computed.
  package mutating func gradientState() -> DrawnState {
    guard let leftState else { return DrawnState(cell.cellStateSize, settings, &random) }
    return DrawnState(
      hidden: leftState, cell: random.rand([settings.batchSize, cell.cellStateSize]))
  }

  /// Returns the random state of a sweep: the first one drawn, or the notebook's for the last step.
  package mutating func sweepState() -> DrawnState {
    guard settings.draws == .notebook, let pair = statePairs().last else {
      return DrawnState(cell.cellStateSize, settings, &random)
    }
    return pair.first
  }

  private static func skipWeights(_ settings: LabSettings, _ random: inout NumPyRandom) {
    let (hidden, input) = (settings.hiddenSize, settings.inputSize)
    _ = random.rand([hidden * hidden + input * hidden + hidden])
  }

  /// Returns the states that the notebook draws for a cell without c.
  private static func notebookPairs(
    _ settings: LabSettings, _ random: inout NumPyRandom
  ) -> [StatePair] {
    LabSettings.notebookSteps.map { _ in StatePair(0, settings, &random) }
  }
}

/// Returns two states for each of the settings' steps, in the order of the settings.
func drawnPairs(
  _ settings: LabSettings, _ cellStateSize: Int, _ random: inout NumPyRandom
) -> [StatePair] {
  func pair() -> StatePair { StatePair(cellStateSize, settings, &random) }
  switch settings.draws {
  case .fresh:
    return settings.steps.map { _ in pair() }
  case .notebook:
    let pairs = LabSettings.notebookSteps.map { _ in pair() }
    return settings.steps.map { step in
      pairs[LabSettings.notebookSteps.lastIndex { $0 <= step } ?? 0]
    }
  case .laterEdition:
    let only = pair()
    return settings.steps.map { _ in only }
  }
}

extension CellKind {
  /// Returns the initial weights of TensorFlow 1.13.1.
  func tensorFlowParameters<Scalar: KernelScalar>(
    inputSize: Int, hiddenSize: Int, seed: Int
  ) -> CellParameters<Scalar> {
    let initial = TensorFlowInitialWeights(
      inputSize: inputSize, hiddenSize: hiddenSize, seed: Int64(seed))
    switch self {
    case .rnn: return initial.rnn()
    case .gruResetBefore, .gruResetAfter: return initial.gru()
    default: break
    }
    // Weights at the position of the RNN's: Glorot, forget bias 1.
    var parameters = Cell<Scalar>(self, inputSize: inputSize, hiddenSize: hiddenSize).parameters
    let kernel = Tensor<Scalar>(
      TensorFlowRandom(seed: Int64(seed), opSeed: TensorFlowInitialWeights.notebookOpSeeds[0])
        .glorotUniform(fanIn: inputSize + hiddenSize, fanOut: gateCount * hiddenSize))
    parameters.inputWeights = kernel[0..<inputSize]
    parameters.recurrentWeights = kernel[inputSize..<kernel.shape[0]]
    if retention == Retention(.forget) {
      parameters[.forget].bias = Tensor(shape: [hiddenSize], repeating: 1)
    }
    return parameters
  }
}
