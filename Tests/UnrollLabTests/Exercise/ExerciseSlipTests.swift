// Every known slip is made, and its name is expected.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollLab
import UnrollTestSupport

@Suite("Known slips of the exercise")
struct ExerciseSlipTests {
  /// A result with slips.
  private func numbers(_ part: ExercisePart, _ slips: Slips) -> [Double] {
    switch part {
    case .rnnOutputs: ExerciseProblem.toy.outputs(.rnn, slips).flattened
    case .gruOutputs: ExerciseProblem.toy.outputs(.gru, slips).flattened
    case .lstmOutputs: ExerciseProblem.toy.outputs(.lstm, slips).flattened
    case .distances: Self.few.distances(slips)
    case .gradientNorms: Self.few.gradientNorms(slips)
    }
  }

  private static let few = LargeProblem([3, 71])

  private func diagnosis(_ part: ExercisePart, _ found: [Double]) -> Diagnosis {
    Diagnosis(found, part, AnswerPrecision(found), compute: { numbers(part, $0) })
  }

  /// What changes nothing in the toy problem: biases that are zero.
  private static let silent: [ExercisePart: Set<String>] = [
    .rnnOutputs: ["bias omitted", "bias added twice"],
    .lstmOutputs: ["bias omitted", "bias added twice"],
  ]

