// Answers that are incomplete, damaged or of another shape, and weights that do half of what they should.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollLab
import UnrollTestSupport

@Suite("Answers to the exercise")
struct ExerciseAnswerTests {
  /// The remarks on the RNN's outputs, with an answer to task 5 that is right.
  private func remark(_ outputs: StoredArray?) throws -> String {
    var answer = ["rnn_final_state": StoredArray(Tensor<Double>(shape: [4, 2]))]
    answer["rnn_outputs"] = outputs
    let norms = StoredArray(Tensor<Double>(LargeProblem().gradientNorms()))
    let report = try ExerciseAnswers.check([1: answer, 5: ["gradient_norms": norms]])
    #expect(report.part(1).points == 0 && !report.tasks[0].isGraded)
    #expect(report.tasks[4].points == 3 && report.points == 3)
    return report.part(1).remarks.joined(separator: "|")
  }

  @Test("An array that cannot be graded gets one sentence, and other tasks their points")
  func malformed() throws {
    let outputs = try #require(ExerciseAnswers.forward(.rnn)["rnn_outputs"])
    func reshaped(_ shape: [Int]) -> StoredArray {
      StoredArray(
        Tensor<Double>(
          shape: shape, elements: Array(outputs.elements.prefix(shape.reduce(1, *)))))
    }
    #expect(
      try remark(nil) == "task1.npz: 'rnn_outputs' is missing; the answer holds rnn_final_state.")
    #expect(
      try remark(reshaped([5, 4, 2]))
        == "task1.npz: 'rnn_outputs' has shape [5, 4, 2], expected shape [4, 5, 2] (sequence, step, unit); it is [step, sequence, unit]: exchange the first two axes (np.swapaxes(outputs, 0, 1))."
    )
    #expect(
      try remark(reshaped([2, 5, 4])).hasSuffix("; its axes are in another order (np.transpose)."))
    #expect(
      try remark(reshaped([4, 2])).hasSuffix(
        "; it is one step; hand in the states after all steps."))
    #expect(try remark(reshaped([4, 5, 2, 1])).contains("the axis of length 1"))
    #expect(
      try remark(reshaped([3, 3])).hasSuffix("expected shape [4, 5, 2] (sequence, step, unit)."))
    var broken = outputs
    broken[1, 2, 0] = .nan
    #expect(
      try remark(StoredArray(broken)).contains("'rnn_outputs' holds NaN, first at [1, 2, 0];"))
    broken[1, 2, 0] = -.infinity
    #expect(try remark(StoredArray(broken)).contains("holds infinity, first at [1, 2, 0]"))
    let integers = StoredArray(
      elementType: .int32, shape: [4, 5, 2], bytes: [UInt8](repeating: 0, count: 160))
    #expect(
      try remark(integers).contains(
        "'rnn_outputs' has element type int32, expected float32 or float64"))
  }

  @Test("A misspelt array is suggested, and a file that is damaged is named")
  func files() throws {
    let outputs = try #require(ExerciseAnswers.forward(.rnn)["rnn_outputs"])
    let misspelt = try ExerciseAnswers.check([1: ["rnn_output": outputs]])
    #expect(misspelt.part(1).remarks[0].hasSuffix("did you mean 'rnn_output'?"))
    try withTemporaryFolder { folder in
      try AtomicFile.write(Array("no archive".utf8), to: folder + "/task1.npz")
      let damaged = try ExerciseCheck.run(folder)
      #expect(
        !damaged.isGraded && damaged.tasks[0].remarks[0].hasPrefix("task1.npz cannot be read: "))
      #expect(damaged.tasks[1].remarks == ["not handed in: expected \(folder)/task2.npz"])
      #expect(throws: LabError.self) { try ExerciseCheck.run(folder + "/nothing") }
      // Files of single arrays, as other languages write them.
      try AtomicFile.makeFolder(folder + "/task5")
      let norms = StoredArray(Tensor<Double>(LargeProblem().gradientNorms()))
      try AtomicFile.write(NPY.encode(norms), to: folder + "/task5/gradient_norms.npy")
      #expect(try ExerciseCheck.run(folder).points == 3)
      try AtomicFile.write([1, 2, 3], to: folder + "/task5/gradient_norms.npy")
      #expect(
        try ExerciseCheck.run(folder).tasks[4].remarks[0].hasPrefix("task5/gradient_norms.npy: "))
    }
  }

  @Test("A single file is graded by its name, or else by what it holds")
  func singleFile() throws {
    try withTemporaryFolder { folder in
      for (name, task, points) in [
        ("task4.npz", 4, 4.0), ("weights.npz", 4, 7), ("a.npz", 1, 9), ("b.npz", 2, 4),
        ("c.npz", 3, 2), ("d.npz", 5, 3),
      ] {
        let path = "\(folder)/\(name)"
        let arrays = try #require(ExerciseAnswers.right[task]).mapValues { StoredArray($0) }
        try ArrayFile(for: path, arrays: arrays).write(to: path)
        let report = try ExerciseCheck.run(path)
        #expect(report.points == points, "\(name)")
        #expect(report.points == report.maximum && report.tasks.allSatisfy(\.isGraded))
      }
      let path = folder + "/other.npz"
      try ArrayFile(for: path, arrays: ["x": StoredArray(Tensor<Double>(shape: [2]))]).write(
        to: path)
      #expect {
        try ExerciseCheck.run(path)
      } throws: { error in
        "\(error)".hasSuffix("gradient_norms or a GRU's nine weights, found x")
      }
    }
  }

  @Test("A wrong final state is explained by the step that it is, and costs half of the points")
  func finalState() throws {
    var answer = ExerciseAnswers.forward(.rnn)
    let outputs = try #require(answer["rnn_outputs"])
    for (final, words) in [
      (outputs.exchangingFirstAxes[0, ...], "is your output of step 0."),
      (outputs.exchangingFirstAxes[3, ...], "is your output of step 3."),
      (Tensor(shape: [4, 2]), "is the initial state."),
      (Tensor(shape: [4, 2], repeating: 0.3), "is none of your outputs."),
    ] {
      answer["rnn_final_state"] = final
      let part = try ExerciseAnswers.check([1: answer]).part(1)
      #expect(part.points == 2 && part.remarks.count == 1)
      #expect(part.remarks[0].contains("rnn_final_state \(words)"), "\(part.remarks)")
    }
    answer["rnn_final_state"] = nil
    #expect(try ExerciseAnswers.check([1: answer]).part(1).points == 2)
  }

  @Test("A wrong initial state alone is recognized, and numbers that were rounded")
  func initialState() throws {
    let toy = ExerciseProblem.toy
    var cell = Cell<Double>(.rnn, inputSize: 3, hiddenSize: 2)
    for name in ["wt_h", "wt_x", "bias"] {
      cell.parameters.notebook[name] = Tensor<Double>(toy.tensor(name))
    }
    let trace = RecurrentLayer(cell: cell).forward(
      Tensor<Double>(toy.tensor("inputs")),
      from: RecurrentState(hidden: Tensor(shape: [4, 2], repeating: 1)), layout: .batchMajor)
    let part = try ExerciseAnswers.check([
      1: ["rnn_outputs": trace.outputs, "rnn_final_state": trace.finalState.hidden]
    ]).part(1)
    #expect(part.firstWrongStep?.step == 0 && part.slips.isEmpty)
    #expect(part.remarks.count == 1 && part.remarks[0].hasPrefix("Only the initial state is wrong"))

    let rounded = ExerciseAnswers.forward(.rnn).mapValues { tensor in
      tensor.map { ($0 * 1e4).rounded() / 1e4 }
    }
    let imprecise = try ExerciseAnswers.check([1: rounded]).part(1)
    #expect(imprecise.points == 2 && imprecise.slips.isEmpty && imprecise.firstWrongStep == nil)
    #expect(imprecise.remarks.first?.contains("not precise") == true)
  }

  @Test("Weights are graded by their effect, and the remarks say which gate to change")
  func weights() throws {
    let rnn = ExerciseAnswers.rnnAsCandidate
    func part(_ task: Int, _ weights: ExerciseAnswers.Arrays) throws -> ExercisePartReport {
      try ExerciseAnswers.check([task: weights]).part(task)
    }
    let half = try part(2, ExerciseAnswers.gru(3, 2, update: -10, reset: 10, candidate: rnn))
    #expect(half.points == 2)
    #expect(abs(try #require(half.measure) / 2.1524e-4 - 1) < 1e-3)
    let inverted = try part(2, ExerciseAnswers.gru(3, 2, update: 30, reset: 30, candidate: rnn))
    #expect(inverted.points == 0 && inverted.remarks[0].contains("update gate is 1 on average"))
    let closed = try part(2, ExerciseAnswers.gru(3, 2, update: -30, reset: 0, candidate: rnn))
    #expect(closed.points == 0 && closed.remarks[0].contains("reset gate falls to 0.5"))
    let other = try part(2, ExerciseAnswers.gru(3, 2, update: -30, reset: 30))
    #expect(other.remarks.contains { $0.hasPrefix("wtc_h differs from the RNN's by up to ") })

    var turned = rnn
    turned.recurrentWeights = rnn.recurrentWeights.transposed
    let transposed = try part(
      2, ExerciseAnswers.gru(3, 2, update: -30, reset: 30, candidate: turned))
    #expect(transposed.remarks == ["wtc_h is the transpose of the RNN's wt_h: take it as it is."])
    let replaced = try part(4, ExerciseAnswers.gru(5, 8, update: 3))
    #expect(
      replaced.remarks == [
        "Each step replaces 1 − u = 0.0474 of the state on average, so that 0.222 of it is left after 31 steps. Raise biasu, and let wtu_h and wtu_x be small."
      ])

    for (bias, keeping, gradient) in [
      (40.0, 4.0, 3.0), (7, 2, 3), (3, 0, 1.5), (0, 0, 0), (-5, 0, 0),
    ] {
      let weights = ExerciseAnswers.gru(5, 8, update: bias)
      let kept = try part(4, weights)
      let survives = try part(6, weights)
      #expect(kept.points == keeping, "bias \(bias): \(kept)")
      #expect(survives.points == gradient, "bias \(bias): \(survives)")
      #expect(kept.remarks.isEmpty == (keeping == 4) && survives.remarks.isEmpty == (gradient == 3))
    }
    var incomplete = ExerciseAnswers.gru(5, 8, update: 40)
    incomplete["biasu"] = Tensor(shape: [1, 8], repeating: 40)
    incomplete["wtc_h"] = nil
    let refused = try part(4, incomplete)
    #expect(refused.measure == nil && refused.remarks.count == 1)
    #expect(refused.remarks[0].contains("'biasu' has shape [1, 8], expected shape [8] (unit)"))
    #expect(refused.remarks[0].hasSuffix("1 more array of the nine cannot be used."))
    // Integers are numbers where zeros are natural.
    var integers = ExerciseAnswers.gru(5, 8, update: 40).mapValues { StoredArray($0) }
    integers["wtu_h"] = StoredArray(
      elementType: .int64, shape: [8, 8], bytes: [UInt8](repeating: 0, count: 512))
    #expect(try ExerciseAnswers.check([4: integers]).points == 4)
  }

  @Test("A mistake that is not known shows the first wrong step, and what a right one has inside")
  func unknownMistake() throws {
    let right = try #require(ExerciseAnswers.forward(.gruResetBefore)["gru_outputs"])
    var outputs = right
    for sequence in 0..<4 {
      for step in 2..<5 { outputs[sequence, step, 1] += 0.01 * Double(step * (sequence + 1)) }
    }
    let part = try ExerciseAnswers.check([
      1: ["gru_outputs": outputs, "gru_final_state": outputs.exchangingFirstAxes[4, ...]]
    ]).part(1, 1)
    let wrong = try #require(part.firstWrongStep)
    #expect(wrong.step == 2 && wrong.unit == 1 && part.slips.isEmpty && part.points == 0)
    #expect(wrong.found == outputs[wrong.sequence, 2, 1])
    #expect(abs(wrong.expected - right[wrong.sequence, 2, 1]) < 1e-14)
    #expect(part.remarks[0] == "The steps before it are right.")
    #expect(part.remarks[1].hasPrefix("No known mistake"))
    // h′ = u·h + (1 − u)·c with the numbers that are shown.
    let words = part.remarks[2].split(separator: " ")
    func value(_ name: String) throws -> Double {
      let place = try #require(words.firstIndex(of: Substring(name)))
      return try #require(
        Double(words[place + 2].trimmingCharacters(in: CharacterSet(charactersIn: ".,"))))
    }
    let (u, c) = (try value("u"), try value("c"))
    let state = u * outputs[wrong.sequence, 1, 1] + (1 - u) * c
    #expect(abs(state - wrong.expected) < 1e-3, "\(part.remarks)")
  }

  @Test("A norm over the wrong axis is known by its shape")
  func axes() throws {
    let all = try ExerciseAnswers.check([3: ["distances": Tensor<Double>(shape: [3, 6])]]).part(3)
    #expect(all.remarks[0].contains("the norm was taken over the sequences, too"))
    for (shape, words) in [
      ([8], "the norm was taken over the sequences"), ([100, 8], "these are the gradients"),
      ([], "one number for all sequences"),
    ] {
      let answer = ["gradient_norms": Tensor<Double>(shape: shape, repeating: 1)]
      let part = try ExerciseAnswers.check([5: answer]).part(5)
      #expect(part.measure == nil && part.remarks[0].contains(words), "\(part.remarks)")
    }
  }
}
