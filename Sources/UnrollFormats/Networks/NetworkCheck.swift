// The self-test of a network file: a reader that computes other outputs refuses the file.

internal import Foundation
internal import Unroll

/// Inputs, initial states and the outputs that a network gave when it was written.
struct NetworkCheck<Scalar: KernelScalar> {
  /// The metadata key; the value is an `.npz` archive in base64.
  static var key: String { "unroll.check" }

  private var arrays: [String: Tensor<Scalar>]

  /// Runs a network over 4 steps of 2 sequences, from a state that is not zero.
  init(of network: RecurrentNetwork<Scalar>) {
    var random = NumPyRandom(seed: 1)
    func drawn(_ shape: [Int]) -> Tensor<Scalar> {
      Tensor<Scalar>(Tensor<Float>((random.rand(shape) - 0.5) * 2))
    }
    arrays = ["inputs": drawn([4, 2, network.layers.first?.inputSize ?? 0])]
    for (index, state) in network.zeroStates(batchSize: 2).enumerated() {
      arrays["hidden\(index)"] = drawn(state.hidden.shape)
      arrays["cell\(index)"] = drawn(state.cell.shape)
    }
    arrays["outputs"] = outputs(of: network)
  }

  /// Reads the test from a file's metadata; nil if it has none.
  ///
  /// - Throws: `ArrayFileError` if it has one that is damaged.
  init?(_ metadata: [String: String]) throws(ArrayFileError) {
    guard let stored = try Self.stored(in: metadata) else { return nil }
    arrays = stored.mapValues { $0.tensor(of: Scalar.self) }
  }

  /// The test as a string.
  var encoded: String { Self.encoded(arrays.mapValues { StoredArray($0) }) }

  /// Compares a network with the test.
  ///
  /// - Throws: `ModelImportError` if it computes something else, or has other sizes.
  func judge(_ network: RecurrentNetwork<Scalar>) throws(ModelImportError) {
    let states = network.zeroStates(batchSize: 2)
    func expect(_ name: String, _ shape: [Int]) throws(ModelImportError) {
      guard let found = arrays[name]?.shape else {
        throw ModelImportError(.missing, name: "\(Self.key): \(name)")
      }
      guard found == shape else {
        throw ModelImportError(
          .wrongShape(expected: shape, found: found), name: "\(Self.key): \(name)")
      }
    }
    try expect("inputs", [4, 2, network.layers.first?.inputSize ?? 0])
    try expect("outputs", [4, 2, network.outputSize])
    for (index, state) in states.enumerated() {
      try expect("hidden\(index)", state.hidden.shape)
      try expect("cell\(index)", state.cell.shape)
    }
    guard let theirs = arrays["outputs"] else { return }
    try Self.compare(outputs(of: network), theirs, Self.key)
  }

  /// Compares outputs with those that a file keeps.
  ///
  /// - Throws: `ModelImportError` with `name` if they differ by more than rounding.
  static func compare(
    _ ours: Tensor<Scalar>, _ theirs: Tensor<Scalar>, _ name: String
  ) throws(ModelImportError) {
    let distance = Double((ours - theirs).maximumMagnitude)
    // In float32, programs and kernels differ by less; a wrong gate differs by far more.
    let bound =
      (Scalar.self == Double.self ? 1e-11 : 1e-5) * max(1, Double(theirs.maximumMagnitude))
    guard distance <= bound else {
      throw ModelImportError(.wrongOutputs(distance: distance, bound: bound), name: name)
    }
  }

  /// The arrays of the test in a file's metadata; nil if there is none.
  ///
  /// - Throws: `ArrayFileError` if they are damaged.
  static func stored(
    in metadata: [String: String]
  ) throws(ArrayFileError) -> [String: StoredArray]? {
    guard let text = metadata[key] else { return nil }
    guard let bytes = Data(base64Encoded: text) else {
      throw ArrayFileError(.malformedHeader("expected base64 in '\(key)'"))
    }
    return try NPZ(Array(bytes)).arrays()
  }

  /// Arrays as a string for a file's metadata.
  static func encoded(_ arrays: [String: StoredArray]) -> String {
    Data(NPZ.encode(arrays)).base64EncodedString()
  }

  private func outputs(of network: RecurrentNetwork<Scalar>) -> Tensor<Scalar> {
    let states = network.layers.indices.map { index in
      RecurrentState(
        hidden: arrays["hidden\(index)"] ?? Tensor(shape: [0]), cell: arrays["cell\(index)"])
    }
    return network.forward(arrays["inputs"] ?? Tensor(shape: [0, 0, 0]), from: states).outputs
  }
}
