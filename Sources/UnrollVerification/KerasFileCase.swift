// Cases for Keras' model files: one model (an embedding, a GRU and a softmax) in several formats.

internal import RealModule
internal import Unroll
internal import UnrollFormats

enum KerasFileCase {
  /// Runs the model once for each file, with the GRU read from the file.
  static func compare(
    _ golden: GoldenCase, in set: GoldenSet, _ archive: NPZ
  ) throws -> Comparison {
    let files = golden.fields["files"]?.array?.compactMap(\.string) ?? []
    guard !files.isEmpty else { throw VerificationError("files: expected paths of models") }
    func tensor(_ name: String) throws -> Tensor<Float> { try archive.tensor(name) }
    var comparison = Comparison()
    let embedding = try tensor("w.embedding.embeddings")
    let (kernel, bias) = (try tensor("w.dense.kernel"), try tensor("w.dense.bias"))
    let symbols = try archive.array("x")
    let (rows, steps) = (symbols.shape[0], symbols.shape[1])
    let numbers = try symbols.integers()
    guard numbers.allSatisfy({ (0..<embedding.shape[0]).contains($0) }) else {
      throw VerificationError("x: expected symbols below \(embedding.shape[0])")
    }
    let x = Tensor<Float>(
      shape: [rows, steps, embedding.shape[1]],
      elements: numbers.flatMap { embedding[$0, ...].elements })
    for name in archive.names where name != "y" { comparison.use(name) }
    // `mask_zero`: a step with the symbol 0 is inactive.
    let masks = golden.name.contains("masked")
    let mask: SequenceMask =
      masks
      ? .steps(
        (0..<steps).map { time in (0..<rows).map { numbers[$0 * steps + time] != 0 } },
        paddedOutput: .previous) : .full
    for path in files {
      let file = try ArrayFile(set.bytes(path), name: path)
      let network = try NetworkFile.network(in: file, as: Float.self).imported.network
      let h = network.forward(
        x, from: network.zeroStates(batchSize: rows), mask: mask, layout: .batchMajor
      ).outputs
      let logits = h.reshaped(to: [rows * steps, h.shape[2]]).matrixProduct(kernel)
      let y = Self.softmax(logits, bias)
      comparison.compare(
        y.reshaped(to: [rows, steps, bias.count]), try tensor("y"), as: "outputs", array: "y",
        bound: Bounds.float(golden.fields["f32_error"]?["out"]?.double))
    }
    return comparison
  }

  private static func softmax(_ logits: Tensor<Float>, _ bias: Tensor<Float>) -> Tensor<Float> {
    let (count, width) = (logits.shape[0], logits.shape[1])
    let values = logits.elements
    var result: [Float] = []
    for row in 0..<count {
      let sums = (0..<width).map { Double(values[row * width + $0] + bias[$0]) }
      let total = sums.reduce(0) { $0 + Double.exp($1) }
      result += sums.map { Float(Double.exp($0) / total) }
    }
    return Tensor(shape: logits.shape, elements: result)
  }
}
