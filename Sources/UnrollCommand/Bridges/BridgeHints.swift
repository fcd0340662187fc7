#if Command
internal import UnrollFormats

/// The options of a command that settle what a file leaves open; the library does not know them.
struct BridgeHints {
  /// The option that chooses a part of a file.
  var prefix = "--prefix"
  /// Whether the command has options for what is assumed.
  var hasAssumptions = true

  /// Those of commands that begin with the weights of a file, and assume what is usual.
  static let training = BridgeHints(prefix: "--weights-prefix", hasAssumptions: false)

  /// An error, and the option that helps.
  func text(_ error: ModelImportError) -> String {
    switch error.problem {
    case .severalNetworks, .unknownPrefix: "\(error) (\(prefix))"
    case .doesNotFit(let what) where what.contains(" prefix"): "\(error) (\(prefix))"
    default: error.description
    }
  }

  /// Refuses options for a file that leaves nothing open.
  func refuse(_ assumptions: NetworkAssumptions, of path: String, _ what: String) throws {
    let given = AssumptionOption.allCases.filter { $0.isGiven(in: assumptions) }
      .map { $0 == .prefix ? prefix : $0.rawValue }
    guard !given.isEmpty else { return }
    throw DataError(
      description:
        "\(path): \(what) holds one network with all its settings; leave \(given.joined(separator: ", ")) out"
    )
  }

  /// An assumption, and the option that makes another.
  func text(assumption line: String) -> String {
    let options = [
      "nonlinearity": "--activation relu", "activation": "--activation",
      "forget_bias": "--forget-bias",
    ]
    guard hasAssumptions, let word = line.split(separator: " ").first,
      let option = options[String(word)], !line.contains("--")
    else { return line }
    return "\(line) (\(option))"
  }
}
#endif
