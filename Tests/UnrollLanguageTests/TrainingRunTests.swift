// A complete run with TrainingRun: created, stopped, resumed, tested.

import Testing
import UnrollFormats
import UnrollLanguage
import UnrollTestSupport

@Suite("Whole runs")
struct TrainingRunTests {
  @Test("A run that is created, stopped and resumed equals one that was not stopped, to the bit")
  func resumed() throws {
    try withTemporaryFolder { folder in
      let text = try TrainerTests.corpus(in: folder)
      let settings = try TrainerTests.configuration { $0.corpus = text }
      let whole = try TrainingRun.create(at: folder + "/whole", settings: settings)
      #expect(try whole.train() == .finished)
      let path = folder + "/parts"
      do {
        var steps = 0
        let run = try TrainingRun.create(at: path, settings: settings)
        let outcome = try run.train(until: { steps >= 7 }) { event in
          if case .step(let progress, _, _, _) = event { steps = progress.step }
        }
        #expect(outcome == .interrupted && run.progress.step == 7)
        // The folder is locked.
        let busy = #expect(throws: RunError.self) { try TrainingRun.resume(at: path) }
        #expect(busy?.problem == .busy)
      }
      let again = #expect(throws: RunError.self) {
        try TrainingRun.create(at: path, settings: settings)
      }
      #expect(again?.problem == .alreadyThere)
      let resumed = try TrainingRun.resume(at: path)
      #expect(resumed.progress.step == 7 && resumed.sessionSteps == 0)
      #expect(try resumed.train() == .finished)
      #expect(resumed.sessionSteps == whole.progress.step - 7)
      let (first, second) = (try whole.test(), try resumed.test())
      #expect(first != nil && first?.loss == second?.loss)
      for file in ["model.safetensors", "config.json", "vocabulary.json"] {
        #expect(
          try AtomicFile.read("\(folder)/whole/\(file)") == AtomicFile.read("\(path)/\(file)"))
      }
    }
  }

  @Test("Where there is no run, none is resumed, and nothing is made")
  func none() throws {
    try withTemporaryFolder { folder in
      let error = #expect(throws: RunError.self) { try TrainingRun.resume(at: folder + "/none") }
      #expect(
        error?.description.contains("expected a run with config.json, found no such folder") == true
      )
      #expect(RunFolder(folder + "/none").hasRun == false)
      var notes: [String] = []
      let text = try TrainerTests.corpus(in: folder)
      let settings = try TrainerTests.configuration {
        $0.corpus = text
        $0.vocabularyLimit = 20
        $0.training.maximumSteps = 1
      }
      let run = try TrainingRun.create(
        at: folder + "/run", settings: settings, note: { notes.append($0) })
      #expect(notes.contains { $0.contains("became <unk>") }, "\(notes)")
      #expect(try run.train() == .reachedSteps)
    }
  }
}
