// The settings of Keras' recurrent layers, wrappers and cells, and what each is to a network here. The list has
// what Keras 2.0 to 2.15 and 3.0 to 3.15 write; a setting that is not in it is named in the report.

internal import Foundation

/// The effect of a setting of a recurrent layer, its wrapper or its cell on the results.
enum KerasSetting {
  /// The equations, or what the report says of states, steps and types.
  case understood
  /// It matters only in training, to speed or to another layer.
  case harmless
  /// It changes results, and no network here has it: only null, false and 0 are accepted.
  case refused
  /// It changes results unless it is null, false or 0: it is named with this effect.
  case named(String)

  static let all: [String: KerasSetting] = {
    let understood = [
      "units", "activation", "recurrent_activation", "use_bias", "reset_after", "go_backwards",
      "return_sequences", "stateful", "dtype", "layer", "backward_layer", "merge_mode", "cell",
      "cells",
    ]
    let roles = ["kernel", "recurrent", "bias"]
    let harmless =
      roles.flatMap { ["\($0)_initializer", "\($0)_regularizer", "\($0)_constraint"] } + [
        "name", "trainable", "activity_regularizer", "dropout", "recurrent_dropout",
        "unit_forget_bias", "return_state", "unroll", "implementation", "seed", "use_cudnn",
        "enable_caching_device", "dynamic", "autocast",
        // Shapes of inputs.
        "batch_input_shape", "batch_shape", "input_shape", "input_dim", "input_length",
        "input_spec", "ragged", "sparse",
      ]
    let all: [(String, KerasSetting)] =
      understood.map { ($0, .understood) } + harmless.map { ($0, .harmless) } + [
        ("time_major", .refused), ("num_constants", .refused),
        (
          "zero_output_for_mask",
          .named("it puts out zeros at masked steps; here every step counts")
        ),
      ]
    return Dictionary(uniqueKeysWithValues: all)
  }()

  /// Whether a value means that the setting is not made.
  static func isUnset(_ value: Any) -> Bool {
    value is NSNull || value as? Bool == false || value as? Double == 0
  }

  /// A value as the configuration has it, on one line.
  static func words(_ value: Any) -> String {
    let data = try? JSONSerialization.data(
      withJSONObject: value, options: [.fragmentsAllowed, .sortedKeys])
    let text = data.map { String(decoding: $0, as: UTF8.self) } ?? "\(value)"
    return text.count > 60 ? text.prefix(57) + "…" : text
  }
}

extension KerasModel.Layer {
  /// The settings of the layer, and of the layers and cells within, the outermost first.
  var allSettings: [[String: Any]] {
    var result: [[String: Any]] = []
    func add(_ settings: [String: Any], depth: Int) {
      result.append(settings)
      guard depth < 8 else { return }
      let inner = ["layer", "backward_layer", "cell"].compactMap { settings[$0] as? [String: Any] }
      for entry in inner + (settings["cells"] as? [[String: Any]] ?? []) {
        if let own = entry["config"] as? [String: Any] { add(own, depth: depth + 1) }
      }
    }
    add(settings, depth: 0)
    return result
  }

  /// Refuses settings that change results and have no counterpart here.
  func checkSettings() throws(ModelImportError) {
    for settings in allSettings {
      for (key, value) in settings.inKeyOrder {
        guard case .refused? = KerasSetting.all[key], !KerasSetting.isUnset(value) else { continue }
        throw ModelImportError(
          .unsupported(field: key, value: KerasSetting.words(value)), name: name)
      }
    }
  }

  /// A line for each setting that the network here does not have, or that is unknown.
  var settingRemarks: [String] {
    var lines: [String] = []
    for settings in allSettings {
      for (key, value) in settings.inKeyOrder {
        let setting = "\(title) has \(key) = \(KerasSetting.words(value))"
        let line: String
        switch KerasSetting.all[key] {
        case nil: line = "\(setting), a setting that is not known here; it may change results"
        // A bidirectional layer sets it itself and removes masked steps from both directions.
        case .named(let effect)? where !KerasSetting.isUnset(value) && kind != "Bidirectional":
          line = "\(setting): \(effect)"
        case .understood?, .harmless?, .refused?, .named?: continue
        }
        if !lines.contains(line) { lines.append(line) }
      }
    }
    return lines
  }
}
