// Keras' own numbers for parts of models, stacks of cells and cuDNN's layers (Scripts/golden/keras_models.py).

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Keras' numbers")
struct KerasGoldenTests {
  private func file(_ name: String) throws -> ArrayFile {
    try ArrayFile(contentsOf: "\(goldenFolder)/files/\(name)")
  }

  /// The largest difference from Keras' outputs, whose arrays' names begin with `part`.
  private func distance(
    _ network: RecurrentNetwork<Float>, _ name: String, _ part: String = ""
  ) throws -> Float {
    let archive = try NPZ(AtomicFile.read("\(goldenFolder)/files/\(name).npz"))
    let x: Tensor<Float> = try archive.array("\(part)x").tensor(of: Float.self)
    let y: Tensor<Float> = try archive.array("\(part)y").tensor(of: Float.self)
    #expect(y.maximumMagnitude > 0.1)
    let states = network.zeroStates(batchSize: x.shape[1])
    return (network.forward(x, from: states).outputs - y).maximumMagnitude
  }

  @Test(
    "Stacks of cells, and cuDNN's layers after Keras' own conversion",
    arguments: ["keras2_stacked", "keras3_stacked", "keras2_cudnn"])
  func whole(_ name: String) throws {
    let read = try NetworkFile.network(in: file("\(name).h5"), as: Float.self).imported
    #expect(try distance(read.network, name) <= 1e-6)
    #expect(read.omissions == [])
    #expect(read.others == [])
  }

