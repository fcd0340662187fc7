// What the sections say about their results. Every sentence about a result is made from its numbers, so
// that it is true for any seed, cell and setting.

internal import RealModule
internal import Unroll

extension LabPrecision {
  /// What to do about numbers beyond the range.
  var overflowAdvice: String {
    self == .float32 ? "compute in float64" : "use fewer time steps or smaller weights"
  }
}

extension MemoryResult {
  /// The pairs that begin at zero and at drawn states, and those that begin at a hundredfold state.
  private static let smallPairs = 0..<3
  private static let largePairs = 3..<6

  /// What was found, in sentences.
  var statement: String {
    guard let last = distances.last else { return "" }
    if let overflowStep {
      return """
        The states overflow \(settings.precision.rawValue) from step \(overflowStep) on; \
        \(settings.precision.overflowAdvice).
        """
    }
    return [medians, fate(last), kept].filter { !$0.isEmpty }.joined(separator: " ")
  }

  /// The median distance of the first pair at each step.
  private var medians: String {
    let parts = distances.map { "\(textNumber($0.summaries[0].median)) at step \($0.step)" }
    return
      "The median distance between the runs from zero and from random 1 is \(LabNumber.list(parts))."
  }

  /// What became of all pairs at the last step.
  private func fate(_ set: DistanceSet) -> String {
    let medians = set.summaries.map(\.median)
    let gone = medians.count { $0 < 1e-3 }
    let step = "At step \(set.step)"
    if set.summaries.allSatisfy({ $0.maximum == 0 }) {
      return "\(step) every distance is exactly 0: the initial state has been forgotten."
    }
    if gone == medians.count {
      let largest = set.summaries.map(\.maximum).max() ?? 0
      return largest < 1e-3
        ? "\(step) every distance is below 0.001: the initial state has been forgotten."
        : """
        \(step) the medians of all six pairs are below 0.001, so the typical sequence has forgotten its \
        initial state; the largest distance is \(textNumber(largest)).
        """
    }
    let ranges =
      "\(range(medians, Self.smallPairs)) for the pairs of zero, random 1 and random 2, and "
      + "\(range(medians, Self.largePairs)) for those with 100·random 1"
    return gone == 0
      ? "\(step) the medians are \(ranges): the state still depends on the initial state."
      : """
      \(step) the medians are \(ranges); \(gone) of 6 are below 0.001, and for the other pairs the state \
      still depends on the initial state.
      """
  }

  private func range(_ medians: [Double], _ pairs: Range<Int>) -> String {
    let values = medians[pairs]
    let (low, high) = (textNumber(values.min() ?? .nan), textNumber(values.max() ?? .nan))
    return low == high ? low : "\(low) to \(high)"
  }

  /// Of a cell that is meant to keep its state: whether it does.
  private var kept: String {
    guard let bias = settings.keepBias, let largest = drifts.flatMap(\.largest).max() else {
      return ""
    }
    // −ln σ(b) = ln(1 + e^−b), exact where σ(b) is 1 to the last digit, too.
    let halfLife = Double.log(2) / Double.log(onePlus: Double.exp(-bias))
    let moved =
      largest == 0
      ? "No element of any state has changed, so the distances at every step are those of the initial states."
      : "The largest change of an element of the state is \(textNumber(largest))."
    return """
      The keeping gate's bias is \(textNumber(bias)): alone, that gate leaves half of the state after \
      ln 2 / −ln σ(b) = \(LabNumber.steps(halfLife)). \(moved)
      """
  }
}

extension GradientResult {
  /// What was found, in sentences.
  var statement: String {
    sets.map { set in
      let start = "From the state \(set.point.rawValue)"
      if let overflow = set.overflowStep, overflow <= step || !set.norms.allSatisfy(\.isFinite) {
        return """
          \(start) the gradient overflows \(settings.precision.rawValue) from step \(overflow) on; \
          \(settings.precision.overflowAdvice).
          """
      }
      return "\(start) \(fate(set))."
    }.joined(separator: " ")
  }

