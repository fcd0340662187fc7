// The fields of `config.json`, each with what it does: the command's help and commented files are made from this list.

/// A field of `config.json`.
package struct Setting: Sendable {
  /// Its place in the file, such as `training.learning_rate`.
  package let path: String
  /// A word for its value, for usage.
  package let placeholder: String
  /// What it does, and which values it takes.
  package let summary: String

  private init(_ path: String, _ placeholder: String, _ summary: String) {
    (self.path, self.placeholder, self.summary) = (path, placeholder, summary)
  }

  /// The field of a path; nil if there is none.
  package static func at(_ path: String) -> Setting? { byPath[path] }

  private static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })

  private static let rate = "0 up to, but not including, 1"
  private static let count = "1 ... 1000000000"
  private static let size = "1 ... 10000000"

  /// All fields, in the order of the file.
  ///
  /// A schedule is one value; its parts follow it.
  package static let all: [Setting] = run + model + training + initialization

  private static let run = [
    Setting("preset", "name", "Preset that the settings began from."),
    Setting(
      "corpus", "path",
      "Training text: a folder with train, valid and perhaps test, or a file; none for the embedded grammar."
    ),
    Setting(
      "split", "fractions",
      "Fractions of a single file for training, validation and test, in file order."),
    Setting("unit", "unit", "Unit of the text: words, characters (Unicode scalars) or bytes."),
    Setting("trims_lines", "yes", "Remove spaces at both ends of lines (characters)."),
    Setting(
      "vocabulary_limit", "count",
      "Maximum size of the vocabulary, 3 ... 10000000; everything else becomes <unk>."),
    Setting(
      "minimum_count", "count", "Minimum count for a word to enter the vocabulary, at least 1."),
    Setting(
      "vectors", "file",
      "Initial embedding: a .npy file [V, E], or lines of a word and its numbers."),
    Setting(
      "weights", "file",
      "Initial recurrent layers: a file of another program, or anything that unroll inspect reads."),
    Setting(
      "weights_prefix", "prefix",
      "Prefix of the parameters' names, if the file of weights holds several networks."),
    Setting("version", "version", "Version of the program that wrote the file."),
  ]

  private static let model = [
    Setting("model.vocabulary_size", "count", "Size of the vocabulary; the training text sets it."),
    Setting("model.embedding_size", "units", "Size of the embedding, \(size)."),
    Setting("model.hidden_size", "units", "Units of each recurrent layer, \(size)."),
    Setting("model.top_size", "units", "Units of the last layer, if they differ, \(size)."),
    Setting("model.layers", "count", "Number of recurrent layers, 1 ... 1000."),
    Setting("model.cell", "cell", "Recurrent cell."),
    Setting(
      "model.projection_size", "units",
      "Size of a linear layer between the last layer and the softmax, \(size)."),
    Setting("model.tied", "yes", "Share the embedding's weights with the softmax."),
    Setting("model.layer_normalized", "yes", "Use layer-normalized cells."),
    Setting(
      "model.learn_initial_state", "yes",
      "Train the state that sequences begin with; otherwise it is zero."),
    Setting("model.dropout.embedding", "rate", "Dropout of whole words in the embedding, \(rate)."),
    Setting("model.dropout.input", "rate", "Dropout of the first layer's input, \(rate)."),
    Setting("model.dropout.hidden", "rate", "Dropout between layers, \(rate)."),
    Setting("model.dropout.output", "rate", "Dropout of the last layer's output, \(rate)."),
    Setting(
      "model.dropout.weights", "rate", "Dropout of recurrent weights (weight-drop), \(rate)."),
    Setting("model.dropout.zoneout_hidden", "rate", "Zoneout of the hidden state, \(rate)."),
    Setting("model.dropout.zoneout_cell", "rate", "Zoneout of an LSTM's cell state, \(rate)."),
    Setting(
      "model.dropout.variational", "yes", "Use the same dropout mask for all steps of a batch."),
  ]

  private static let training = [
    Setting("training.batch_size", "count", "Batch size: sequences per step, \(count)."),
    Setting(
      "training.time_steps", "steps",
      "Length of truncated backpropagation through time, in steps, \(count)."),
    Setting(
      "training.shards", "count",
      "Parts of a batch whose gradients are summed in order, 1 ... 256: at least one for each process of an MPI job."
    ),
    Setting(
      "training.jittered", "yes", "Randomize the length of batches, as AWD-LSTM does."),
    Setting(
      "training.resets_each_line", "yes",
      "Begin every line with the initial state instead of carrying the state from line to line."),
    Setting(
      "training.optimizer", "rule",
      "Optimizer: \(LanguageOptimizer.allCases.map(\.rawValue).joined(separator: ", "))."),
    Setting("training.learning_rate", "rate", "Learning rate, at least 0."),
    Setting(
      "training.schedule", "schedule",
      "Change of the learning rate: constant, decay (in every epoch) or plateau (after an epoch without gain)."
    ),
    Setting(
      "training.schedule.decay.factor", "factor",
      "Multiply the learning rate by this, above 0 and at most 1, in every epoch after the one where decay begins."
    ),
    Setting(
      "training.schedule.decay.after_epoch", "epoch",
      "Epoch after which the decay begins, 0 ... 1000000000."),
    Setting(
      "training.schedule.plateau.factor", "factor",
      "Multiply the learning rate by this, above 0 and at most 1, after an epoch without gain."),
    Setting("training.momentum", "factor", "Momentum of the optimizer momentum, \(rate)."),
    Setting("training.beta1", "factor", "Decay of Adam's mean of gradients, \(rate)."),
    Setting(
      "training.beta2", "factor",
      "Decay of Adam's and RMSprop's mean of squared gradients, \(rate)."
    ),
    Setting("training.epsilon", "number", "Epsilon of Adam and RMSprop, at least 0."),
    Setting(
      "training.weight_decay", "factor",
      "Weight decay of all parameters, at least 0 (decoupled with adam, as in AdamW)."),
    Setting(
      "training.clip_norm", "norm", "Clip gradients to this global norm, at least 0; 0 for off."),
    Setting(
      "training.clip_value", "value",
      "Clip every gradient element to plus or minus this, at least 0; 0 for off."),
    Setting(
      "training.penalties.activation", "factor",
      "Activation penalty (AR): this, at least 0, times the mean square of the last layer's output."
    ),
    Setting(
      "training.penalties.temporal", "factor",
      "Temporal penalty (TAR): this, at least 0, times the mean square of the output's changes."),
    Setting(
      "training.non_monotone", "epochs",
      "Epochs without gain after which nt-asgd begins to average, \(count)."),
    Setting("training.epochs", "count", "Maximum number of epochs, \(count)."),
    Setting("training.maximum_steps", "count", "Maximum number of steps, \(count)."),
    Setting(
      "training.patience", "epochs", "Stop after this number of epochs without gain, \(count)."),
    Setting(
      "training.log_every", "steps",
      "Write loss, learning rate, gradient norm and tokens/s to metrics.jsonl and TensorBoard every this number of steps, 0 ... 1000000000; 0 for never, none for about once per second."
    ),
    Setting(
      "training.validate_every", "steps",
      "Validate within an epoch every this number of steps, \(count), and keep the model if it is the best so far."
    ),
    Setting(
      "training.evaluation_batch_size", "count", "Batch size of validation, \(count)."),
    Setting(
      "training.halves_on_divergence", "yes",
      "Go back to the beginning of the epoch with half the learning rate when training diverges."),
    Setting(
      "training.seed", "seed", "Seed of all random numbers, \(TrainingConfiguration.seedRange)."),
  ]

  private static let initialization = [
    Setting(
      "training.initialization.embedding_range", "range",
      "Initialize the embedding uniformly in plus or minus this, at least 0."),
    Setting(
      "training.initialization.recurrent_range", "range",
      "Initialize recurrent layers uniformly in plus or minus this, at least 0; none for 1 / sqrt(units)."
    ),
    Setting(
      "training.initialization.softmax_range", "range",
      "Initialize the softmax uniformly in plus or minus this, at least 0."),
    Setting(
      "training.initialization.forget_bias", "bias",
      "Initial bias of the forget gate (lstm, janet), a finite number."),
    Setting(
      "training.initialization.chrono_steps", "steps",
      "Chrono initialization of the forget or update gate for time scales up to this, 3 ... 1000000000."
    ),
  ]
}
