// A network in a file: written under PyTorch's names with a self-test, and read again.

import Foundation
import Unroll
import UnrollFormats

var random = NumPyRandom(seed: 1)
let network = RecurrentNetwork<Float>(cells: [
  Cell(.lstm, inputSize: 3, hiddenSize: 4, using: &random)
])
let path = FileManager.default.temporaryDirectory
  .appendingPathComponent("unroll-\(UUID().uuidString).safetensors").path
let written = try NetworkFile.write(network, to: path, layout: .pytorch)
print(written.arrays.keys.sorted())  // ["bias_hh_l0", "bias_ih_l0", …]

let file = try ArrayFile(contentsOf: path)
let (imported, isTested) = try NetworkFile.network(in: file, as: Float.self)
print(imported.layout, isTested)  // pytorch true
print(imported.report.mappings)  // which array became which parameter
