// State tracking: the task, the training, and what is said about it.

import Testing
import Unroll
import UnrollLab
import UnrollTestSupport

@Suite("State tracking")
struct StateTrackingTests {
  @Test("The answers are the running sums", arguments: TrackingTask.allCases)
  func answers(task: TrackingTask) {
    var random = NumPyRandom(seed: 5)
    let (inputs, targets) = task.draw(steps: 50, rows: 4, using: &random)
    #expect(inputs.shape == [50, 4, task.modulus])
    for row in 0..<4 {
      var sum = 0
      for step in 0..<50 {
        let symbols = (0..<task.modulus).filter { inputs[step, row, $0] == 1 }
        #expect(symbols.count == 1)
        sum += symbols[0]
        #expect(Int(targets[step * 4 + row]) == sum % task.modulus)
      }
    }
    #expect(Set(targets) == Set((0..<Int32(task.modulus))))
  }

  private var quick: StateTrackingSettings {
    var settings = StateTrackingSettings()
    (settings.hiddenSize, settings.trainingLength, settings.testLength) = (12, 8, 60)
    settings.cells = [.rnn]
    settings.stepLimit = 2000
    return settings
  }

  @Test("A basic RNN learns parity, is right on longer sequences, and does so again to the bit")
  func parity() throws {
    let result = try StateTrackingExperiment.run(quick)
    let cell = try #require(result.cells.first)
    #expect(cell.hasLearned && cell.stepCount < 2000)
    #expect(cell.reach == 60 && cell.accuracy.count == 60)
    let last = try #require(cell.losses.last)
    #expect(last < 0.5 * cell.losses[0] && cell.losses[0] > 0.5)
    // 12·(2 + 12) + 12 of the cell, 12·2 + 2 of the head.
    #expect(cell.parameterCount == 206)
    #expect(result.statement == "RNN: at least 99 % right at every one of the 60 steps.")
    let again = try StateTrackingExperiment.run(quick)
    #expect(again.cells[0].accuracy == cell.accuracy && again.cells[0].losses == cell.losses)
  }

  @Test("A cell that is not trained guesses, and is said not to have learned")
  func untrained() throws {
    var settings = quick
    settings.stepLimit = 1
    let result = try StateTrackingExperiment.run(settings)
    #expect(!result.cells[0].hasLearned && result.cells[0].losses.count == 1)
    #expect(abs((result.cells[0].accuracy.last ?? 0) - 0.5) < 0.3)
    #expect(
      result.statement
        == "RNN: not learned within 1 training step, so the test says little of the cell.")
    #expect(result.table.rows[0][2] == "1, not learned")
  }

  @Test("A run ends when its progress says so, and settings that cannot be used are named")
  func refusals() {
    let stopped = #expect(throws: LabError.self) {
      try StateTrackingExperiment.run(quick) { _, _, _ in false }
    }
    #expect(stopped?.problem == .interrupted)
    for (field, change) in [
      ("hidden", { $0.hiddenSize = 0 }), ("time", { $0.trainingLength = 0 }),
      ("test-time", { $0.testLength = 0 }), ("batch", { $0.batchSize = 0 }),
      ("max-steps", { $0.stepLimit = 0 }), ("seed", { $0.seed = -1 }),
      ("learning-rate", { $0.learningRate = .nan }), ("cell", { $0.cells = [] }),
    ] as [(String, (inout StateTrackingSettings) -> Void)] {
      var settings = quick
      change(&settings)
      let error = #expect(throws: LabError.self) { try settings.validate() }
      #expect(error?.field == field)
    }
  }
}
