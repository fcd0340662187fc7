// What Keras' files say about their layers: read, never guessed; what Unroll has not is refused by its field.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Keras' configurations")
struct KerasConfigurationTests {
  @Test("Keras' weights without a configuration: one class of layers is read, more are not guessed")
  func weightsAlone() throws {
    let file = try ArrayFile(contentsOf: "\(goldenFolder)/files/keras3_mixed.weights.h5")
    let error = #expect(throws: ModelImportError.self) {
      try NetworkFile.network(in: file, as: Float.self)
    }
    #expect(
      error?.description
        == "'layers': the file has no configuration, which says in what order bidirectional, gru, gru_1 follow; choose a part by its prefix: 'bidirectional/', 'gru/', 'gru_1/'"
    )
    // The GRUs alone: the second has two rows of biases and resets after the product.
    var part = file
    part.arrays = file.arrays.filter { $0.key.hasPrefix("layers/gru") }
    let (imported, _) = try NetworkFile.network(in: part, as: Float.self)
    let gates = imported.network.layers.map(\.cell.kind)
    #expect(gates == [.gruResetBefore, .gruResetAfter])
    #expect(imported.assumptions.count == 1)
    // The optimizer state of a fitted model is not a cell.
    for (name, array) in part.arrays {
      for slot in ["m", "v"] { part.arrays["optimizer_weights/Adam/\(slot)/\(name)"] = array }
    }
    #expect(
      try NetworkFile.network(in: part, as: Float.self).imported.network.layers.count == 2)
    part.arrays["layers/gru_1/cell/vars/2"] = nil
    #expect(throws: ModelImportError.self) { try NetworkFile.network(in: part, as: Float.self) }
  }

  @Test("A configuration with what Unroll has not is refused by its field")
  func configurations() throws {
    var file = try ArrayFile(contentsOf: "\(goldenFolder)/files/keras3_functions.keras")
    let text = try #require(file.metadata["model_config"])
    func sentence(_ change: (String) -> String) -> String? {
      file.metadata["model_config"] = change(text)
      return #expect(throws: ModelImportError.self) {
        try NetworkFile.network(in: file, as: Float.self)
      }?.description
    }
    func replacing(_ old: String, _ new: String) -> (String) -> String {
      { $0.replacingOccurrences(of: old, with: new) }
    }
    #expect(
      sentence(replacing("\"go_backwards\": false", "\"go_backwards\": true"))
        == "'simple_rnn': go_backwards = true cannot be expressed")
    #expect(
      sentence(replacing("\"activation\": \"relu\"", "\"activation\": \"gelu\""))
        == "'simple_rnn': activation = gelu cannot be expressed")
    let layer = "{\"class_name\": \"GRU\", \"config\": {\"units\": 3}}"
    func model(_ kind: String, _ config: String) -> String {
      "{\"config\":{\"layers\":[{\"class_name\":\"\(kind)\",\"config\":{\"name\":\"it\",\(config)}}]}}"
    }
    #expect(
      sentence { _ in model("TimeDistributed", "\"layer\": \(layer)") }
        == "'it': class_name = TimeDistributed with a layer GRU in it cannot be expressed")
    let backward = "{\"class_name\": \"GRU\", \"config\": {\"reset_after\": false}}"
    let both = "\"merge_mode\": \"concat\", \"layer\": \(layer)"
    #expect(
      sentence { _ in model("Bidirectional", "\(both), \"backward_layer\": \(backward)") }
        == "'it': backward_layer = another layer than the forward one cannot be expressed")
    #expect(
      sentence { _ in model("Bidirectional", "\"merge_mode\": \"sum\", \"layer\": \(layer)") }
        == "'it': merge_mode = sum cannot be expressed")
    #expect(sentence { _ in "{" } == "'model_config': expected a configuration with layers")
    #expect(
      sentence(replacing("\"use_bias\": false", "\"use_bias\": true"))
        == "'simple_rnn/bias': expected such an array, found none")
    // Keras 3's records of a tensor, of which the mask's is not read, and lists of Keras 2 before 2.2.3.
    func tensor(_ name: String) -> String {
      "{\"class_name\":\"__keras_tensor__\",\"config\":{\"keras_history\":[\"\(name)\",0,0]}}"
    }
    func graph(_ node: String) -> String {
      func layer(_ kind: String, _ name: String, _ nodes: String) -> String {
        "{\"class_name\":\"\(kind)\",\"config\":{\"name\":\"\(name)\",\"return_sequences\":true},\"inbound_nodes\":\(nodes)}"
      }
      let layers = [
        layer("InputLayer", "x", "[]"),
        layer("GRU", "a", "[{\"args\":[\(tensor("x"))],\"kwargs\":{}}]"), layer("GRU", "b", node),
      ]
      return "{\"config\":{\"layers\":[\(layers.joined(separator: ","))]}}"
    }
    let found = "'a/kernel': expected such an array, found none"
    #expect(
      sentence { _ in
        graph("[{\"args\":[\(tensor("a"))],\"kwargs\":{\"mask\":\(tensor("x"))}}]")
      } == found)
    #expect(
      sentence { _ in
        graph("[{\"args\":[\(tensor("x"))],\"kwargs\":{\"initial_state\":[\(tensor("a"))]}}]")
      }?.hasPrefix("'b': its initial state comes from GRU 'a'") == true)
    #expect(
      sentence { _ in
        "{\"class_name\":\"Sequential\",\"config\":[{\"class_name\":\"GRU\",\"config\":{\"name\":\"a\"}}]}"
      } == found)
    file.metadata["keras_version"] = nil
    #expect(
      sentence { $0 }?.hasSuffix(
        "recurrent_activation = hard_sigmoid of an unknown version of Keras cannot be expressed")
        == true)
  }
}
