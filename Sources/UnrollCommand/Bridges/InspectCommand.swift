#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollLanguage

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show the contents of a file or a run, and the network in it.",
    discussion: """
      Prints the arrays or operators, the recurrent network with all its settings, how it was read, and suspicious \
      weights. If the file contains a self-test, it is run. Networks are recognized by the names of Unroll, PyTorch, Keras, \
      TensorFlow 1 and MLX.

      The kind of file is recognized by its contents: \(FileKind.readKinds).

      EXAMPLES
        unroll inspect model.pt
        unroll inspect checkpoint.index --forget-bias 0
        unroll inspect model.safetensors --prefix encoder.
        unroll inspect run
      """)

  @Argument(help: ArgumentHelp("A file, or a run's folder.", valueName: "path")) var path: String
  @OptionGroup(title: "Settings that the file does not state") var assumed: AssumptionOptions

  func run() throws {
    try LanguageErrors.told {
      try assumed.check(path)
      if WeightsOptions.isFolder(path) { return try inspectRun() }
      try BridgeErrors.told(path) { try inspectFile() }
    }
  }

  private func inspectFile() throws {
    let file = try NetworkFile(contentsOf: path)
    switch file.contents {
    case .arrays(let arrays): try show(arrays)
    case .graph(let model): show(model)
    }
    do {
      let read = try file.network(assuming: assumed.assumptions)
      print("\nnetwork, \(read.names):")
      print(read.network.table.text)
      for line in read.remarks() { print(line) }
      showTest(read.isTested, of: file)
    } catch let error as ModelImportError {
      if case .unneeded = error.problem { throw error }
      // A file of arrays without a network is not damaged.
      try showNoNetwork(BridgeHints().text(error), in: file)
    } catch let error as ONNXError {
      try showNoNetwork("\(error)", in: file)
    }
    if case .arrays(let file) = file.contents {
      for line in Self.suspicions(file.arrays) { print("suspicious: \(line)") }
    }
  }

  private func show(_ file: ArrayFile) throws {
    // Damage is reported before the contents are shown.
    for part in file.files where file.kind == .safetensors { _ = try Safetensors(checked: part) }
    var table = TextTable(["what", "value"])
    table.add(["file", file.kind.rawValue])
    table.add(["arrays", "\(file.arrays.count)"])
    table.add(["numbers", "\(file.arrays.values.reduce(0) { $0 + $1.count })"])
    add(file.metadata, to: &table)
    print(table.text + "\n")
    print(Self.arrays(file.arrays))
    for (name, what) in file.skipped.inKeyOrder {
      print("not read: \(name), \(what.signature)")
    }
  }

  private func show(_ model: ONNXModel) {
    var table = TextTable(["what", "value"])
    table.add(["file", "ONNX model, operator set \(model.opset)"])
    table.add(["inputs", model.inputs.joined(separator: ", ")])
    table.add(["outputs", model.outputs.joined(separator: ", ")])
    let counts = Dictionary(grouping: model.operators, by: \.self).mapValues(\.count)
    table.add([
      "operators",
      counts.inKeyOrder.map { "\($0.value) \($0.key)" }.joined(separator: ", "),
    ])
    if !model.externalFiles.isEmpty {
      table.add(["files beside it", model.externalFiles.joined(separator: ", ")])
    }
    add(model.metadata, to: &table)
    print(table.text)
  }

  private func add(_ metadata: [String: String], to table: inout TextTable) {
    for (key, value) in metadata.inKeyOrder {
      table.add([key, value.count > 60 ? "\(value.prefix(57))…" : value])
    }
  }

  /// Says why a file has no network.
  ///
  /// A graph without one may carry a self-test, and failing it is an error.
  private func showNoNetwork(_ why: String, in file: NetworkFile) throws {
    print("\nnetwork: \(why)")
    if let isTested = try file.testGraph() { showTest(isTested, of: file) }
  }

  private func showTest(_ isTested: Bool, of file: NetworkFile) {
    let subject = if case .graph = file.contents { "graph" } else { "network" }
    print(
      isTested
        ? "test: the \(subject) gives the outputs that the file keeps"
        : "test: the file keeps no outputs to compare with")
  }

  private func inspectRun() throws {
    let stored = try StoredModel(run: path, allowsNonFinite: true)
    let (model, c) = (stored.model, stored.configuration)
    var table = TextTable(["what", "value"])
    table.add(["preset", c.preset])
    table.add(["corpus", c.corpus ?? "the embedded grammar"])
    table.add(["symbols", "\(stored.vocabulary.count) \(c.unit.rawValue)"])
    table.add([
      "network",
      "\(c.model.layers) × \(c.model.isNormalized ? "layer-normalised " : "")\(c.model.cell.rawValue) of \(c.model.layerSizes.map { "\($0.output)" }.joined(separator: ", ")), embedding \(c.model.embeddingSize)\(c.model.isTied ? ", tied" : "")\(c.model.learnsInitialState ? ", learned initial state" : "")",
    ])
    table.add(["parameters", "\(c.model.parameterCount)"])
    for (key, value) in stored.metadata.inKeyOrder {
      table.add([key, value])
    }
    print(table.text + "\n")
    let network = RecurrentNetwork(levels: model.layers.map { [$0] })
    print(AnyNetwork.single(network).table.text + "\n")
    print(Self.arrays(model.arrays))
    for line in Self.suspicions(model.arrays) { print("suspicious: \(line)") }
  }

  private static func arrays(_ arrays: [String: StoredArray]) -> String {
    var table = TextTable(["array", "type and shape", "smallest", "largest", "not finite"])
    for (name, array) in arrays.inKeyOrder {
      let numbers = array.tensor(of: Double.self).elements
      let finite = numbers.filter(\.isFinite)
      table.add([
        name, array.signature, finite.min().map { String(format: "%.4g", $0) } ?? "–",
        finite.max().map { String(format: "%.4g", $0) } ?? "–", "\(numbers.count - finite.count)",
      ])
    }
    return table.text
  }

  /// Properties that weights seldom have on purpose.
  private static func suspicions(_ arrays: [String: StoredArray]) -> [String] {
    arrays.inKeyOrder.flatMap { name, array -> [String] in
      let numbers = array.tensor(of: Double.self).elements
      var lines: [String] = []
      if numbers.contains(where: { !$0.isFinite }) { lines.append("\(name) has NaN or infinity") }
      if array.shape.count == 2, numbers.count > 1, let first = numbers.first,
        numbers.allSatisfy({ $0 == first })
      {
        lines.append("every number of \(name) is \(first)")
      }
      if numbers.contains(where: { $0.isFinite && abs($0) > 1e4 }) {
        lines.append("\(name) has numbers beyond ±10,000")
      }
      return lines
    }
  }
}
#endif
