#if Command
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

  /// The options by name, and whether they were given.
  var given: [(String, Bool)] {
    AssumptionOption.allCases.map { ($0.rawValue, $0.isGiven(in: assumptions)) }
  }

  var assumptions: NetworkAssumptions {
    NetworkAssumptions(
      activation: activation?.activation, forgetBias: forgetBias, prefix: prefix)
  }
}

/// The options for what a file leaves open, one by one.
enum AssumptionOption: String, CaseIterable {
  case activation = "--activation"
  case forgetBias = "--forget-bias"
  case prefix = "--prefix"

  func isGiven(in assumptions: NetworkAssumptions) -> Bool {
    switch self {
    case .activation: assumptions.activation != nil
    case .forgetBias: assumptions.forgetBias != nil
    case .prefix: assumptions.prefix != nil
    }
  }

  /// The assumptions with another value of this option, if it was given.
  func changed(in assumptions: NetworkAssumptions) -> NetworkAssumptions {
    var other = assumptions
    switch self {
    case .activation: other.activation = assumptions.activation.map { $0 == .tanh ? .relu : .tanh }
    case .forgetBias: other.forgetBias = assumptions.forgetBias.map { $0 + 1 }
    case .prefix: other.prefix = assumptions.prefix.map { $0 + "\u{1}" }
    }
    return other
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
    }
  }

  /// Adds ONNX, which the library of array files does not know, to the formats that an error lists.
  static func listingONNX<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch var error as ArrayFileError {
      if case .foreign(let expected) = error.problem, expected.hasPrefix("one of ") {
        error.problem = .foreign(expected: expected + ", ONNX (.onnx)")
      }
      throw error
    }
  }
}

/// A network as a person reads it.
enum BridgeWords {
  static func table<Scalar: KernelScalar>(_ network: RecurrentNetwork<Scalar>) -> TextTable {
    var table = TextTable(["level", "cell", "reads", "input", "hidden", "output", "parameters"])
    for (level, layers) in network.levels.enumerated() {
      for layer in layers {
        let (cell, parameters) = (layer.cell, layer.cell.parameters)
        table.add([
          "\(level)", words(cell), layer.direction == .forward ? "forward" : "backward",
          "\(cell.inputSize)", "\(cell.hiddenSize)", "\(cell.outputSize)", "\(parameters.count)",
        ])
      }
    }
    return table
  }

  /// Refuses a network with NaN or infinity among its weights, whose outputs are no numbers.
  static func checkFinite<Scalar: KernelScalar>(
    _ network: RecurrentNetwork<Scalar>, of path: String
  ) throws {
    for (index, layer) in network.layers.enumerated() {
      let parameters = layer.cell.parameters
      for name in parameters.names {
        guard let number = parameters[name].elements.first(where: { !$0.isFinite }) else {
          continue
        }
        let plain = CellParameters<Scalar>.plainName(name)
        throw DataError(
          description:
            "\(path): expected finite numbers, found \(number.isNaN ? "NaN" : "infinity") in \(plain) of layer \(index)"
        )
      }
    }
  }

  /// A cell with every setting that changes its results.
  private static func words<Scalar: KernelScalar>(
    _ cell: Cell<Scalar>
  ) -> String {
    let (options, parameters) = (cell.options, cell.parameters)
    let fields = cell.kind?.optionFields ?? []
    var words =
      switch cell.kind {
      case .gruResetBefore: ["GRU", "reset gate before the product"]
      case .gruResetAfter: ["GRU", "reset gate after the product"]
      default: [cell.title]
      }
    words.append(
      fields.contains(.gateActivation)
        ? "gates \(options.gateActivation.words), candidate \(options.activation.words)"
        : options.activation.words)
    if fields.contains(.outputActivation) {
      words.append("output \(options.outputActivation.words)")
    }
    if options.couplesInputAndForget { words.append("forget gate = 1 − input gate") }
    if options.forgetOffset != 0 { words.append("forget gate + \(options.forgetOffset)") }
    if options.cellClip != 0 { words.append("cell state clipped to ±\(options.cellClip)") }
    if options.projectionClip != 0 {
      words.append("projection clipped to ±\(options.projectionClip)")
    }
    if options.argumentClip != 0 {
      words.append("arguments clipped to ±\(Float(options.argumentClip))")
    }
    if !parameters.recurrentBias.isEmpty { words.append("two biases") }
    if !parameters.peepholes.isEmpty { words.append("peepholes") }
    if !parameters.projection.isEmpty { words.append("projection") }
    if parameters.isNormalized { words.append("layer normalization") }
    if cell.zoneout.hidden != 0 { words.append("zoneout of h \(cell.zoneout.hidden)") }
    if cell.zoneout.cell != 0 { words.append("zoneout of c \(cell.zoneout.cell)") }
    return words.joined(separator: ", ")
  }
}
#endif
