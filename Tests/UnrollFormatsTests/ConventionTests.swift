// Our parameters in other programs' layouts and back. That the layouts are the right ones is the
// golden sets' business: they hold weights, outputs and gradients of the programs themselves.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Conventions of other programs")
struct ConventionTests {
  func roundTrip(
    _ convention: some CellConvention, _ cell: Cell<Double>
  ) throws -> Bool {
    let arrays = convention.arrays(from: cell.parameters, role: .weights)
    return try convention.cell(from: arrays).parameters == cell.parameters
  }

  func filled(_ cell: Cell<Double>) -> Cell<Double> {
    var (cell, random) = (cell, NumPyRandom(seed: testSeed))
    for name in cell.parameters.names {
      cell.parameters[name] = random.randn(cell.parameters[name].shape)
    }
    return cell
  }

  @Test("TensorFlow 1: out and in again is the same")
  func tensorFlow() throws {
    #expect(
      try roundTrip(try TensorFlow1Cell(.rnn), filled(Cell(.rnn, inputSize: 3, hiddenSize: 2))))
    #expect(
      try roundTrip(
        try TensorFlow1Cell(.gruResetBefore),
        filled(Cell(.gruResetBefore, inputSize: 3, hiddenSize: 2))))
    #expect(
      try roundTrip(
        try TensorFlow1Cell(.lstm, usesPeepholes: true, projectionSize: 4),
        filled(Cell(.lstm, inputSize: 3, hiddenSize: 2, hasPeepholes: true, projectionSize: 4))))
  }

  @Test("Peepholes and projections of cells that have none are refused, before a kernel sees them")
  func foreignParameters() throws {
    func refused(_ shapes: [String: [Int]]) throws -> String? {
      let arrays = shapes.mapValues { StoredArray(Tensor<Float>(shape: $0, repeating: 0.1)) }
      let file = try ArrayFile(for: "x.safetensors", arrays: arrays)
      return #expect(throws: ModelImportError.self) {
        try NetworkFile.network(in: file, as: Float.self)
      }?.description
    }
    let rnn = "rnn/basic_rnn_cell/"
    #expect(
      try refused([
        rnn + "kernel": [4, 64], rnn + "bias": [64], rnn + "projection/kernel": [64, 1],
      ])?
      .hasSuffix("a BasicRNNCell has neither peepholes nor a projection; an LSTMCell has") == true)
    let gru = "rnn/gru_cell/"
    #expect(
      try refused([
        gru + "gates/kernel": [5, 4], gru + "gates/bias": [4], gru + "candidate/kernel": [5, 2],
        gru + "candidate/bias": [2], gru + "w_f_diag": [2],
      ])?.hasSuffix("a GRUCell has neither peepholes nor a projection; an LSTMCell has") == true)
    // Without units, however many inputs there are said to be.
    #expect(
      try refused([
        gru + "gates/kernel": [1 << 40, 0], gru + "gates/bias": [0],
        gru + "candidate/kernel": [1 << 40, 0], gru + "candidate/bias": [0],
      ])?.contains("candidate/bias") == true)
  }

  @Test("Keras: out and in again is the same, reset after and before")
  func keras() throws {
    #expect(try roundTrip(try KerasLayer(.rnn), filled(Cell(.rnn, inputSize: 3, hiddenSize: 2))))
    #expect(
      try roundTrip(
        try KerasLayer(.gruResetAfter),
        filled(Cell(.gruResetAfter, inputSize: 3, hiddenSize: 2, biasCount: 2))))
    #expect(
      try roundTrip(
        try KerasLayer(.gruResetBefore),
        filled(Cell(.gruResetBefore, inputSize: 3, hiddenSize: 2))))
    #expect(try roundTrip(try KerasLayer(.lstm), filled(Cell(.lstm, inputSize: 3, hiddenSize: 2))))
  }

  @Test("PyTorch: out and in again is the same")
  func torch() throws {
    #expect(try roundTrip(try TorchModule(.rnn), filled(Cell(.rnn, inputSize: 3, hiddenSize: 2))))
    #expect(
      try roundTrip(
        try TorchModule(.gruResetAfter),
        filled(Cell(.gruResetAfter, inputSize: 3, hiddenSize: 2, biasCount: 2))))
    #expect(
      try roundTrip(
        try TorchModule(.lstm, projectionSize: 1),
        filled(Cell(.lstm, inputSize: 3, hiddenSize: 2, projectionSize: 1))))
  }

  @Test("A kind of cell that a program does not have is refused by name")
  func kinds() throws {
    func refusal(_ make: () throws -> some CellConvention) -> String? {
      #expect(throws: ModelImportError.self) { _ = try make() }?.description
    }
    #expect(
      refusal { try TorchModule(.gruResetBefore) }
        == "PyTorch cannot express reset gate = before the product")
    #expect(
      refusal { try TensorFlow1Cell(.gruResetAfter) }
        == "TensorFlow 1 cannot express reset gate = after the product")
    #expect(
      refusal { try KerasLayer(.gruResetBefore, usesCuDNNLayout: true) }
        == "cuDNN cannot express reset gate = before the product")
    #expect(
      refusal { try KerasLayer(.rnn, usesCuDNNLayout: true) }
        == "cuDNN cannot express cell = rnn")
    // Whatever kind there is: a program has it, and reads what it wrote, or its name is in the error.
    for kind in CellKind.allCases {
      let network = RecurrentNetwork<Double>(cells: [
        filled(Cell(kind, inputSize: 3, hiddenSize: 2))
      ])
      try withTemporaryFolder { folder in
        for layout in NetworkLayout.allCases {
          let path = "\(folder)/\(layout.rawValue).npz"
          do {
            _ = try NetworkFile.write(network, to: path, layout: layout)
          } catch let error as ModelImportError {
            guard case .inexpressible(let field, let value) = error.problem else { throw error }
            #expect(field == "reset gate" || value == kind.rawValue, "\(layout) \(kind)")
            continue
          }
          let again = try NetworkFile.network(in: ArrayFile(contentsOf: path), as: Double.self)
          #expect(again.isTested && again.imported.network.layers[0].cell.kind == kind)
        }
      }
    }
  }

  @Test("A missing array and a wrong shape are named")
  func errors() {
    let missing = #expect(throws: ModelImportError.self) {
      try TensorFlow1Cell(.rnn).cell(from: ["bias": Tensor<Float>([1, 2])])
    }
    #expect(missing?.description == "'kernel': expected such an array, found none")
    let wrong = #expect(throws: ModelImportError.self) {
      try KerasLayer(.lstm).cell(from: [
        "kernel": Tensor<Float>(shape: [3, 8]), "recurrent_kernel": Tensor(shape: [3, 8]),
        "bias": Tensor(shape: [8]),
      ])
    }
    #expect(wrong?.description == "'recurrent_kernel': expected shape [2, 8], found [3, 8]")
  }

  @Test("The notebook's names are read and set by gate")
  func notebook() {
    var parameters = filled(Cell(.gruResetBefore, inputSize: 3, hiddenSize: 2)).parameters
    #expect(parameters.notebook["wtu_h"] == parameters[.update].recurrentWeights)
    #expect(parameters.notebook["wtr_x"] == parameters[.reset].inputWeights)
    #expect(parameters.notebook["biasc"] == parameters[.candidate].bias)
    let before = parameters
    parameters.notebook = ["wtc_x": Tensor(shape: [3, 2], repeating: 9)]
    #expect(parameters[.candidate].inputWeights.elements.allSatisfy { $0 == 9 })
    #expect(parameters[.update] == before[.update])
    let rnn = filled(Cell(.rnn, inputSize: 3, hiddenSize: 2)).parameters
    #expect(rnn.notebook.keys.sorted() == ["bias", "wt_h", "wt_x"])
  }
}

@Suite("Whole files")
struct AtomicFileTests {
  @Test("A written file is read back, and no other file is left")
  func roundTrip() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      for bytes in [[], [1, 2, 3], [UInt8](repeating: 7, count: 100_000)] as [[UInt8]] {
        try AtomicFile.write(bytes, to: path)
        #expect(try AtomicFile.read(path) == bytes)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["file"])
    }
  }

  @Test("A folder that is not there, and a folder in place of a file, are refused with the reason")
  func refusals() throws {
    try withTemporaryFolder { folder in
      let error = #expect(throws: ArrayFileError.self) {
        try AtomicFile.write([1], to: folder + "/no/file")
      }
      #expect(error?.description.hasSuffix("cannot be written: No such file or directory") == true)
      #expect(throws: ArrayFileError.self) { try AtomicFile.read(folder) }
      #expect(throws: ArrayFileError.self) { try AtomicFile.read(folder + "/missing") }
    }
  }
}
