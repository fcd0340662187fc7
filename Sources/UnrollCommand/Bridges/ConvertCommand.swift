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
      taken, or, into .onnx, the whole language model. OUT's extension says the container: .onnx, \
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
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: input, isDirectory: &isFolder), isFolder.boolValue {
        let stored = try StoredModel(run: input)
        if output.hasSuffix(".onnx") { return try ONNXBridge.write(stored, of: input, to: output) }
        let layers = stored.model.layers
        print("read: the \(layers.count) recurrent layers of the run \(input)")
        return try write(RecurrentNetwork(levels: layers.map { [$0] }))
      }
      if input.hasSuffix(".onnx") {
        return try ONNXBridge.read(input) {
          try write($0)
        } double: {
          try write($0)
        }
      }
      let file = try BridgeErrors.told(input) { try ArrayFile(contentsOf: input) }
      if NetworkFile.isDouble(file) {
        try convert(file, as: Double.self)
      } else {
        try convert(file, as: Float.self)
      }
    }
  }

  private func convert<Scalar: KernelScalar>(_ file: ArrayFile, as type: Scalar.Type) throws {
    let (imported, isTested) = try BridgeErrors.told(input) {
      try NetworkFile.network(in: file, assuming: assumed.assumptions, as: Scalar.self)
    }
    print("read: \(input), \(file.container.rawValue), by the names of \(imported.layout.rawValue)")
    for line in imported.mappings { print("  \(line)") }
    for line in imported.assumptions { print("  assumed: \(BridgeHints.text(assumption: line))") }
    for line in imported.omissions { print("  not taken over: \(line)") }
    if !imported.others.isEmpty {
      print("  left out: \(imported.others.joined(separator: ", "))")
    }
    if isTested { print("  tested: the network gives the outputs that the file keeps") }
    try write(imported.network)
  }

  private func write<Scalar: KernelScalar>(_ network: RecurrentNetwork<Scalar>) throws {
    guard to == nil || !output.hasSuffix(".onnx") else {
      throw ValidationError("--to: an ONNX model has names of its own; leave the option out.")
    }
    print("network:\n\(try BridgeErrors.told(input) { try BridgeWords.table(network).text })")
    if output.hasSuffix(".onnx") { return try ONNXBridge.write(network, to: output) }
    let (arrays, notes) = try BridgeErrors.told(output) {
      try NetworkFile.write(network, to: output, layout: to)
    }
    print("wrote: \(output)")
    for (name, array) in arrays.sorted(by: { $0.key < $1.key }) {
      print("  \(name) \(array.signature)")
    }
    for note in notes { print("  changed: \(note)") }
  }
}
