// Evaluates a model on a text: no dropout, no gradient, every symbol except the first counted once.

internal import RealModule
package import Unroll

/// The loss of a model on a text.
public struct Evaluation: Sendable, Equatable, Codable {
  /// Nats per predicted symbol.
  public var loss: Double
  /// The number of predicted symbols: all except the first.
  public var symbols: Int

  /// The maximum number of symbols read at once, unless there are more parallel sequences, or longer lines.
  static let longestPart = 4096

  /// e to the loss.
  public var perplexity: Double { Double.exp(loss) }
  /// The loss in bits.
  public var bitsPerSymbol: Double { loss / Double.log(2) }
}

/// Evaluates models on texts in reused memory.
package struct Evaluator<Scalar: KernelScalar> {
  private let logits = LogitScratch<Scalar>()
  private let scratch = Scratch<Scalar>()
  private var batch = LanguageBatch(timeStepCount: 0, batchSize: 0, inputs: [], targets: [])
  private var vectors = Tensor<Scalar>(shape: [0])
  private var projected = Tensor<Scalar>(shape: [0])
  /// The loss of each target in `rows`; for several models, `apart` has one list per model.
  private var losses: [Double] = []
  private var apart: [[Double]] = []
  private var rows = LanguageBatch(timeStepCount: 0, batchSize: 0, inputs: [], targets: [])

  package init() {}

  /// A model with its states at a position of the text.
  private struct Reader {
    let model: LanguageModel<Scalar>
    let frozen: [FrozenLayer<Scalar>]
    var states: [RecurrentState<Scalar>]
    let first: [RecurrentState<Scalar>]
    var results: [SequenceOutputs<Scalar>]

    init(_ model: LanguageModel<Scalar>, batchSize: Int) {
      self.model = model
      frozen = model.layers.map { $0.frozen() }
      first = model.initialStates(batchSize: batchSize)
      states = first
      results = model.layers.map { _ in SequenceOutputs<Scalar>() }
    }
  }

  /// Returns the mean loss of one model; see ``run(averaging:_:batchSize:lineEnd:ranks:shouldStop:)``.
  package mutating func run(
    _ model: LanguageModel<Scalar>, _ text: EncodedText, batchSize: Int, lineEnd: Int32? = nil,
    ranks: any Ranks = SingleRank(), shouldStop: () -> Bool = { false }
  ) throws -> Evaluation? {
    try run(
      averaging: [model], text, batchSize: batchSize, lineEnd: lineEnd, ranks: ranks,
      shouldStop: shouldStop)
  }

  /// Returns the mean loss over a text, bit-identical for any number of ranks.
  ///
  /// The rows of a batch are divided among the ranks. If there are too few rows, as when the state is carried
  /// through the whole text, every rank runs the layers, and the softmax is divided by batches.
  ///
  /// - Parameters:
  ///   - models: The models of an ensemble, with one vocabulary; their probabilities are averaged.
  ///   - text: The text.
  ///   - batchSize: The number of parallel sequences, each starting from the initial states; with 1 the state is
  ///     carried through the whole text, as in the literature.
  ///   - lineEnd: The symbol that ends lines, if the states are reset at every line.
  ///   - ranks: The ranks that share the work; all of them get the result.
  ///   - shouldStop: Called before each batch.
  /// - Returns: The evaluation; nil if it was stopped on any rank.
  /// - Throws: `RankError` if a rank is lost.
  package mutating func run(
    averaging models: [LanguageModel<Scalar>], _ text: EncodedText, batchSize: Int,
    lineEnd: Int32? = nil, ranks: any Ranks = SingleRank(), shouldStop: () -> Bool = { false }
  ) throws -> Evaluation? {
    // Lines are not cut unless they are longer than any sentence.
    let steps = lineEnd == nil ? max(1, min(512, Evaluation.longestPart / batchSize)) : 16_384
    let source = BatchSource(
      text, batchSize: batchSize, timeSteps: steps, lineEnd: lineEnd, isComplete: true)
    let dividesRows = batchSize >= ranks.count
    let mine =
      dividesRows ? ShardPlan.piece(ranks.rank, of: ranks.count, in: batchSize) : 0..<batchSize
    var readers = models.map { Reader($0, batchSize: mine.count) }
    apart = models.count > 1 ? [[Double]](repeating: [], count: models.count) : []
    var (position, count, batches) = (0, 0, 0)
    // For each batch, the sum of each row; zero where another rank owns the batch.
    var sums: [Double] = []
    var isStopped = false
    while let next = source.fill(&batch, at: position, step: 0) {
      isStopped = shouldStop()
      if isStopped { break }
      rows.assign(rows: mine, of: batch)
      let isMine = dividesRows || batches % ranks.count == ranks.rank
      for index in readers.indices {
        read(&readers[index], carriesState: lineEnd == nil)
        if isMine {
          findLosses(readers[index])
          if readers.count > 1 { swap(&losses, &apart[index]) }
        }
      }
      if isMine {
        if readers.count > 1 { averageProbabilities() }
        for row in mine.indices {
          var sum = 0.0
          for time in 0..<rows.timeStepCount {
            sum += losses[time * mine.count + row - mine.lowerBound]
          }
          sums.append(sum)
        }
      } else {
        sums.append(contentsOf: repeatElement(0, count: mine.count))
      }
      count += batch.targetCount
      position = next
      batches += 1
    }
    let all = try ranks.gather(RankBytes.encode(sums, flag: isStopped)).map(RankBytes.decode)
    guard !all.contains(where: \.flag) else { return nil }
    var total = 0.0
    for index in 0..<batches {
      if dividesRows {
        for rank in 0..<ranks.count {
          let width = ShardPlan.piece(rank, of: ranks.count, in: batchSize).count
          for row in 0..<width { total += all[rank].numbers[index * width + row] }
        }
      } else {
        let owner = all[index % ranks.count].numbers
        for row in 0..<batchSize { total += owner[index * batchSize + row] }
      }
    }
    return Evaluation(loss: count > 0 ? total / Double(count) : 0, symbols: count)
  }

  /// Runs the layers of a model on `rows`.
  private mutating func read(_ reader: inout Reader, carriesState: Bool) {
    reader.model.embedding.lookUp(
      rows.inputs, timeStepCount: rows.timeStepCount, into: &vectors)
    for index in reader.frozen.indices {
      reader.frozen[index].run(
        index == 0 ? vectors : reader.results[index - 1].outputs,
        from: carriesState ? reader.states[index] : reader.first[index],
        into: &reader.results[index])
      reader.states[index].hidden.assign(reader.results[index].finalState.hidden)
      reader.states[index].cell.assign(reader.results[index].finalState.cell)
    }
  }

  /// Computes the loss of each target in `rows` from the last layer's outputs.
  private mutating func findLosses(_ reader: Reader) {
    let (model, top) = (reader.model, reader.results[reader.frozen.count - 1].outputs)
    if losses.count != rows.targets.count {
      losses = [Double](repeating: 0, count: rows.targets.count)
    }
    if let projection = model.projection {
      projection.forward(top, into: &projected, using: scratch)
    }
    model.softmax.crossEntropy(
      model.configuration.projectionSize == nil ? top : projected, targets: rows.targets,
      losses: &losses, using: logits)
  }

  /// Sets `losses` to −log of the mean of exp(−`apart`); without a target, all are 0.
  private mutating func averageProbabilities() {
    let count = rows.targets.count
    if losses.count != count { losses = [Double](repeating: 0, count: count) }
    for index in losses.indices {
      let best = apart.reduce(Double.infinity) { min($0, $1[index]) }
      // The summand of the best model is 1, so the sum cannot underflow.
      let sum = apart.reduce(0) { $0 + Double.exp(best - $1[index]) }
      losses[index] = best.isFinite ? best - Double.log(sum / Double(apart.count)) : best
    }
  }
}
