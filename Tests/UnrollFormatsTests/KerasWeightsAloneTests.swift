// Keras' weights without a list of layers: what surrounds a recurrent layer is in the names of groups alone.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Keras' weights without a configuration")
struct KerasWeightsAloneTests {
  /// A GRU of 3 units in a group: Keras 3's numbers, or names.
  private func gru(_ group: String, input: Int = 4) -> [String: [Int]] {
    let names =
      group.hasSuffix("vars") ? ["0", "1", "2"] : ["kernel:0", "recurrent_kernel:0", "bias:0"]
    return Dictionary(
      uniqueKeysWithValues: zip(names.map { "\(group)/\($0)" }, [[input, 9], [3, 9], [2, 9]]))
  }

  private func network(
    _ cells: [[String: [Int]]], prefix: String? = nil, configuration: String? = nil
  ) throws -> ImportedNetwork<Float> {
    var arrays: [String: StoredArray] = [:]
    for (name, shape) in cells.joined() { arrays[name] = StoredArray(Tensor<Float>(shape: shape)) }
    let file = try ArrayFile(
      for: "x.npz", arrays: arrays,
      metadata: configuration.map { [KerasNames.configurationKey: $0] } ?? [:])
    return try NetworkFile.network(
      in: file, assuming: NetworkAssumptions(prefix: prefix), as: Float.self
    ).imported
  }

