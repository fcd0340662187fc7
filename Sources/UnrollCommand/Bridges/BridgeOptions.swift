internal import ArgumentParser
internal import Unroll
internal import UnrollFormats

/// What arrays of other programs do not say.
struct AssumptionOptions: ParsableArguments {
  /// Functions that other programs' cells take.
  enum Function: String, ExpressibleByArgument, CaseIterable {
    case tanh, relu

    var activation: Activation { self == .tanh ? .tanh : .relu }
  }

  @Option(help: "The candidate's function, where the file does not say it: tanh or relu.")
  var activation: Function?
  @Option(
    parsing: .unconditional,
    help: "What TensorFlow 1's LSTM adds to the forget gate; its default is 1.")
  var forgetBias: Double?
  @Option(help: "How the names of the network begin, where the file holds several.")
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
}

/// Errors of other programs' files as one sentence that begins with the file.
enum BridgeErrors {
  static func told<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as ArrayFileError {
      let text = error.description
      throw DataError(description: text.hasPrefix(path) ? text : "\(path): \(text)")
    } catch let error as ModelImportError {
      throw DataError(description: "\(path): \(BridgeHints.text(error))")
    }
  }
}

/// A network as a person reads it.
enum BridgeWords {
  static func table<Scalar: KernelScalar>(_ network: RecurrentNetwork<Scalar>) throws -> TextTable {
    var table = TextTable(["level", "cell", "reads", "input", "hidden", "output", "parameters"])
    for (level, layers) in network.levels.enumerated() {
      for layer in layers {
        let (cell, parameters) = (layer.cell, layer.cell.parameters)
        table.add([
          "\(level)", try words(cell), layer.direction == .forward ? "forward" : "backward",
          "\(cell.inputSize)", "\(cell.hiddenSize)", "\(cell.outputSize)", "\(parameters.count)",
        ])
      }
    }
    return table
  }

  private static func words<Scalar: KernelScalar>(
    _ cell: any RecurrentCell<Scalar>
  ) throws -> String {
    let (description, parameters) = (try CellDescription(cell), cell.parameters)
    var words =
      switch description.kind {
      case .rnn: "RNN, \(description.activation)"
      case .gru: "GRU, reset gate before the product"
      case .gruAfter: "GRU, reset gate after the product"
      case .lstm: "LSTM"
      }
    if !parameters.recurrentBias.isEmpty { words += ", two biases" }
    if !parameters.peepholes.isEmpty { words += ", peepholes" }
    if !parameters.projection.isEmpty { words += ", projection" }
    if parameters.isNormalized { words += ", layer-normalised" }
    if let offset = description.lstm?.forgetOffset, offset != 0 {
      words += ", forget gate + \(offset)"
    }
    return words
  }
}
