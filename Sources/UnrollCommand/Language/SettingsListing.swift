// The settings that `unroll train` prints before the first step.

#if Command
internal import UnrollLanguage

enum SettingsListing {
  /// The preset and all settings, with the names of `config.json`.
  ///
  /// - Parameters:
  ///   - settings: The run's settings.
  ///   - origin: The source of the settings, such as `the default`.
  ///   - width: The maximum length of a line.
  /// - Returns: Lines of text.
  static func text(_ settings: RunConfiguration, origin: String, width: Int = 100) -> String {
    var lines = ["preset \(settings.preset), \(origin)\(behaviour(settings))", "settings:"]
    for (title, values) in settings.listing {
      var line = "  \(title):"
      for (index, (name, value)) in values.enumerated() {
        let piece = " \(name) \(value)" + (index == values.count - 1 ? "" : ",")
        if line.count + piece.count > width {
          lines.append(line)
          line = "   "
        }
        line += piece
      }
      lines.append(line)
    }
    return lines.joined(separator: "\n")
  }

  /// Dropout and early stopping, which a preset may turn on without being asked.
  private static func behaviour(_ settings: RunConfiguration) -> String {
    let dropout = settings.model.dropout
    let rates = [
      ("symbols", dropout.embedding), ("input", dropout.input), ("between layers", dropout.hidden),
      ("output", dropout.output), ("recurrent weights", dropout.weights),
    ].filter { $0.1 > 0 }
    var words: [String] = []
    if !rates.isEmpty {
      words.append("dropout " + rates.map { "\($0.1) (\($0.0))" }.joined(separator: ", "))
    }
    if let patience = settings.training.patience {
      words.append(
        "stops early after \(patience) \(patience == 1 ? "epoch" : "epochs") without gain")
    }
    return words.isEmpty ? "" : "; " + words.joined(separator: "; ")
  }
}
#endif
