// The lessons of the page: each runs an experiment and describes the result in a sentence.

internal import Unroll
internal import UnrollLab

/// The result of a lesson.
package struct LessonAnswer: Encodable, Sendable {
  package var sentence: String
  package var numbers: [String: JSONNumber]
  package var command: String?
}

package enum Lessons {
  package static func answer(_ name: String, _ query: LabQuery, _ cancellation: Cancellation) throws
    -> LessonAnswer
  {
    switch name {
    case "gru-as-rnn": try gruAsRNN(query.settings)
    case "remember": try remember(query)
    case "gradient-check": try gradientCheck(query.settings)
    default:
      throw WebError(
        status: 404, sentence: "lesson: expected gru-as-rnn, remember or gradient-check")
    }
  }

  private static func gruAsRNN(_ asked: LabSettings) throws -> LessonAnswer {
    var settings = LabSettings.toyGRU
    settings.cell = asked.cell == .gruResetAfter ? .gruResetAfter : .gruResetBefore
    (settings.precision, settings.seed) = (asked.precision, asked.seed)
    let result = try GRUAsRNNExperiment.run(settings)
    let row = result.chosen
    return LessonAnswer(
      sentence:
        "With r = σ(\(Int(row.bias))) and z = σ(−\(Int(row.bias))) the GRU computes the RNN: residual \(LabNumber.text(row.largestDifference)), \(row.isBitwiseEqual ? "bit-identical" : "not bit-identical"). Untouched, the relative error is \(LabNumber.text(result.untouched)).",
      numbers: [
        "residual": .number(row.largestDifference), "relative_error": .number(row.relativeError),
        "untouched": .number(result.untouched),
      ],
      command:
        "unroll lab gru-as-rnn --cell \(settings.cell.rawValue) --seed \(settings.seed) --dtype \(settings.precision.rawValue)"
    )
  }

  private static func remember(_ query: LabQuery) throws -> LessonAnswer {
    var query = query
    // An LSTM's h changes at every step, even if c is kept.
    if ![.gruResetBefore, .gruResetAfter].contains(query.settings.cell) {
      query.settings.cell = .gruResetBefore
    }
    let bias = query.settings.keepBias ?? (query.settings.precision == .float32 ? 18 : 38)
    (query.settings.keepBias, query.settings.gateBias) = (bias, nil)
    query.settings.chronoSteps = nil
    try query.settings.validate()
    let result = try MemoryExperiment.run(query.settings)
    let halfLife = LabNumber.halfLife(ofBias: bias)
    let drift = result.drifts[0].largest.max() ?? .nan
    return LessonAnswer(
      sentence:
        "With the retention gate at σ(\(LabNumber.text(bias))), the state's largest change after step \(result.drifts[0].step) is \(LabNumber.text(drift)); that gate alone leaves half of the state after ln 2 / −ln σ(b) = \(LabNumber.steps(halfLife)).",
      numbers: [
        "drift": .number(drift), "half_life": .number(halfLife), "bias": .number(bias),
      ], command: query.command(.memory))
  }

  private static func gradientCheck(_ asked: LabSettings) throws -> LessonAnswer {
    // The check needs four passes per number, so it uses a small problem of the same kind.
    var settings = asked
    settings.hiddenSize = min(asked.hiddenSize, 4)
    settings.inputSize = min(asked.inputSize, 3)
    (settings.batchSize, settings.timeStepCount, settings.steps) = (2, 6, [5])
    let check = try LabGradientCheck.run(settings)
    return LessonAnswer(
      sentence:
        "Every gradient of a \(settings.cell.title) with \(settings.hiddenSize) units over 6 steps against central differences: the worst error of \(check.elementCount) is \(LabNumber.text(check.worstError)), at \(check.worstElement).",
      numbers: [
        "worst_error": .number(check.worstError), "elements": .number(Double(check.elementCount)),
        "worst_element": .text(check.worstElement),
      ], command: nil)
  }
}
