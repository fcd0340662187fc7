// The forward and backward pass of one batch through a language model, in reused memory.
//
//   symbols → embedding ⊙ dropout → layers, dropout between them → dropout → (linear) → softmax
//
// Masks are functions of seed and step (`Dropout`), so that the backward pass and a resumed run reproduce them.
// Streams within a step: 0 symbols, 1 input, 2 + l the output of layer l, 1000 + l its U,
// 2000 + l its h and 3000 + l its c.

package import Unroll

/// Input symbols and their successors, `[T, B]`, time-major.
public struct LanguageBatch: Sendable, Equatable {
  /// T.
  public var timeStepCount: Int
  /// B.
  public var batchSize: Int
  /// The symbols to read.
  public var inputs: [Int32]
  /// The symbol to predict after each input; negative for none.
  public var targets: [Int32]

  /// The number of nonnegative targets.
  package var targetCount: Int { targets.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) } }

  /// Copies a range of rows of another batch.
  mutating func assign(rows: Range<Int>, of other: LanguageBatch) {
    timeStepCount = other.timeStepCount
    batchSize = rows.count
    let count = timeStepCount * batchSize
    if inputs.count != count {
      inputs = [Int32](repeating: 0, count: count)
      targets = [Int32](repeating: 0, count: count)
    }
    for time in 0..<timeStepCount {
      for (column, row) in rows.enumerated() {
        inputs[time * batchSize + column] = other.inputs[time * other.batchSize + row]
        targets[time * batchSize + column] = other.targets[time * other.batchSize + row]
      }
    }
  }

  /// Creates a batch.
  public init(timeStepCount: Int, batchSize: Int, inputs: [Int32], targets: [Int32]) {
    self.timeStepCount = timeStepCount
    self.batchSize = batchSize
    self.inputs = inputs
    self.targets = targets
  }
}

/// Penalties on the last layer's output h.
///
/// Source: Merity et al. 2018.
public struct ActivationPenalties: Sendable, Equatable, Codable {
  /// α of the activation penalty (AR): α · mean(h²), after dropout.
  public var activation: Double
  /// β of the temporal penalty (TAR): β · mean((h_t+1 − h_t)²), before dropout.
  public var temporal: Double

  /// Creates penalties; 0 for none.
  public init(activation: Double = 0, temporal: Double = 0) {
    self.activation = activation
    self.temporal = temporal
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case activation, temporal
  }
}

