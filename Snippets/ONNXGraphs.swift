// A network as an ONNX graph: run by the interpreter, and imported back.

import Unroll
import UnrollFormats

var random = NumPyRandom(seed: 1)
let network = RecurrentNetwork<Float>(cells: [
  Cell(.gruResetAfter, inputSize: 3, hiddenSize: 4, using: &random)
])
let (model, notes) = try ONNXModel.exporting(network)
print(model.inputs, model.outputs, notes)

let x = Tensor<Float>(shape: [5, 2, 3], repeating: 0.5)  // [T, B, D]
let state = Tensor<Float>(shape: [1, 2, 4])  // [directions, B, H]
let results = try model.run(["x": ONNXValue(x), "hidden_0": ONNXValue(state)])
print(results["y"]?.shape ?? [])

let (layers, report) = try model.network(as: Float.self)
print(layers.outputSize, report.mappings)
