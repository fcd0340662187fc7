// Every option of an experiment changes the results or is refused by name.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Options of the experiments")
struct LabOptionTests {
  private let command = CommandTests()
  private let file = goldenFolder + "/files/torch_gru_stack.pt"

  /// The results without the repeated settings, or nil and the first line of the error.
  private func numbers(_ arguments: [String]) throws -> (result: NSObject?, error: String) {
    let outcome = try command.run(["lab"] + arguments + ["--json"])
    guard outcome.status == 0 else {
      return (nil, String(outcome.errors.split(separator: "\n").first ?? ""))
    }
    func stripped(_ value: Any) -> Any {
      if let fields = value as? [String: Any] {
        return fields.filter { $0.key != "settings" }.mapValues(stripped)
      }
      return (value as? [Any])?.map(stripped) ?? value
    }
    let value = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    return (stripped(value) as? NSObject, "")
  }

  private static let options: [[String]] = [
    ["--cell", "gru-after"], ["--scale", "1.5"], ["--keep-bias", "3"], ["--gate-bias", "2"],
    ["--chrono", "9"], ["--orthogonal", "1"], ["--steps", "2,9"], ["--draws", "notebook"],
    ["--initial-weights", "tensorflow"], ["--input-offset", "0.25"], ["--hidden", "5"],
    ["--input", "4"], ["--batch", "5"], ["--time", "15"], ["--seed", "7"],
    ["--dtype", "float64"], ["--layer", "0"], ["--data", "x.npy"], ["--activation", "relu"],
    ["--forget-bias", "2"], ["--prefix", "gru"], ["--weight-draws", "3"],
  ]

  /// Whether an option has no effect on this experiment and cell, for a special reason.
  private func isSilent(_ option: String, _ experiment: String, _ cell: String) -> Bool {
    switch (experiment, cell, option) {
    // The notebook's first experiment uses an RNN and draws its numbers in the same order as fresh draws.
    case ("spectrum", "rnn", "--draws"), ("gates", "rnn", "--draws"): true
    // Only the RNN's gradient is small enough here to have elements that are 0 or subnormal in float32.
    case ("spectrum", "gru", "--steps"), ("spectrum", "gru", "--dtype"): true
    case ("spectrum", "lstm", "--steps"), ("spectrum", "lstm", "--dtype"): true
    default: false
    }
  }

  @Test(
    "An option changes the numbers of a drawn cell, or is refused by name", .tags(.slow),
    arguments: ["memory", "gradients", "spectrum", "gates"], ["rnn", "gru", "lstm"])
  func drawn(experiment: String, cell: String) throws {
    let base =
      ["--cell", cell, "--hidden", "4", "--batch", "3", "--input", "3", "--time", "12"]
      + (experiment == "gates" ? [] : ["--steps", "3,11"])
      + (experiment == "spectrum" ? ["--scale", "0.001"] : [])
    let plain = try #require(try numbers([experiment] + base).result)
    for option in Self.options {
      var arguments = base
      // Give no option twice, and no scale with TensorFlow's weights.
      for name in [option[0]] + (option[0] == "--initial-weights" ? ["--scale"] : []) {
        guard let index = arguments.firstIndex(of: name) else { continue }
        arguments.removeSubrange(index...index + 1)
      }
      let (result, error) = try numbers([experiment] + arguments + option)
      if let result {
        #expect(
          result != plain || isSilent(option[0], experiment, cell),
          "\(experiment) of \(cell): \(option)")
      } else {
        let isTold =
          error.contains(option[0])
          || (option[0] == "--keep-bias" && error.contains("--cell: expected a cell with a gate"))
        #expect(isTold, "\(experiment) of \(cell), \(option): \(error)")
      }
    }
  }

  @Test("Options that a file already determines are refused by name")
  func given() throws {
    let weights = ["memory", "--weights", file, "--layer", "0", "--time", "12"]
    for (option, sentence) in [
      (
        ["--activation", "relu"],
        "\(file): --activation changes nothing in how this network is read"
      ),
      (
        ["--forget-bias", "2"], "\(file): --forget-bias changes nothing in how this network is read"
      ),
      (["--scale", "2"], "--scale: --weights says it already"),
      (["--draws", "notebook"], "--draws: --weights says it already"),
    ] {
      let error = try numbers(weights + option).error
      #expect(error.contains(sentence), "\(error)")
    }
    for option in [["--activation", "relu"], ["--forget-bias", "2"], ["--prefix", "x"]] {
      for arguments in [["memory"], ["gates", "--cell", "lstm"], ["spectrum"], ["gradients"]] {
        let error = try numbers(arguments + option).error
        #expect(
          error
            == "Error: \(option[0]): says how the network of --weights is read, found no --weights; give both, or leave it out."
        )
      }
      // ONNX models and runs determine these values themselves.
      let model = goldenFolder + "/files/onnx_functions.onnx"
      for arguments in [
        ["lab", "memory", "--weights", model], ["inspect", model],
        ["convert", model, "/nonexistent/x.npz"],
      ] {
        let error = try command.run(arguments + option).errors
        #expect(
          error.hasPrefix(
            "Error: \(option[0]): expected a file that leaves this open, found an ONNX model, \(model); leave it out."
          ), "\(error)")
      }
    }
    // In a file that leaves the value open, the option has an effect.
    let lstm = [
      "memory", "--weights", goldenFolder + "/files/tf1_basic_lstm.index", "--layer", "0",
      "--time", "12",
    ]
    let plain = try #require(try numbers(lstm).result)
    let other = try #require(try numbers(lstm + ["--forget-bias", "3"]).result)
    #expect(other != plain)
  }

  @Test("Options without an effect on an experiment are refused with the reason")
  func reasons() throws {
    for (arguments, sentence) in [
      (
        ["gates", "--dtype", "float64"],
        "--dtype: has no effect here, because gates are computed in float64"
      ),
      (
        ["gates", "--steps", "3"],
        "--steps: has no effect here, because gates are measured at all steps"
      ),
      (
        ["memory", "--initial-weights", "tensorflow", "--scale", "2"],
        "--scale: has no effect here, because TensorFlow's initial weights have no scale"
      ),
      (
        ["gradients", "--initial-weights", "tensorflow", "--scale", "1,2"],
        "--scale: has no effect here, because TensorFlow's"
      ),
      (
        ["gates", "--weights", file, "--data", "x.npy", "--input-offset", "0"],
        "--input-offset: has no effect here, because the inputs are read, not drawn"
      ),
    ] {
      let outcome = try command.run(["lab"] + arguments)
      #expect(outcome.status == 64 && outcome.errors.contains(sentence), "\(outcome.errors)")
    }
    for arguments in [["memory"], ["gradients"], ["notebook"]] {
      let outcome = try command.run(["lab"] + arguments + ["--terminal", "--json"])
      #expect(outcome.errors.contains("--terminal: draws text, found --json"))
    }
    // Gates accept sequences shorter than the default steps of other experiments.
    #expect(try command.run(["lab", "gates", "--time", "4", "--hidden", "3"]).status == 0)
    // Parity lists only the precision that was asked for.
    let parity = try #require(
      try numbers(["parity", "--dtype", "float64"]).result as? [String: Any])
    let rows = try #require(parity["rows"] as? [[String: Any]])
    #expect(rows.count == 3 && rows.allSatisfy { $0["precision"] as? String == "float64" })
  }
}
