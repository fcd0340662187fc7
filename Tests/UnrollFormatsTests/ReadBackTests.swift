// What Unroll writes, read and run by the programs it is meant for (Scripts/python). ./run test prepares
// their Pythons: h5py and safetensors always, PyTorch, Keras and TensorFlow for UNROLL_LONG_TESTS.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Others read what Unroll writes")
struct ReadBackTests {
  /// A network whose biases are not zero either.
  private func network(_ cells: [Cell<Float>]) -> RecurrentNetwork<Float> {
    RecurrentNetwork(cells: cells.map(drawn))
  }

  private func drawn(_ cell: Cell<Float>) -> Cell<Float> {
    var random = NumPyRandom(seed: testSeed)
    var cell = cell
    for name in cell.parameters.names {
      cell.parameters[name] = uniform(cell.parameters[name].shape, &random) * 0.8
    }
    return cell
  }

  private func pair(_ cell: Cell<Float>) -> [RecurrentLayer<Float>] {
    [
      RecurrentLayer(cell: drawn(cell)),
      RecurrentLayer(cell: drawn(cell), direction: .backward),
    ]
  }

  private func gru(_ input: Int, _ size: Int, _ kind: CellKind) -> Cell<Float> {
    Cell(
      kind, inputSize: input, hiddenSize: size,
      biasCount: kind == .gruResetAfter ? 2 : 1)
  }

  private func script(_ name: String, _ python: String, _ arguments: [String]) throws -> String {
    let (status, output) = try runScript(name, python, arguments)
    #expect(status == 0, "\(name) \(arguments)")
    return String(decoding: output, as: UTF8.self)
  }

  /// Writes a network with inputs and its outputs.
  private func write(
    _ network: RecurrentNetwork<Float>, _ name: String, _ ending: String, _ layout: NetworkLayout,
    in folder: String
  ) throws {
    var random = NumPyRandom(seed: testSeed)
    let x: Tensor<Float> = uniform([6, 3, 4], &random)
    let y = network.forward(x, from: network.zeroStates(batchSize: 3)).outputs
    try AtomicFile.write(
      NPZ.encode(["x": StoredArray(x), "y": StoredArray(y)]), to: "\(folder)/\(name).npz")
    _ = try NetworkFile.write(network, to: "\(folder)/\(name).\(ending)", layout: layout)
  }

  private func expectClose(_ output: String, count: Int) throws {
    let lines = output.split(separator: "\n").map { $0.split(separator: " ") }
    #expect(lines.count == count, "\(output)")
    for line in lines {
      let distance = try #require(Double(line.last ?? ""))
      #expect(distance < 1e-5, "\(line)")
    }
  }

  @Test(
    "PyTorch loads our safetensors strictly and computes the same",
    .needs(.pythonTorch))
  func torch() throws {
    try withTemporaryFolder { folder in
      let stack = RecurrentNetwork<Float>(levels: [
        pair(gru(4, 5, .gruResetAfter)), pair(gru(10, 5, .gruResetAfter)),
      ])
      try write(stack, "gru_stack", "safetensors", .pytorch, in: folder)
      let lstm = Cell<Float>(
        .lstm, inputSize: 4, hiddenSize: 6, options: CellOptions(forgetOffset: 0.5))
      try write(network([lstm]), "lstm", "safetensors", .pytorch, in: folder)
      let python = try #require(preparedPython("_TORCH"))
      try expectClose(script("read_back.py", python, ["torch", folder]), count: 2)
    }
  }

  @Test(
    "Keras 2 and 3 load our weights and compute the same",
    .needs(.pythonTorch, .pythonTensorFlow))
  func keras() throws {
    try withTemporaryFolder { folder in
      let mixed = RecurrentNetwork<Float>(levels: [
        pair(Cell<Float>(.lstm, inputSize: 4, hiddenSize: 5)),
        [RecurrentLayer(cell: drawn(gru(10, 4, .gruResetBefore)))],
        [RecurrentLayer(cell: drawn(gru(4, 3, .gruResetAfter)))],
      ])
      try write(mixed, "mixed", "weights.h5", .keras, in: folder)
      let rnn = network([Cell<Float>(.rnn, inputSize: 4, hiddenSize: 5)])
      try write(rnn, "rnn", "weights.h5", .keras, in: folder)
      for suffix in ["_TORCH", "_TENSORFLOW"] {
        let python = try #require(preparedPython(suffix))
        try expectClose(script("read_back.py", python, ["keras", folder]), count: 2)
      }
    }
  }

  @Test(
    "TensorFlow restores our checkpoints and computes the same",
    .needs(.pythonTensorFlow))
  func tensorFlow() throws {
    try withTemporaryFolder { folder in
      let stack = network([gru(4, 5, .gruResetBefore), gru(5, 6, .gruResetBefore)])
      try write(stack, "tf_gru", "index", .tensorFlow1, in: folder)
      let lstm = network([Cell<Float>(.lstm, inputSize: 4, hiddenSize: 6)])
      try write(lstm, "tf_lstm", "index", .tensorFlow1, in: folder)
      let python = try #require(preparedPython("_TENSORFLOW"))
      try expectClose(script("read_back.py", python, ["tensorflow1", folder]), count: 2)
    }
  }

  @Test(
    "NumPy, safetensors and h5py find our arrays, to the bit",
    .needs(.python))
  func containers() throws {
    let network = network([gru(4, 5, .gruResetAfter), gru(5, 5, .gruResetAfter)])
    let endings = [
      "npz": NetworkLayout.pytorch, "safetensors": .pytorch, "weights.h5": .keras,
    ]
    try withTemporaryFolder { folder in
      for (ending, layout) in endings {
        let path = "\(folder)/model.\(ending)"
        let arrays = try NetworkFile.write(network, to: path, layout: layout).arrays
        let copy = "\(folder)/copy.npz"
        _ = try script("read_arrays.py", try #require(preparedPython()), [path, copy])
        let read = try NPZ(AtomicFile.read(copy))
        for (name, array) in arrays { #expect(try read.array(name) == array, "\(ending) \(name)") }
        #expect(read.names.filter { $0 != "unroll.metadata" } == arrays.keys.sorted())
      }
    }
  }
}
