// How well a model predicts a text from which it learns while it reads: what has been predicted moves the
// parameters before what follows is predicted.

internal import RealModule
package import Unroll
internal import UnrollContracts

/// Dynamic evaluation.
///
/// Source: Mikolov et al. 2010; Krause et al. 2018, [arXiv:1709.07432](https://arxiv.org/abs/1709.07432). There
/// the rule is plain or scaled gradient descent; here it is Adam, clipped by the global norm.
public struct DynamicEvaluation: Sendable, Equatable {
  /// Adam's learning rate.
  public var rate: Double
  /// T, the symbols predicted between two steps, and the length of backpropagation through time.
  public var timeSteps: Int

  /// Creates settings.
  ///
  /// - Precondition: The rate is finite and at least 0, and there is a time step.
  public init(rate: Double, timeSteps: Int = 20) {
    require(
      rate >= 0 && rate.isFinite && timeSteps > 0,
      "DynamicEvaluation.init: expected a rate of at least 0 and a time step, got \(rate) and \(timeSteps)."
    )
    (self.rate, self.timeSteps) = (rate, timeSteps)
  }

  /// The mean loss over a text; the model itself stays as it is.
  ///
  /// - Parameters:
  ///   - model: The model that begins to read.
  ///   - text: The text, whose symbols are each predicted before any step sees them.
  ///   - lineEnd: The symbol that ends lines, if every line begins with the model's initial states.
  /// - Returns: The evaluation; its loss is not finite if the rate is so large that learning diverges.
  /// - Complexity: A training step of one row for every T symbols.
  package func run<Scalar: KernelScalar>(
    _ model: LanguageModel<Scalar>, _ text: EncodedText, lineEnd: Int32? = nil
  ) -> Evaluation {
    var training = TrainingConfiguration()
    training.optimizer = .adam
    training.batchSize = 1
    training.clipNorm = 1
    var state = TrainingState(model, training)
    var pass = ModelPass(model)
    let source = BatchSource(
      text, batchSize: 1, timeSteps: timeSteps, lineEnd: lineEnd, isComplete: true)
    var batch = LanguageBatch(timeStepCount: 0, batchSize: 0, inputs: [], targets: [])
    var (position, total, count) = (0, 0.0, 0)
    while let next = source.fill(&batch, at: position, step: 0) {
      // A line that is longer than T is read in parts, through which the state is carried.
      let symbols = batch.targetCount
      let loss = pass.run(
        state.model, batch, states: &state.states, masks: nil,
        begins: position == 0 || text[position] == lineEnd)
      total += loss * Double(symbols)
      count += symbols
      guard total.isFinite else { break }
      state.move(by: pass.gradients, norm: pass.gradients.norm, rate: rate, training)
      position = next
    }
    let mean = count > 0 ? total / Double(count) : 0
    // As in training: much worse than knowing nothing. Of one symbol alone that would say little.
    let limit = 10 * Double.log(Double(max(2, model.configuration.vocabularySize)))
    return Evaluation(loss: mean <= limit ? mean : .infinity, symbols: count)
  }
}
