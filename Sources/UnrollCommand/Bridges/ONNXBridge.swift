internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollLanguage
internal import UnrollONNX

/// ONNX models, where the program was built with them.
enum ONNXBridge {
  #if ONNX
  private static func model(_ path: String) throws -> ONNXModel {
    try told(path) { try ONNXModel(AtomicFile.read(path)) }
  }

  /// Errors as one sentence that begins with the file.
  private static func told<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
    try BridgeErrors.told(path) {
      do { return try body() } catch let error as ONNXError {
        throw DataError(description: "\(path): \(error)")
      }
    }
  }

  /// Shows a graph and the network in it.
  static func inspect(_ path: String) throws {
    let model = try model(path)
    var table = TextTable(["what", "value"])
    table.add(["file", "ONNX model, operator set \(model.opset)"])
    table.add(["inputs", model.inputs.joined(separator: ", ")])
    table.add(["outputs", model.outputs.joined(separator: ", ")])
    let counts = Dictionary(grouping: model.operators, by: \.self).mapValues(\.count)
    table.add([
      "operators",
      counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "),
    ])
    for (key, value) in model.metadata.sorted(by: { $0.key < $1.key }) {
      table.add([key, value.count > 60 ? "\(value.prefix(57))…" : value])
    }
    print(table.text + "\n")
    do {
      print(
        try model.isDouble
          ? BridgeWords.table(model.network(as: Double.self).network).text
          : BridgeWords.table(model.network(as: Float.self).network).text)
    } catch let error as ONNXError {
      print("network: \(error)")
    } catch let error as ModelImportError {
      print("network: \(error)")
    }
    let isTested = try told(path) {
      try model.isDouble ? model.judge(as: Double.self) : model.judge(as: Float.self)
    }
    print(
      isTested
        ? "test: the graph gives the outputs that the file keeps"
        : "test: the file keeps no outputs to compare with")
  }

  /// Reads the network of a model, and hands it on in its precision.
  static func read(
    _ path: String, single: (RecurrentNetwork<Float>) throws -> Void,
    double: (RecurrentNetwork<Double>) throws -> Void
  ) throws {
    let model = try model(path)
    print("read: \(path), ONNX, operator set \(model.opset)")
    func show(_ mappings: [String]) { for line in mappings { print("  \(line)") } }
    if model.isDouble {
      let (network, mappings) = try told(path) { try model.network(as: Double.self) }
      show(mappings)
      try test(model, path)
      try double(network)
    } else {
      let (network, mappings) = try told(path) { try model.network(as: Float.self) }
      show(mappings)
      try test(model, path)
      try single(network)
    }
  }

  /// Refuses a model that does not give the outputs that it keeps.
  private static func test(_ model: ONNXModel, _ path: String) throws {
    let isTested = try told(path) {
      try model.isDouble ? model.judge(as: Double.self) : model.judge(as: Float.self)
    }
    if isTested { print("  tested: the graph gives the outputs that the file keeps") }
  }

  /// Writes a network as a graph.
  static func write<Scalar: KernelScalar>(
    _ network: RecurrentNetwork<Scalar>, to path: String
  ) throws {
    try write(told(path) { try ONNXModel.exporting(network) }, to: path)
  }

  /// Writes a language model as a graph from symbols to logits; the vocabulary stands in its metadata.
  static func write(_ stored: StoredModel, of run: String, to path: String) throws {
    let model = stored.model
    let parts = ONNXLanguageParts(
      embedding: model.embedding.vectors,
      projection: model.configuration.projectionSize.map { _ in
        (model.projectionWeights, model.projectionBias)
      },
      softmaxWeights: model.configuration.isTied ? nil : model.softmaxWeights,
      softmaxBias: model.softmaxBias)
    let words = String(decoding: try JSONEncoder().encode(stored.vocabulary.symbols), as: UTF8.self)
    let network = RecurrentNetwork(levels: model.layers.map { [$0] })
    print("read: the language model of the run \(run)")
    try write(
      told(path) {
        try ONNXModel.exporting(network, parts: parts, metadata: ["vocabulary": words])
      }, to: path)
  }

  private static func write(_ result: (model: ONNXModel, notes: [String]), to path: String) throws {
    try told(path) { try AtomicFile.write(result.model.encoded(), to: path) }
    print("wrote: \(path)")
    print("  inputs: \(result.model.inputs.joined(separator: ", "))")
    print("  outputs: \(result.model.outputs.joined(separator: ", "))")
    for note in result.notes { print("  changed: \(note)") }
  }
  #else
  private static var absent: DataError {
    DataError(description: "ONNX models need a build with the package trait ONNX")
  }

  static func inspect(_ path: String) throws { throw absent }

  static func read(
    _ path: String, single: (RecurrentNetwork<Float>) throws -> Void,
    double: (RecurrentNetwork<Double>) throws -> Void
  ) throws { throw absent }

  static func write<Scalar: KernelScalar>(
    _ network: RecurrentNetwork<Scalar>, to path: String
  ) throws { throw absent }

  static func write(_ stored: StoredModel, of run: String, to path: String) throws { throw absent }
  #endif
}
