#if Command
internal import ArgumentParser
internal import Unroll
internal import UnrollFormats

/// The options for settings that the arrays of another program do not state.
struct AssumptionOptions: ParsableArguments {
  /// Activation functions that another program's cells may have by default.
  enum Function: String, ExpressibleByArgument, CaseIterable {
    case tanh, relu

    var activation: Activation { self == .tanh ? .tanh : .relu }
  }

  @Option(
    help: ArgumentHelp(
      "Activation function of the candidate, where the file does not state it. (default: tanh)",
      valueName: "function"))
  var activation: Function?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Number that TensorFlow 1's LSTM adds to the forget gate. (default: 1)", valueName: "number"))
  var forgetBias: Double?
  @Option(
    help: ArgumentHelp(
      "Beginning of the names of the network, where the file holds several. (default: the only one)",
      valueName: "name"))
  var prefix: String?

  func validate() throws {
    if let forgetBias, !forgetBias.isFinite {
      throw ValidationError("--forget-bias: expected a number, found \(forgetBias).")
    }
  }

  var assumptions: NetworkAssumptions {
    NetworkAssumptions(
      activation: activation?.activation, forgetBias: forgetBias, prefix: prefix)
  }

  /// The options by name, and whether they were given.
  var given: [(String, Bool)] {
    NetworkAssumptions.Field.allCases.map {
      (BridgeHints().option($0), assumptions.given.contains($0))
    }
  }

  /// Refuses every one of the options for a run's folder or an ONNX model, which state all settings.
  func check(_ path: String) throws {
    guard let field = assumptions.given.first else { return }
    let isRun = WeightsOptions.isFolder(path)
    guard isRun || FileKind(contentsOf: path) == .onnx else { return }
    throw ValidationError(
      "\(BridgeHints().option(field)): expected a file that leaves this open, found \(isRun ? "a run's folder" : "an ONNX model"), \(path); leave it out."
    )
  }
}

/// The options of a command that settle what a file leaves open; the library does not know them.
struct BridgeHints {
  /// The option that chooses a part of a file.
  var prefix = "--prefix"
  /// Whether the command has options for assumptions.
  var hasAssumptions = true

  /// The options of commands that begin with the weights of a file and assume the defaults.
  static let training = BridgeHints(prefix: "--weights-prefix", hasAssumptions: false)

  /// The option of an assumption.
  func option(_ field: NetworkAssumptions.Field) -> String {
    switch field {
    case .activation: "--activation"
    case .forgetBias: "--forget-bias"
    case .prefix: prefix
    }
  }

  /// An error, and the option that helps.
  func text(_ error: ModelImportError) -> String {
    let text = error.description(naming: option)
    return switch error.problem {
    case .severalNetworks, .unknownPrefix: "\(text) (\(prefix))"
    case .doesNotFit(let what) where what.contains(" prefix"): "\(text) (\(prefix))"
    default: text
    }
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

/// Errors of other programs' files as one sentence that begins with the file.
enum BridgeErrors {
  static func told<Result>(
    _ path: String, hints: BridgeHints = BridgeHints(), _ body: () throws -> Result
  ) throws -> Result {
    do { return try body() } catch let error as ArrayFileError {
      let text = error.description
      throw DataError(description: text.hasPrefix(path) ? text : "\(path): \(text)")
    } catch let error as ModelImportError {
      throw DataError(description: "\(path): \(hints.text(error))")
    } catch let error as ONNXError {
      throw DataError(description: "\(path): \(error)")
    }
  }
}

extension NetworkFile {
  /// Reads the network of a file; errors are sentences with the options of the command.
  ///
  /// - Throws: `DataError`.
  static func read(
    _ path: String, assuming assumptions: NetworkAssumptions, hints: BridgeHints
  ) throws -> ReadNetwork {
    try BridgeErrors.told(path, hints: hints) { try read(path, assuming: assumptions) }
  }
}

extension ReadNetwork {
  /// What was assumed, what differs and what is not part of the network: the same lines in every command.
  func remarks(_ hints: BridgeHints = BridgeHints()) -> [String] {
    report.assumptions.map { "assumed: \(hints.text(assumption: $0))" }
      + report.notes.map { "note: \($0)" }
      + report.omissions.map { "left out: \($0)" }
      + (report.others.isEmpty ? [] : ["not part of it: \(report.others.joined(separator: ", "))"])
  }

  /// How the network was read, without a line for each array.
  func summary(_ hints: BridgeHints = BridgeHints()) -> [String] {
    ["read: \(origin), \(names)"] + remarks(hints).map { "  " + $0 }
  }
}

extension AnyNetwork {
  /// The layers with all their settings.
  var table: TextTable {
    var table = TextTable(["level", "cell", "reads", "input", "hidden", "output", "parameters"])
    for layer in layers {
      table.add([
        "\(layer.level)", layer.cell, layer.direction == .forward ? "forward" : "backward",
        "\(layer.inputSize)", "\(layer.hiddenSize)", "\(layer.outputSize)",
        "\(layer.parameterCount)",
      ])
    }
    return table
  }
}
#endif
