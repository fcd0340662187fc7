// How well a model predicts a text: no dropout, no gradient, every symbol but the first counted once.

internal import RealModule
package import Unroll

/// What a model makes of a text.
public struct Evaluation: Sendable, Equatable, Codable {
  /// Nats per predicted symbol.
  public var loss: Double
  /// The predicted symbols: all but the first.
  public var symbols: Int

  /// The most symbols that are read at once, unless there are more sequences side by side, or longer lines.
  static let longestPart = 4096

  /// e to the loss.
  public var perplexity: Double { Double.exp(loss) }
  /// The loss in bits.
  public var bitsPerSymbol: Double { loss / Double.log(2) }
}

/// Runs models over texts, in memory that is used again.
package struct Evaluator<Scalar: KernelScalar> {
  private let logits = LogitMemory<Scalar>()
  private let workspace = Workspace<Scalar>()
  private var batch = LanguageBatch(timeStepCount: 0, batchSize: 0, inputs: [], targets: [])
  private var vectors = Tensor<Scalar>(shape: [0])
  private var projected = Tensor<Scalar>(shape: [0])
  /// The loss at each of `rows`' targets; of several models, those of each one in `apart`.
  private var losses: [Double] = []
  private var apart: [[Double]] = []
  private var rows = LanguageBatch(timeStepCount: 0, batchSize: 0, inputs: [], targets: [])

  package init() {}

  /// A model that has read a text up to some place.
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

  /// The mean loss of one model over a text; see ``run(averaging:_:batchSize:lineEnd:ranks:shouldStop:)``.
  package mutating func run(
    _ model: LanguageModel<Scalar>, _ text: EncodedText, batchSize: Int, lineEnd: Int32? = nil,
    ranks: any Ranks = SingleRank(), shouldStop: () -> Bool = { false }
  ) throws -> Evaluation? {
    try run(
      averaging: [model], text, batchSize: batchSize, lineEnd: lineEnd, ranks: ranks,
      shouldStop: shouldStop)
  }

  /// The mean loss over a text, to the same bits for any number of ranks.
  ///
  /// The rows of a batch are divided among the ranks. Where there are fewer, as with a state that is carried
  /// through the whole text, every rank runs the layers, and the softmax is divided by batches.
  ///
  /// - Parameters:
  ///   - models: The models, of one vocabulary; the mean of their probabilities is judged.
  ///   - text: The text.
  ///   - batchSize: Sequences side by side, each beginning with the model's initial states; with 1 the
  ///     state is carried through the whole text, as the literature does.
  ///   - lineEnd: The symbol that ends lines, if every line begins with the model's initial states.
  ///   - ranks: Who shares the work; all of them get the result.
  ///   - shouldStop: Asked before each batch.
  /// - Returns: The evaluation; nil if it was stopped, on any rank.
  /// - Throws: `RankError` if a rank is gone.
  package mutating func run(
    averaging models: [LanguageModel<Scalar>], _ text: EncodedText, batchSize: Int,
    lineEnd: Int32? = nil, ranks: any Ranks = SingleRank(), shouldStop: () -> Bool = { false }
  ) throws -> Evaluation? {
    // Lines are not cut, unless one is longer than any sentence.
    let steps = lineEnd == nil ? max(1, min(512, Evaluation.longestPart / batchSize)) : 16_384
    let source = BatchSource(
      text, batchSize: batchSize, timeSteps: steps, lineEnd: lineEnd, isComplete: true)
    let dividesRows = batchSize >= ranks.count
    let mine =
      dividesRows ? ShardPlan.piece(ranks.rank, of: ranks.count, in: batchSize) : 0..<batchSize
    var readers = models.map { Reader($0, batchSize: mine.count) }
    apart = models.count > 1 ? [[Double]](repeating: [], count: models.count) : []
    var (position, count, batches) = (0, 0, 0)
    // Of each batch: the sum of each of this rank's rows; zero where another rank has the batch.
    var sums: [Double] = []
    var isStopped = false
    while let next = source.fill(&batch, at: position, step: 0) {
      isStopped = shouldStop()
      if isStopped { break }
      rows.become(rows: mine, of: batch)
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

  /// Runs the layers of a model over `rows`.
  private mutating func read(_ reader: inout Reader, carriesState: Bool) {
    reader.model.embedding.lookUp(
      rows.inputs, timeStepCount: rows.timeStepCount, into: &vectors)
    for index in reader.frozen.indices {
      reader.frozen[index].run(
        index == 0 ? vectors : reader.results[index - 1].outputs,
        from: carriesState ? reader.states[index] : reader.first[index],
        into: &reader.results[index])
      reader.states[index].hidden.become(reader.results[index].finalState.hidden)
      reader.states[index].cell.become(reader.results[index].finalState.cell)
    }
  }

  /// The loss at each of `rows`' targets, from what the last layer made of them.
  private mutating func findLosses(_ reader: Reader) {
    let (model, top) = (reader.model, reader.results[reader.frozen.count - 1].outputs)
    if losses.count != rows.targets.count {
      losses = [Double](repeating: 0, count: rows.targets.count)
    }
    if let projection = model.projection {
      projection.forward(top, into: &projected, using: workspace)
    }
    model.softmax.crossEntropy(
      model.configuration.projectionSize == nil ? top : projected, targets: rows.targets,
      losses: &losses, using: logits)
  }

  /// Puts -log of the mean of e to the minus `apart` into `losses`; where there is no target, all are 0.
  private mutating func averageProbabilities() {
    let count = rows.targets.count
    if losses.count != count { losses = [Double](repeating: 0, count: count) }
    for index in losses.indices {
      let best = apart.reduce(Double.infinity) { min($0, $1[index]) }
      // The best one's summand is 1: the sum cannot underflow, however small all probabilities are.
      let sum = apart.reduce(0) { $0 + Double.exp(best - $1[index]) }
      losses[index] = best.isFinite ? best - Double.log(sum / Double(apart.count)) : best
    }
  }
}
