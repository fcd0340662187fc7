// A network for the lab's experiments, read from a file or a run, with the inputs that it reads.

#if Command
internal import ArgumentParser
internal import Foundation
internal import Unroll
internal import UnrollFormats
internal import UnrollLab
internal import UnrollLanguage

/// A network from a file or a run, with its inputs.
struct GivenNetwork {
  /// The file or folder of the network.
  let path: String
  /// Its layers, each with its inputs.
  let layers: [LayerInNetwork]
  /// A description of the inputs and their axes; nil for random inputs.
  var reads: String?
  /// The run's model and the text, for a language model.
  var language: (stored: StoredModel, text: EncodedText)?

  /// Reads the network given with `--weights`; nil if there is none.
  init?(
    _ options: WeightsOptions, _ sizes: LabSizeOptions<some LabDefaults>, _ settings: LabSettings
  ) throws {
    guard let path = options.weights else { return nil }
    self.path = path
    try options.assumed.check(path)
    for (name, value) in [("time", sizes.time), ("batch", sizes.batch)] {
      if let value, value < 1 {
        throw DataError(description: "--\(name): expected at least 1, got \(value)")
      }
    }
    if WeightsOptions.isFolder(path) {
      let stored = try LanguageErrors.told { try StoredModel(run: path) }
      let text = try Self.text(stored, options.data, run: path)
      let inputs = Self.embedded(stored, text, sizes, settings)
      let unit = stored.vocabulary.unit.singular
      reads =
        "\(options.data ?? "the run's validation text"): \(LabNumber.count(inputs.shape[1], "sequence")) of \(LabNumber.count(inputs.shape[0], unit)), side by side in a text of \(LabNumber.count(text.count, unit))"
      let network = RecurrentNetwork(levels: stored.model.layers.map { [$0] })
        .converted(to: Double.self)
      layers = try attempt { try LayerInNetwork.all(of: network, reading: Tensor<Double>(inputs)) }
      language = (stored, text)
      return
    }
    let network = try options.network(path)
    var settings = settings
    settings.inputSize = network.layers.first?.inputSize ?? 1
    let inputs: Tensor<Double>
    if let data = options.data {
      let sequences = try Self.read(data, sizes, inputSize: settings.inputSize)
      (inputs, reads) = (sequences.inputs, sequences.description)
    } else {
      inputs = try attempt { try drawnInputs(settings) }
    }
    layers = try attempt { try LayerInNetwork.all(of: network, reading: inputs) }
  }

  /// The layers to measure.
  func chosen(_ layer: Int?) throws -> [LayerInNetwork] {
    guard let layer else { return layers }
    guard layer < layers.count else {
      throw DataError(
        description: "\(path): expected a layer below \(layers.count), found --layer \(layer)")
    }
    return [layers[layer]]
  }

  /// The name of a layer in tables.
  func title(_ layer: LayerInNetwork) -> String {
    layer.direction == .forward ? "layer \(layer.index)" : "layer \(layer.index), backward"
  }

  /// Reads sequences `[B, T, D]` or `[T, D]` from a .npy file, cut to --batch and --time.
  ///
  /// - Returns: Inputs `[T, B, D]`, and a description of the axes.
  private static func read(
    _ path: String, _ sizes: LabSizeOptions<some LabDefaults>, inputSize: Int
  ) throws -> (inputs: Tensor<Double>, description: String) {
    let array = try BridgeErrors.told(path) { try NPY.decode(AtomicFile.read(path)[...]) }
    let shape = array.shape
    func refused(_ reason: String) -> DataError {
      DataError(
        description:
          "\(path): expected sequences [B, T, \(inputSize)], or one [T, \(inputSize)], found shape \(shape); \(reason)"
      )
    }
    guard shape.count == 2 || shape.count == 3, let features = shape.last else {
      throw refused("give it two or three axes")
    }
    guard features == inputSize else {
      let reads = "the network reads \(LabNumber.count(inputSize, "feature")) a step"
      throw refused(
        shape.contains(inputSize)
          ? "\(reads), and the axis of \(inputSize) is not the last: transpose the array" : reads)
    }
    guard !shape.contains(0) else { throw refused("it has no elements") }
    let tensor = array.tensor(of: Double.self)
    guard tensor.elements.allSatisfy(\.isFinite) else {
      throw DataError(description: "\(path): expected finite numbers, found NaN or an infinite one")
    }
    let all = shape.count == 2 ? tensor.reshaped(to: [1] + tensor.shape) : tensor
    let (rows, steps) = (all.shape[0], all.shape[1])
    let cut = all[0..<min(rows, sizes.batch ?? rows)].exchangingFirstAxes
    let inputs = cut[0..<min(steps, sizes.time ?? steps)]
    func words(_ rows: Int, _ steps: Int) -> String {
      "\(LabNumber.count(rows, "sequence")) of \(LabNumber.count(steps, "step"))"
    }
    var text =
      "\(path), shape \(shape): \(words(rows, steps)), \(LabNumber.count(features, "feature"))"
    if (inputs.shape[1], inputs.shape[0]) != (rows, steps) {
      text += "; used: \(words(inputs.shape[1], inputs.shape[0]))"
    }
    if steps == 1, rows > 1 {
      text +=
        " (for one sequence of \(rows) steps, give it the shape [1, \(rows), \(features)] or [\(rows), \(features)])"
    }
    return (inputs, text)
  }

  /// The text for a language model: a file, or the run's validation text.
  private static func text(
    _ stored: StoredModel, _ data: String?, run: String
  ) throws -> EncodedText {
    let text = try LanguageErrors.told {
      try data.map { try Corpus.encode(file: $0, with: stored.vocabulary).text }
        ?? EncodedText(
          mapping: run + "/corpus/valid.symbols", vocabularySize: stored.vocabulary.count)
    }
    guard text.count >= 2 else {
      throw DataError(
        description:
          "\(data ?? run): expected a text of at least \(stored.vocabulary.unit.counted(2)), found \(text.count)"
      )
    }
    return text
  }

  /// The embedded symbols of B sections of the text, `[T, B, E]`.
  private static func embedded(
    _ stored: StoredModel, _ text: EncodedText, _ sizes: LabSizeOptions<some LabDefaults>,
    _ settings: LabSettings
  ) -> Tensor<Float> {
    let steps = min(settings.timeStepCount, text.count)
    let rows = max(1, min(sizes.batch ?? 16, text.count / steps))
    let symbols = (0..<steps).flatMap { time in
      (0..<rows).map { text[$0 * (text.count / rows) + time] }
    }
    var inputs = Tensor<Float>(shape: [0])
    stored.model.embedding.lookUp(symbols, timeStepCount: steps, into: &inputs)
    return inputs
  }
}

extension WeightsOptions {
  static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && isFolder.boolValue
  }

  /// The network of a file, in Double.
  ///
  /// A summary of the file is printed on standard error.
  func network(_ path: String) throws -> RecurrentNetwork<Double> {
    // Read in the file's precision first, because its self-test is in that precision.
    let read = try NetworkFile.read(path, assuming: assumed.assumptions, hints: BridgeHints())
    for line in read.summary() { Terminal.note(line) }
    return read.network.double
  }
}
#endif
