// Task 1: the outputs of the student's own cells. From the student's own states one correct step is computed, which finds
// the first wrong step; then known slips are tried.

internal import Unroll

/// The grading of one cell's outputs.
struct ForwardGrade {
  /// The arrays of the answer.
  static let names = ["rnn", "gru", "lstm"].flatMap { ["\($0)_outputs", "\($0)_final_state"] }

  /// What was found; nil for an LSTM, which brings no points, that was not handed in.
  let part: ExercisePartReport?

  init(_ answer: AnswerFile, _ kind: PlainKind) {
    let (name, title, points, subject): (String, String, Double, ExercisePart) =
      switch kind {
      case .rnn: ("rnn", "RNN", ExerciseThreshold.rnnPoints, .rnnOutputs)
      case .gru: ("gru", "GRU", ExerciseThreshold.gruPoints, .gruOutputs)
      case .lstm: ("lstm", "LSTM", 0, .lstmOutputs)
      }
    var part = ExercisePartReport(
      name: title, maximum: points, measureName: "relative error",
      requirement: "at most \(LabNumber.short(ExerciseThreshold.relativeError))")
    let arrays = ["\(name)_outputs", "\(name)_final_state"]
    if kind == .lstm, arrays.allSatisfy({ answer.arrays[$0] == nil }) {
      self.part = nil
      return
    }
    do throws(AnswerProblem) {
      let shape = ExerciseProblem.toy.outputs(kind).shape
      let outputs = try answer.tensor(
        arrays[0], shape, axes: "sequence, step, unit",
        advice: { found in
          found == [shape[1], shape[0], shape[2]]
            ? "it is [step, sequence, unit]: exchange the first two axes (np.swapaxes(outputs, 0, 1))"
            : found == [shape[0], shape[2]]
              ? "it is one step; hand in the states after all steps" : nil
        })
      var check = OutputCheck(kind, subject, outputs)
      check.grade(&part)
      do throws(AnswerProblem) {
        let final = try answer.tensor(
          arrays[1], [shape[0], shape[2]], axes: "sequence, unit",
          advice: { found in
            found == shape ? "it is all outputs; hand in those of the last step" : nil
          })
        check.gradeFinal(final, &part)
      } catch {
        part.points /= 2
        part.remarks.append(error.description)
      }
    } catch {
      part.remarks.append(error.description)
    }
    self.part = part
  }
}

/// Outputs next to the right ones.
private struct OutputCheck {
  let kind: PlainKind
  let subject: ExercisePart
  let outputs: Tensor<Double>
  /// TensorFlow's recorded outputs; of an LSTM those of the plain cell.
  let reference: Tensor<Double>
  let precision: AnswerPrecision
  private(set) var isRight = false

  init(_ kind: PlainKind, _ subject: ExercisePart, _ outputs: Tensor<Double>) {
    (self.kind, self.subject, self.outputs) = (kind, subject, outputs)
    reference =
      switch kind {
      case .rnn: Tensor<Double>(RecordedOutputs.rnn)
      case .gru: Tensor<Double>(RecordedOutputs.gru)
      case .lstm:
        Tensor(shape: outputs.shape, elements: ExerciseProblem.toy.outputs(.lstm).flattened)
      }
    precision = AnswerPrecision(outputs.elements)
  }

  /// Grades the outputs as if the final state were right.
  mutating func grade(_ part: inout ExercisePartReport) {
    let error = relativeError(reference, outputs)
    part.measure = error
    isRight = error <= ExerciseThreshold.relativeError
    if isRight {
      part.points = part.maximum
      return
    }
    guard outputs.maximumMagnitude > 0 else {
      part.remarks.append(
        "All outputs are 0: the equations are not there yet, or the array is never filled.")
      return
    }
    if kind != .lstm, findsInitialState(&part) { return }
    let others: [(kind: PlainKind, title: String)] = [
      (.rnn, "RNN"), (.gru, "GRU"), (.lstm, "LSTM"),
    ]
    for other in others where other.kind != kind {
      let right = ExerciseProblem.toy.outputs(other.kind).flattened
      guard relativeDistance(outputs.elements, right) <= precision.noise else { continue }
      part.firstWrongStep = nil
      part.remarks = ["These are the outputs of the \(other.title), and they are right."]
      return
    }
    let diagnosis = Diagnosis(outputs.elements, subject, precision) { slips in
      ExerciseProblem.toy.outputs(kind, slips).flattened
    }
    part.add(diagnosis)
    if precision == .half { part.add(SlipTable.half) }
    guard diagnosis.isRight else {
      if diagnosis.explanations.isEmpty { describeStep(&part) }
      return
    }
    // The equations are right, the numbers are not precise.
    (isRight, part.firstWrongStep, part.points) = (true, nil, part.maximum / 2)
    if precision == .single {
      part.remarks.append(
        ExercisePartReport.imprecise
      )
    }
  }