/// The gradient of training steps, with reused memory.
package struct ModelPass<Scalar: KernelScalar> {
  /// The parameters of a step's dropout masks.
  package struct Masks {
    package var rates: DropoutRates
    package var seed: UInt64
    package var step: Int
    /// The index of the shard that the rows belong to; masks of parameters are the same for all shards.
    package var shard = 0

    package init(rates: DropoutRates, seed: UInt64, step: Int, shard: Int = 0) {
      (self.rates, self.seed, self.step, self.shard) = (rates, seed, step, shard)
    }

    /// Returns the mask of a parameter or of symbols.
    package func dropout(_ rate: Double, _ stream: Int) -> Dropout {
      Dropout(rate: rate, seed: seed, stream: stream, step: step)
    }

    /// The seed of masks of rows: run seeds have 32 bits, and the shard is stored above them.
    package var rowSeed: UInt64 { seed ^ UInt64(shard) << 32 }

    /// Returns the mask of rows.
    package func rowDropout(_ rate: Double, _ stream: Int) -> Dropout {
      Dropout(rate: rate, seed: rowSeed, stream: stream, step: step)
    }
  }

  /// The relation of the rows to a larger batch, over whose parts gradients are summed.
  package struct Share {
    /// The number of targets of the whole batch.
    var targetCount: Int
    /// The number of rows of the whole batch divided by those here.
    var factor = 1.0
    /// Whether the rows start from the model's initial states, which then get a gradient.
    var fromInitialStates = false
  }

  package private(set) var gradients: ModelGradients<Scalar>
  /// The losses of the last batch in nats, one per target.
  package private(set) var losses: [Double] = []
  private var traces: [SequenceTrace<Scalar>]
  /// The input of each layer, if dropout changed the output of the layer below.
  private var masked: [Tensor<Scalar>]
  private var top = Tensor<Scalar>(shape: [0])
  private var projected = Tensor<Scalar>(shape: [0])
  private var softmaxGradient = Tensor<Scalar>(shape: [0])
  private var flow = Tensor<Scalar>(shape: [0])
  /// The layers with masks on their U; empty without weight-drop, so that the weights are not shared.
  private var droppedLayers: [RecurrentLayer<Scalar>] = []
  private let logits = LogitScratch<Scalar>()
  private let scratch = Scratch<Scalar>()

  package init(_ model: LanguageModel<Scalar>) {
    gradients = ModelGradients(of: model)
    traces = model.layers.map { _ in SequenceTrace() }
    masked = model.layers.map { _ in Tensor(shape: [0]) }
  }

  /// Calls `body` to modify the gradients in place before they are used.
  package mutating func withGradients(_ body: (inout ModelGradients<Scalar>) -> Void) {
    body(&gradients)
  }

  /// Computes the gradient of the mean loss of a batch, including penalties.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - batch: The inputs and targets.
  ///   - states: The states before the batch; replaced by those after it.
  ///   - masks: Dropout; nil for none.
  ///   - penalties: AR and TAR.
  ///   - fromInitialStates: Whether the batch starts from the model's initial states instead of `states`.
  /// - Returns: The mean loss in nats over the targets, without penalties; 0 if there are none.
  package mutating func run(
    _ model: LanguageModel<Scalar>, _ batch: LanguageBatch,
    states: inout [RecurrentState<Scalar>], masks: Masks?,
    penalties: ActivationPenalties = ActivationPenalties(), fromInitialStates: Bool = false
  ) -> Double {
    let count = batch.targetCount
    let sum = run(
      model, batch, of: Share(targetCount: count, fromInitialStates: fromInitialStates),
      states: &states, masks: masks,
      penalties: penalties)
    gradients.addTiedGradients()
    return sum / Double(max(1, count))
  }

  /// Computes the contribution of some rows to the gradient of the mean loss of a larger batch, including penalties.
  ///
  /// Gradients of tied weights are not added yet.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - batch: The inputs and targets.
  ///   - share: The relation of the rows to the larger batch.
  ///   - states: The states before the rows; replaced by those after them.
  ///   - masks: Dropout; nil for none.
  ///   - penalties: AR and TAR.
  ///   - ready: Called when a part of the gradients is final.
  /// - Returns: The sum of the losses in nats.
  package mutating func run(
    _ model: LanguageModel<Scalar>, _ batch: LanguageBatch, of share: Share,
    states: inout [RecurrentState<Scalar>], masks: Masks?, penalties: ActivationPenalties,
    ready: (ParameterLayout.Part, ModelGradients<Scalar>) -> Void = { _, _ in }
  ) -> Double {
    if share.fromInitialStates { model.begin(&states) }
    forward(model, batch, states, masks)
    if losses.count != batch.targets.count {
      losses = [Double](repeating: 0, count: batch.targets.count)
    }
    let scale = Scalar(1) / Scalar(max(1, share.targetCount))
    lossGradients(model, batch, scale)
    ready(.softmax, gradients)
    backward(model, batch, share, masks, penalties, ready)
    for index in states.indices {
      states[index].hidden.assign(traces[index].finalState.hidden)
      states[index].cell.assign(traces[index].finalState.cell)
    }
    return losses.reduce(0, +)
  }

  /// Swaps the gradients' memory, so that the gradients of one call survive the next.
  package mutating func swapGradients(with other: inout ModelGradients<Scalar>) {
    swap(&gradients, &other)
  }

  private mutating func forward(
    _ model: LanguageModel<Scalar>, _ batch: LanguageBatch, _ states: [RecurrentState<Scalar>],
    _ masks: Masks?
  ) {
    for index in traces.indices { traces[index].releaseInputs() }
    model.embedding.lookUp(batch.inputs, timeStepCount: batch.timeStepCount, into: &masked[0])
    if let masks {
      dropSymbols(&masked[0], batch, masks)
      drop(&masked[0], masks.rates.input, 1, batch, masks)
    }
    for index in model.layers.indices {
      if index > 0 {
        masked[index].assign(traces[index - 1].outputs)
        if let masks { drop(&masked[index], masks.rates.hidden, 1 + index, batch, masks) }
      }
      var layer = dropWeights(model, index, masks)
      if let masks, masks.rates.zoneoutHidden > 0 || masks.rates.zoneoutCell > 0 {
        layer.cell.zoneout.masks = Zoneout.Masks(
          seed: masks.rowSeed, step: masks.step, hiddenStream: 2000 + index,
          cellStream: 3000 + index)
      }
      layer.forward(masked[index], from: states[index], into: &traces[index])
    }
    top.assign(traces[model.layers.count - 1].outputs)
    if let masks { drop(&top, masks.rates.output, 1 + model.layers.count, batch, masks) }
  }

  private mutating func lossGradients(
    _ model: LanguageModel<Scalar>, _ batch: LanguageBatch, _ scale: Scalar
  ) {
    let projection = model.projection
    projection?.forward(top, into: &projected, using: scratch)
    let read = projection == nil ? top : projected
    func differentiate(_ weights: inout Tensor<Scalar>, _ bias: inout Tensor<Scalar>) {
      model.softmax.crossEntropyGradients(
        read, targets: batch.targets, scale: scale, losses: &losses,
        inputGradient: &softmaxGradient, weightGradient: &weights, biasGradient: &bias,
        using: logits)
    }
    if model.configuration.isTied {
      differentiate(&gradients.tensors.embedding.vectors, &gradients.tensors.softmaxBias)
    } else {
      differentiate(&gradients.tensors.softmaxWeights, &gradients.tensors.softmaxBias)
    }
    projection?.backward(
      top, outputGradient: softmaxGradient, inputGradient: &flow,
      weightGradient: &gradients.tensors.projectionWeights,
      biasGradient: &gradients.tensors.projectionBias, using: scratch)
    if projection != nil { softmaxGradient.assign(flow.reshaped(to: top.shape)) }
  }

  private mutating func backward(
    _ model: LanguageModel<Scalar>, _ batch: LanguageBatch, _ share: Share, _ masks: Masks?,
    _ penalties: ActivationPenalties,
    _ ready: (ParameterLayout.Part, ModelGradients<Scalar>) -> Void
  ) {
    let last = model.layers.count - 1
    // Gradients of the penalties: AR applies after dropout, TAR before it.
    if penalties.activation > 0 {
      softmaxGradient.add(
        top, times: Scalar(2 * penalties.activation / (Double(top.count) * share.factor)))
    }
    if let masks { drop(&softmaxGradient, masks.rates.output, 2 + last, batch, masks) }
    if penalties.temporal > 0 {
      addTemporal(traces[last].outputs, batch, penalties.temporal / share.factor)
    }
    for index in model.layers.indices.reversed() {
      let layer = (masks?.rates.weights ?? 0) > 0 ? droppedLayers[index] : model.layers[index]
      layer.backward(
        traces[index], outputs: index == last ? softmaxGradient : flow,
        into: &gradients.tensors.layers[index])
      if let masks, masks.rates.weights > 0 {
        masks.dropout(masks.rates.weights, 1000 + index)
          .apply(to: &gradients.tensors.layers[index].parameters.recurrentWeights)
      }
      gradients.setInitialState(of: index, fromInitialStates: share.fromInitialStates)
      ready(.layer(index), gradients)
      flow.assign(gradients.tensors.layers[index].inputs)
      if let masks {
        drop(
          &flow, index == 0 ? masks.rates.input : masks.rates.hidden, 1 + index, batch, masks)
      }
    }
    // Otherwise they would share the other weights, which then could not be updated in place.
    droppedLayers = []
    if let masks { dropSymbols(&flow, batch, masks) }
    gradients.embeddingRows.set(symbols: batch.inputs, gradient: flow)
    ready(.embeddingRows, gradients)
  }

  /// Adds the gradient of β · mean over B, H and the T − 1 differences to `softmaxGradient`.
  private mutating func addTemporal(
    _ outputs: Tensor<Scalar>, _ batch: LanguageBatch, _ beta: Double
  ) {
    guard batch.timeStepCount > 1 else { return }
    let width = outputs.count / batch.timeStepCount
    let factor = Scalar(2 * beta / Double(outputs.count - width))
    softmaxGradient.withUnsafeMutableElements { gradient in
      outputs.withUnsafeElements { h in
        for time in 1..<batch.timeStepCount {
          for j in 0..<width {
            let d = factor * (h[time * width + j] - h[(time - 1) * width + j])
            gradient[time * width + j] += d
            gradient[(time - 1) * width + j] -= d
          }
        }
      }
    }
  }

  /// Creates a layer with a mask on its U, the same for all steps of the batch.
  private mutating func dropWeights(
    _ model: LanguageModel<Scalar>, _ index: Int, _ masks: Masks?
  ) -> RecurrentLayer<Scalar> {
    guard let masks, masks.rates.weights > 0 else { return model.layers[index] }
    if droppedLayers.isEmpty { droppedLayers = model.layers }
    droppedLayers[index] = model.layers[index]
    masks.dropout(masks.rates.weights, 1000 + index)
      .apply(to: &droppedLayers[index].cell.parameters.recurrentWeights)
    return droppedLayers[index]
  }

  private func drop(
    _ tensor: inout Tensor<Scalar>, _ rate: Double, _ stream: Int, _ batch: LanguageBatch,
    _ masks: Masks
  ) {
    guard rate > 0 else { return }
    masks.rowDropout(rate, stream).apply(
      to: &tensor,
      period: masks.rates.isVariational ? tensor.count / batch.timeStepCount : nil)
  }

  /// Drops all occurrences of a symbol together.
  private func dropSymbols(
    _ vectors: inout Tensor<Scalar>, _ batch: LanguageBatch, _ masks: Masks
  ) {
    guard masks.rates.embedding > 0 else { return }
    let dropout = masks.dropout(masks.rates.embedding, 0)
    let size = vectors.count / max(1, batch.inputs.count)
    vectors.withUnsafeMutableElements { vectors in
      for (row, symbol) in batch.inputs.enumerated() {
        let factor = Scalar(dropout.factor(at: Int(symbol)))
        for j in 0..<size { vectors[row * size + j] *= factor }
      }
    }
  }
}
