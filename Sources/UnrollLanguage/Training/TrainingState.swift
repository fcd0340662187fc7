// All that a run is at one moment: with it, and the text, what follows is determined to the bit.

package import Unroll

/// How far a run is; the part of its state that is not arrays.
public struct TrainingProgress: Sendable, Equatable, Codable {
  /// Steps done.
  public internal(set) var step = 0
  /// The epoch that runs, from 1.
  public internal(set) var epoch = 1
  /// Symbols learnt from.
  public internal(set) var symbols = 0
  /// Where the next batch begins in the training text.
  var position = 0
  /// Σ loss and symbols of the epoch so far.
  var epochLoss = 0.0, epochSymbols = 0
  /// The validation loss of every epoch, nats per symbol.
  public internal(set) var validations: [Double] = []
  /// The best of them, and its epoch.
  public internal(set) var bestLoss: Double?, bestEpoch: Int?
  /// What divergence has left of the learning rate.
  var rateFactor = 1.0
  /// The steps that parameters have been averaged over; 0: they are not.
  var averagedSteps = 0
  /// Seconds of learning, over all sittings.
  public internal(set) var seconds = 0.0
  /// Seconds of learning of this epoch.
  public internal(set) var epochSeconds = 0.0
  /// Bytes of the metrics file and of the event file that belong to the run up to here.
  var metricsBytes = 0, eventBytes = 0
  /// The steps since the last row of metrics; nil if there are none.
  var unlogged: StepTotals?
  /// The step after which the model was last validated within an epoch.
  var validatedStep: Int?
}

/// Sums over some steps, of which a row of metrics has the means.
struct StepTotals: Sendable, Equatable, Codable {
  /// Steps, and symbols learnt from.
  var steps = 0, symbols = 0
  /// Σ loss in nats, Σ of the gradients' norms before clipping.
  var loss = 0.0, norm = 0.0
  var seconds = 0.0
}

/// A run at one moment.
package struct TrainingState<Scalar: KernelScalar> {
  package var model: LanguageModel<Scalar>
  package var memories: [OptimizerMemory<Scalar>]
  /// The average of the parameters; empty before averaging begins.
  package var averages: [Tensor<Scalar>] = []
  /// What the layers carry from batch to batch.
  package var states: [RecurrentState<Scalar>]
  package var progress = TrainingProgress()

  package init(_ model: LanguageModel<Scalar>, _ training: TrainingConfiguration) {
    self.model = model
    memories = model.tensors.layout.entries.map { OptimizerMemory(training.rule, shape: $0.shape) }
    states = model.initialStates(batchSize: training.batchSize)
  }

  /// The model that is judged and kept: with averaged parameters, where there are any.
  package var judgedModel: LanguageModel<Scalar> {
    guard !averages.isEmpty else { return model }
    var result = model
    result.forEachParameter { $1 = averages[$0] }
    return result
  }

  /// Moves all parameters by their gradients, clipped, and counts the step.
  ///
  /// - Parameters:
  ///   - gradients: The gradients of the mean loss.
  ///   - norm: Their global norm.
  ///   - rate: The learning rate.
  ///   - training: Rule, clipping and decay.
  package mutating func move(
    by gradients: ModelGradients<Scalar>, norm: Double, rate: Double,
    _ training: TrainingConfiguration
  ) {
    let clip = training.clipNorm
    let scale = clip > 0 && norm > clip ? clip / norm : 1
    let rule = training.rule
    // Plain descent leaves the symbols that were not looked up as they are.
    let entries = model.tensors.layout.entries
    let touchesLittle = rule == .sgd && training.weightDecay == 0
    let all = gradients.all
    model.tensors.modifyEach { index, parameter in
      if touchesLittle && entries[index].part == .lookUps { return }
      rule.move(
        &parameter, by: all[index], memory: &memories[index], rate: rate, gradientScale: scale,
        weightDecay: training.weightDecay)
    }
    if touchesLittle && !model.configuration.isTied {
      gradients.lookUps.descend(&model.embedding, rate: rate * scale)
    }
    progress.step += 1
    if progress.averagedSteps > 0 { average() }
  }

  /// Begins to average parameters, from those that are there.
  package mutating func startAveraging() {
    progress.averagedSteps = 1
    // Copied at the first change.
    averages = model.parameters
  }

  private mutating func average() {
    progress.averagedSteps += 1
    let share = 1 / Double(progress.averagedSteps)
    for (index, parameter) in model.parameters.enumerated() {
      averages[index].approach(parameter, share: share)
    }
  }

  /// Calls `body` with every array of the state, in place, by the name that a checkpoint gives it.
  ///
  /// Which arrays there are depends on `progress`, which a state that is read gets first.
  mutating func forEachArray(
    _ body: (_ name: String, _ array: inout Tensor<Scalar>) throws -> Void
  ) rethrows {
    let names = model.parameterNames
    try model.tensors.modifyEach { try body("model." + names[$0], &$1) }
    for index in memories.indices {
      var (first, second) = (memories[index].first, memories[index].second)
      if !first.isEmpty { try body("first." + names[index], &first) }
      if !second.isEmpty { try body("second." + names[index], &second) }
      memories[index].restore(first: first, second: second, stepCount: progress.step)
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
