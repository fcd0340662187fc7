// The lab's experiments on a trained network: every layer, data from files, a language model's context.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("Instruments on a person's own network")
struct NetworkInstrumentTests {
  private let command = CommandTests()
  private let file = goldenFolder + "/files/torch_gru_stack.pt"

  private func json(_ arguments: [String]) throws -> [String: Any] {
    let outcome = try command.run(arguments + ["--json"])
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try #require(
      JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  @Test(
    "Every layer is measured, on data from a file",
    arguments: ["memory", "gradients", "spectrum", "gates"])
  func layers(instrument: String) throws {
    try withTemporaryFolder { folder in
      var random = NumPyRandom(seed: testSeed)
      let data: Tensor<Float> = uniform([3, 7, 4], &random)
      try AtomicFile.write(NPY.encode(StoredArray(data)), to: folder + "/x.npy")
      let found = try json(["lab", instrument, "--weights", file, "--data", folder + "/x.npy"])
      let layers = try #require(found["layers"] as? [[String: Any]])
      #expect(
        layers.map { $0["layer"] as? String } == [
          "layer 0", "layer 1, backward", "layer 2", "layer 3, backward",
        ])
      for layer in layers {
        let result = try #require(layer["result"] as? [String: Any])
        let settings = try #require(result["settings"] as? [String: Any])
        #expect(settings["timeStepCount"] as? Int == 7)
        #expect(settings["batchSize"] as? Int == 3)
      }
      // A single layer has the same results and can have a report.
      let one = try json([
        "lab", instrument, "--weights", file, "--data", folder + "/x.npy", "--layer", "2",
        "--output", folder + "/report",
      ])
      let third = try #require(layers[2]["result"] as? [String: Any])
      func text(_ object: [String: Any]) throws -> Data {
        try JSONSerialization.data(withJSONObject: object, options: .sortedKeys)
      }
      #expect(try text(one) == text(third))
      #expect(FileManager.default.fileExists(atPath: folder + "/report/index.html"))
      // The data are cut to one sequence of five steps.
      let cut = try json([
        "lab", instrument, "--weights", file, "--data", folder + "/x.npy", "--layer", "0",
        "--batch", "1", "--time", "5",
      ])
      #expect((cut["settings"] as? [String: Any])?["timeStepCount"] as? Int == 5)
    }
  }

  @Test("Data that do not fit are refused in a sentence")
  func refusals() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/x.npy"
      func refused(_ array: StoredArray, _ sentence: String) throws {
        try AtomicFile.write(NPY.encode(array), to: path)
        let outcome = try command.run(["lab", "gates", "--weights", file, "--data", path])
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains(sentence), "\(outcome.errors)")
      }
      try refused(
        StoredArray(Tensor<Float>(shape: [2, 3, 5])),
        "expected sequences [B, T, 4], or one [T, 4], found shape [2, 3, 5]; the network reads 4 features a step"
      )
      try refused(
        StoredArray(Tensor<Float>(shape: [4, 3, 5])), "the axis of 4 is not the last: transpose")
      try refused(
        StoredArray(Tensor<Float>(shape: [4])),
        "expected sequences [B, T, 4], or one [T, 4], found shape [4]; give it two or three axes")
      try refused(
        StoredArray(Tensor<Float>(shape: [2, 3, 4], repeating: .nan)), "expected finite numbers")
      try refused(
        StoredArray(Tensor<Float>(shape: [0, 3, 4])), "found shape [0, 3, 4]; it has no elements")
    }
    for size in [["--time", "0"], ["--batch", "-1"]] {
      let none = try command.run(["lab", "memory", "--weights", file] + size)
      #expect(none.status == 1)
      #expect(none.errors.contains("expected at least 1, got \(size[1])"), "\(none.errors)")
    }
    let late = try command.run([
      "lab", "memory", "--weights", file, "--time", "5", "--steps", "2,9",
    ])
    #expect(late.errors.contains("steps: expected steps in 0 ... 4"))
    // Default steps that are given explicitly are checked like any others.
    let asked = try command.run([
      "lab", "memory", "--weights", file, "--time", "20", "--steps", "10,20,30",
    ])
    #expect(asked.status == 1)
    #expect(asked.errors.contains("steps: expected steps in 0 ... 19"), "\(asked.errors)")
    for time in ["20", "3"] {
      let short = try command.run(["lab", "gradients", "--weights", file, "--time", time])
      #expect(short.status == 0, "\(short.errors)")
    }
    let alone = try command.run(["lab", "gates", "--data", "x.npy"])
    #expect(alone.status == 64)
    #expect(alone.errors.contains("give both"))
    let sweep = try command.run(["lab", "spectrum", "--scale", "1,2"])
    #expect(sweep.errors.contains("--scale: expected one scale"))
    let gateless = try command.run(["lab", "memory", "--chrono", "20"])
    #expect(gateless.errors.contains("chrono: expected a cell with gates"))
  }

  @Test(
    "For a run, memory measures the gain from longer prefixes, gradients the words reached",
    .tags(.slow))
  func context() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let run = folder + "/run"
      #expect(
        try command.run(
          ["train", folder + "/text", "--output", run, "--epochs", "1"]
            + LanguageCommandTests.small
        ).status == 0)
      let found = try json(["lab", "memory", "--weights", run, "--time", "12"])
      let context = try #require(found["context"] as? [String: Any])
      let prefixes = try #require(context["prefixes"] as? [[String: Any]])
      #expect(prefixes.first?["length"] as? Int == 1)
      #expect(prefixes.count > 3)
      #expect((found["layers"] as? [Any])?.count == 2)
      let text = folder + "/other.txt"
      try Data(String(contentsOfFile: folder + "/text/valid.txt", encoding: .utf8).utf8)
        .write(to: URL(fileURLWithPath: text))
      let shown = try command.run(["lab", "gradients", "--weights", run, "--data", text])
      #expect(shown.status == 0, "\(shown.errors)")
      #expect(shown.output.contains("which earlier words the gradient of a prediction reaches"))
      #expect(shown.output.contains("truncated against full backpropagation through time"))
    }
  }
}
