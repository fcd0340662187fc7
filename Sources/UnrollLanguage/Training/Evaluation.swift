// How well a model predicts a text: no dropout, no gradient, every symbol but the first counted once.

internal import RealModule
internal import Unroll

/// What a model makes of a text.
public struct Evaluation: Sendable, Equatable, Codable {
  /// Nats per predicted symbol.
  public var loss: Double
  /// The predicted symbols: all but the first.
  public var symbols: Int

  /// e to the loss.
  public var perplexity: Double { Double.exp(loss) }
  /// The loss in bits.
  public var bitsPerSymbol: Double { loss / Double.log(2) }
}

/// Runs a model over texts, in memory that is used again.
struct Evaluator<Scalar: KernelScalar> {
  private let logits = LogitMemory<Scalar>()
  private let workspace = Workspace<Scalar>()
  private var batch = LanguageBatch(timeStepCount: 0, batchSize: 0, inputs: [], targets: [])
  private var vectors = Tensor<Scalar>(shape: [0])
  private var projected = Tensor<Scalar>(shape: [0])
  private var losses: [Double] = []

  /// The mean loss over a text.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - text: The text.
  ///   - batchSize: Sequences side by side, each beginning with states that are zero; with 1 the
  ///     state is carried through the whole text, as the literature does.
  ///   - lineEnd: The symbol that ends lines, if every line begins with states that are zero.
  ///   - shouldStop: Asked before each batch.
  /// - Returns: The evaluation; nil if it was stopped.
  mutating func run(
    _ model: LanguageModel<Scalar>, _ text: EncodedText, batchSize: Int, lineEnd: Int32? = nil,
    shouldStop: () -> Bool = { false }
  ) -> Evaluation? {
    // Lines are not cut, unless one is longer than any sentence.
    let steps = lineEnd == nil ? max(1, min(512, 4096 / batchSize)) : 16_384
    let source = BatchSource(
      text, batchSize: batchSize, timeSteps: steps, lineEnd: lineEnd, isComplete: true)
    let frozen = model.layers.map { $0.frozen() }
    var states = model.zeroStates(batchSize: batchSize)
    let zero = states
    var results = model.layers.map { _ in SequenceOutputs<Scalar>() }
    var (position, total, count) = (0, 0.0, 0)
    while let next = source.fill(&batch, at: position, step: 0) {
      if shouldStop() { return nil }
      model.embedding.lookUp(batch.inputs, timeStepCount: batch.timeStepCount, into: &vectors)
      for index in frozen.indices {
        frozen[index].run(
          index == 0 ? vectors : results[index - 1].outputs,
          from: lineEnd == nil ? states[index] : zero[index], into: &results[index])
        states[index].hidden.become(results[index].finalState.hidden)
        states[index].cell.become(results[index].finalState.cell)
      }
      if losses.count != batch.targets.count {
        losses = [Double](repeating: 0, count: batch.targets.count)
      }
      let top = results[frozen.count - 1].outputs
      if let projection = model.projection {
        projection.forward(top, into: &projected, using: workspace)
      }
      model.softmax.crossEntropy(
        model.configuration.projectionSize == nil ? top : projected, targets: batch.targets,
        losses: &losses, using: logits)
      for loss in losses { total += loss }
      for target in batch.targets where target >= 0 { count += 1 }
      position = next
    }
    return Evaluation(loss: count > 0 ? total / Double(count) : 0, symbols: count)
  }
}
