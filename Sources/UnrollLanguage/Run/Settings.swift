// The table of all settings of a run. The options and the help of `unroll train`, commented files and the checks of
// ranges are made from it; the properties that hold the values are in RunConfiguration, ModelConfiguration and
// TrainingConfiguration.

internal import Unroll

/// A setting of a run.
package typealias Setting = SettingField<RunConfiguration>

/// The settings of a run.
package enum Settings {
  /// All settings, in the order of the file.
  ///
  /// A schedule is one value; its parts follow it.
  package static let all: [Setting] =
    run + model.map { $0.below("model", \.model) }
    + training.map { $0.below("training", \.training) } + [
      Setting("version", \.version, "version", "Version of the program that wrote the file.")
    ]

  /// The setting at a path; nil if there is none.
  package static func at(_ path: String) -> Setting? { byPath[path] }

  /// The setting that an error names, whose path may begin below `model` or `training`.
  package static func named(_ field: String) -> Setting? {
    ["", "model.", "training."].lazy.compactMap { byPath[$0 + field] }.first
  }

  /// The first problem with the values of fields; nil if there is none.
  static func problem<Root>(in fields: [SettingField<Root>], of root: Root) -> String? {
    fields.lazy.compactMap { $0.problem(in: root) }.first
  }

  private static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })

  private static let count = SettingValues.integers(1...1_000_000_000)
  private static let size = SettingValues.integers(1...10_000_000)

  /// The fields of the file that are in no object of it.
  static let run: [Setting] = [
    Setting(
      "preset", \.preset, "name", .words(Preset.all.map(\.name)),
      "Preset that the settings began from."),
    Setting(
      "corpus", \.corpus, "path",
      "Training text: a folder with train, valid and perhaps test, or a file; none for the embedded grammar."
    ),
    Setting(
      "split", \.split, "fractions",
      "Fractions of a single file for training, validation and test, in file order."),
    Setting(
      "unit", \.unit, "unit", .words(SymbolUnit.allCases.map(\.rawValue)),
      "Unit of the text: words, characters (Unicode scalars) or bytes."),
    Setting(
      "trims_lines", \.trimsLines, "yes", "Remove spaces at both ends of lines (characters)."),
    Setting(
      "vocabulary_limit", \.vocabularyLimit, "count", .integers(3...10_000_000),
      "Maximum size of the vocabulary; everything else becomes <unk>."),
    Setting(
      "minimum_count", \.minimumCount, "count", .integersFrom(1),
      "Minimum count for a word to enter the vocabulary."),
    Setting(
      "vectors", \.vectors, "file",
      "Initial embedding: a .npy file [V, E], or lines of a word and its numbers."),
    Setting(
      "weights", \.weights, "file",
      "Initial recurrent layers: a file of another program, or anything that unroll inspect reads."),
    Setting(
      "weights_prefix", \.weightsPrefix, "prefix",
      "Prefix of the parameters' names, if the file of weights holds several networks."),
  ]

  /// The fields of `model`.
  static let model: [SettingField<ModelConfiguration>] = [
    .init(
      "vocabulary_size", \.vocabularySize, "count", size,
      "Size of the vocabulary; the training text sets it."),
    .init("embedding_size", \.embeddingSize, "units", size, "Size of the embedding."),
    .init("hidden_size", \.hiddenSize, "units", size, "Units of each recurrent layer."),
    .init("top_size", \.topSize, "units", size, "Units of the last layer, if they differ."),
    .init("layers", \.layers, "count", .integers(1...1000), "Number of recurrent layers."),
    .init(
      "cell", \.cell, "cell", .words(CellKind.allCases.map(\.rawValue)),
      "Recurrent cell; the reset gate of gru comes before the product, that of gru-after after it."),
    .init(
      "projection_size", \.projectionSize, "units", size,
      "Size of a linear layer between the last layer and the softmax."),
    .init("tied", \.isTied, "yes", "Share the embedding's weights with the softmax."),
    .init("layer_normalized", \.isNormalized, "yes", "Use layer-normalized cells."),
    .init(
      "learn_initial_state", \.learnsInitialState, "yes",
      "Train the state that sequences begin with; otherwise it is zero."),
    .init(
      "dropout.embedding", \.dropout.embedding, "rate", .fraction,
      "Dropout of whole words in the embedding."),
    .init(
      "dropout.input", \.dropout.input, "rate", .fraction, "Dropout of the first layer's input."),
    .init("dropout.hidden", \.dropout.hidden, "rate", .fraction, "Dropout between layers."),
    .init(
      "dropout.output", \.dropout.output, "rate", .fraction, "Dropout of the last layer's output."),
    .init(
      "dropout.weights", \.dropout.weights, "rate", .fraction,
      "Dropout of recurrent weights (weight-drop)."),
    .init(
      "dropout.zoneout_hidden", \.dropout.zoneoutHidden, "rate", .fraction,
      "Zoneout of the hidden state."),
    .init(
      "dropout.zoneout_cell", \.dropout.zoneoutCell, "rate", .fraction,
      "Zoneout of an LSTM's cell state."),
    .init(
      "dropout.variational", \.dropout.isVariational, "yes",
      "Use the same dropout mask for all steps of a batch."),
  ]

  /// The fields of `training`.
  static let training: [SettingField<TrainingConfiguration>] =
    batches + updates + length + initialization

  private static let batches: [SettingField<TrainingConfiguration>] = [
    .init("batch_size", \.batchSize, "count", count, "Batch size: sequences per step."),
    .init(
      "time_steps", \.timeSteps, "steps", count,
      "Length of truncated backpropagation through time, in steps."),
    .init(
      "shards", \.shards, "count", .integers(1...256),
      "Parts of a batch whose gradients are summed in order: at least one for each process of an MPI job."
    ),
    .init("jittered", \.isJittered, "yes", "Randomize the length of batches, as AWD-LSTM does."),
    .init(
      "resets_each_line", \.resetsEachLine, "yes",
      "Begin every line with the initial state instead of carrying the state from line to line."),
  ]

  private static let updates: [SettingField<TrainingConfiguration>] = [
    .init(
      "optimizer", \.optimizer, "rule", .words(LanguageOptimizer.allCases.map(\.rawValue)),
      "Optimizer."),
    .init("learning_rate", \.learningRate, "rate", .nonNegative, "Learning rate."),
    .init(
      "schedule", \.schedule, "schedule",
      "Change of the learning rate: constant, decay (in every epoch) or plateau (after an epoch without gain)."
    ),
    .init(
      "schedule.decay.factor", \.schedule.decayFactor, "factor", .factor,
      "Multiply the learning rate by this in every epoch after the one where decay begins."),
    .init(
      "schedule.decay.after_epoch", \.schedule.decayAfterEpoch, "epoch",
      .integers(0...1_000_000_000), "Epoch after which the decay begins."),
    .init(
      "schedule.plateau.factor", \.schedule.plateauFactor, "factor", .factor,
      "Multiply the learning rate by this after an epoch without gain."),
    .init("momentum", \.momentum, "factor", .fraction, "Momentum of the optimizer momentum."),
    .init("beta1", \.beta1, "factor", .fraction, "Decay of Adam's mean of gradients."),
    .init(
      "beta2", \.beta2, "factor", .fraction,
      "Decay of Adam's and RMSprop's mean of squared gradients."),
    .init("epsilon", \.epsilon, "number", .nonNegative, "Epsilon of Adam and RMSprop."),
    .init(
      "weight_decay", \.weightDecay, "factor", .nonNegative,
      "Weight decay of all parameters (decoupled with adam, as in AdamW)."),
    .init(
      "clip_norm", \.clipNorm, "norm", .nonNegative,
      "Clip gradients to this global norm; 0 for off."),
    .init(
      "clip_value", \.clipValue, "value", .nonNegative,
      "Clip every gradient element to plus or minus this; 0 for off."),
    .init(
      "penalties.activation", \.penalties.activation, "factor", .nonNegative,
      "Activation penalty (AR): this times the mean square of the last layer's output."),
    .init(
      "penalties.temporal", \.penalties.temporal, "factor", .nonNegative,
      "Temporal penalty (TAR): this times the mean square of the output's changes."),
    .init(
      "non_monotone", \.nonMonotone, "epochs", count,
      "Epochs without gain after which nt-asgd begins to average."),
  ]

  private static let length: [SettingField<TrainingConfiguration>] = [
    .init("epochs", \.epochs, "count", count, "Maximum number of epochs."),
    .init("maximum_steps", \.maximumSteps, "count", count, "Maximum number of steps."),
    .init(
      "patience", \.patience, "epochs", count, "Stop after this number of epochs without gain."),
    .init(
      "log_every", \.logEvery, "steps", .integers(0...1_000_000_000),
      "Write loss, learning rate, gradient norm and tokens/s to metrics.jsonl and TensorBoard every this number of steps; 0 for never, none for about once per second."
    ),
    .init(
      "validate_every", \.validateEvery, "steps", count,
      "Validate within an epoch every this number of steps, and keep the model if it is the best so far."
    ),
    .init(
      "evaluation_batch_size", \.evaluationBatchSize, "count", count, "Batch size of validation."),
    .init(
      "halves_on_divergence", \.halvesOnDivergence, "yes",
      "Go back to the beginning of the epoch with half the learning rate when training diverges."),
    .init(
      "seed", \.seed, "seed", .integers(0...Int(UInt32.max)), "Seed of all random numbers."),
  ]

  private static let initialization: [SettingField<TrainingConfiguration>] = [
    .init(
      "initialization.embedding_range", \.initialization.embeddingRange, "range", .nonNegative,
      "Initialize the embedding uniformly in plus or minus this."),
    .init(
      "initialization.recurrent_range", \.initialization.recurrentRange, "range", .nonNegative,
      "Initialize recurrent layers uniformly in plus or minus this; none for 1 / sqrt(units)."),
    .init(
      "initialization.softmax_range", \.initialization.softmaxRange, "range", .nonNegative,
      "Initialize the softmax uniformly in plus or minus this."),
    .init(
      "initialization.forget_bias", \.initialization.forgetBias, "bias", .finite,
      "Initial bias of the forget gate (lstm, janet)."),
    .init(
      "initialization.chrono_steps", \.initialization.chronoSteps, "steps",
      .integers(3...1_000_000_000),
      "Chrono initialization of the forget or update gate for time scales up to this."),
  ]
}

extension RateSchedule {
  // The parts of a schedule as settings: setting a part makes the schedule that has it.

  var decayFactor: Double? {
    get { if case .decay(_, let factor) = self { factor } else { nil } }
    set { if let newValue { self = .decay(afterEpoch: decayAfterEpoch ?? 1, factor: newValue) } }
  }
  var decayAfterEpoch: Int? {
    get { if case .decay(let epoch, _) = self { epoch } else { nil } }
    set {
      if let newValue, let decayFactor {
        self = .decay(afterEpoch: newValue, factor: decayFactor)
      }
    }
  }
  var plateauFactor: Double? {
    get { if case .plateau(let factor) = self { factor } else { nil } }
    set { if let newValue { self = .plateau(factor: newValue) } }
  }
}
