// Training the initial state, from the command line.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Learned initial states of runs")
struct InitialStateCommandTests {
  private let command = CommandTests()

  @Test("A learned initial state is exported to ONNX; other formats refuse it by name")
  func initialState() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let run = folder + "/run"
      let learnt = try command.run(
        ["train", folder + "/text", "--output", run, "--epochs", "2", "--learn-initial-state"]
          + ["--validate-every", "5"] + LanguageCommandTests.small)
      #expect(learnt.status == 0)
      #expect(learnt.errors.contains("part of epoch 1: train perplexity"))
      let shown = try command.unroll("inspect", run).output
      #expect(shown.contains("learned initial state") && shown.contains("layers.1.initial_cell"))
      let refused = try command.run(["convert", run, folder + "/out.npz"])
      #expect(refused.status == 1)
      #expect(
        refused.errors.contains(
          "found the learned layers.0.initial_hidden, layers.0.initial_cell, layers.1.initial_hidden, layers.1.initial_cell, for which \(folder)/out.npz has no place"
        ), "\(refused.errors)")
      #expect(refused.errors.contains("convert it into .onnx, or train without"))
      let graph = try command.run(["convert", run, folder + "/out.onnx"])
      #expect(graph.status == 0)
      #expect(graph.output.contains("cell_0, cell_1, hidden_0, hidden_1"), "\(graph.output)")
      #expect(
        try command.unroll("inspect", folder + "/out.onnx").output.contains("initial_states"))
      let resume = ["train", "--resume", "--output", run, "--epochs", "3"]
      for option in [["--no-learn-initial-state"], ["--validate-every", "6"]] {
        #expect(try command.run(resume + option).status == 64)
      }
      #expect(try command.run(resume + ["--log-every", "9"]).status == 0)
      #expect(
        try String(contentsOfFile: run + "/config.json", encoding: .utf8)
          .contains("\"log_every\" : 9"))
    }
  }

  @Test("A learned initial state of cells that ONNX does not have is refused without that advice")
  func cellsOutsideONNX() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let run = folder + "/run"
      let trained = try command.run(
        ["train", folder + "/text", "--output", run] + LanguageCommandTests.small
          + ["--max-steps", "1", "--learn-initial-state", "--cell", "janet"])
      #expect(trained.status == 0, "\(trained.errors)")
      let refused = try command.run(["convert", run, folder + "/out.npz"])
      #expect(refused.status == 1)
      #expect(
        refused.errors.hasSuffix(
          "for which \(folder)/out.npz has no place; train without --learn-initial-state\n"),
        "\(refused.errors)")
      #expect(try command.run(["convert", run, folder + "/out.onnx"]).status == 1)
    }
  }
}
