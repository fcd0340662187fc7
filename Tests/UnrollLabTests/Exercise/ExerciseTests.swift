// The exercise as it is handed out, its plain cells against the library's, and right answers.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollLab
import UnrollTestSupport

@Suite("The exercise")
struct ExerciseTests {
  @Test("The plain cells compute what the library's cells compute")
  func plainCells() throws {
    for (plain, kind) in [(PlainKind.rnn, CellKind.rnn), (.gru, .gruResetBefore)] {
      let name = kind == .rnn ? "rnn_outputs" : "gru_outputs"
      let library = try #require(ExerciseAnswers.forward(kind)[name])
      let found = ExerciseProblem.toy.outputs(plain).flattened
      #expect(relativeDistance(found, library.elements) < 1e-14)
    }
    let toy = ExerciseProblem.toy
    let lstm = try TensorFlow1Cell(.lstm).cell(from: [
      "kernel": Tensor<Double>(toy.tensor("lstm_kernel")),
      "bias": Tensor<Double>(toy.tensor("lstm_bias")),
    ])
    let layer = RecurrentLayer(cell: lstm)
    let trace = layer.forward(
      Tensor<Double>(toy.tensor("inputs")), from: layer.zeroState(batchSize: 4),
      layout: .batchMajor)
    #expect(
      relativeDistance(toy.outputs(.lstm).flattened, trace.outputs.elements) < 1e-14)
  }

  @Test("Distances and gradients are the notebook's, and the library's")
  func largeProblem() throws {
    let distances = LargeProblem().distances()
    // TensorFlow's means for step 10, scale 2.
    for (pair, mean) in [0.6476359600108117, 0.638546335764695, 0.5634791404940188].enumerated() {
      #expect(abs(Summary(Array(distances[pair * 100..<pair * 100 + 100])).mean - mean) < 4e-5)
    }
    var settings = LabSettings(scale: 1, precision: .float64)
    settings.draws = .notebook
    let gradient = try GradientExperiment.run(settings, points: [.zero], curvePoints: 1)
    let found = LargeProblem().gradientNorms()
    #expect(relativeDistance(found, gradient.sets[0].norms) < 1e-10)
    // TensorFlow's mean.
    #expect(abs(Summary(found).mean / 9.239015547279905e-07 - 1) < 0.01)
  }

  @Test("Right answers get all of the notebook's points, without a remark")
  func rightAnswers() throws {
    let report = try ExerciseAnswers.check(ExerciseAnswers.right)
    #expect(report.points == 25 && report.maximum == 25)
    for task in report.tasks {
      #expect(task.isGraded && task.points == task.maximum && task.remarks.isEmpty)
      for part in task.parts {
        #expect(part.slips.isEmpty && part.remarks.isEmpty && part.firstWrongStep == nil, "\(part)")
      }
    }
    // The notebook's numbers for a correct float64 program.
    #expect(abs(try #require(report.part(1, 0).measure) - 2.240529771170321e-07) < 1e-12)
    #expect(abs(try #require(report.part(1, 1).measure) - 5.829406188197275e-07) < 1e-12)
    #expect(report.part(2).measure == 0 && report.part(4).measure == 0)
    #expect(report.text.hasSuffix("total: 25 of 25 points"))
    // In float32, too.
    let single = try ExerciseAnswers.check(
      ExerciseAnswers.right.mapValues { $0.mapValues { StoredArray(Tensor<Float>($0)) } })
    #expect(single.points == 25)
  }

  @Test("The folder has every array twice, and the text names each with its shape")
  func folder() throws {
    try withTemporaryFolder { folder in
      let exercise = folder + "/a/exercise"
      let outcome = try ExerciseFolder.write(to: exercise)
      #expect(outcome.kept.isEmpty && outcome.written.count == ExerciseFolder.files.count)
      let readme = try String(contentsOfFile: exercise + "/README.md", encoding: .utf8)
      for problem in [ExerciseProblem.toy, .large] {
        let archive = try ArrayFile(contentsOf: "\(exercise)/\(problem.name).npz")
        #expect(archive.arrays.count == problem.arrays.count)
        for array in problem.arrays {
          let stored = StoredArray(array.tensor)
          #expect(archive.arrays[array.name] == stored)
          let file = try AtomicFile.read("\(exercise)/\(problem.name)/\(array.name).npy")
          #expect(try NPY.decode(file[...]) == stored)
          #expect(readme.contains("| `\(array.name)` | \(array.tensor.shape) |"))
        }
      }
      for task in ExerciseTask.allCases {
        #expect(readme.contains("### Task \(task.rawValue): \(task.title)"))
        #expect(readme.contains("`answers/\(task.answerName).npz`"))
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: exercise + "/answers").isEmpty)
    }
  }

  @Test("Files that are there stay as they are, and those that differ are named")
  func neverOverwritten() throws {
    try withTemporaryFolder { folder in
      let own = Data("mine".utf8)
      try own.write(to: URL(fileURLWithPath: folder + "/rnn.py"))
      try AtomicFile.makeFolder(folder + "/answers")
      try own.write(to: URL(fileURLWithPath: folder + "/answers/task1.npz"))
      let first = try ExerciseFolder.write(to: folder)
      #expect(first.kept == ["rnn.py"] && !first.written.contains("rnn.py"))
      let second = try ExerciseFolder.write(to: folder)
      #expect(second.written.isEmpty && second.kept == ["rnn.py"])
      for file in ["rnn.py", "answers/task1.npz"] {
        #expect(FileManager.default.contents(atPath: "\(folder)/\(file)") == own)
      }
      #expect(throws: LabError.self) { try ExerciseFolder.write(to: folder + "/rnn.py") }
      #expect(throws: LabError.self) { try ExerciseFolder.write(to: "") }
    }
  }

  @Test("The Swift skeleton is the snippet that is compiled")
  func swiftSkeleton() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let snippet = try Data(
      contentsOf: root.appendingPathComponent("Snippets/ExerciseSkeleton.swift"))
    let skeleton = try #require(ExerciseFolder.files.first { $0.path == "Rnn.swift" })
    #expect(skeleton.bytes == Array(snippet))
  }
}
