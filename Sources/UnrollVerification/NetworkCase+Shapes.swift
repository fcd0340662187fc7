// Checks the shapes of arrays read from files, so that malformed sets throw instead of trapping.

internal import Unroll
internal import UnrollFormats

extension NetworkCase {
  /// Throws unless the input size of each level is the output size of the level below.
  static func checkLevels(_ levels: [[RecurrentLayer<Scalar>]]) throws {
    guard let first = levels.first?.first else {
      throw VerificationError("expected the weights of at least one layer")
    }
    var width = first.inputSize
    for (index, level) in levels.enumerated() {
      for layer in level where layer.inputSize != width {
        throw VerificationError(
          "level \(index): expected weights for inputs of size \(width), found \(layer.inputSize)")
      }
      width = level.map(\.outputSize).reduce(0, +)
    }
  }

  /// Throws unless inputs, states, lengths and loss weights have the shapes of the network.
  func checkShapes(
    _ golden: GoldenCase, _ archive: NPZ, _ network: RecurrentNetwork<Scalar>
  ) throws {
    let inputs = try archive.array("x")
    guard inputs.shape.count == 3, inputs.shape[2] == network.layers[0].inputSize else {
      throw VerificationError(
        "x: expected shape [B, T, \(network.layers[0].inputSize)], found \(inputs.shape)")
    }
    let (rows, steps) = (inputs.shape[0], inputs.shape[1])
    let sizes = [
      "T": steps, "B": rows, "I": inputs.shape[2], "H": network.layers[0].cell.hiddenSize,
    ]
    for (name, size) in sizes where golden.fields["sizes"]?[name] != nil {
      guard try golden.size(name) == size else {
        throw VerificationError("sizes.\(name): expected \(size), as the arrays have it")
      }
    }
    for (name, shape) in expectedStates(network, rows) {
      try check(archive, name, shape)
      guard archive.contains("loss_f.\(name.prefix(1))"), stacksStates else { continue }
      try check(archive, "loss_f.\(name.prefix(1))", shape)
    }
    if archive.contains("loss_w") {
      try check(archive, "loss_w", [rows, steps, network.outputSize])
    }
    if archive.contains("loss_f") {
      let shape = try archive.array("loss_f").shape
      guard shape.count == 2, shape[0] == rows else {
        throw VerificationError("loss_f: expected shape [\(rows), …], found \(shape)")
      }
    }
    if archive.contains("seq_len") {
      let lengths = try archive.array("seq_len").integers()
      guard lengths.count == rows, lengths.allSatisfy({ (0...steps).contains($0) }) else {
        throw VerificationError("seq_len: expected \(rows) lengths in 0 ... \(steps)")
      }
    }
    if archive.contains("mask") { try check(archive, "mask", [rows, steps]) }
  }

  private func expectedStates(
    _ network: RecurrentNetwork<Scalar>, _ rows: Int
  ) -> [(String, [Int])] {
    let names = stateNames(network, "0")
    func size(_ name: String, _ layer: RecurrentLayer<Scalar>) -> Int {
      name.hasSuffix("c0") ? layer.cell.cellStateSize : layer.outputSize
    }
    if stacksStates {
      return names.map { ($0, [network.layers.count, rows, size($0, network.layers[0])]) }
    }
    let perLayer = names.count / network.layers.count
    return names.enumerated().map { index, name in
      (name, [rows, size(name, network.layers[index / perLayer])])
    }
  }

  private func check(_ archive: NPZ, _ name: String, _ shape: [Int]) throws {
    let found = try archive.array(name).shape
    guard found == shape else {
      throw VerificationError("\(name): expected shape \(shape), found \(found)")
    }
  }
}
