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
  private var sums: ModelGradients<Float>
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
  ///   - changesSums: Whether `withGradients` will be called.
  ///   - mostSymbols: The most different symbols of a batch; nil for no limit.
  /// - Throws: `RankError` if one of them is gone.
  package init(
    _ model: LanguageModel<Float>, _ plan: ShardPlan, _ ranks: any Ranks, changesSums: Bool = false,
    mostSymbols: Int? = nil
  ) throws {
    (self.plan, self.ranks, self.changesSums) = (plan, ranks, changesSums)
    pass = ModelPass(model)
    sums = ModelGradients(of: model)
    isTouched = []
    states = []
    guard plan.shardCount > 1 else {
      summing = ranks
      return
    }
    sums.takeShapes(of: model)
    isTouched = [Bool](repeating: false, count: model.configuration.vocabularySize)
    states = model.zeroStates(batchSize: 1)
    let vectors = model.embedding.vectors.shape
    let rows = [min(vectors[0], mostSymbols ?? vectors[0]), vectors[1]]
    let sizes = sums.places().map(\.count) + [rows[0] * rows[1]]
    guard let common = try CommonSums(of: sizes, plan, ranks) else {
      summing = ranks
      return
    }
    summing = common
    for set in 0..<plan.shards(of: ranks.rank).count {
      let places = common.gradientPlaces(set)
      if set == 0 {
        pass.withGradients { $0.takeShapes(of: model, at: places) }
      } else {
        held.append(ModelGradients(of: model))
        held[set - 1].takeShapes(of: model, at: places)
      }
      heldRows.append(.zeros(rows, at: places[places.count - 1]))
    }
    let places = common.sumPlaces
    // What this rank changes afterwards is a copy of its own.
    if !changesSums {
      sums.takeShapes(of: model, at: places)
      if sums.isTied { sums.softmaxWeights = Tensor(shape: vectors) }
    }
    sumRows = .zeros(rows, at: places[places.count - 1])
  }

  /// The gradient of the last step's mean loss.
  package var gradients: ModelGradients<Float> { plan.shardCount == 1 ? pass.gradients : sums }

  /// Arrays of gradients that were copied so that other ranks of this host could read them.
  package var copies: Int { (summing as? CommonSums)?.copies ?? 0 }

  /// Gradients changed in place before they are used.
  ///
  /// - Precondition: The pass has been told so at the beginning.
  package mutating func withGradients(_ body: (inout ModelGradients<Float>) -> Void) {
    require(changesSums, "ShardedPass.withGradients: expected a pass that changes sums.")
    if plan.shardCount == 1 { pass.withGradients(body) } else { body(&sums) }
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
  /// - Returns: The sums of the losses of this rank's shards, in nats.
  /// - Throws: `RankError` if a rank is gone.
  package mutating func run(
    _ model: LanguageModel<Float>, _ batch: LanguageBatch, targetCount: Int,
    states all: inout [RecurrentState<Float>], masks: ModelPass<Float>.Masks,
    penalties: ActivationPenalties
  ) throws -> [Double] {
    let share = ModelPass<Float>.Share(targetCount: targetCount)
    if plan.shardCount == 1 {
      let loss = pass.run(
        model, batch, of: share, states: &all, masks: masks, penalties: penalties)
      pass.withGradients { $0.join() }
      return [loss]
    }
    collectTouched(batch)
    sumRows.prepare(touched.count, model.configuration.embeddingSize)
    summing.beginSums(plan, sums.places() + [sumRows.place()])
    var losses: [Double] = []
    let mine = plan.shards(of: ranks.rank)
    for shard in mine {
      losses.append(
        runShard(shard, index: shard - mine.lowerBound, model, batch, share, &all, masks, penalties)
      )
    }
    try summing.finishSums()
    sums.lookUps.set(symbols: touched, rows: sumRows)
    sums.join()
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
      if part == .lookUps {
        gradients.lookUps.copyRows(touched, into: &packed)
        let stays = packed.withUnsafeElements {
          summing.contribute(gradients.indices(of: part).lowerBound, shard: shard, $0)
        }
        if stays { mustStay = true }
        return
      }
      for (index, tensor) in zip(gradients.indices(of: part), gradients.tensors(of: part)) {
        let stays = tensor.withUnsafeElements { summing.contribute(index, shard: shard, $0) }
        if stays { mustStay = true }
      }
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

// MARK: - Gradients as a list of sums

extension ModelGradients<Float> {
  /// The arrays that are summed at once when a part is ready.
  fileprivate func tensors(of part: ModelPass<Float>.Part) -> [Tensor<Float>] {
    switch part {
    case .softmax:
      [softmaxWeights, softmaxBias] + (hasProjection ? [projectionWeights, projectionBias] : [])
    case .layer(let index):
      layers[index].parameters.all
    case .lookUps: []
    }
  }

  /// The places of a part's arrays among all sums: the softmax, the layers from the last one down, the
  /// vectors.
  fileprivate func indices(of part: ModelPass<Float>.Part) -> Range<Int> {
    var first = 0
    func next(_ count: Int) -> Range<Int> {
      defer { first += count }
      return first..<first + count
    }
    let softmax = next(hasProjection ? 4 : 2)
    if part == .softmax { return softmax }
    for index in layers.indices.reversed() {
      let range = next(layers[index].parameters.all.count)
      if part == .layer(index) { return range }
    }
    return next(1)
  }

  /// Becomes zero, of the shapes of this model's parameters; the numbers stand where they are wanted, in the
  /// order of `indices(of:)`.
  fileprivate mutating func takeShapes(
    of model: LanguageModel<Float>, at places: [UnsafeMutablePointer<Float>] = []
  ) {
    var next = places.makeIterator()
    func zeros(_ shape: [Int]) -> Tensor<Float> {
      next.next().map { .zeros(shape, at: $0) } ?? Tensor(shape: shape)
    }
    softmaxWeights = zeros(model.softmax.weights.shape)
    softmaxBias = zeros(model.softmaxBias.shape)
    if hasProjection {
      projectionWeights = zeros(model.projectionWeights.shape)
      projectionBias = zeros(model.projectionBias.shape)
    }
    for index in layers.indices.reversed() {
      layers[index].parameters = model.layers[index].cell.parameters.zeros
      layers[index].parameters.modifyEach { $1 = zeros($1.shape) }
    }
  }

  /// Where the sums go, in the order of `indices(of:)`, but the vectors'.
  fileprivate mutating func places() -> [UnsafeMutableBufferPointer<Float>] {
    var result = [softmaxWeights.place(), softmaxBias.place()]
    if hasProjection { result += [projectionWeights.place(), projectionBias.place()] }
    for index in layers.indices.reversed() {
      layers[index].parameters.modifyEach { result.append($1.place()) }
    }
    return result
  }
}

extension Tensor<Float> {
  /// Zeros at an address: memory that all ranks see is there for certain only when it has been written.
  fileprivate static func zeros(_ shape: [Int], at place: UnsafeMutablePointer<Float>) -> Tensor {
    var result = Tensor(shape: shape, at: place)
    result.fill(0)
    return result
  }

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
