// Networks in files of other programs, against the outputs that those programs computed with them
// (Scripts/golden/model_files.py), and back.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Networks in other programs' files")
struct ModelFileTests {
  /// A file, the assumptions that it needs, and the network in it.
  struct Case: Sendable, CustomTestStringConvertible {
    var file: String
    var layout: NetworkLayout
    var assumptions = NetworkAssumptions()
    var prefix = ""
    var others: [String] = []
    var isDouble = false
    /// The assumptions that the report must list.
    var assumed: [String] = []
    /// Whether the program has one module for such a network, so that its names can be written.
    var isOneModule = true
    var name: String { String(file.prefix { $0 != "." }) }
    var testDescription: String { file }
  }

  static let cases =
    [
      Case(
        file: "torch_gru_stack.pt", layout: .pytorch, prefix: "encoder.",
        others: ["head.bias", "head.weight"]),
      Case(file: "torch_lstm_projected.pt", layout: .pytorch, isDouble: true),
      Case(
        file: "torch_rnn_checkpoint.pt", layout: .pytorch,
        assumptions: NetworkAssumptions(activation: .relu), prefix: "model."),
      Case(file: "torch_lstm_cell.pt", layout: .pytorch),
      Case(file: "torch_gru_bfloat16.pt", layout: .pytorch),
      Case(file: "torch_lstm_views.pt", layout: .pytorch, others: ["bias_again"]),
      Case(
        file: "torch_old_container.pt", layout: .pytorch, prefix: "model.", others: ["half"]),
      Case(
        file: "torch_objects.pt", layout: .pytorch, prefix: "model.",
        others: ["unsigned"] + TorchContainerTests.skippedNames),
      Case(file: "torch_expanded.pt", layout: .pytorch),
      Case(file: "torch_weight_norm.pt", layout: .pytorch, prefix: "rnn."),
      Case(file: "torch_pruned.pt", layout: .pytorch),
      Case(
        file: "torch_awd.pt", layout: .pytorch, prefix: "0.rnns.", others: ["0.encoder.weight"],
        assumed: [
          "'0.rnns.0.', '0.rnns.1.', '0.rnns.2.' are one network: each reads the outputs of the one before, with nothing between them"
        ], isOneModule: false),
      Case(
        file: "torch_list.pt", layout: .pytorch, prefix: "net.lstm",
        assumed: [
          "'net.lstm1.', 'net.lstm2.' are one network: each reads the outputs of the one before, with nothing between them"
        ], isOneModule: false),
      Case(
        file: "torch_cells.pt", layout: .pytorch, prefix: "cells.",
        assumed: [
          "'cells.0.', 'cells.1.' are one network: each reads the outputs of the one before, with nothing between them"
        ], isOneModule: false),
      Case(file: "torch_shards.safetensors.index.json", layout: .pytorch),
      Case(
        file: "equinox_gru.safetensors", layout: .pytorch, prefix: "cell.",
        assumed: ["cell.bias_n beside one bias: read as Equinox' GRUCell, blocks r z n"]),
      Case(file: "mlx_gru_stack.safetensors", layout: .mlx, prefix: "layers."),
      Case(file: "mlx_lstm.safetensors", layout: .mlx, prefix: "layers."),
      Case(file: "mlx_rnn.safetensors", layout: .mlx, prefix: "layers."),
      Case(file: "tf1_gru_stack.index", layout: .tensorFlow1, prefix: "model/rnn/"),
      Case(
        file: "tf1_lstm_both.index", layout: .tensorFlow1, prefix: "model/bidirectional_rnn/",
        isDouble: true),
      Case(file: "tf1_basic_lstm.index", layout: .tensorFlow1, prefix: "model/rnn/"),
    ] + keras

  static let keras = ["keras2_", "keras3_"].flatMap { version in
    ["mixed.keras", "mixed.h5", "cells.keras", "functions.keras"].map {
      Case(file: version + $0, layout: .keras)
    }
  }

  @Test("A network computes what its own program computed", .tags(.slow), arguments: cases)
  func reads(_ golden: Case) throws {
    if golden.isDouble {
      try read(golden, Double.self, 1e-11)
    } else {
      try read(golden, Float.self, 1e-5)
    }
  }

