// The pass of a batch in shards: computes this rank's shards one after the other and sums the gradients of all shards.
// A part of the gradients is sent to the other ranks as soon as it is final, while the backward pass continues through
// the lower layers.

package import Unroll
internal import UnrollContracts

/// The gradient of a training step, computed in shards.
package struct ShardedPass {
  package let plan: ShardPlan
  private let ranks: any Ranks
  /// The implementation of the sums, by messages or through shared memory.
  private let summing: any ShardSums
  private let changesSums: Bool
  private var pass: ModelPass<Float>
  /// The gradients of this rank's shards that are still being exchanged.
  private var held: [ModelGradients<Float>] = []
  /// The embedding gradients of those shards, packed to the rows of `touched`.
  private var heldRows: [Tensor<Float>] = []
  /// The sums; nil if there is only one shard.
  private var sums: ModelGradients<Float>?
  private var sumRows = Tensor<Float>(shape: [0, 0])
  private var touched: [Int32] = []
  private var isTouched: [Bool]
  private var rows = LanguageBatch(timeStepCount: 0, batchSize: 0, inputs: [], targets: [])
  private var states: [RecurrentState<Float>]

  /// Creates the pass; collective.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - plan: The assignment of shards to ranks.
  ///   - ranks: The ranks.
  ///   - changesSums: Whether `clip` will be called.
  ///   - maximumSymbols: The maximum number of distinct symbols of a batch; nil for no limit.
  /// - Throws: `RankError` if a rank is lost.
  package init(
    _ model: LanguageModel<Float>, _ plan: ShardPlan, _ ranks: any Ranks, changesSums: Bool = false,
    maximumSymbols: Int? = nil
  ) throws {
    (self.plan, self.ranks, self.changesSums) = (plan, ranks, changesSums)
    pass = ModelPass(model)
    isTouched = []
    states = []
    guard plan.shardCount > 1 else {
      summing = ranks
      return
    }
    var sums = ModelGradients(of: model)
    isTouched = [Bool](repeating: false, count: model.configuration.vocabularySize)
    states = model.initialStates(batchSize: 1)
    let vectors = model.embedding.vectors.shape
    let rows = [min(vectors[0], maximumSymbols ?? vectors[0]), vectors[1]]
    let sizes = sums.places().map(\.count) + [rows[0] * rows[1]]
    self.sums = sums
    guard let common = try SharedMemorySums(of: sizes, plan, ranks) else {
      summing = ranks
      return
    }
    summing = common
    for set in 0..<plan.shards(of: ranks.rank).count {
      let places = common.gradientPlaces(set)
      let gradients = ModelGradients(of: model, at: places)
      if set == 0 { pass.withGradients { $0 = gradients } } else { held.append(gradients) }
      heldRows.append(.zeros(rows, at: places[places.count - 1]))
    }
    let places = common.sumPlaces
    // This rank modifies a private copy.
    if !changesSums {
      sums = ModelGradients(of: model, at: places)
      if model.configuration.isTied {
        sums.tensors.embedding.vectors = Tensor(shape: vectors)
      }
      self.sums = sums
    }
    sumRows = .zeros(rows, at: places[places.count - 1])
  }

  /// The gradient of the mean loss of the last step.
  package var gradients: ModelGradients<Float> { sums ?? pass.gradients }

  /// The number of gradient arrays that were copied to make them readable by other ranks of this host.
  package var copies: Int { (summing as? SharedMemorySums)?.copies ?? 0 }

  /// Clips every element of the gradients to ±limit.
  ///
  /// - Precondition: The pass was created with `changesSums`.
  package mutating func clip(to limit: Double) {
    require(changesSums, "ShardedPass.clip: expected a pass that changes sums.")
    if sums == nil { pass.withGradients { $0.clip(to: limit) } }
    sums?.clip(to: limit)
  }

  /// Computes the gradient of the mean loss of a batch, including penalties; see `ModelPass.run`.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - batch: The inputs and targets of all rows.
  ///   - targetCount: The number of targets of the batch.
  ///   - all: The states of all rows; those of this rank's shards are replaced.
  ///   - masks: Dropout.
  ///   - penalties: AR and TAR.
  ///   - fromInitialStates: Whether all rows start from the model's initial states instead of `all`.
  /// - Returns: The sums of the losses of this rank's shards, in nats.
  /// - Throws: `RankError` if a rank is lost.
  package mutating func run(
    _ model: LanguageModel<Float>, _ batch: LanguageBatch, targetCount: Int,
    states all: inout [RecurrentState<Float>], masks: ModelPass<Float>.Masks,
    penalties: ActivationPenalties, fromInitialStates: Bool = false
  ) throws -> [Double] {
    let share = ModelPass<Float>.Share(
      targetCount: targetCount, fromInitialStates: fromInitialStates)
    if plan.shardCount == 1 {
      let loss = pass.run(
        model, batch, of: share, states: &all, masks: masks, penalties: penalties)
      pass.withGradients { $0.addTiedGradients() }
      return [loss]
    }
    collectTouched(batch)
    sumRows.prepare(touched.count, model.configuration.embeddingSize)
    summing.beginSums(plan, (sums?.places() ?? []) + [sumRows.place()])
    var losses: [Double] = []
    let mine = plan.shards(of: ranks.rank)
    for shard in mine {
      losses.append(
        runShard(shard, index: shard - mine.lowerBound, model, batch, share, &all, masks, penalties)
      )
    }
    try summing.finishSums()
    sums?.embeddingRows.set(symbols: touched, rows: sumRows)
    sums?.addTiedGradients()
    return losses
  }

  private mutating func runShard(
    _ shard: Int, index: Int, _ model: LanguageModel<Float>, _ batch: LanguageBatch,
    _ whole: ModelPass<Float>.Share, _ all: inout [RecurrentState<Float>],
    _ masks: ModelPass<Float>.Masks, _ penalties: ActivationPenalties
  ) -> Double {
    let range = plan.rows(of: shard)
    rows.assign(rows: range, of: batch)
    for layer in states.indices { states[layer].assign(rows: range, of: all[layer]) }
    var (share, masks) = (whole, masks)
    share.factor = Double(batch.batchSize) / Double(range.count)
    masks.shard = shard
    if heldRows.count <= index { heldRows.append(Tensor(shape: [0, 0])) }
    heldRows[index].prepare(touched.count, sumRows.shape[1])
    let (summing, touched) = (summing, touched)
    var packed = Tensor<Float>(shape: [0, 0])
    swap(&packed, &heldRows[index])
    var mustStay = false
    let loss = pass.run(
      model, rows, of: share, states: &states, masks: masks, penalties: penalties
    ) { part, gradients in
      func contribute(_ index: Int, _ tensor: Tensor<Float>) {
        let stays = tensor.withUnsafeElements { summing.contribute(index, shard: shard, $0) }
        if stays { mustStay = true }
      }
      let (entries, tensors) = (gradients.tensors.layout.entries, gradients.tensors.all)
      for index in entries.indices where entries[index].part == part {
        contribute(index, tensors[index])
      }
      guard part == .embeddingRows else { return }
      gradients.embeddingRows.copyRows(touched, into: &packed)
      contribute(entries.count, packed)
    }
    swap(&packed, &heldRows[index])
    for layer in states.indices { states[layer].copy(into: &all[layer], rows: range) }
    // The gradients of the last shard stay in place: nothing is computed before they have been summed.
    if mustStay && shard < plan.shards(of: ranks.rank).upperBound - 1 {
      if held.count <= index { held.append(ModelGradients(of: model)) }
      pass.swapGradients(with: &held[index])
    }
    return loss
  }

  /// Collects the distinct symbols of a batch in the order of first use.
  private mutating func collectTouched(_ batch: LanguageBatch) {
    for symbol in touched { isTouched[Int(symbol)] = false }
    touched.removeAll(keepingCapacity: true)
    for symbol in batch.inputs where !isTouched[Int(symbol)] {
      isTouched[Int(symbol)] = true
      touched.append(symbol)
    }
  }
}

extension ModelGradients<Float> {
  /// Returns the destinations of the sums in the order of the layout, followed by the looked-up embedding rows.
  fileprivate mutating func places() -> [UnsafeMutableBufferPointer<Float>] {
    var result: [UnsafeMutableBufferPointer<Float>] = []
    tensors.modifyEach { result.append($1.place()) }
    return result
  }
}

extension Tensor<Float> {
  /// Returns the address of the elements, valid until the tensor is copied or modified.
  fileprivate mutating func place() -> UnsafeMutableBufferPointer<Float> {
    let count = count
    return withUnsafeMutableElements { UnsafeMutableBufferPointer(start: $0, count: count) }
  }
}

extension RecurrentState<Float> {
  /// Copies a range of rows of another state.
  fileprivate mutating func assign(rows: Range<Int>, of other: RecurrentState) {
    hidden.assign(rows: rows, of: other.hidden)
    cell.assign(rows: rows, of: other.cell)
  }

  /// Copies all rows over a range of rows of another state.
  fileprivate func copy(into other: inout RecurrentState, rows: Range<Int>) {
    hidden.copy(into: &other.hidden, rows: rows)
    cell.copy(into: &other.cell, rows: rows)
  }
}
