#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollLanguage

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Take a recurrent network from one program's file to another's.",
    discussion: """
      IN may be any file that `unroll inspect` reads, or a run's folder, whose recurrent layers are \
      taken, or, into .onnx, the whole language model. IN is never overwritten. OUT's extension says the container: .onnx, \
      .safetensors, .npz, .weights.h5 or .index (a TensorFlow checkpoint). --to says whose names and \
      orders: unroll (every setting is kept), pytorch, keras (the default in .h5), mlx or tensorflow1 \
      (the default in .index). What the other program cannot express is an error. OUT keeps a small \
      test, inputs and outputs, that is run whenever Unroll reads the file.
      """)

  @Argument(help: ArgumentHelp("What is read.", valueName: "in")) var input: String
  @Argument(help: ArgumentHelp("What is written.", valueName: "out")) var output: String
  @Option(
    help: "Whose names: unroll, pytorch, keras, tensorflow1 or mlx.",
    transform: { word in
      guard let layout = NetworkLayout(rawValue: word) else {
        throw ValidationError(
          "expected one of \(NetworkLayout.allCases.map(\.rawValue).joined(separator: ", ")), found '\(word)'."
        )
      }
      return layout
    })
  var to: NetworkLayout?
  @OptionGroup var assumed: AssumptionOptions

  func run() throws {
    try LanguageErrors.told {
      try checkOutput()
      try assumed.check(input)
      if WeightsOptions.isFolder(input) {
        try OutputGuard.check(output, reading: input)
        let stored = try StoredModel(run: input)
        if output.hasSuffix(".onnx") { return try ONNXBridge.write(stored, of: input, to: output) }
        if stored.configuration.model.learnsInitialState {
          let names = stored.model.parameterNames.filter { $0.contains(".initial_") }
          throw DataError(
            description:
              "\(input): expected a model whose sequences begin with zero, found the learned \(names.joined(separator: ", ")), for which \(output) has no place; convert it into .onnx, or train without --learn-initial-state"
          )
        }
        let layers = stored.model.layers
        print("read: the \(layers.count) recurrent layers of the run \(input)")
        return try write(RecurrentNetwork(levels: layers.map { [$0] }))
      }
      let read = try BridgeNetwork(contentsOf: input, assuming: assumed.assumptions)
      try OutputGuard.check(output, reading: input, and: read.filesBeside)
      print("read: \(read.origin)")
      for line in read.report.mappings + read.remarks { print("  \(line)") }
      if read.isTested { print("  tested: the network gives the outputs that the file keeps") }
      switch read.numbers {
      case .single(let network): try write(network)
      case .double(let network): try write(network)
      }
    }
  }

  /// Refuses a name that says no container before anything is read.
  private func checkOutput() throws {
    let endings = [".onnx", ".safetensors", ".npz", ".index", ".weights.h5", ".h5"]
    guard !endings.contains(where: output.hasSuffix) else { return }
    throw DataError(
      description:
        "\(output): expected a name that ends with \(endings.dropLast().joined(separator: ", ")) or .h5 (.index is TensorFlow's, .h5 Keras')"
    )
  }

  private func write<Scalar: KernelScalar>(_ network: RecurrentNetwork<Scalar>) throws {
    guard to == nil || !output.hasSuffix(".onnx") else {
      throw ValidationError("--to: an ONNX model has names of its own; leave the option out.")
    }
    try BridgeWords.checkFinite(network, of: input)
    print("network:\n\(BridgeWords.table(network).text)")
    if output.hasSuffix(".onnx") { return try ONNXBridge.write(network, to: output) }
    let (arrays, notes) = try BridgeErrors.told(output) {
      try NetworkFile.write(network, to: output, layout: to)
    }
    print("wrote: \(output)")
    for (name, array) in arrays.inKeyOrder {
      print("  \(name) \(array.signature)")
    }
    for note in notes { print("  changed: \(note)") }
  }
}
#endif