  private func read<Scalar: KernelScalar>(
    _ golden: Case, _ type: Scalar.Type, _ tolerance: Scalar
  ) throws {
    let file = try ArrayFile(contentsOf: "\(goldenFolder)/files/\(golden.file)")
    #expect(NetworkFile.isDouble(file) == golden.isDouble)
    let (imported, isTested) = try NetworkFile.network(
      in: file, assuming: golden.assumptions, as: Scalar.self)
    #expect(!isTested)
    #expect(imported.layout == golden.layout)
    #expect(imported.prefix == golden.prefix)
    #expect(imported.others == golden.others)
    if !golden.assumed.isEmpty { #expect(imported.assumptions == golden.assumed) }
    #expect(
      imported.mappings.count == file.arrays.count + file.skipped.count - golden.others.count)
    let expected = try Expected<Scalar>(golden.name)
    #expect(expected.distance(of: imported.network) <= tolerance)
    // There and back through every container and every program that can express it.
    try withTemporaryFolder { folder in
      for layout in NetworkLayout.allCases {
        for ending in Self.endings {
          let path = "\(folder)/\(layout.rawValue).\(ending)"
          do {
            _ = try NetworkFile.write(imported.network, to: path, layout: layout)
          } catch let error as ModelImportError {
            guard case .inexpressible = error.problem else { throw error }
            #expect(!FileManager.default.fileExists(atPath: path))
            continue
          }
          let (again, isTested) = try NetworkFile.network(
            in: ArrayFile(contentsOf: path), assuming: golden.assumptions, as: Scalar.self)
          #expect(isTested, "\(layout) \(ending)")
          #expect(again.layout == layout)
          #expect(again.others == [])
          #expect(expected.distance(of: again.network) <= tolerance, "\(layout) \(ending)")
        }
      }
      // The program's own names can be written, but for functions, which Keras' weights do not have.
      if !golden.file.contains("functions") && golden.isOneModule {
        #expect(
          FileManager.default.fileExists(atPath: "\(folder)/\(golden.layout.rawValue).npz"))
      }
      #expect(FileManager.default.fileExists(atPath: "\(folder)/unroll.safetensors"))
    }
  }

  private static let endings = ["safetensors", "npz", "index", "weights.h5"]

  /// Inputs, states and outputs of a golden file.
  struct Expected<Scalar: KernelScalar> {
    let arrays: [String: Tensor<Scalar>]

    init(_ name: String) throws {
      let archive = try NPZ(AtomicFile.read("\(goldenFolder)/files/\(name).npz"))
      arrays = try Dictionary(
        uniqueKeysWithValues: archive.names.map {
          ($0, try archive.array($0).tensor(of: Scalar.self))
        })
    }

    func distance(of network: RecurrentNetwork<Scalar>) -> Scalar {
      guard let x = arrays["x"], let y = arrays["y"], y.maximumMagnitude > 0.1 else {
        return .infinity
      }
      let states = network.zeroStates(batchSize: x.shape[1]).enumerated().map { index, zero in
        RecurrentState(
          hidden: arrays["hidden\(index)"] ?? zero.hidden, cell: arrays["cell\(index)"] ?? zero.cell
        )
      }
      return (network.forward(x, from: states).outputs - y).maximumMagnitude
    }
  }

  @Test("The words beside a checkpoint's tensors are kept, the tensors have dotted names")
  func checkpoint() throws {
    let file = try ArrayFile(contentsOf: "\(goldenFolder)/files/torch_rnn_checkpoint.pt")
    #expect(file.metadata["epoch"] == "7")
    #expect(file.metadata["loss"] == "0.25")
    #expect(file.metadata["done"] == "true")
    #expect(file.metadata["note"] == "a word")
    #expect(file.metadata["sizes.1"] == "6")
    #expect(file.arrays.keys.sorted().first == "model.bias_hh_l0")
  }

  @Test("A wrong assumption is found by the outputs that a file keeps")
  func wrongAssumption() throws {
    try withTemporaryFolder { folder in
      let file = try ArrayFile(contentsOf: "\(goldenFolder)/files/torch_rnn_checkpoint.pt")
      let relu = try NetworkFile.network(
        in: file, assuming: NetworkAssumptions(activation: .relu), as: Float.self
      ).imported.network
      let path = folder + "/relu.npz"
      _ = try NetworkFile.write(relu, to: path, layout: .pytorch)
      let error = #expect(throws: ModelImportError.self) {
        try NetworkFile.network(in: ArrayFile(contentsOf: path), as: Float.self)
      }
      #expect(
        error?.description.contains("away from the outputs that the file keeps") == true)
    }
  }

  @Test("An offset of the forget gate moves into the bias where the program has none")
  func forgetOffset() throws {
    var random = NumPyRandom(seed: testSeed)
    var cell = Cell<Double>(.lstm, inputSize: 3, hiddenSize: 4, using: &random)
    cell.options.forgetOffset = 0.75
    let network = RecurrentNetwork<Double>(cells: [cell])
    try withTemporaryFolder { folder in
      for layout in [NetworkLayout.pytorch, .mlx, .keras, .tensorFlow1] {
        let path = "\(folder)/\(layout.rawValue).npz"
        let notes = try NetworkFile.write(network, to: path, layout: layout).notes
        #expect(notes.count == 1)
        let again = try NetworkFile.network(in: ArrayFile(contentsOf: path), as: Double.self)
        #expect(again.isTested)
        let back = again.imported.network.layers[0].cell
        #expect(back.options.forgetOffset == (layout == .tensorFlow1 ? 1 : 0))
        let moved = back.parameters[.forget].bias - cell.parameters[.forget].bias
        #expect(abs(moved[0] - (layout == .tensorFlow1 ? -0.25 : 0.75)) < 1e-15)
      }
    }
  }

  @Test("A setting that a program cannot express is refused with the field and the program")
  func inexpressible() throws {
    var random = NumPyRandom(seed: testSeed)
    let before = Cell<Float>(.gruResetBefore, inputSize: 3, hiddenSize: 4, using: &random)
    let after = Cell<Float>(.gruResetAfter, inputSize: 3, hiddenSize: 4, using: &random)
    let normalized = Cell<Float>(
      .rnn, inputSize: 3, hiddenSize: 4, isNormalized: true, using: &random)
    let peepholes = Cell<Float>(
      .lstm, inputSize: 3, hiddenSize: 4, hasPeepholes: true, using: &random)
    var clipped = Cell<Float>(.lstm, inputSize: 3, hiddenSize: 4, using: &random)
    clipped.options.cellClip = 2
    var zoned = Cell<Float>(.rnn, inputSize: 3, hiddenSize: 4, using: &random)
    zoned.zoneout = Zoneout(hidden: 0.5)
    let cases: [(Cell<Float>, NetworkLayout, String)] = [
      (before, .pytorch, "PyTorch cannot express reset gate = before the product"),
      (before, .mlx, "MLX cannot express reset gate = before the product"),
      (after, .tensorFlow1, "TensorFlow 1 cannot express reset gate = after the product"),
      (normalized, .pytorch, "PyTorch cannot express layer normalisation = on"),
      (peepholes, .pytorch, "PyTorch cannot express peepholes = on"),
      (clipped, .tensorFlow1, "TensorFlow 1 cannot express cell clip = 2.0"),
      (zoned, .mlx, "MLX cannot express zoneout = [0.5, 0.0]"),
    ]
    try withTemporaryFolder { folder in
      for (cell, layout, sentence) in cases {
        let error = #expect(throws: ModelImportError.self) {
          try NetworkFile.write(
            RecurrentNetwork(cells: [cell]), to: folder + "/x.npz", layout: layout)
        }
        #expect(error?.description == sentence)
        // Our own file keeps everything.
        let path = folder + "/own.safetensors"
        _ = try NetworkFile.write(RecurrentNetwork(cells: [cell]), to: path)
        let back = try NetworkFile.network(in: ArrayFile(contentsOf: path), as: Float.self)
        #expect(back.isTested)
        let again = back.imported.network.layers[0].cell
        #expect(try CellDescription(again) == CellDescription(cell))
        #expect(again.parameters == cell.parameters)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["own.safetensors"])
    }
  }

  @Test(
    "A user's own cell is refused by name, by every program's names and by Unroll's own",
    arguments: NetworkLayout.allCases)
  func ownCells(layout: NetworkLayout) throws {
    var random = NumPyRandom(seed: testSeed)
    let network = RecurrentNetwork<Float>(cells: [
      Cell(custom: OwnLSTM(), inputSize: 3, hiddenSize: 4, using: &random)
    ])
    try withTemporaryFolder { folder in
      let error = #expect(throws: ModelImportError.self) {
        try NetworkFile.write(network, to: folder + "/x.npz", layout: layout)
      }
      #expect(error?.description.hasSuffix(" cannot express cell = own LSTM") == true)
      let files = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(files.isEmpty)
    }
  }

  @Test("A module of PyTorch has cells of one kind and size; what does not is refused")
  func oneKind() throws {
    var random = NumPyRandom(seed: testSeed)
    let sizes = RecurrentNetwork<Float>(cells: [
      Cell<Float>(.lstm, inputSize: 3, hiddenSize: 4, using: &random),
      Cell<Float>(.lstm, inputSize: 4, hiddenSize: 5, using: &random),
    ])
    try withTemporaryFolder { folder in
      let error = #expect(throws: ModelImportError.self) {
        try NetworkFile.write(sizes, to: folder + "/x.npz", layout: .pytorch)
      }
      #expect(
        error?.description == "PyTorch cannot express layers = of different kinds or sizes")
      _ = try NetworkFile.write(sizes, to: folder + "/x.npz", layout: .mlx)
      // Nor have the levels of one call some one direction and some both.
      let some = RecurrentNetwork<Float>(levels: [
        [
          RecurrentLayer(cell: Cell(.lstm, inputSize: 3, hiddenSize: 4)),
          RecurrentLayer(cell: Cell(.lstm, inputSize: 3, hiddenSize: 4), direction: .backward),
        ], [RecurrentLayer(cell: Cell(.lstm, inputSize: 8, hiddenSize: 4))],
      ])
      for (layout, program) in [(NetworkLayout.pytorch, "PyTorch"), (.tensorFlow1, "TensorFlow 1")]
      {
        let error = #expect(throws: ModelImportError.self) {
          try NetworkFile.write(some, to: folder + "/y.npz", layout: layout)
        }
        #expect(error?.description == "\(program) cannot express directions = of some levels only")
      }
    }
  }

  @Test("Arrays that are no weights, or of a cell that has none such, are refused")
  func strange() throws {
    let integers = StoredArray(
      elementType: .int8, shape: [4, 4], bytes: [UInt8](repeating: 1, count: 16))
    let rnn = try ArrayFile(
      for: "x.npz", arrays: ["weight_ih_l0": integers, "weight_hh_l0": integers])
    let error = #expect(throws: ModelImportError.self) {
      try NetworkFile.network(in: rnn, as: Float.self)
    }
    #expect(error?.description.hasSuffix("dtype = int8 cannot be expressed") == true)
    // Our own file, with a projection on a cell that has none.
    try withTemporaryFolder { folder in
      let path = folder + "/x.safetensors"
      let network = RecurrentNetwork<Float>(cells: [Cell(.rnn, inputSize: 2, hiddenSize: 4)])
      _ = try NetworkFile.write(network, to: path)
      var file = try ArrayFile(contentsOf: path)
      file.arrays["layers.0.projection"] = StoredArray(Tensor<Float>(shape: [4, 3]))
      let error = #expect(throws: ModelImportError.self) {
        try NetworkFile.network(in: file, as: Float.self)
      }
      #expect(
        error?.description.hasSuffix("a cell of the kind rnn has no such parameters") == true)
    }
  }

  @Test("Arrays that make no network, or more than one, get different errors")
  func ambiguous() throws {
    var random = NumPyRandom(seed: testSeed)
    let w: Tensor<Float> = uniform([12, 3], &random)
    let u: Tensor<Float> = uniform([12, 4], &random)
    func arrays(_ prefixes: [String]) -> ArrayFile? {
      var result: [String: StoredArray] = [:]
      for prefix in prefixes {
        result[prefix + "weight_ih_l0"] = StoredArray(w)
        result[prefix + "weight_hh_l0"] = StoredArray(u)
      }
      return try? ArrayFile(for: "x.npz", arrays: result)
    }
    func sentence(_ file: ArrayFile?, _ assumptions: NetworkAssumptions = NetworkAssumptions())
      throws -> String?
    {
      let file = try #require(file)
      return #expect(throws: ModelImportError.self) {
        try NetworkFile.network(in: file, assuming: assumptions, as: Float.self)
      }?.description
    }
    #expect(
      try sentence(arrays(["a.", "b."]))
        == "holds several networks, 'a.', 'b.'; choose one by its prefix")
    let chosen = try NetworkFile.network(
      in: #require(arrays(["a.", "b."])), assuming: NetworkAssumptions(prefix: "b."),
      as: Float.self)
    #expect(chosen.imported.others == ["a.weight_hh_l0", "a.weight_ih_l0"])
    #expect(
      try sentence(ArrayFile(for: "x.npz", arrays: ["table": StoredArray(w)]))
        == "expected the arrays of a recurrent network, found table")
    #expect(
      try sentence(ArrayFile(for: "x.npz", arrays: ["weight_ih_l0": StoredArray(w)]))
        == "'weight_hh_l0': expected such an array, found none")
    #expect(
      try sentence(
        ArrayFile(
          for: "x.npz", arrays: ["weight_ih_l1": StoredArray(w), "weight_hh_l1": StoredArray(u)]))
        == "'weight_ih_l0': expected such an array, found none")
    let odd: Tensor<Float> = uniform([10, 4], &random)
    #expect(
      try sentence(
        ArrayFile(
          for: "x.npz", arrays: ["weight_ih_l0": StoredArray(w), "weight_hh_l0": StoredArray(odd)])
      )
        == "'weight_hh_l0': 10 rows for 4 columns; expected 1, 3 or 4 times as many (RNN, GRU, LSTM)"
    )
    let tall: Tensor<Float> = uniform([16, 3], &random)
    #expect(
      try sentence(
        ArrayFile(
          for: "x.npz",
          arrays: ["a.weight_ih_l0": StoredArray(tall), "a.weight_hh_l0": StoredArray(u)])
      )?.hasPrefix("'a.weight_ih_l0': expected shape") == true)
  }
}
