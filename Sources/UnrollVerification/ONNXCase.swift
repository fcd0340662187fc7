// Cases that run an ONNX graph: results of onnxruntime, and the operators' tests that are distributed with
// onnx.

internal import Unroll
internal import UnrollFormats

enum ONNXCase {
  /// onnxruntime approximates tanh and σ by short polynomials, with errors of up to 2.1e-6.
  private static let bound = 4e-6

  /// Compares a graph with an archive of its inputs and outputs.
  static func compare(
    _ golden: GoldenCase, in set: GoldenSet, _ archive: NPZ
  ) throws -> Comparison {
    guard let path = golden.fields["files"]?.array?.first?.string else {
      throw VerificationError("files: expected the path of a model")
    }
    let model = try ONNXModel(set.bytes(path))
    var comparison = Comparison()
    // The weights are part of the graph; the archive contains copies.
    comparison.use("W", "R", "B", "P")
    var inputs: [String: ONNXValue<Float>] = [:]
    for name in model.inputs {
      inputs[name] = try value(archive.array(name))
      comparison.use(name)
    }
    for (name, value) in try model.run(inputs) {
      try compare(value, archive.array(name), name, &comparison)
    }
    return comparison
  }

  /// Compares a node's test in onnx's format: a model, inputs and outputs in separate files.
  static func compareNodeTest(_ golden: GoldenCase, in set: GoldenSet) throws -> Comparison {
    let files = golden.fields["files"]?.array?.compactMap(\.string) ?? []
    guard let path = files.first(where: { FileKind(endingOf: $0) == .onnx }) else {
      throw VerificationError("files: expected the path of a model")
    }
    let model = try ONNXModel(set.bytes(path))
    var comparison = Comparison()
    func tensors(_ word: String) throws -> [ONNXValue<Float>] {
      try files.filter { $0.contains("/\(word)_") }.sorted().map {
        try ONNXValue(tensor: set.bytes($0))
      }
    }
    let inputs = Dictionary(
      zip(model.inputs, try tensors("input")), uniquingKeysWith: { first, _ in first })
    let results = try model.run(inputs)
    for (name, theirs) in zip(model.outputs, try tensors("output")) {
      guard let ours = results[name]?.tensor, let theirs = theirs.tensor else {
        throw VerificationError("\(name): expected floating-point numbers")
      }
      comparison.compare(ours, theirs, as: "outputs", array: name, bound: bound)
    }
    return comparison
  }

  private static func value(_ array: StoredArray) throws -> ONNXValue<Float> {
    switch array.elementType {
    case .float32, .float64, .float16, .bfloat16: ONNXValue(array.tensor(of: Float.self))
    default: .integers(NDArray(shape: array.shape, elements: try array.integers()))
    }
  }

  private static func compare(
    _ ours: ONNXValue<Float>, _ theirs: StoredArray, _ name: String,
    _ comparison: inout Comparison
  ) throws {
    guard let ours = ours.tensor else {
      throw VerificationError("\(name): expected floating-point numbers")
    }
    comparison.compare(
      ours, theirs.tensor(of: Float.self), as: name == "Y" ? "outputs" : "states", array: name,
      bound: bound)
  }
}
