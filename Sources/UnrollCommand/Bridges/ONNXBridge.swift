#if Command
internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollLanguage
internal import UnrollONNX

/// ONNX models.
enum ONNXBridge {
  /// Whether a file is a model, by its contents or its name.
  static func isModel(_ path: String) -> Bool {
    path.hasSuffix(".onnx")
      || !WeightsOptions.isFolder(path) && !path.hasSuffix(".safetensors")
        && ONNXModel.isModel(at: path)
  }

  private static func model(_ path: String) throws -> ONNXModel {
    try told(path) { try ONNXModel(contentsOf: path) }
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
      counts.inKeyOrder.map { "\($0.value) \($0.key)" }.joined(separator: ", "),
    ])
    if !model.externalFiles.isEmpty {
      table.add(["files beside it", model.externalFiles.joined(separator: ", ")])
    }
    for (key, value) in model.metadata.inKeyOrder {
      table.add([key, value.count > 60 ? "\(value.prefix(57))…" : value])
    }
    print(table.text)
    do {
      try InspectCommand.show(network(of: model, path))
    } catch let error as ONNXError {
      print("\nnetwork: \(error)")
    } catch let error as ModelImportError {
      print("\nnetwork: \(error)")
    }
    // The graph's test, which may hold more than a network.
    InspectCommand.showTest(try test(model, path), of: "graph")
  }

  /// Reads the network of a model in its precision.
  ///
  /// - Throws: `DataError`, also for a model that does not give the outputs that it keeps.
  static func read(_ path: String) throws -> BridgeNetwork {
    let model = try model(path)
    return try told(path) {
      var network = try network(of: model, path)
      network.isTested = try test(model, path)
      let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
      network.filesBeside = model.externalFiles.map { folder + "/" + $0 }
      return network
    }
  }

  private static func network(of model: ONNXModel, _ path: String) throws -> BridgeNetwork {
    let (source, names) = ("\(path), ONNX model", "of operator set \(model.opset)")
    if model.isDouble {
      let (network, report) = try model.network(as: Double.self)
      return BridgeNetwork(
        source: source, names: names, numbers: .double(network), report: report)
    }
    let (network, report) = try model.network(as: Float.self)
    return BridgeNetwork(
      source: source, names: names, numbers: .single(network), report: report)
  }

  /// Refuses a model that does not give the outputs that it keeps.
  private static func test(_ model: ONNXModel, _ path: String) throws -> Bool {
    try told(path) {
      try model.isDouble ? model.judge(as: Double.self) : model.judge(as: Float.self)
    }
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
      projection: model.projection.map { ($0.weights, $0.bias) },
      softmaxWeights: model.configuration.isTied ? nil : model.softmax.weights,
      softmaxBias: model.softmax.bias)
    var metadata = [
      "vocabulary": String(
        decoding: try JSONEncoder().encode(stored.vocabulary.symbols), as: UTF8.self)
    ]
    var notes: [String] = []
    if model.configuration.learnsInitialState {
      // By the names of the graph's inputs, whose number of rows is not known here.
      var rows: [String: [Float]] = [:]
      for (level, state) in model.initialStates(batchSize: 1).enumerated() {
        rows["hidden_\(level)"] = state.hidden.elements
        if !state.cell.isEmpty { rows["cell_\(level)"] = state.cell.elements }
      }
      metadata["initial_states"] = String(decoding: try JSONEncoder().encode(rows), as: UTF8.self)
      notes.append(
        "the learned initial state of a sequence is in the metadata, initial_states; give it to the graph's inputs \(rows.keys.sorted().joined(separator: ", ")) for every row"
      )
    }
    let network = RecurrentNetwork(levels: model.layers.map { [$0] })
    print("read: the language model of the run \(run)")
    var result = try told(path) {
      try ONNXModel.exporting(network, parts: parts, metadata: metadata)
    }
    result.notes += notes
    try write(result, to: path)
  }

  private static func write(_ result: (model: ONNXModel, notes: [String]), to path: String) throws {
    try told(path) { try AtomicFile.write(result.model.encoded(), to: path) }
    print("wrote: \(path)")
    print("  inputs: \(result.model.inputs.joined(separator: ", "))")
    print("  outputs: \(result.model.outputs.joined(separator: ", "))")
    for note in result.notes { print("  changed: \(note)") }
    if result.model.isDouble {
      print(
        "  warning: its numbers are float64, as in what was read; onnxruntime runs RNN, GRU and LSTM in float32 only and refuses it"
      )
    }
  }
}
#endif