  private func sentence(
    _ cells: [[String: [Int]]], prefix: String? = nil, configuration: String? = nil
  ) -> String {
    #expect(throws: ModelImportError.self) {
      try network(cells, prefix: prefix, configuration: configuration)
    }?.description ?? ""
  }

  @Test(
    "A wrapper of Keras is refused by its class, also where its layer is chosen",
    arguments: [
      "layers/time_distributed/layer/cell/vars",
      "layers/time_distributed_1/layer/layers/gru/cell/vars",
      "layers/time_distributed/layer/forward_layer/cell/vars",
      "_layer_checkpoint_dependencies/time_distributed/layer/cell/vars",
      "layers/sequential/layers/time_distributed/layer/cell/vars",
      "time_distributed/time_distributed/gru/gru_cell",
      "model_weights/time_distributed/sequential/time_distributed/gru/gru_cell",
    ])
  func wrappers(_ group: String) throws {
    let refused = ": class_name = TimeDistributed with a recurrent layer in it cannot be expressed"
    #expect(sentence([gru(group)]).hasSuffix(refused))
    let inner = group.split(separator: "/").dropLast().joined(separator: "/")
    #expect(sentence([gru(group)], prefix: inner).hasSuffix(refused))
  }

  @Test(
    "A layer around another, and a cell around a cell, are read only where the inner one is chosen")
  func unknownWrappers() throws {
    let attribute = [gru("td/layer/cell/vars")]
    #expect(
      sentence(attribute)
        == "'td': a layer with another one in it, 'td/layer/', cannot be expressed; choose the inner one alone by that prefix"
    )
    #expect(sentence(attribute, prefix: "td/").hasPrefix("'td': a layer with another one in it"))
    #expect(try network(attribute, prefix: "td/layer/").network.levels.count == 1)
    let residual = [gru("layers/rnn/cell/cell/vars")]
    #expect(sentence(residual).hasPrefix("'rnn': a layer with another one in it, 'rnn/cell/'"))
    #expect(try network(residual, prefix: "rnn/cell/").network.levels.count == 1)
    let stacks = ["forward", "backward"].map {
      gru("layers/bidirectional/\($0)_layer/cell/cells/gru_cell/vars")
    }
    #expect(
      sentence(stacks)
        == "'bidirectional': layer = a stack of cells in a bidirectional layer cannot be expressed")
    // A wrapper elsewhere in the file is not offered, and does not matter to the layer that is chosen.
    let both = [gru("layers/gru/cell/vars"), gru("layers/time_distributed/layer/cell/vars")]
    #expect(sentence(both).hasSuffix("choose a part by its prefix: 'gru/'"))
    #expect(try network(both, prefix: "gru/").network.levels.count == 1)
  }

  @Test("Layers, directions and cells of a stack are distinguished, whatever groups they are in")
  func understood() throws {
    func levels(_ groups: [(String, Int)]) throws -> [Int] {
      try network(groups.map { gru($0.0, input: $0.1) }).network.levels.map(\.count)
    }
    #expect(try levels([("layers/gru/cell/vars", 4), ("layers/gru_1/cell/vars", 3)]) == [1, 1])
    #expect(try levels([("layers/rnn/cell/vars", 4)]) == [1])
    // Attributes and classes that are called like parts of Keras' own layers.
    for name in ["g", "cell", "layer", "forward_layer", "layers/layer", "block/layers/layer"] {
      #expect(try levels([("\(name)/cell/vars", 4)]) == [1], "\(name)")
    }
    let stack = "layers/rnn/cell/cells/gru_cell"
    #expect(try levels([("\(stack)/vars", 4), ("\(stack)_1/vars", 3)]) == [1, 1])
    for (forward, backward) in [
      (
        "layers/bidirectional/forward_layer/cell/vars",
        "layers/bidirectional/backward_layer/cell/vars"
      ),
      ("bi/bi/forward_gru/gru_cell", "bi/bi/backward_gru/gru_cell"),
      ("bi/forward_gru_1", "bi/backward_gru_1"),
    ] {
      #expect(try levels([(forward, 4), (backward, 4)]) == [2])
    }
    // Two layers of a model within the model.
    #expect(
      try levels([("encoder/layers/gru/cell/vars", 4), ("encoder/layers/gru_1/cell/vars", 3)])
        == [1, 1])
    #expect(try levels([("e/e/gru_5/gru_cell", 4), ("e/e/gru_6/gru_cell", 3)]) == [1, 1])
  }

  @Test("Layers that are no stack by their sizes are offered by their prefixes")
  func sizes() throws {
    let two = [gru("layers/gru/cell/vars"), gru("layers/gru_1/cell/vars", input: 5)]
    #expect(
      sentence(two)
        == "'layers': the file has no configuration, and 'gru_1' reads 5 features, but 'gru' before it puts out 3: they are no stack; choose a part by its prefix: 'gru/', 'gru_1/'"
    )
    #expect(try network(two, prefix: "gru_1/").network.layers[0].inputSize == 5)
    // Below a bidirectional layer's two halves.
    let wide = ["forward", "backward"].map { gru("layers/bidirectional/\($0)_layer/cell/vars") }
    let above = ["forward", "backward"].map {
      gru("layers/bidirectional_1/\($0)_layer/cell/vars", input: 6)
    }
    #expect(try network(wide + above).network.levels.map(\.count) == [2, 2])
    let narrow = ["forward", "backward"].map {
      gru("layers/bidirectional_1/\($0)_layer/cell/vars", input: 3)
    }
    #expect(sentence(wide + narrow).contains("'bidirectional' before it puts out 6"))
  }

  @Test("The layers of a user's own class are offered by their prefixes, one or several")
  func ownClass() throws {
    let configuration = "{\"class_name\":\"mine>Tagger\",\"config\":{\"dtype\":\"float32\"}}"
    let why =
      "'model_config': the class 'mine>Tagger' lists no layers; how they are connected stands in its program; choose a part by its prefix: "
    let one = [gru("g/cell/vars")]
    #expect(sentence(one, configuration: configuration) == why + "'g/'")
    #expect(
      try network(one, prefix: "g/", configuration: configuration).network.levels.count == 1)
    let two = [gru("encoder/cell/vars"), gru("decoder/cell/vars", input: 3)]
    #expect(sentence(two, configuration: configuration) == why + "'decoder/', 'encoder/'")
    #expect(
      try network(two, prefix: "decoder", configuration: configuration).network.layers[0].inputSize
        == 3)
  }
}
