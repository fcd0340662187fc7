// Dynamic evaluation: the model is updated on each part of a text after predicting it.

internal import RealModule
package import Unroll
internal import UnrollContracts

/// The settings of dynamic evaluation.
///
/// Source: Mikolov et al. 2010; Krause et al. 2018, [arXiv:1709.07432](https://arxiv.org/abs/1709.07432). They use
/// plain or scaled gradient descent; this implementation uses Adam, clipped by the global norm.
public struct DynamicEvaluation: Sendable, Equatable {
  /// Adam's learning rate.
  public var rate: Double
  /// T, the number of symbols between two updates, and the length of backpropagation through time.
  public var timeSteps: Int

  /// Creates settings.
  ///
  /// - Precondition: The rate is finite and at least 0, and T is at least 1.
  public init(rate: Double, timeSteps: Int = 20) {
    require(
      rate >= 0 && rate.isFinite && timeSteps > 0,
      "DynamicEvaluation.init: expected a rate of at least 0 and a time step, got \(rate) and \(timeSteps)."
    )
    (self.rate, self.timeSteps) = (rate, timeSteps)
  }

  /// Returns the mean loss over a text; the model itself is not changed.
  ///
  /// - Parameters:
  ///   - model: The initial model.
  ///   - text: The text; each symbol is predicted before an update includes it.
  ///   - lineEnd: The symbol that ends lines, if the states are reset at every line.
  /// - Returns: The evaluation; its loss is not finite if training diverges because the rate is too large.
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
      // A line longer than T is read in parts, carrying the state.
      let symbols = batch.targetCount
      let loss = pass.run(
        state.model, batch, states: &state.states, masks: nil,
        fromInitialStates: position == 0 || text[position] == lineEnd)
      total += loss * Double(symbols)
      count += symbols
      guard total.isFinite else { break }
      state.update(with: pass.gradients, norm: pass.gradients.norm, rate: rate, training)
      position = next
    }
    let mean = count > 0 ? total / Double(count) : 0
    // As in training, a loss far above that of a uniform distribution is divergence. A single symbol is too few to
    // judge.
    let limit = 10 * Double.log(Double(max(2, model.configuration.vocabularySize)))
    return Evaluation(loss: mean <= limit ? mean : .infinity, symbols: count)
  }
}
