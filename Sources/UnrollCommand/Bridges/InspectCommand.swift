#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollLanguage

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what a run's folder or a file of arrays holds, and the network in it.",
    discussion: """
      Files: NumPy's .npy and .npz, safetensors, PyTorch's .pt and .pth (state dicts), Keras' \
      .h5 and .keras, TensorFlow checkpoints (.index), ONNX models. Networks are known by the names of \
      PyTorch, Keras, TensorFlow 1, MLX and Unroll.
      """)

  @Argument(help: "A run's folder, or a file.") var path: String
  @OptionGroup var assumed: AssumptionOptions

  func run() throws {
    try LanguageErrors.told {
      try assumed.check(path)
      if WeightsOptions.isFolder(path) {
        try inspectRun()
      } else if ONNXBridge.isModel(path) {
        try ONNXBridge.inspect(path)
      } else {
        try BridgeErrors.told(path) { try BridgeErrors.listingONNX { try inspectFile() } }
      }
    }
  }

  private func inspectFile() throws {
    // Damage is told before contents are shown.
    if path.hasSuffix(".safetensors") { _ = try Safetensors(checked: path) }
    let file = try ArrayFile(contentsOf: path)
    var table = TextTable(["what", "value"])
    table.add(["file", file.container.rawValue])
    table.add(["arrays", "\(file.arrays.count)"])
    table.add(["numbers", "\(file.arrays.values.reduce(0) { $0 + $1.count })"])
    for (key, value) in file.metadata.inKeyOrder {
      table.add([key, value.count > 60 ? "\(value.prefix(57))…" : value])
    }
    print(table.text + "\n")
    print(Self.arrays(file.arrays))
    for (name, what) in file.skipped.inKeyOrder {
      print("not read: \(name), \(what.signature)")
    }
    do {
      let read = try BridgeNetwork(file, of: path, assuming: assumed.assumptions)
      try Self.show(read)
      Self.showTest(read.isTested, of: "network")
    } catch let error as ModelImportError {
      // An array file without a network is nothing wrong.
      print("\nnetwork: \(BridgeHints().text(error))")
    }
    for line in Self.suspicions(file.arrays) { print("suspicious: \(line)") }
  }

  /// Shows a network, and how it was read.
  static func show(_ read: BridgeNetwork) throws {
    print("\nnetwork, \(read.names):")
    print(read.table.text)
    for line in read.remarks { print(line) }
  }

  /// Says whether the file's own test was passed; one that is not is an error.
  static func showTest(_ isTested: Bool, of what: String) {
    print(
      isTested
        ? "test: the \(what) gives the outputs that the file keeps"
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
    print(BridgeWords.table(RecurrentNetwork(levels: model.layers.map { [$0] })).text + "\n")
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

  /// What weights seldom are on purpose.
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