  /// The sentence about one initial state.
  private func fate(_ set: GradientSet) -> String {
    let summary = set.summary
    let unit = Double(settings.hiddenSize).squareRoot()
    if summary.maximum == 0 { return "every gradient is exactly 0" }
    if summary.minimum == summary.maximum, abs(summary.maximum - unit) <= 1e-6 * unit {
      return
        "every norm is √H = \(textNumber(unit)), the norm of a gradient whose elements are all 1"
    }
    let count = set.norms.count
    let (gone, exploded) = (set.norms.count { $0 < 1e-3 }, set.norms.count { $0 > 100 })
    var parts = ["the median norm is \(textNumber(summary.median))"]
    if summary.mean > 10 * summary.median {
      parts.append("the mean \(textNumber(summary.mean))")
    }
    parts.append("the largest \(textNumber(summary.maximum))")
    let zeros = summary.zeroCount == 0 ? "" : ", \(summary.zeroCount) of them exactly 0"
    let fates: String
    switch (gone, exploded) {
    case (count, _): fates = "all \(count) have vanished (below 0.001\(zeros))"
    case (0, 0): fates = "none has vanished (below 0.001) or exploded (above 100)"
    default:
      fates =
        "\(gone) of \(count) have vanished (below 0.001\(zeros)) and \(exploded) have exploded (above 100)"
    }
    return LabNumber.list(parts) + "; " + fates
  }

  /// One line for each initial state whose gradient overflows: for the terminal.
  public var overflowNotes: [String] {
    sets.compactMap { set in
      set.overflowStep.map {
        "initial state \(set.point.rawValue): the gradient overflows \(settings.precision.rawValue) at step \($0); \(settings.precision.overflowAdvice)"
      }
    }
  }
}

extension SpectrumResult {
  /// Whether a step leaves every state where it is: every start of the search moves by less than a millionth.
  public var isEveryStateFixed: Bool { fixedPointStarts > 0 && largestStartChange <= 1e-6 }

  /// What was found, in sentences.
  public var statement: String {
    var parts: [String] = []
    if let largest = exponents.first, largest.isFinite {
      let change =
        largest.magnitude < 1e-3
        ? "change by less than 0.1 % a step"
        : "\(largest < 0 ? "shrink" : "grow") by a factor of \(textNumber(Double.exp(largest))) a step"
      parts.append(
        "The largest exponent is \(textNumber(largest)) nats per step: along the runs, small differences \(change)."
      )
    }
    if isEveryStateFixed {
      parts.append(
        largestStartChange == 0
          ? "Every state is a fixed point: a step changes none of the \(fixedPointStarts) that were tried."
          : """
          Every state is a fixed point but for rounding: a step moves none of the \(fixedPointStarts) that \
          were tried by more than \(textNumber(largestStartChange)) of its size.
          """)
    } else if fixedPointStarts > 0 {
      let stable = fixedPoints.count(where: \.isStable)
      parts.append(
        fixedPoints.isEmpty
          ? "No fixed point was found from \(fixedPointStarts) starts."
          : "\(LabNumber.count(fixedPoints.count, "fixed point")) found from \(fixedPointStarts) starts, \(stable) of them stable."
      )
    }
    return parts.joined(separator: " ")
  }
}

extension GateResult {
  /// What was found, in sentences.
  public var statement: String {
    let half = lifetimes.map(\.halfLife).sorted()
    guard let keepingGate, let shortest = half.first, let longest = half.last else {
      return "A basic RNN has no gates."
    }
    let stuck = gates.map {
      "\(LabNumber.percent($0.shareClosed + $0.shareOpen)) of the \($0.gate.rawValue) gate"
    }
    return """
      By the \(keepingGate.rawValue) gate alone, half of the state is left after \(LabNumber.steps(shortest)) in the \
      unit that forgets first, \(LabNumber.steps(Summary.median(half))) in the median unit and \
      \(LabNumber.steps(longest)) in the one that forgets last. Of the gates' values, \(LabNumber.list(stuck)) are \
      below 0.1 or above 0.9.
      """
  }
}

extension GradientPartsResult {
  /// What was found, in sentences.
  var statement: String {
    guard let whole = contributions.first(where: { $0.total > 0 }), let first = whole.norms.first,
      let last = whole.norms.last, let count = truncations.last?.steps
    else { return "The gradient is 0." }
    // The smallest k whose error is at most a hundredth.
    let enough = truncations.first { $0.relativeError <= 0.01 }?.steps
    return """
      Of \(whole.parameter), the first step adds a gradient of norm \(textNumber(first)), the last one \
      \(textNumber(last)). \(enough.map {
        $0 == count
          ? "Only all \(count) steps give the whole gradient to 1 %."
          : "The last \($0) of \(count) steps give the whole gradient to 1 %."
      } ?? "No truncation gives the whole gradient to 1 %.")
      """
  }
}
