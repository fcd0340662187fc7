// The options of `unroll train` that set a field of `config.json`.

#if Command
internal import ArgumentParser
internal import UnrollFormats
internal import UnrollLanguage

enum FieldOptions {
  /// The option of each field that has one, by the field's path.
  static let names = [
    "preset": "preset", "split": "split", "unit": "unit", "trims_lines": "trim-lines",
    "vocabulary_limit": "vocabulary-size", "minimum_count": "min-count", "vectors": "vectors",
    "weights": "weights", "weights_prefix": "weights-prefix",
    "model.embedding_size": "embedding-size", "model.hidden_size": "hidden-size",
    "model.top_size": "top-size", "model.layers": "layers", "model.cell": "cell",
    "model.projection_size": "projection-size", "model.tied": "tied",
    "model.layer_normalized": "layer-norm", "model.learn_initial_state": "learn-initial-state",
    "model.dropout.embedding": "dropout-embedding", "model.dropout.input": "dropout-input",
    "model.dropout.hidden": "dropout-hidden", "model.dropout.output": "dropout-output",
    "model.dropout.weights": "weight-drop", "model.dropout.zoneout_hidden": "zoneout-hidden",
    "model.dropout.zoneout_cell": "zoneout-cell", "model.dropout.variational": "variational",
    "training.batch_size": "batch-size", "training.time_steps": "time-steps",
    "training.shards": "shards", "training.jittered": "jitter",
    "training.resets_each_line": "reset-each-line", "training.optimizer": "optimizer",
    "training.learning_rate": "learning-rate", "training.schedule": "constant-rate",
    "training.schedule.decay.factor": "decay", "training.schedule.decay.after_epoch": "decay-after",
    "training.schedule.plateau.factor": "plateau", "training.momentum": "momentum",
    "training.beta1": "beta1", "training.beta2": "beta2", "training.epsilon": "epsilon",
    "training.weight_decay": "weight-decay", "training.clip_norm": "clip-norm",
    "training.clip_value": "clip-value", "training.penalties.activation": "activation-penalty",
    "training.penalties.temporal": "temporal-penalty", "training.non_monotone": "non-monotone",
    "training.epochs": "epochs", "training.maximum_steps": "max-steps",
    "training.patience": "patience", "training.log_every": "log-every",
    "training.validate_every": "validate-every",
    "training.evaluation_batch_size": "evaluation-batch-size",
    "training.halves_on_divergence": "on-divergence", "training.seed": "seed",
    "training.initialization.embedding_range": "embedding-range",
    "training.initialization.recurrent_range": "recurrent-range",
    "training.initialization.softmax_range": "softmax-range",
    "training.initialization.forget_bias": "forget-bias",
    "training.initialization.chrono_steps": "chrono-steps",
  ]

  /// The option for a field as errors name it: from its model or training on.
  static func name(ofField field: String) -> String? {
    ["", "model.", "training."].lazy.compactMap { names[$0 + field] }.first
  }

  /// The settings as a file that `--config` reads, with the option of each field.
  static func file(_ settings: RunConfiguration) throws -> String {
    try settings.commented(
      title: [
        "Settings for unroll train --config. Lines that begin with // are comments.",
        "An option on the command line has precedence over this file.",
      ]
    ) { field in
      switch field {
      case "corpus": return "(CORPUS)"
      case "training.schedule":
        let options = names.filter { $0.key.hasPrefix(field) }.map { "--\($0.value)" }.sorted()
        return "(\(options.joined(separator: ", ")))"
      default: return names[field].map { "(--\($0))" }
      }
    }
  }

  /// The settings of the preset for a text, whose values help shows as defaults.
  private static let defaults = Preset.named("course")
    .flatMap { RunConfiguration(preset: $0, corpus: nil, version: "").tree }

  /// What help says of an option that sets a field.
  ///
  /// - Parameters:
  ///   - path: The field.
  ///   - more: What stands between the field's summary and its default.
  /// - Returns: The help, whose default is that of the preset for a text.
  static func help(_ path: String, _ more: String = "") -> ArgumentHelp {
    guard let setting = Setting.at(path) else { preconditionFailure("No setting '\(path)'.") }
    var text = setting.summary + (more.isEmpty ? "" : " \(more)")
    // A part of a schedule is no value of its own.
    if !path.hasPrefix("training.schedule.") {
      let value = defaults?[path.split(separator: ".").map(String.init)]
      let none = setting.placeholder == "yes" ? "no" : "none"
      text += " (default: \(value?.words ?? none))"
    }
    return ArgumentHelp(text, valueName: setting.placeholder)
  }
}

extension ArgumentHelp {
  /// The help of an option that sets a field of `config.json`.
  static func setting(_ path: String, _ more: String = "") -> ArgumentHelp {
    FieldOptions.help(path, more)
  }
}
#endif
