// The state of a run; with the text, it determines all later results bit for bit.

package import Unroll

/// The progress of a run: the part of its state other than arrays.
public struct TrainingProgress: Sendable, Equatable, Codable {
  /// The number of completed steps.
  public internal(set) var step = 0
  /// The current epoch, starting at 1.
  public internal(set) var epoch = 1
  /// The number of training symbols so far.
  public internal(set) var symbols = 0
  /// The position of the next batch in the training text.
  var position = 0
  /// Σ loss and symbols of the epoch so far.
  var epochLoss = 0.0, epochSymbols = 0
  /// The validation losses of all epochs, nats per symbol.
  public internal(set) var validations: [Double] = []
  /// The best validation loss and its epoch.
  public internal(set) var bestLoss: Double?, bestEpoch: Int?
  /// The factor of the learning rate after divergences.
  var rateFactor = 1.0
  /// The number of steps that parameters have been averaged over; 0 without averaging.
  var averagedSteps = 0
  /// Seconds of training in all sessions.
  public internal(set) var seconds = 0.0
  /// Seconds of training in this epoch.
  public internal(set) var epochSeconds = 0.0
  /// The sizes in bytes of the metrics file and the event file at this point.
  var metricsBytes = 0, eventBytes = 0
  /// The steps since the last row of metrics; nil if there are none.
  var unlogged: StepTotals?
  /// The step after which the model was last validated within an epoch.
  var validatedStep: Int?
}

/// Sums over some steps, for the means in a row of metrics.
struct StepTotals: Sendable, Equatable, Codable {
  /// The numbers of steps and training symbols.
  var steps = 0, symbols = 0
  /// The sums of the losses in nats and of the gradient norms before clipping.
  var loss = 0.0, norm = 0.0
  var seconds = 0.0
}

/// The state of a run at a step.
package struct TrainingState<Scalar: KernelScalar> {
  package var model: LanguageModel<Scalar>
  package var optimizerStates: [OptimizerState<Scalar>]
  /// The average of the parameters; empty before averaging begins.
  package var averages: [Tensor<Scalar>] = []
  /// The states that the layers carry from batch to batch.
  package var states: [RecurrentState<Scalar>]
  package var progress = TrainingProgress()

  package init(_ model: LanguageModel<Scalar>, _ training: TrainingConfiguration) {
    self.model = model
    optimizerStates = model.tensors.layout.entries.map {
      OptimizerState(training.rule, shape: $0.shape)
    }
    states = model.initialStates(batchSize: training.batchSize)
  }

  /// The model to validate and write: with averaged parameters, if there are any.
  package var evaluationModel: LanguageModel<Scalar> {
    guard !averages.isEmpty else { return model }
    var result = model
    result.forEachParameter { $1 = averages[$0] }
    return result
  }

  /// Updates all parameters with their clipped gradients and increments the step count.
  ///
  /// - Parameters:
  ///   - gradients: The gradients of the mean loss.
  ///   - norm: Their global norm.
  ///   - rate: The learning rate.
  ///   - training: Optimizer, clipping and weight decay.
  package mutating func update(
    with gradients: ModelGradients<Scalar>, norm: Double, rate: Double,
    _ training: TrainingConfiguration
  ) {
    let clip = training.clipNorm
    let scale = clip > 0 && norm > clip ? clip / norm : 1
    let rule = training.rule
    // Plain gradient descent does not change embeddings that were not looked up.
    let entries = model.tensors.layout.entries
    let touchesLittle = rule == .sgd && training.weightDecay == 0
    let all = gradients.all
    model.tensors.modifyEach { index, parameter in
      if touchesLittle && entries[index].part == .embeddingRows { return }
      rule.update(
        &parameter, with: all[index], state: &optimizerStates[index], rate: rate,
        gradientScale: scale,
        weightDecay: training.weightDecay)
    }
    if touchesLittle && !model.configuration.isTied {
      gradients.embeddingRows.update(&model.embedding, rate: rate * scale)
    }
    progress.step += 1
    if progress.averagedSteps > 0 { average() }
  }

  /// Starts averaging parameters, with the current values.
  package mutating func startAveraging() {
    progress.averagedSteps = 1
    // Copy-on-write.
    averages = model.parameters
  }

  private mutating func average() {
    progress.averagedSteps += 1
    let fraction = 1 / Double(progress.averagedSteps)
    for (index, parameter) in model.parameters.enumerated() {
      averages[index].interpolate(toward: parameter, fraction: fraction)
    }
  }

  /// Calls `body` with every array of the state, in place, and its name in a checkpoint.
  ///
  /// `progress` determines which arrays exist, so it must be restored first.
  mutating func forEachArray(
    _ body: (_ name: String, _ array: inout Tensor<Scalar>) throws -> Void
  ) rethrows {
    let names = model.parameterNames
    try model.tensors.modifyEach { try body("model." + names[$0], &$1) }
    for index in optimizerStates.indices {
      var (first, second) = (optimizerStates[index].first, optimizerStates[index].second)
      if !first.isEmpty { try body("first." + names[index], &first) }
      if !second.isEmpty { try body("second." + names[index], &second) }
      optimizerStates[index].restore(first: first, second: second, stepCount: progress.step)
    }
    if progress.averagedSteps == 0 {
      averages = []
    } else if averages.isEmpty {
      averages = model.parameters
    }
    for index in averages.indices { try body("average." + names[index], &averages[index]) }
    for index in states.indices {
      try body("state.\(index).hidden", &states[index].hidden)
      if !states[index].cell.isEmpty { try body("state.\(index).cell", &states[index].cell) }
    }
  }
}