  @Test("A slip that is made is named, alone", arguments: ExercisePart.allCases)
  func single(part: ExercisePart) {
    let right = numbers(part, Slips())
    var silent: Set<String> = []
    for slip in SlipTable.slips(in: part) {
      // In float32, as most students compute.
      let found = numbers(part, Slip.slips([slip])).map { Double(Float($0)) }
      if relativeDistance(found, right) < AnswerPrecision.single.noise {
        silent.insert(slip.name)
        continue
      }
      let names = diagnosis(part, found).explanations.map { $0.map(\.name) }
      #expect(
        names.contains([slip.name]) && names.allSatisfy { $0.count == 1 }, "\(slip.name): \(names)")
    }
    #expect(silent == Self.silent[part, default: []])
  }

  @Test(
    "Two slips at once are named, or fewer that give the same numbers",
    arguments: ExercisePart.allCases)
  func pairs(part: ExercisePart) {
    let slips = SlipTable.slips(in: part)
      .filter { !Self.silent[part, default: []].contains($0.name) }
    // Not two values of one switch.
    let pairs = slips.indices.flatMap { first in
      slips.indices.filter { $0 > first }.map { [slips[first], slips[$0]] }
    }.filter { pair in pair.allSatisfy { Slip.slips([$0]) != Slip.slips(pair) } }
    var named = 0
    let tried = stride(from: 3, to: pairs.count, by: 17).map { pairs[$0] }
    for pair in tried {
      let found = numbers(part, Slip.slips(pair))
      guard found.allSatisfy(\.isFinite) else { continue }
      let explanations = diagnosis(part, found).explanations
      #expect(!explanations.isEmpty, "\(pair.map(\.name))")
      if explanations.contains(where: { $0.map(\.name) == pair.map(\.name) }) { named += 1 }
      for explanation in explanations {
        #expect(explanation.count <= 2)
        let same = numbers(part, Slip.slips(explanation))
        #expect(relativeDistance(found, same) <= 2e-5, "\(pair.map(\.name))")
      }
    }
    #expect(Double(named) >= 0.6 * Double(tried.count), "\(named) of \(tried.count)")
  }

  @Test(
    "The right numbers are no slip, and random numbers match none", arguments: ExercisePart.allCases
  )
  func noSlip(part: ExercisePart) {
    let right = numbers(part, Slips())
    #expect(diagnosis(part, right).isRight)
    var random = NumPyRandom(seed: testSeed)
    let other = random.rand([right.count]).elements
    #expect(diagnosis(part, other).explanations.isEmpty)
  }

  @Test("The notebook's 0.9038 is the reset gate after the product")
  func resetAfter() throws {
    // Computed by the library's own cell of that kind.
    let report = try ExerciseAnswers.check([1: ExerciseAnswers.forward(.gruResetAfter)])
    let part = report.part(1, 1)
    #expect(abs(try #require(part.measure) - 0.9037854324358946) < 1e-9)
    #expect(part.slips == [["reset gate after the product"]] && part.points == 0)
    // From zero the first step has nothing to reset.
    #expect(part.firstWrongStep?.step == 1)
    #expect(part.remarks.contains { $0.hasPrefix("Mistake: “reset gate after the product”. ") })
    // The other cell's arrays are no misspelling.
    #expect(
      report.part(1, 0).remarks == [
        "task1.npz: 'rnn_outputs' is missing; the answer holds gru_final_state, gru_outputs."
      ])
    let lines = report.text.split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix("      ") } && lines.allSatisfy { $0.count <= 100 })
  }

  @Test("Every slip is named by the check, with half of the points for none")
  func throughTheCheck() throws {
    for slip in SlipTable.slips(in: .gruOutputs) {
      let part = try ExerciseAnswers.check([
        1: ExerciseAnswers.forward(.gru, Slip.slips([slip]))
      ]).part(1, 1)
      #expect(part.slips.contains([slip.name]) && part.points == 0, "\(slip.name): \(part)")
      #expect(part.firstWrongStep != nil, "\(slip.name)")
    }
    let lstm = try ExerciseAnswers.check([
      1: ExerciseAnswers.forward(
        .lstm, Slip.slips(SlipTable.all.filter { $0.name == "forget offset missing" }))
    ])
    #expect(lstm.part(1, 2).slips == [["forget offset missing"]])
    // The notebook's tasks are graded whether there is an LSTM or not.
    #expect(lstm.tasks[0].maximum == 9 && lstm.tasks[0].points == 0)
  }

  @Test("Slips of tasks 3 and 5 are named by the check, confirmed with all sequences")
  func largeTasks() throws {
    for (task, part, names) in [
      (
        3, ExercisePart.distances, ["initial state ignored", "square root missing", "U transposed"]
      ),
      (
        5, .gradientNorms,
        ["derivative of tanh forgotten", "U in the place of Uᵀ in the backward pass"]
      ),
    ] {
      for name in names {
        let slips = Slip.slips(SlipTable.slips(in: part).filter { $0.name == name })
        let all = LargeProblem()
        let answer =
          task == 3
          ? ["distances": Tensor(shape: [3, 6, 100], elements: all.distances(slips))]
          : ["gradient_norms": Tensor<Double>(all.gradientNorms(slips))]
        let found = try ExerciseAnswers.check([task: answer]).part(task)
        #expect(found.slips == [[name]] && found.points == 0, "\(found)")
      }
    }
    // One wrong sequence that slips are not tried with.
    var norms = LargeProblem().gradientNorms()
    norms[7] *= 3
    let found = try ExerciseAnswers.check([5: ["gradient_norms": Tensor<Double>(norms)]]).part(5)
    #expect(found.slips.isEmpty && found.points == 0)
    #expect(found.remarks.last?.hasPrefix("No known mistake") == true)
  }

  @Test("The outputs of the other cell are recognized")
  func otherCell() throws {
    let rnn = ExerciseAnswers.forward(.rnn)
    let part = try ExerciseAnswers.check([
      1: ["gru_outputs": rnn["rnn_outputs"], "gru_final_state": rnn["rnn_final_state"]]
        .compactMapValues(\.self)
    ]).part(1, 1)
    #expect(part.points == 0 && part.slips.isEmpty && part.firstWrongStep == nil)
    #expect(part.remarks == ["These are the outputs of the RNN, and they are right."])
  }

  @Test("Arrays that were never filled are no slip")
  func zeros() throws {
    let zero = try ExerciseAnswers.check([
      1: [
        "rnn_outputs": Tensor<Double>(shape: [4, 5, 2]), "rnn_final_state": Tensor(shape: [4, 2]),
      ],
      5: ["gradient_norms": Tensor<Double>(shape: [100])],
    ])
    for part in [zero.part(1), zero.part(5)] {
      #expect(part.points == 0 && part.slips.isEmpty && part.remarks.count == 1)
      #expect(part.remarks[0].hasPrefix("All "))
    }
  }

  @Test("float16 is recognized, alone and with another slip")
  func half() throws {
    func rounded(_ arrays: ExerciseAnswers.Arrays) -> ExerciseAnswers.Arrays {
      arrays.mapValues { Tensor(shape: $0.shape, elements: $0.elements.map(AnswerPrecision.half)) }
    }
    let right = try ExerciseAnswers.check([1: rounded(ExerciseAnswers.forward(.gruResetBefore))])
    #expect(right.part(1, 1).slips == [["float16"]] && right.part(1, 1).points == 2.5)
    let wrong = try ExerciseAnswers.check([1: rounded(ExerciseAnswers.forward(.gruResetAfter))])
    #expect(wrong.part(1, 1).slips == [["reset gate after the product", "float16"]])
    #expect(wrong.part(1, 1).points == 0)
    for (number, half) in [(1.0, 1.0), (2049, 2048), (2051, 2052), (0.1, 0.0999755859375), (0, 0)] {
      #expect(AnswerPrecision.half(number) == half)
    }
  }
}
