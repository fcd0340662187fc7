// Tasks 2, 4 and 6: GRU weights that a student has chosen, graded by what they do. They run through the library's own
// cell in float32, as they would in TensorFlow.

internal import RealModule
internal import Unroll
internal import UnrollFormats

enum WeightGrade {
  /// Grades task 2 by the relative error of the GRU's outputs against the RNN's.
  static func gruAsRNN(_ answer: AnswerFile) -> ExercisePartReport {
    let bounds = ExerciseThreshold.gruAsRNN
    var part = ExercisePartReport(
      name: "GRU against RNN", maximum: ExerciseTask.gruAsRNN.points,
      measureName: "relative error",
      requirement:
        "at most \(LabNumber.short(bounds.full)); half of the points up to \(LabNumber.short(bounds.half))"
    )
    do throws(AnswerProblem) {
      let cell = try gru(answer, LabSettings.toy)
      let toy = ToyProblem(.toy)
      let error = relativeError(toy.outputs(.rnn, Float.self), toy.outputs(cell))
      part.measure = error
      part.grade(isFull: error <= bounds.full, isHalf: error <= bounds.half)
      guard part.points < part.maximum else { return part }
      let trace = run(cell, toy.inputs.exchangingFirstAxes, from: nil)
      let (update, reset) = (trace.gate(.update), trace.gate(.reset))
      if Double(update.mean) > 0.5 {
        part.remarks.append(
          "The update gate is \(LabNumber.text(Double(update.mean))) on average: it keeps the old state (h′ = u ⊙ h + (1 − u) ⊙ c). Close it: wtu_h and wtu_x zero, biasu far below 0."
        )
      } else if let largest = update.elements.max(), largest > 1e-6 {
        part.remarks.append(
          "The update gate reaches \(LabNumber.text(Double(largest))): make it 0 by a smaller biasu and without weights."
        )
      }
      if let smallest = reset.elements.min(), smallest < 0.999_999 {
        part.remarks.append(
          "The reset gate falls to \(LabNumber.text(Double(smallest))): it must be 1, so that the candidate reads all of h. Make biasr larger, wtr_h and wtr_x zero."
        )
      }
      let (own, rnn) = (cell.parameters[.candidate], toy.weights.rnn(Float.self)[.candidate])
      for (name, a, b) in [
        ("wtc_h", own.recurrentWeights, rnn.recurrentWeights),
        ("wtc_x", own.inputWeights, rnn.inputWeights), ("biasc", own.bias, rnn.bias),
      ] where largestDifference(a, b) > 1e-6 {
        let isTransposed = name == "wtc_h" && largestDifference(a.transposed, b) <= 1e-6
        part.remarks.append(
          isTransposed
            ? "wtc_h is the transpose of the RNN's wt_h: take it as it is."
            : "\(name) differs from the RNN's by up to \(LabNumber.text(largestDifference(a, b))): the candidate must be the RNN's equation."
        )
      }
    } catch {
      part.remarks.append(error.description)
    }
    return part
  }

  /// Grades task 4 by how far the state is from where it began.
  static func keeping(_ answer: AnswerFile) -> ExercisePartReport {
    let (bounds, step) = (ExerciseThreshold.drift, LargeProblem.steps.last ?? 0)
    var part = ExercisePartReport(
      name: "drift of the state by step \(step)", maximum: ExerciseTask.keeping.points,
      measureName: "relative drift",
      requirement:
        "at most \(LabNumber.short(bounds.full)); half of the points up to \(LabNumber.short(bounds.half))"
    )
    do throws(AnswerProblem) {
      let cell = try gru(answer, ExerciseProblem.largeSettings)
      let problem = ExerciseProblem.large
      let inputs = problem.tensor("inputs").exchangingFirstAxes
      let random = problem.tensor("init_rand1")
      let starts = [
        problem.tensor("initial_state"), random, problem.tensor("init_rand2"), random * 100,
      ]
      var (drift, gates) = (0.0, [Double]())
      for start in starts {
        let trace = run(cell, inputs[0..<step + 1], from: start)
        let change = largestDifference(trace.hiddenStates[step, ...], start)
        drift = max(drift, change / max(1, Double(start.maximumMagnitude)))
        gates.append(Double(trace.gate(.update).mean))
      }
      part.measure = drift
      part.grade(isFull: drift <= bounds.full, isHalf: drift <= bounds.half)
      guard part.points < part.maximum else { return part }
      let mean = gates.reduce(0, +) / Double(gates.count)
      part.remarks.append(updateRemark(mean))
    } catch {
      part.remarks.append(error.description)
    }
    return part
  }

