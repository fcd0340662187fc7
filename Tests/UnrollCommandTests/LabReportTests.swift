// The command printed under each section of a report reproduces its numbers.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollTestSupport

@Suite("The lab's report")
struct LabReportTests {
  private let command = CommandTests()

  private func json(_ text: String) throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  private func result(_ arguments: [String]) throws -> [String: Any] {
    let outcome = try command.run(arguments)
    try #require(outcome.status == 0, "\(arguments): \(outcome.errors)")
    return try json(outcome.output)
  }

  /// The commands in a report, by the name of their section.
  private func commands(_ folder: String) throws -> [(section: String, arguments: [String])] {
    let page = try String(contentsOfFile: folder + "/index.html", encoding: .utf8)
    return page.components(separatedBy: "<section id=\"").dropFirst().map { part in
      let name = String(part.prefix { $0 != "\"" })
      let text = part.components(separatedBy: "<code>").dropFirst().first?
        .components(separatedBy: "</code>").first
      return (name, (text ?? "").split(separator: " ").dropFirst().map(String.init))
    }
  }

  /// Whether two parts of results are equal, ignoring the order of sets of gradients and the scale, which TensorFlow's
  /// initial weights do not have.
  private func same(_ a: Any?, _ b: Any?) -> Bool {
    func sorted(_ value: Any?) -> NSObject? {
      guard let fields = value as? [String: Any], let sets = fields["sets"] as? [[String: Any]]
      else { return value as? NSObject }
      var copy = fields
      if var settings = fields["settings"] as? [String: Any],
        settings["initialWeights"] as? String == "tensorflow"
      {
        settings["scale"] = nil
        copy["settings"] = settings
      }
      copy["sets"] = sets.sorted {
        ($0["point"] as? String ?? "") < ($1["point"] as? String ?? "")
      }
      return copy as NSObject
    }
    guard let a = sorted(a), let b = sorted(b) else { return false }
    return a.isEqual(b)
  }

