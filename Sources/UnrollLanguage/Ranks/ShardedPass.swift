// A batch through the model in shards, those of this rank one after the other, and the sum of all shards'
// gradients. A part of the gradients goes to the other ranks as soon as it is ready, while the way back
// goes on through the layers below.

package import Unroll
internal import UnrollContracts

/// A training step's gradient, from shards.
package struct ShardedPass {
  package let plan: ShardPlan
  private let ranks: any Ranks
  /// Who sums: the ranks by messages, or through memory that they have in common.
  private let summing: any ShardSums
  private let changesSums: Bool
  private var pass: ModelPass<Float>
  /// The gradients of this rank's shards that are still on their way.
  private var held: [ModelGradients<Float>] = []
  /// The vectors' gradients of those, the rows of `touched` alone.
  private var heldRows: [Tensor<Float>] = []
  /// The sums; nil if there is one shard, whose gradients are all.
  private var sums: ModelGradients<Float>?
  private var sumRows = Tensor<Float>(shape: [0, 0])
  private var touched: [Int32] = []
  private var isTouched: [Bool]
  private var rows = LanguageBatch(timeStepCount: 0, batchSize: 0, inputs: [], targets: [])
  private var states: [RecurrentState<Float>]

  /// Called by all ranks.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - plan: Which rank has which shard.
  ///   - ranks: The ranks.
  ///   - changesSums: Whether `clip` will be called.
  ///   - mostSymbols: The most different symbols of a batch; nil for no limit.
  /// - Throws: `RankError` if one of them is gone.
  package init(
    _ model: LanguageModel<Float>, _ plan: ShardPlan, _ ranks: any Ranks, changesSums: Bool = false,
    mostSymbols: Int? = nil
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
    let rows = [min(vectors[0], mostSymbols ?? vectors[0]), vectors[1]]
    let sizes = sums.places().map(\.count) + [rows[0] * rows[1]]
    self.sums = sums
    guard let common = try CommonSums(of: sizes, plan, ranks) else {
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
    // What this rank changes afterwards is a copy of its own.
    if !changesSums {
      sums = ModelGradients(of: model, at: places)
      if model.configuration.isTied {
        sums.tensors.embedding.vectors = Tensor(shape: vectors)
      }
      self.sums = sums
    }
    sumRows = .zeros(rows, at: places[places.count - 1])
  }

  /// The gradient of the last step's mean loss.
  package var gradients: ModelGradients<Float> { sums ?? pass.gradients }

  /// Arrays of gradients that were copied so that other ranks of this host could read them.
  package var copies: Int { (summing as? CommonSums)?.copies ?? 0 }

  /// Limits every number of the gradients to ± limit.
  ///
  /// - Precondition: The pass has been told so at the beginning.
  package mutating func clip(to limit: Double) {
    require(changesSums, "ShardedPass.clip: expected a pass that changes sums.")
    if sums == nil { pass.withGradients { $0.clip(to: limit) } }
    sums?.clip(to: limit)
  }

  /// The gradient of the mean loss of a batch, penalties included; see `ModelPass.run`.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - batch: What is read and predicted, all rows of it.
  ///   - targetCount: Its targets that count.
  ///   - all: The states of all rows; those of this rank's shards are replaced.
  ///   - masks: Dropout.
  ///   - penalties: AR and TAR.
  ///   - begins: Whether all rows begin with the model's initial states instead of `all`.
  /// - Returns: The sums of the losses of this rank's shards, in nats.
  /// - Throws: `RankError` if a rank is gone.
  package mutating func run(
    _ model: LanguageModel<Float>, _ batch: LanguageBatch, targetCount: Int,
    states all: inout [RecurrentState<Float>], masks: ModelPass<Float>.Masks,
    penalties: ActivationPenalties, begins: Bool = false
  ) throws -> [Double] {
    let share = ModelPass<Float>.Share(targetCount: targetCount, begins: begins)
    if plan.shardCount == 1 {
      let loss = pass.run(
        model, batch, of: share, states: &all, masks: masks, penalties: penalties)
      pass.withGradients { $0.join() }
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
    sums?.lookUps.set(symbols: touched, rows: sumRows)
    sums?.join()
    return losses
  }

  private mutating func runShard(
    _ shard: Int, index: Int, _ model: LanguageModel<Float>, _ batch: LanguageBatch,
    _ whole: ModelPass<Float>.Share, _ all: inout [RecurrentState<Float>],
    _ masks: ModelPass<Float>.Masks, _ penalties: ActivationPenalties
  ) -> Double {
    let range = plan.rows(of: shard)
    rows.become(rows: range, of: batch)
    for layer in states.indices { states[layer].become(rows: range, of: all[layer]) }
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
      guard part == .lookUps else { return }
      gradients.lookUps.copyRows(touched, into: &packed)
      contribute(entries.count, packed)
    }
    swap(&packed, &heldRows[index])
    for layer in states.indices { states[layer].put(into: &all[layer], rows: range) }
    // The last shard's stay where they are: nothing is computed before they have been summed.
    if mustStay && shard < plan.shards(of: ranks.rank).upperBound - 1 {
      if held.count <= index { held.append(ModelGradients(of: model)) }
      pass.swapGradients(with: &held[index])
    }
    return loss
  }

  /// The symbols of a batch, each once, in the order of their first use.
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
  /// Where the sums go, in the order of the layout; those of the rows that were looked up come after them.
  fileprivate mutating func places() -> [UnsafeMutableBufferPointer<Float>] {
    var result: [UnsafeMutableBufferPointer<Float>] = []
    tensors.modifyEach { result.append($1.place()) }
    return result
  }
}

extension Tensor<Float> {
  /// The elements, for as long as the tensor is neither copied nor changed.
  fileprivate mutating func place() -> UnsafeMutableBufferPointer<Float> {
    let count = count
    return withUnsafeMutableElements { UnsafeMutableBufferPointer(start: $0, count: count) }
  }
}

extension RecurrentState<Float> {
  /// Takes over some rows of another state.
  fileprivate mutating func become(rows: Range<Int>, of other: RecurrentState) {
    hidden.become(rows: rows, of: other.hidden)
    cell.become(rows: rows, of: other.cell)
  }

  /// Puts its rows into another state.
  fileprivate func put(into other: inout RecurrentState, rows: Range<Int>) {
    hidden.put(into: &other.hidden, rows: rows)
    cell.put(into: &other.cell, rows: rows)
  }
}
