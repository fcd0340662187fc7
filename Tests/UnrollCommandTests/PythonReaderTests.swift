// Reads Unroll's files with the programs that they are meant for. UNROLL_PYTHON names a Python with
// Scripts/python/requirements.txt, which ./run test prepares.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Others' readers")
struct PythonReaderTests {
  static let python = preparedPython()

  @Test(
    "TensorBoard and safetensors read a run's files, and find its numbers",
    .needs(.python))
  func run() throws {
    let command = CommandTests()
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let run = folder + "/run"
      let learnt = try command.run(
        ["train", folder + "/text", "--output", run, "--epochs", "3"] + LanguageCommandTests.logged)
      #expect(learnt.status == 0)
      let (_, data) = try runScript("read_run.py", #require(Self.python), [run])
      let found = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
      let scalars = try #require(found["scalars"] as? [String: [[Double]]])
      let lines = try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8)
        .split(separator: "\n").map {
          try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Double])
        }
      for name in ["validation_perplexity", "train_loss", "learning_rate", "gradient_norm"] {
        let read = try #require(scalars[name])
        let lines = lines.filter { $0[name] != nil }
        #expect(read.map { $0[0] } == lines.map { $0["step"] })
        for (pair, line) in zip(read, lines) {
          // Event files hold float32.
          let written = try #require(line[name])
          #expect(abs(pair[1] - written) <= 1e-7 * abs(written))
        }
      }
      let arrays = try #require(found["arrays"] as? [String: [String: Any]])
      #expect(arrays["layers.0.input_weights"]?["shape"] as? [Int] == [8, 80])
      #expect(arrays["embedding.weights"]?["dtype"] as? String == "float32")
      #expect((found["metadata"] as? [String: String])?["step"] != nil)
    }
  }
}
