// The report about a run that diverged.

import Foundation
import Testing
import UnrollTestSupport

@Suite("Divergence by the command")
struct DivergenceTests {
  private let command = CommandTests()

  /// The last line printed for a run that diverges.
  private func advice(_ folder: String, _ run: String, _ options: [String]) throws -> String {
    let outcome = try command.run(
      ["train", folder + "/text", "--output", folder + "/" + run] + LanguageCommandTests.small
        + options)
    #expect(outcome.status == 1, "\(outcome.errors)")
    return String(outcome.errors.split(separator: "\n").last ?? "")
  }

  @Test("A report about divergence has the observations and advice that was not followed yet")
  func rate() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let rate = ["--optimizer", "sgd", "--learning-rate", "1e30"]
      let first = try advice(folder, "first", rate + ["--clip-norm", "0"])
      #expect(first.contains("diverged at step "), "\(first)")
      #expect(
        first.contains(
          "; settings that can cause it: --learning-rate 1e+30, --clip-norm 0 (no limit); "))
      #expect(
        first.contains("try a smaller --learning-rate than 1e+30, a --clip-norm such as 5, or"))
      #expect(first.hasSuffix("or --on-divergence halve"))
      let halved = try advice(
        folder, "halved", rate + ["--clip-norm", "2", "--on-divergence", "halve"])
      #expect(!halved.contains("--on-divergence halve"))
      #expect(
        halved.contains("the learning rate was halved as often") && halved.contains("below 2.0"))
    }
  }

  @Test(
    "Every setting that can be the cause is listed with its value, and decay that is too strong is blamed"
  )
  func decay() throws {
    try withTemporaryFolder { folder in
      try LanguageCommandTests.writeCorpus(folder + "/text")
      let decayed = try advice(
        folder, "decay",
        [
          "--optimizer", "sgd", "--learning-rate", "0.5", "--clip-norm", "1", "--weight-decay",
          "40",
        ])
      #expect(
        decayed.contains(
          "settings that can cause it: --learning-rate 0.5, --clip-norm 1.0, --weight-decay 40.0; a step subtracts rate times decay, 20 times itself, from every parameter; try a --weight-decay below 2"
        ), "\(decayed)")
      #expect(!decayed.contains("try a smaller --learning-rate"))
      #expect(
        decayed.contains("nats per word is divergence)") || decayed.contains("infinite")
          || decayed.contains("not a number"))
      let all = try advice(
        folder, "all",
        [
          "--optimizer", "momentum", "--learning-rate", "1e20", "--weight-decay", "1e-30",
          "--activation-penalty", "2", "--temporal-penalty", "3",
        ])
      #expect(
        all.contains(
          "--learning-rate 1e+20, --clip-norm 5.0, --weight-decay 1e-30, --activation-penalty 2.0, --temporal-penalty 3.0, momentum 0.9; try a smaller --learning-rate than 1e+20, a smaller --weight-decay, a --clip-norm below 5.0"
        ), "\(all)")
    }
  }
}