  /// Grades task 6 by the norms of the gradient of Σ h.
  static func survivingGradient(_ answer: AnswerFile) -> ExercisePartReport {
    let (bounds, step) = (ExerciseThreshold.survival, LargeProblem.steps.last ?? 0)
    let limit = ExerciseThreshold.explosion
    var part = ExercisePartReport(
      name: "gradient of Σ h at step \(step)", maximum: ExerciseTask.survivingGradient.points,
      measureName: "smallest norm",
      requirement:
        "at least \(LabNumber.short(bounds.full)); half of the points from \(LabNumber.short(bounds.half)); the largest at most \(LabNumber.short(limit))"
    )
    do throws(AnswerProblem) {
      let cell = try gru(answer, ExerciseProblem.largeSettings)
      let problem = ExerciseProblem.large
      let inputs = problem.tensor("inputs").exchangingFirstAxes
      let norms = ["initial_state", "init_rand1"].flatMap { start in
        GradientFlow(cell).norms(
          inputs, from: RecurrentState(hidden: problem.tensor(start)), at: step)
      }
      let summary = Summary(overflowIsInfinite(norms))
      part.measure = summary.minimum
      let isBounded = summary.maximum <= limit
      part.grade(
        isFull: isBounded && summary.minimum >= bounds.full,
        isHalf: isBounded && summary.minimum >= bounds.half)
      guard part.points < part.maximum else { return part }
      part.remarks.append(
        "The norms are \(LabNumber.text(summary.minimum)) to \(LabNumber.text(summary.maximum)), median \(LabNumber.text(summary.median)). A state that is kept has √8 = 2.83: each of its 8 gradients is 1."
      )
      if isBounded {
        let trace = run(cell, inputs[0..<step + 1], from: nil)
        part.remarks.append(gradientRemark(Double(trace.gate(.update).mean)))
      } else {
        part.remarks.append("The gradient explodes: make the recurrent weights smaller.")
      }
    } catch {
      part.remarks.append(error.description)
    }
    return part
  }

  /// The share that 31 steps keep if each keeps `mean`.
  private static func share(keeping mean: Double) -> Double {
    Double.pow(mean, Double((LargeProblem.steps.last ?? 0) + 1))
  }

  /// The effect of the update gate on the gradient.
  private static func gradientRemark(_ mean: Double) -> String {
    "Along h′ = u ⊙ h each step keeps u = \(LabNumber.text(mean)) of the gradient on average, and 31 steps keep \(LabNumber.text(share(keeping: mean))). With u near 1 nearly all is kept: raise biasu, and let wtu_h and wtu_x be small."
  }

  /// The effect of an update gate that is not open enough on the state.
  private static func updateRemark(_ mean: Double) -> String {
    let left = share(keeping: mean)
    let convention = mean < 0.5 ? " u = 1 keeps the state: h′ = u ⊙ h + (1 − u) ⊙ c." : ""
    return
      "Each step replaces 1 − u = \(LabNumber.text(1 - mean)) of the state on average, so that \(LabNumber.text(left)) of it is left after 31 steps.\(convention) Raise biasu, and let wtu_h and wtu_x be small."
  }

  /// A GRU with the weights of an answer.
  private static func gru(
    _ answer: AnswerFile, _ settings: LabSettings
  ) throws(AnswerProblem) -> Cell<Float> {
    let (input, hidden) = (settings.inputSize, settings.hiddenSize)
    var cell = Cell<Float>(.gruResetBefore, inputSize: input, hiddenSize: hidden)
    var (weights, problems) = ([String: Tensor<Float>](), [String]())
    for name in ExerciseProblem.gruNames {
      let shape =
        name.hasPrefix("bias")
        ? [hidden] : name.hasSuffix("_h") ? [hidden, hidden] : [input, hidden]
      let axes =
        name.hasPrefix("bias") ? "unit" : name.hasSuffix("_h") ? "unit before, unit" : "input, unit"
      do throws(AnswerProblem) {
        weights[name] = Tensor<Float>(
          try answer.tensor(name, shape, axes: axes, allowingIntegers: true))
      } catch {
        problems.append(error.description)
      }
    }
    if let first = problems.first {
      let more = problems.count - 1
      throw AnswerProblem(
        description: more == 0
          ? first : "\(first) \(LabNumber.count(more, "more array")) of the nine cannot be used.")
    }
    cell.parameters.notebook = weights
    return cell
  }

  /// A run of sequences `[T, B, D]` from a state `[B, H]`, or from zero.
  private static func run(
    _ cell: Cell<Float>, _ inputs: Tensor<Float>, from start: Tensor<Float>?
  ) -> SequenceTrace<Float> {
    let layer = RecurrentLayer(cell: cell)
    var state = layer.zeroState(batchSize: inputs.shape[1])
    if let start { state.hidden = start }
    return layer.forward(inputs, from: state)
  }
}

extension ExercisePartReport {
  /// Gives all, half or none of the points.
  fileprivate mutating func grade(isFull: Bool, isHalf: Bool) {
    points = isFull ? maximum : isHalf ? maximum / 2 : 0
  }
}
