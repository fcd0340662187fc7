// What Keras' files say about their layers: read, never guessed; what Unroll has not is refused by its field.

import Foundation
import Testing
import Unroll
import UnrollTestSupport

@testable import UnrollFormats

#if HDF5
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
        == "'layers': the order of the layers = unknown (the file has no configuration); bidirectional, gru cannot be expressed"
    )
    // The GRUs alone: the second has two rows of biases and resets after the product.
    var part = file
    part.arrays = file.arrays.filter { $0.key.hasPrefix("layers/gru") }
    let (imported, _) = try NetworkFile.network(in: part, as: Float.self)
    let gates = imported.network.layers.compactMap { ($0.cell as? GRU<Float>)?.resetGate }
    #expect(gates == [.beforeProduct, .afterProduct])
    #expect(imported.assumptions.count == 1)
    // What a fitted model keeps for its optimiser is no cell.
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
      sentence(replacing("\"activation\": \"relu\"", "\"activation\": \"elu\""))
        == "'simple_rnn': activation = elu cannot be expressed")
    let layer = "{\"class_name\": \"GRU\", \"config\": {\"units\": 3}}"
    func model(_ kind: String, _ config: String) -> String {
      "{\"config\":{\"layers\":[{\"class_name\":\"\(kind)\",\"config\":{\"name\":\"it\",\(config)}}]}}"
    }
    #expect(
      sentence { _ in model("Functional", "\"layers\": [\(layer)]") }
        == "'it': class_name = Functional with a layer GRU in it cannot be expressed")
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
    // What stands between recurrent layers must leave the numbers as they are.
    func stack(_ between: String, returns: Bool = true) -> String {
      func gru(_ name: String) -> String {
        "{\"class_name\":\"GRU\",\"config\":{\"name\":\"\(name)\",\"return_sequences\":\(returns)}}"
      }
      return
        "{\"config\":{\"layers\":[\(gru("a")),{\"class_name\":\"\(between)\",\"config\":{}},\(gru("b"))]}}"
    }
    for kind in ["Activation", "Dense", "RepeatVector", "Add", "LayerNormalization"] {
      #expect(
        sentence { _ in stack(kind) }
          == "'b': class_name = \(kind) between recurrent layers cannot be expressed")
    }
    #expect(sentence { _ in stack("Dropout") } == "'a/kernel': expected such an array, found none")
    #expect(
      sentence { _ in stack("Dropout", returns: false) }
        == "'a': return_sequences = false below another recurrent layer cannot be expressed")
    // The same in a graph, whose layers name their inputs, as Keras 2 and as Keras 3 write it.
    func graph(_ inputs: String) -> String {
      func layer(_ kind: String, _ name: String, _ inputs: String) -> String {
        "{\"class_name\":\"\(kind)\",\"config\":{\"name\":\"\(name)\",\"return_sequences\":true},\"inbound_nodes\":\(inputs)}"
      }
      let layers = [
        layer("InputLayer", "in", "[]"), layer("GRU", "a", "[[[\"in\",0,0,{}]]]"),
        layer("Dense", "side", "[[[\"a\",0,0,{}]]]"),
        layer("Dropout", "drop", "[[[\"a\",0,0,{}]]]"), layer("GRU", "b", inputs),
      ]
      return "{\"config\":{\"layers\":[\(layers.joined(separator: ","))]}}"
    }
    let found = "'a/kernel': expected such an array, found none"
    #expect(sentence { _ in graph("[[[\"drop\",0,0,{}]]]") } == found)
    #expect(
      sentence { _ in
        graph(
          "[{\"args\":[{\"class_name\":\"__keras_tensor__\",\"config\":{\"keras_history\":[\"drop\",0,0]}}],\"kwargs\":{}}]"
        )
      } == found)
    #expect(
      sentence { _ in
        graph(
          "[{\"args\":[{\"class_name\":\"__keras_tensor__\",\"config\":{\"keras_history\":[\"a\",0,0]}}],\"kwargs\":{\"mask\":{\"class_name\":\"__keras_tensor__\",\"config\":{\"keras_history\":[\"not_equal\",0,0]}}}}]"
        )
      } == found)
    #expect(
      sentence { _ in graph("[[[\"side\",0,0,{}]]]") }
        == "'b': inbound_nodes = side, not the recurrent layer before cannot be expressed")
    for inputs in [
      "[[[\"in\",0,0,{}]]]", "[[[\"a\",0,1,{}]]]",
      "[[[\"drop\",0,0,{\"initial_state\":[[\"a\",0,1]]}]]]",
      "[[[\"drop\",0,0,{}]],[[\"a\",0,0,{}]]]",
    ] {
      #expect(
        sentence { _ in graph(inputs) }?.hasPrefix("'b': inbound_nodes = ") == true, "\(inputs)")
    }
    #expect(
      sentence(replacing("\"use_bias\": false", "\"use_bias\": true"))
        == "'simple_rnn/bias': expected such an array, found none")
    file.metadata["keras_version"] = nil
    #expect(
      sentence { $0 }?.hasSuffix(
        "recurrent_activation = hard_sigmoid of an unknown version of Keras cannot be expressed")
        == true)
  }
}
#endif
