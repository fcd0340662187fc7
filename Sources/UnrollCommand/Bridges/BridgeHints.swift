internal import UnrollFormats

/// The options of the command that settle what a file leaves open; the library does not know them.
enum BridgeHints {
  /// An error, and the option that helps.
  static func text(_ error: ModelImportError) -> String {
    switch error.problem {
    case .severalNetworks, .unknownPrefix: "\(error) (--prefix)"
    default: error.description
    }
  }

  /// An assumption, and the option that makes another.
  static func text(assumption line: String) -> String {
    let options = [
      "nonlinearity": "--activation relu", "activation": "--activation",
      "forget_bias": "--forget-bias",
    ]
    guard let word = line.split(separator: " ").first, let option = options[String(word)],
      !line.contains("--")
    else { return line }
    return "\(line) (\(option))"
  }
}
