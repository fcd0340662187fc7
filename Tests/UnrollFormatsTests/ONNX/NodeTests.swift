// The operators' own tests, which ship with the onnx package: every RNN, GRU and LSTM node test there is.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("The tests that ship with onnx")
struct NodeTests {
  static let python = preparedPython()

  @Test(
    "Every recurrent node test passes",
    .needs(.python))
  func nodes() throws {
    let (_, printed) = try runScript("node_tests.py", #require(Self.python), [])
    let folder = String(decoding: printed, as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
    let all = try FileManager.default.contentsOfDirectory(atPath: folder)
    let names = all.filter { name in
      ["test_simple_rnn", "test_rnn_seq_length", "test_gru", "test_lstm"].contains {
        name.hasPrefix($0)
      }
    }.sorted()
    #expect(names.count >= 12, "\(folder) has \(names)")
    for name in names {
      let model = try ONNXModel(AtomicFile.read("\(folder)/\(name)/model.onnx"))
      let data = "\(folder)/\(name)/test_data_set_0/"
      func tensor(_ word: String, _ index: Int) throws -> ONNXValue<Float> {
        try ONNXValue(tensor: AtomicFile.read("\(data)\(word)_\(index).pb"))
      }
      var inputs: [String: ONNXValue<Float>] = [:]
      for (index, input) in model.inputs.enumerated() {
        inputs[input] = try tensor("input", index)
      }
      let results = try model.run(inputs)
      #expect(!model.outputs.isEmpty)
      for (index, output) in model.outputs.enumerated() {
        let (ours, theirs) = (try #require(results[output]?.tensor), try tensor("output", index))
        let expected = try #require(theirs.tensor)
        #expect(ours.shape == expected.shape, "\(name) \(output)")
        let distance = (ours - expected).maximumMagnitude
        #expect(distance < 1e-6, "\(name) \(output): \(distance)")
      }
    }
  }
}