  @Test("The command printed under each section reproduces the section's numbers", .tags(.slow))
  func sections() throws {
    try withTemporaryFolder { folder in
      let outcome = try command.run([
        "lab", "--batch", "6", "--hidden", "4", "--scale", "0.5,3", "--weight-draws", "2",
        "--seed", "7", "--output", folder,
      ])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let stored = try json(String(contentsOfFile: folder + "/results.json", encoding: .utf8))
      let notebook = try #require(stored["notebook"] as? [String: Any])
      let sweeps = try #require(stored["sweeps"] as? [[String: Any]])
      let places: [String: Any?] = [
        "parity": notebook["parity"], "gru-as-rnn": notebook["gruAsRNN"],
        "memory-rnn": notebook["memoryRNN"], "memory-gru-keeps": notebook["memoryGRU"],
        "memory-gru-initial": notebook["memoryInitialGRU"],
        "gradients-rnn": notebook["gradientRNN"], "gradients-gru-keeps": notebook["gradientGRU"],
        "gradients-gru-initial": notebook["gradientInitialGRU"], "sweep-rnn": sweeps[0],
        "sweep-gru": sweeps[1], "sweep-lstm": sweeps[2],
      ]
      let commands = try commands(folder)
      #expect(commands.count == 13)
      for (section, arguments) in commands {
        switch section {
        case "overview":
          let again = try result(arguments + ["--json", "--output", folder + "/again"])
          #expect(same(again["comparison"] as Any, stored["comparison"] as Any))
        case "later-edition":
          let distances = try #require(
            try result(arguments + ["--json"])["distances"] as? [[String: Any]])
          let edition = try #require(notebook["laterEdition"] as? [String: Any])
          let theirs = try #require(edition["fractions"] as? [Double])
          for (distance, fraction) in zip(distances, theirs) {
            let ours = try #require(distance["fractionAboveTenth"] as? Double)
            #expect(abs(ours - fraction) < 1e-12)
          }
        default:
          let expected = try #require(places[section], "\(section)")
          #expect(
            same(try result(arguments + ["--json"]), expected), "\(section): \(arguments)")
        }
      }
    }
  }

  @Test("The notebook's numbers come from its order of draws, one command each")
  func notebook() throws {
    func gradients(_ arguments: [String]) throws -> Double {
      let sets = try #require(
        try result(["lab", "gradients", "--json"] + arguments)["sets"] as? [[String: Any]])
      let zero = try #require(sets.first { $0["point"] as? String == "zero" })
      return try #require((zero["summary"] as? [String: Any])?["mean"] as? Double)
    }
    #expect(abs(try gradients(["--draws", "notebook"]) / 9.239e-7 - 1) < 1e-3)
    #expect(abs(try gradients([]) / 4.61e-5 - 1) < 1e-2)
    let wrong = try command.run(["lab", "memory", "--draws", "notebok"])
    #expect(wrong.status == 64 && wrong.errors.contains("later-edition"), "\(wrong.errors)")
    let alone = try command.run(["lab", "memory", "--weight-draws", "3"])
    #expect(alone.status == 64 && alone.errors.contains("expected --scale, too"))
    let gates = try command.run(["lab", "gates", "--weight-draws", "3"])
    #expect(gates.status == 64 && gates.errors.contains("only sweeps of memory and gradients"))
  }

  @Test("Instruments print the command of their section, of drawn cells and of files")
  func instruments() throws {
    let file = goldenFolder + "/files/torch_gru_stack.pt"
    try withTemporaryFolder { folder in
      let data: Tensor<Float> = Tensor(
        shape: [2, 5, 4], elements: (0..<40).map { Float($0 % 7) / 7 })
      try AtomicFile.write(NPY.encode(StoredArray(data)), to: folder + "/x y.npy")
      for arguments in [
        ["spectrum", "--cell", "gru", "--gate-bias", "1", "--batch", "3", "--sequences", "2"],
        ["gates", "--cell", "lstm", "--chrono", "20", "--draws", "notebook", "--batch", "3"],
        ["gradients", "--cell", "gru", "--initial-weights", "tensorflow", "--input-offset", "0"],
        ["spectrum", "--weights", file, "--layer", "1", "--time", "6", "--steps", "5"],
      ] {
        let stored = try result(["lab"] + arguments + ["--json", "--output", folder + "/r"])
        let printed = try #require(try commands(folder + "/r").first)
        #expect(same(try result(printed.arguments + ["--json"]), stored), "\(printed)")
      }
      // A name with a space is quoted for the shell.
      let spaced = try command.run([
        "lab", "gates", "--weights", file, "--data", folder + "/x y.npy", "--output", folder + "/r",
      ])
      #expect(spaced.status == 0, "\(spaced.errors)")
      #expect(
        spaced.output.hasPrefix(
          "\(folder)/x y.npy, shape [2, 5, 4]: 2 sequences of 5 steps, 4 features\n"),
        "\(spaced.output)")
      let page = try String(contentsOfFile: folder + "/r/index.html", encoding: .utf8)
      #expect(page.contains("--data '\(folder)/x y.npy' --layer 3</code>"))
      #expect(page.contains("2 sequences of 5 steps, 4 features"))
    }
  }

  @Test("How data were understood is said, and that a time-first array is not")
  func axes() throws {
    let file = goldenFolder + "/files/torch_gru_stack.pt"
    try withTemporaryFolder { folder in
      func output(_ shape: [Int], _ more: [String] = []) throws -> CommandTests.Outcome {
        try AtomicFile.write(
          NPY.encode(StoredArray(Tensor<Float>(shape: shape, repeating: 0.5))),
          to: folder + "/x.npy")
        return try command.run(
          ["lab", "gates", "--weights", file, "--data", folder + "/x.npy"] + more)
      }
      #expect(
        try output([60, 1, 4]).output.contains(
          "60 sequences of 1 step, 4 features (for one sequence of 60 steps, give it the shape [1, 60, 4] or [60, 4])"
        ))
      #expect(try output([60, 4]).output.contains("1 sequence of 60 steps, 4 features\n"))
      #expect(
        try output([9, 7, 4], ["--batch", "2", "--time", "5"]).output.contains(
          "9 sequences of 7 steps, 4 features; used: 2 sequences of 5 steps"))
      // With --json the description goes to standard error, so that the output is JSON.
      let quiet = try output([1, 3, 4], ["--json"])
      #expect(quiet.errors.contains("1 sequence of 3 steps"))
      _ = try json(quiet.output)
    }
  }

  @Test("A gradient beyond float32 is named with what to do, and JSON has null for it")
  func overflow() throws {
    let arguments = [
      "lab", "gradients", "--hidden", "32", "--scale", "5", "--time", "220", "--batch", "2",
      "--steps", "219", "--seed", "3",
    ]
    let outcome = try command.run(arguments)
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("overflows float32 at step"), "\(outcome.output)")
    #expect(outcome.output.contains("compute in float64 (--dtype float64)"))
    #expect(!outcome.output.contains("nan"))
    let text = try command.run(arguments + ["--json"]).output
    #expect(text.contains("null") && !text.contains("nan") && !text.contains("\"inf"))
    let sets = try #require(try json(text)["sets"] as? [[String: Any]])
    #expect(sets.contains { $0["overflowStep"] is Int })
    let double = try command.run(arguments + ["--dtype", "float64"])
    #expect(!double.output.contains("overflow"), "\(double.output)")
  }

  @Test(
    "A shorter sequence has fewer default steps; steps that were asked for stay an error",
    .tags(.slow))
  func shortSequences() throws {
    for (time, steps) in [("20", [10]), ("31", [10, 20, 30]), ("1", [0])] {
      let sizes = ["--time", time, "--batch", "3"]
      let memory = try result(["lab", "memory", "--json"] + sizes)
      let sets = try #require(memory["distances"] as? [[String: Any]])
      #expect(sets.map { $0["step"] as? Int } == steps)
      let gradients = try result(["lab", "gradients", "--parts", "--json"] + sizes)
      #expect(gradients["step"] as? Int == steps.last)
      let sweep = try result(
        ["lab", "gradients", "--scale", "1,2", "--weight-draws", "2", "--json"] + sizes)
      #expect(sweep["step"] as? Int == steps.last)
      for instrument in ["spectrum", "gates"] {
        let outcome = try command.run(["lab", instrument] + sizes)
        #expect(outcome.status == 0, "\(outcome.errors)")
      }
      let asked = try command.run(["lab", "gradients", "--steps", time] + sizes)
      #expect(asked.status == 1)
      #expect(asked.errors.contains("steps: expected steps in 0 ... "), "\(asked.errors)")
    }
    try withTemporaryFolder { folder in
      let outcome = try command.run([
        "lab", "--time", "20", "--batch", "4", "--weight-draws", "2", "--output", folder + "/r",
      ])
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
  }
}
