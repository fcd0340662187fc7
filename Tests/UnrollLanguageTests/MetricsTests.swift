// Metrics within an epoch: their contents, and their independence of interruptions.

import Foundation
import Testing
import Unroll
import UnrollFigures
import UnrollFormats
import UnrollLanguage
import UnrollTestSupport

@Suite("Metrics within an epoch")
struct MetricsTests {
  private static func settings(
    _ folder: String, _ change: (inout TrainingConfiguration) -> Void = { _ in }
  ) throws -> RunConfiguration {
    let text = try TrainerTests.corpus(in: folder)
    return try TrainerTests.configuration {
      $0.corpus = text
      $0.training.epochs = 3
      $0.training.logEvery = 3
      $0.training.validateEvery = 7
      change(&$0.training)
    }
  }

  /// The rows of a run, by field.
  private static func rows(_ run: String) throws -> [[String: Double]] {
    try String(decoding: AtomicFile.read(run + "/metrics.jsonl"), as: UTF8.self)
      .split(separator: "\n").map {
        try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Double])
      }
  }

  /// Whether two numbers are equal up to the rounding of JSON parsers.
  private static func isNear(_ one: Double?, _ other: Double?) -> Bool {
    guard let one, let other else { return false }
    return abs(one - other) < 1e-12
  }

  @Test("Steps and validations have rows of their own, and the model of the best one is kept")
  func rows() throws {
    try withTemporaryFolder { folder in
      // A rate so high that the model becomes worse within an epoch.
      let settings = try Self.settings(folder) { $0.learningRate = 0.03 }
      let trainer = try TrainerTests.trainer(settings, folder + "/run")
      var losses: [Int: Double] = [:]
      var ends: [Int] = []
      #expect(
        try trainer.run(observe: { event in
          switch event {
          case .step(let progress, let loss, _, _): losses[progress.step] = loss
          case .epoch(let metrics, _): if metrics.isWhole { ends.append(metrics.step) }
          default: break
          }
        }) == .finished)
      let rows = try Self.rows(folder + "/run")
      let last = trainer.progress.step
      #expect(ends.count == 3 && ends.last == last)
      let steps = rows.filter { $0["loss"] != nil }
      #expect(steps.map { $0["step"] } == stride(from: 3, through: last, by: 3).map { Double($0) })
      for row in steps {
        #expect(
          Set(row.keys) == [
            "epoch", "step", "loss", "learning_rate", "gradient_norm", "tokens_per_second",
            "seconds",
          ])
        #expect(try #require(row["gradient_norm"]) > 0)
      }
      // For the first row, the mean equals that of the epoch so far.
      #expect(Self.isNear(steps.first?["loss"], losses[3]))
      let validated = rows.filter { $0["validation_loss"] != nil }
      let within = stride(from: 7, through: last, by: 7).filter { !ends.contains($0) }
      #expect(
        validated.compactMap { $0["step"] } == (within + ends).sorted().map { Double($0) })
      let best = try #require(
        validated.min { $0["validation_loss", default: 0] < $1["validation_loss", default: 0] })
      let kept = try StoredModel(run: folder + "/run").metadata
      #expect(kept["step"] == "\(Int(best["step"] ?? 0))")
      #expect(Self.isNear(kept["validation_loss"].flatMap { Double($0) }, best["validation_loss"]))
      #expect(trainer.progress.validations.count == 3)

      let (figure, count) = try #require(LearningCurves.figure(run: folder + "/run"))
      #expect(count == validated.count)
      guard case .lines(let lines) = figure.panels[0].content else {
        Issue.record("expected lines")
        return
      }
      #expect(lines[0].x == steps.compactMap { $0["step"] })
      #expect(zip(lines[0].y, steps).allSatisfy { Self.isNear($0, $1["loss"]) })
      #expect(lines[1].x == validated.compactMap { $0["step"] })
    }
  }

  @Test("The curves of a long run have means of neighbours, and none of its rows is left out")
  func longRun() throws {
    try withTemporaryFolder { folder in
      let rows = (1...5001).map { "{\"epoch\":1,\"step\":\($0),\"loss\":\($0 % 7)}\n" }
      try AtomicFile.write(Array(rows.joined().utf8), to: folder + "/metrics.jsonl")
      let (figure, count) = try #require(LearningCurves.figure(run: folder))
      guard case .lines(let lines) = figure.panels[0].content else {
        Issue.record("expected lines")
        return
      }
      #expect(count == 0 && lines[0].x.count == 1667 && lines[1].x.isEmpty)
      #expect(lines[0].x.first == 3 && lines[0].x.last == 5001)
      #expect(lines[0].y[0] == 2 && lines[0].y[1] == 5 && lines[0].y[2] == (0 + 1 + 2) / 3)
    }
  }

  @Test("With a row at every step, their mean is the epoch's")
  func everyStep() throws {
    try withTemporaryFolder { folder in
      let settings = try Self.settings(folder) {
        ($0.logEvery, $0.validateEvery, $0.isJittered, $0.epochs) = (1, nil, false, 1)
      }
      _ = try TrainerTests.trainer(settings, folder + "/run").run()
      let rows = try Self.rows(folder + "/run")
      let steps = rows.dropLast()
      let text = try EncodedText(
        mapping: folder + "/run/corpus/train.symbols", vocabularySize: 1_000_000)
      // 16 parallel rows, 12 symbols per step; the remainder is in the last step.
      let row = (text.count - 1) / 16
      let symbols = steps.indices.map { Double(min(12, row - 12 * $0)) }
      let mean =
        zip(steps, symbols).reduce(0) { $0 + ($1.0["loss"] ?? .nan) * $1.1 } / Double(row)
      #expect(abs(mean - (rows.last?["train_loss"] ?? .nan)) < 1e-12)
    }
  }

  @Test("A run that is stopped, or killed, anywhere and goes on has the rows of one that was not")
  func resume() throws {
    try withTemporaryFolder { folder in
      let settings = try Self.settings(folder)
      let whole = try TrainerTests.trainer(settings, folder + "/whole")
      #expect(try whole.run() == .finished)
      let path = folder + "/parts"
      var trainer = try TrainerTests.trainer(settings, path)
      // At a row, at a validation, at both, and at neither.
      for stop in [3, 7, 21, 25, 35] {
        #expect(
          try trainer.run(shouldStop: { trainer.progress.step >= stop }) == .interrupted)
        // Killed five steps later: the files contain rows after the last checkpoint.
        let saved = folder + "/saved"
        for name in ["checkpoints", "checkpoints.json"] {
          try FileManager.default.createDirectory(
            atPath: saved, withIntermediateDirectories: true)
          try FileManager.default.copyItem(
            atPath: "\(path)/\(name)", toPath: "\(saved)/\(name)")
        }
        _ = try trainer.run(shouldStop: { trainer.progress.step >= stop + 5 })
        for name in ["checkpoints", "checkpoints.json"] {
          try FileManager.default.removeItem(atPath: "\(path)/\(name)")
          try FileManager.default.moveItem(
            atPath: "\(saved)/\(name)", toPath: "\(path)/\(name)")
        }
        trainer = try TrainerTests.trainer(settings, path, resumes: true)
        #expect(trainer.progress.step == stop)
      }
      #expect(try trainer.run() == .finished)
      #expect(try TrainerTests.timeless(path) == TrainerTests.timeless(folder + "/whole"))
      #expect(trainer.model.parameters == whole.model.parameters)
      #expect(
        try AtomicFile.read(path + "/model.safetensors")
          == AtomicFile.read(folder + "/whole/model.safetensors"))
    }
  }

  @Test("Any number of ranks writes the same rows, also if it changes where a validation is due")
  func ranks() throws {
    try withTemporaryFolder { folder in
      let settings = try Self.settings(folder) { $0.shards = 4 }
      for count in [1, 2, 3] {
        _ = try ShardTests.run(
          settings, "\(folder)/\(count)", ranks: count, hasMemory: count == 3)
      }
      let stopped = try ShardTests.run(settings, folder + "/parts", ranks: 2, until: 7)
      #expect(stopped.allSatisfy { $0.outcome == .interrupted })
      _ = try ShardTests.run(settings, folder + "/parts", ranks: 3, resumes: true)
      let expected = try TrainerTests.timeless(folder + "/1")
      #expect(expected.contains { $0.contains("\"gradient_norm\"") })
      for run in ["2", "3", "parts"] {
        #expect(try TrainerTests.timeless("\(folder)/\(run)") == expected)
        #expect(
          try AtomicFile.read("\(folder)/\(run)/model.safetensors")
            == AtomicFile.read(folder + "/1/model.safetensors"))
      }
    }
  }

  @Test("A validation that is interrupted is made up for, and the end of a run has no second row")
  func interruptedValidation() throws {
    try withTemporaryFolder { folder in
      let settings = try Self.settings(folder) { $0.maximumSteps = 14 }
      let whole = try TrainerTests.trainer(settings, folder + "/whole")
      #expect(try whole.run() == .reachedSteps)
      let validated = try Self.rows(folder + "/whole").filter { $0["validation_loss"] != nil }
      #expect(validated.map { $0["step"] } == [7, 14])
      var trainer = try TrainerTests.trainer(settings, folder + "/parts")
      // After step 7, the first two calls are from the loop, the third from validation.
      var questions = 0
      let outcome = try trainer.run(shouldStop: {
        guard trainer.progress.step == 7 else { return false }
        questions += 1
        return questions == 3
      })
      #expect(outcome == .interrupted && trainer.progress.step == 7)
      #expect(try Self.rows(folder + "/parts").allSatisfy { $0["validation_loss"] == nil })
      trainer = try TrainerTests.trainer(settings, folder + "/parts", resumes: true)
      #expect(try trainer.run() == .reachedSteps)
      #expect(
        try TrainerTests.timeless(folder + "/parts") == TrainerTests.timeless(folder + "/whole"))
    }
  }

  @Test("Without a number of steps there is a row about every second of training; with 0 none")
  func seconds() throws {
    try withTemporaryFolder { folder in
      for every in [nil, 0] {
        let settings = try Self.settings(folder) {
          ($0.logEvery, $0.validateEvery, $0.maximumSteps) = (every, nil, 4)
        }
        let run = "\(folder)/\(every == nil)"
        let trainer = try TrainerTests.trainer(settings, run)
        // Called twice within one step.
        _ = try trainer.run(shouldStop: {
          usleep(every == nil ? 300_000 : 0)
          return false
        })
        let steps = try Self.rows(run).filter { $0["loss"] != nil }.compactMap { $0["step"] }
        #expect(every == nil ? (1...3).contains(steps.count) : steps.isEmpty, "\(steps)")
      }
    }
  }

  @Test("How often rows are written is no part of what a run is; how often it is validated is")
  func fingerprint() throws {
    try withTemporaryFolder { folder in
      var settings = try Self.settings(folder)
      let path = folder + "/run"
      let trainer = try TrainerTests.trainer(settings, path)
      _ = try trainer.run(shouldStop: { trainer.progress.step >= 3 })
      settings.training.logEvery = 2
      #expect(try TrainerTests.trainer(settings, path, resumes: true).progress.step == 3)
      settings.training.validateEvery = 8
      let error = #expect(throws: RunError.self) {
        try TrainerTests.trainer(settings, path, resumes: true)
      }
      #expect(error?.problem == .otherRun("settings"))
      settings.training.logEvery = -1
      #expect(settings.problem == "log_every: expected 0 ... 1000000000, found -1")
      (settings.training.logEvery, settings.training.validateEvery) = (0, 0)
      #expect(settings.problem == "validate_every: expected 1 ... 1000000000, found 0")
    }
  }
}
