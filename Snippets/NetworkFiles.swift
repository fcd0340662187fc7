// A network in a file: written with PyTorch's names and a self-test, and read back.

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

let read = try NetworkFile.read(path)
print(read.names, read.isTested)  // by the names of pytorch true
print(read.report.mappings)  // which array became which parameter
print(read.network.single.outputSize)  // the network in float32
