#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollLanguage

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Convert a recurrent network from one program's file to another's.",
    discussion: """
      IN is any file that `unroll inspect` reads, or a run's folder. Of a run, the recurrent layers are converted; into \
      .onnx, the whole language model. IN is never overwritten.

      The ending of OUT decides its format: \(FileKind.writtenEndings). Arrays get the names and layouts of the program \
      that --to names; only unroll keeps every setting. A setting that the format or the program cannot express is an \
      error. OUT contains a self-test, inputs and outputs, which Unroll runs whenever it reads the file.

      EXAMPLES
        unroll convert model.pt model.onnx
        unroll convert model.onnx model.safetensors --to pytorch
        unroll convert checkpoint.index layers.npz --forget-bias 0
        unroll convert run model.onnx
      """)

  @Argument(help: ArgumentHelp("A file with a network, or a run's folder.", valueName: "in"))
  var input: String
  @Argument(help: ArgumentHelp("The file to write.", valueName: "out")) var output: String
  @OptionGroup(title: "Output") var target: TargetOptions
  @OptionGroup(title: "Settings that the input does not state") var assumed: AssumptionOptions

  /// The options for what is written.
  struct TargetOptions: ParsableArguments {
    @Option(
      help: ArgumentHelp(
        "Program whose names and layouts the arrays get: \(Self.layouts). (default: keras in .h5, tensorflow1 in .index, otherwise unroll)",
        valueName: "program"),
      transform: { word in
        guard let layout = NetworkLayout(rawValue: word) else {
          throw ValidationError("expected one of \(Self.layouts), found '\(word)'.")
        }
        return layout
      })
    var to: NetworkLayout?

    private static let layouts = NetworkLayout.allCases.map(\.rawValue).joined(separator: ", ")
  }

  func run() throws {
    try LanguageErrors.told {
      let kind = try BridgeErrors.told(output) { try FileKind(writing: output) }
      guard target.to == nil || kind.standardLayout != nil else {
        throw ValidationError("--to: an ONNX model has names of its own; leave the option out.")
      }
      try assumed.check(input)
      if WeightsOptions.isFolder(input) { return try convertRun(into: kind) }
      let read = try NetworkFile.read(
        input, assuming: assumed.assumptions, hints: BridgeHints())
      try OutputGuard.check(output, reading: input, and: read.files)
      print("read: \(read.origin), \(read.names)")
      for line in read.report.mappings + read.remarks() { print("  \(line)") }
      if read.isTested { print("  tested: the network gives the outputs that the file keeps") }
      try convert(read.network)
    }
  }

  /// Converts a run: the whole language model into a graph, the recurrent layers into arrays.
  private func convertRun(into kind: FileKind) throws {
    try OutputGuard.check(output, reading: input)
    let stored = try StoredModel(run: input)
    let network = RecurrentNetwork(levels: stored.model.layers.map { [$0] })
    if kind == .onnx {
      print("read: the language model of the run \(input)")
      return try show(BridgeErrors.told(output) { try stored.export(network, to: output) })
    }
    if stored.configuration.model.learnsInitialState {
      let names = stored.model.parameterNames.filter { $0.contains(".initial_") }
      let isGraph = (try? ONNXModel.exporting(network)) != nil
      throw DataError(
        description:
          "\(input): expected a model whose sequences begin with zero, found the learned \(names.joined(separator: ", ")), for which \(output) has no place; \(isGraph ? "convert it into .onnx, or " : "")train without --learn-initial-state"
      )
    }
    print("read: the \(network.layers.count) recurrent layers of the run \(input)")
    try convert(.single(network))
  }

  private func convert(_ network: AnyNetwork) throws {
    if let weight = network.nonFiniteWeight {
      throw DataError(description: "\(input): expected finite numbers, found \(weight)")
    }
    print("network:\n\(network.table.text)")
    show(
      try BridgeErrors.told(output) {
        try NetworkFile.write(network, to: output, layout: target.to)
      })
  }

  private func show(_ written: WrittenNetwork) {
    print("wrote: \(output)")
    for (name, array) in written.arrays.inKeyOrder { print("  \(name) \(array.signature)") }
    for (title, names) in [("inputs", written.inputs), ("outputs", written.outputs)]
    where !names.isEmpty {
      print("  \(title): \(names.joined(separator: ", "))")
    }
    for note in written.notes { print("  changed: \(note)") }
    if written.isDouble, !written.inputs.isEmpty {
      print(
        "  warning: its numbers are float64, as in the input; onnxruntime runs RNN, GRU and LSTM in float32 only and refuses it"
      )
    }
  }
}

extension StoredModel {
  /// Writes the language model as a graph from symbols to logits, with the vocabulary in its metadata.
  fileprivate func export(
    _ network: RecurrentNetwork<Float>, to path: String
  ) throws -> WrittenNetwork {
    func json(_ value: some Encodable) throws -> String {
      String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
    }
    let parts = ONNXLanguageParts(
      embedding: model.embedding.vectors,
      projection: model.projection.map { ($0.weights, $0.bias) },
      softmaxWeights: model.configuration.isTied ? nil : model.softmax.weights,
      softmaxBias: model.softmax.bias)
    var metadata = ["vocabulary": try json(vocabulary.symbols)]
    var states: [String: [Float]] = [:]
    if model.configuration.learnsInitialState {
      // One row by the name of the graph's input, whose number of rows is not known here.
      for (level, state) in model.initialStates(batchSize: 1).enumerated() {
        states["hidden_\(level)"] = state.hidden.elements
        if !state.cell.isEmpty { states["cell_\(level)"] = state.cell.elements }
      }
      metadata["initial_states"] = try json(states)
    }
    var written = try NetworkFile.write(network, with: parts, metadata: metadata, to: path)
    if !states.isEmpty {
      written.notes.append(
        "the learned initial state of a sequence is in the metadata, initial_states; give it to the graph's inputs \(states.keys.sorted().joined(separator: ", ")) for every row"
      )
    }
    return written
  }
}
#endif