  /// Adds the final state's error, as the notebook does, and says where a wrong one comes from.
  func gradeFinal(_ final: Tensor<Double>, _ part: inout ExercisePartReport) {
    let (batch, time, size) = (outputs.shape[0], outputs.shape[1], outputs.shape[2])
    func state(_ tensor: Tensor<Double>, after step: Int) -> Tensor<Double> {
      tensor.exchangingFirstAxes[step, ...]
    }
    let error = relativeError(state(reference, after: time - 1), final)
    part.measure = part.measure.map { $0 + error }
    func isNear(_ other: Tensor<Double>) -> Bool {
      relativeDistance(final.elements, other.elements) <= precision.noise
    }
    let last = state(outputs, after: time - 1)
    // Numbers that are not precise have cost half of the points already.
    if isNear(last) || isRight && error <= ExerciseThreshold.relativeError { return }
    if isRight { part.points /= 2 }
    let name = "\(part.name.lowercased())_final_state"
    let expected = "It is the state after the last step, \(time - 1): outputs[:, -1]."
    if let step = (0..<time - 1).last(where: { isNear(state(outputs, after: $0)) }) {
      part.remarks.append("\(name) is your output of step \(step). \(expected)")
    } else if isNear(Tensor(shape: [batch, size])) {
      part.remarks.append("\(name) is the initial state. \(expected)")
    } else if error <= ExerciseThreshold.relativeError {
      part.remarks.append("\(name) is right, but your last output is not.")
    } else {
      part.remarks.append("\(name) is none of your outputs. \(expected)")
    }
  }

  /// Says what a right step has inside where the first wrong one is, to compare with by hand.
  private func describeStep(_ part: inout ExercisePartReport) {
    guard let wrong = part.firstWrongStep else { return }
    let problem = ExerciseProblem.toy
    let before =
      wrong.step == 0
      ? problem.tensor("initial_state").rows[wrong.sequence]
      : outputs.blocks[wrong.sequence][wrong.step - 1]
    let x = problem.tensor("inputs").blocks[wrong.sequence][wrong.step]
    let values = problem.cell(kind).insides(x, before).map {
      "\($0.name) = \(LabNumber.short($0.values[wrong.unit]))"
    }
    part.remarks.append(
      "A correct step has there: \(values.joined(separator: ", ")). Compare with yours.")
  }

  /// Computes each step from the student's own state before it, and notes the first that is wrong.
  ///
  /// - Returns: Whether only the initial state is wrong.
  private func findsInitialState(_ part: inout ExercisePartReport) -> Bool {
    let problem = ExerciseProblem.toy
    let (cell, found) = (problem.cell(kind), outputs.blocks)
    let (inputs, initial) = (problem.tensor("inputs").blocks, problem.tensor("initial_state").rows)
    let tolerance = precision.noise * max(1e-3, outputs.maximumMagnitude)
    var worst: [WrongStep] = []
    for step in 0..<outputs.shape[1] {
      var largest: WrongStep?
      for sequence in found.indices {
        let before = step == 0 ? initial[sequence] : found[sequence][step - 1]
        let right = cell.step(inputs[sequence][step], from: PlainState(before)).hidden
        for (unit, expected) in right.enumerated() {
          let number = found[sequence][step][unit]
          let difference = (number - expected).magnitude
          guard difference > tolerance,
            difference > largest.map({ ($0.found - $0.expected).magnitude }) ?? 0
          else { continue }
          largest = WrongStep(
            step: step, sequence: sequence, unit: unit, found: number, expected: expected)
        }
      }
      if let largest { worst.append(largest) }
    }
    part.firstWrongStep = worst.first
    if worst.count == 1, worst[0].step == 0 {
      part.remarks.append(
        "Only the initial state is wrong: every later step follows from the one before. Start from initial_state, which is zero."
      )
      return true
    }
    if let first = worst.first, first.step > 0 {
      part.remarks.append(
        first.step == 1
          ? "Step 0, which starts from zero, is right: look at what the state does."
          : "The steps before it are right.")
    }
    return false
  }
}

extension [[[Double]]] {
  /// The numbers in order.
  package var flattened: [Double] { flatMap { $0.flatMap(\.self) } }

  /// The size of each axis.
  var shape: [Int] { [count, self[0].count, self[0][0].count] }
}

extension ExercisePartReport {
  /// What is said of right numbers with few digits.
  static let imprecise =
    "The numbers are within 0.001 of the right ones, but not precise: were they rounded, or printed and read again?"

  /// Takes over what a diagnosis found, in sentences.
  mutating func add(_ diagnosis: Diagnosis) {
    guard !diagnosis.isRight else { return }
    guard let first = diagnosis.explanations.first else {
      remarks.append("No known mistake, and no pair of known mistakes, gives these numbers.")
      return
    }
    slips = diagnosis.explanations.map { $0.map(\.name) }
    for (place, slip) in first.enumerated() {
      let title = first.count == 1 ? "Mistake" : "Mistake \(place + 1) of \(first.count)"
      remarks.append("\(title): “\(slip.name)”. \(slip.explanation)")
    }
    for other in diagnosis.explanations.dropFirst().prefix(2) {
      remarks.append(
        "Or, with the same numbers: \(other.map { "“\($0.name)”. \($0.explanation)" }.joined(separator: " And "))"
      )
    }
  }

  /// Adds one slip that was found in another way.
  mutating func add(_ slip: Slip) {
    remarks.append("\(slips.isEmpty ? "Mistake" : "Also"): “\(slip.name)”. \(slip.explanation)")
    slips = slips.isEmpty ? [[slip.name]] : slips.map { $0 + [slip.name] }
  }
}

extension SlipTable {
  /// The one slip that is known by the numbers alone: all of them are float16 numbers.
  static let half = Slip(
    "float16",
    "The numbers have the precision of float16, three digits. Compute in float32 or float64.",
    in: []
  ) { _ in }
}
