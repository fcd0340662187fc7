// A small test that a file of a network carries: whoever reads it computes the same, or says so.

internal import Foundation
internal import Unroll

/// Inputs, initial states and the outputs that a network gave when it was written.
struct NetworkCheck<Scalar: KernelScalar> {
  /// What the metadata call it: an `.npz` archive in base64.
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
    guard let text = metadata[Self.key] else { return nil }
    guard let bytes = Data(base64Encoded: text) else {
      throw ArrayFileError(.malformedHeader("expected base64 in '\(Self.key)'"))
    }
    arrays = try NPZ(Array(bytes)).arrays().mapValues { $0.tensor(of: Scalar.self) }
  }

  /// The test as words.
  var encoded: String {
    Data(NPZ.encode(arrays.mapValues { StoredArray($0) })).base64EncodedString()
  }

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
    let distance = Double((outputs(of: network) - theirs).maximumMagnitude)
    // float32: what other programs and kernels differ by; a wrong gate is far beyond it.
    let bound =
      (Scalar.self == Double.self ? 1e-11 : 1e-5) * max(1, Double(theirs.maximumMagnitude))
    guard distance <= bound else {
      throw ModelImportError(.wrongOutputs(distance: distance, bound: bound), name: Self.key)
    }
  }

  private func outputs(of network: RecurrentNetwork<Scalar>) -> Tensor<Scalar> {
    let states = network.layers.indices.map { index in
      RecurrentState(
        hidden: arrays["hidden\(index)"] ?? Tensor(shape: [0]), cell: arrays["cell\(index)"])
    }
    return network.forward(arrays["inputs"] ?? Tensor(shape: [0, 0, 0]), from: states).outputs
  }
}