  @Test(
    "A part of a model is read by its prefix",
    arguments: ["keras2_graph.h5", "keras3_graph.keras"],
    ["encoder", "encoder/upper", "left", "right", "decoder"])
  func part(_ name: String, _ part: String) throws {
    let file = try file(name)
    let read = try NetworkFile.network(
      in: file, assuming: NetworkAssumptions(prefix: part + "/"), as: Float.self
    ).imported
    #expect(try distance(read.network, String(name.prefix { $0 != "." }), part + ".") <= 1e-6)
    #expect(read.network.levels.count == (part == "encoder" ? 2 : 1))
    #expect(
      read.omissions.contains("LSTM 'left' after the recurrent layers")
        == part.hasPrefix("encoder"))
    #expect(
      read.omissions.contains(
        "LSTM 'decoder' starts from states that LSTM 'left' gives; here from zeros unless states are given"
      ) == (part == "decoder"))
  }

  @Test(
    "Functions other than the usual ones compute what Keras computes",
    arguments: ["elu", "softplus", "leaky", "softsign", "given", "relu"])
  func functions(_ part: String) throws {
    let read = try NetworkFile.network(
      in: file("keras3_parts.keras"), assuming: NetworkAssumptions(prefix: part + "/"),
      as: Float.self
    ).imported
    #expect(try distance(read.network, "keras3_parts", part + ".") <= 2e-6)
    // The other five outputs are named.
    #expect(read.omissions.count { $0.hasPrefix("output ") } == 5)
  }

  @Test(
    "The whole of such a model is refused", arguments: ["keras2_graph.h5", "keras3_graph.keras"])
  func refused(_ name: String) throws {
    let error = #expect(throws: ModelImportError.self) {
      try NetworkFile.network(in: file(name), as: Float.self)
    }
    let sentence = error?.description ?? ""
    #expect(sentence.contains("BatchNormalization 'batch_normalization' between"), "\(sentence)")
    #expect(sentence.contains("'encoder/upper/'"), "\(sentence)")
  }

  @Test("One of several shards is not taken for the whole")
  func shards() throws {
    var file = try file("keras3_mixed.weights.h5")
    file.arrays = file.arrays.filter { $0.key.hasPrefix("layers/gru_1/") }
    func sentence(_ file: ArrayFile) -> String? {
      #expect(throws: ModelImportError.self) { try NetworkFile.network(in: file, as: Float.self) }?
        .description
    }
    #expect(
      sentence(file)
        == "'layers': expected 'gru' before 'gru_1', found none: the file is one of several shards, or damaged"
    )
    let alone = try NetworkFile.network(
      in: file, assuming: NetworkAssumptions(prefix: "layers/gru_1/"), as: Float.self
    ).imported
    #expect(alone.network.levels.count == 1)
    // The first shard has no gap; the index next to it reveals it.
    try withTemporaryFolder { folder in
      let path = "\(folder)/m_00000.weights.h5"
      try FileManager.default.copyItem(
        atPath: "\(goldenFolder)/files/keras3_mixed.weights.h5", toPath: path)
      #expect(try ArrayFile(contentsOf: path).metadata == [:])
      try Data("{}".utf8).write(to: URL(fileURLWithPath: "\(folder)/m.weights.json"))
      #expect(
        try sentence(ArrayFile(contentsOf: path))
          == "'\(path)': the file is one of several shards; save the weights in one file, without max_shard_size"
      )
    }
  }

  @Test("Weights alone are cuDNN's where the bias has two halves")
  func weightsAlone() throws {
    var file = try file("keras2_cudnn.h5")
    let keras = try NetworkFile.network(in: file, as: Float.self).imported.network
    file.metadata = [:]
    for (prefix, level) in [("both", 0), ("gru", 1)] {
      let read = try NetworkFile.network(
        in: file, assuming: NetworkAssumptions(prefix: prefix), as: Float.self
      ).imported
      #expect(read.network.levels.count == 1)
      for (ours, theirs) in zip(read.network.levels[0], keras.levels[level]) {
        #expect(ours.cell.parameters == theirs.cell.parameters)
        #expect(ours.direction == theirs.direction)
      }
      #expect(read.mappings.allSatisfy { $0.hasSuffix("from cuDNN's layout") })
    }
    #expect(
      #expect(throws: ModelImportError.self) { try NetworkFile.network(in: file, as: Float.self) }?
        .description
        == "'layers': the file has no configuration, which says in what order both, gru follow; choose a part by its prefix: 'both/', 'gru/'"
    )
  }

  @Test("cuDNN's layout, there and back", arguments: [CellKind.gruResetAfter, .lstm])
  func layout(_ kind: CellKind) throws {
    var random = NumPyRandom(seed: testSeed)
    let (width, size, inputSize) = (kind == .gruResetAfter ? 9 : 12, 3, 5)
    let arrays: [String: Tensor<Double>] = [
      "kernel": uniform([inputSize, width], &random),
      "recurrent_kernel": uniform([size, width], &random), "bias": uniform([2 * width], &random),
    ]
    let convention = try KerasLayer(kind, usesCuDNNLayout: true)
    let cell = try convention.cell(from: arrays)
    // Keras: each gate's kernel, transposed, is read in Fortran's order as a matrix of the kernel's shape.
    let gate = kind == .gruResetAfter ? Gate.update : .input
    let kernel = try #require(arrays["kernel"])
    for row in 0..<inputSize {
      for unit in 0..<size {
        let place = row + inputSize * unit
        #expect(
          cell.parameters[gate].inputWeights[row, unit]
            == kernel[place / size, place % size])
      }
    }
    let again = convention.arrays(from: cell.parameters, role: .weights)
    for name in ["kernel", "recurrent_kernel"] { #expect(again[name] == arrays[name]) }
    #expect(again["bias"]?.shape == [2 * width])
    if kind == .gruResetAfter { #expect(again["bias"] == arrays["bias"]) }
    #expect(try convention.cell(from: again).parameters == cell.parameters)
    #expect(
      #expect(throws: ModelImportError.self) {
        try convention.cell(from: arrays.merging(["bias": Tensor(shape: [width])]) { $1 })
      }?.problem == .wrongShape(expected: [2 * width], found: [width]))
  }
}
