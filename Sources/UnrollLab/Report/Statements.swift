// The text of the report sections. Every sentence about a result is generated from its numbers, so that it holds for
// any seed, cell and setting.

internal import RealModule
internal import Unroll

extension LabPrecision {
  /// The advice for numbers that overflow.
  ///
  /// float64 has a larger range, but can overflow as well.
  public var overflowAdvice: String {
    let smaller = "use fewer time steps or smaller weights"
    return self == .float32 ? "compute in float64, or \(smaller)" : smaller
  }
}

extension MemoryResult {
  /// The pairs of runs from zero and random states, and those with a random state times 100.
  private static let smallPairs = 0..<3
  private static let largePairs = 3..<6

  /// A description of the result.
  package var statement: String {
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
    let distance = settings.batchSize == 1 ? "distance" : "median distance"
    return
      "The \(distance) between the runs from zero and from random 1 is \(LabNumber.list(parts))."
  }

  /// Describes the distances of all pairs at the last step.
  private func fate(_ set: DistanceSet) -> String {
    let medians = set.summaries.map(\.median)
    let gone = medians.count { $0 < 1e-3 }
    let step = "At step \(set.step)"
    let isOne = settings.batchSize == 1
    if set.summaries.allSatisfy({ $0.maximum == 0 }) {
      return "\(step) every distance is exactly 0: the initial state has been forgotten."
    }
    if gone == medians.count {
      let largest = set.summaries.map(\.maximum).max() ?? 0
      return largest < 1e-3
        ? "\(step) every distance is below 0.001: the initial state has been forgotten."
        : """
        \(step) the medians of all six pairs are below 0.001: at least half of the sequences have forgotten \
        their initial state; the largest distance is \(textNumber(largest)).
        """
    }
    let ranges =
      "\(isOne ? "distances" : "medians") are \(range(medians, Self.smallPairs)) for the pairs of zero, random 1 and random 2, and "
      + "\(range(medians, Self.largePairs)) for those with 100·random 1"
    return gone == 0
      ? "\(step) the \(ranges): the state still depends on the initial state."
      : """
      \(step) the \(ranges); \(gone) of 6 \(gone == 1 ? "is" : "are") below 0.001, and for the other \
      \(gone == medians.count - 1 ? "pair" : "pairs") the state still depends on the initial state.
      """
  }

  private func range(_ medians: [Double], _ pairs: Range<Int>) -> String {
    let values = medians[pairs]
    let (low, high) = (textNumber(values.min() ?? .nan), textNumber(values.max() ?? .nan))
    return low == high ? low : "\(low) to \(high)"
  }

  /// Describes whether a cell with saturated gates keeps its state.
  private var kept: String {
    guard let bias = settings.keepBias, let largest = drifts.flatMap(\.largest).max() else {
      return ""
    }
    let steps = settings.steps.sorted().map(String.init)
    let place = "\(steps.count == 1 ? "step" : "steps") \(LabNumber.list(steps))"
    let moved =
      largest == 0
      ? "No element of any state has changed, so the distances at \(place) are those of the initial states."
      : "The largest change of an element of the state is \(textNumber(largest))."
    let isComplement = settings.cell.retention?.isComplement == true
    return """
      The bias of the retention gate is \(textNumber(settings.keptGateBias ?? bias)): alone, that gate leaves half of the state \
      after ln 2 / −ln σ(\(isComplement ? "−b" : "b")) = \(LabNumber.steps(LabNumber.halfLife(ofBias: bias))). \(moved)
      """
  }
}

extension GradientResult {
  /// A description of the result.
  package var statement: String {
    sets.map { set in
      let start = "From the state \(set.point.rawValue)"
      let overflows = "overflows \(settings.precision.rawValue)"
      let advice = settings.precision.overflowAdvice
      let count = set.norms.count { !$0.isFinite }
      guard count == 0 else {
        let which =
          set.norms.count == 1
          ? "the gradient" : "the gradient of \(count) of \(set.norms.count) sequences"
        let first = set.overflowStep.map { $0 < step ? " (the first at step \($0))" : "" } ?? ""
        return "\(start) \(which) \(overflows) at step \(step)\(first); \(advice)."
      }
      // A gradient that overflows at another step may be finite at this one.
      let other =
        set.overflowStep.map { " At step \($0) a gradient \(overflows); \(advice)." } ?? ""
      return "\(start) \(fate(set)).\(other)"
    }.joined(separator: " ")
  }

  /// Describes the gradients for one initial state.
  private func fate(_ set: GradientSet) -> String {
    let summary = set.summary
    let unit = Double(settings.hiddenSize).squareRoot()
    let count = set.norms.count
    if summary.maximum == 0 {
      return count == 1 ? "the gradient is exactly 0" : "every gradient is exactly 0"
    }
    let (gone, exploded) = (set.norms.count { $0 < 1e-3 }, set.norms.count { $0 > 100 })
    if summary.minimum == summary.maximum {
      let norm = count == 1 ? "the norm" : "every norm"
      if abs(summary.maximum - unit) <= 1e-6 * unit {
        return
          "\(norm) is √H = \(textNumber(unit)), the norm of a gradient whose elements are all 1"
      }
      let fate =
        gone > 0
        ? "has vanished (below 0.001)"
        : exploded > 0
          ? "has exploded (above 100)"
          : "has neither vanished (below 0.001) nor exploded (above 100)"
      return "\(norm) is \(textNumber(summary.maximum)): it \(fate)"
    }
    var parts = ["the median norm is \(textNumber(summary.median))"]
    if summary.mean > 10 * summary.median {
      parts.append("the mean \(textNumber(summary.mean))")
    }
    parts.append("the largest \(textNumber(summary.maximum))")
    let zeros = summary.zeroCount == 0 ? "" : "; exactly 0: \(summary.zeroCount)"
    func some(_ number: Int, _ what: String) -> String {
      "\(number == 0 ? "none" : "\(number)") \(number < 2 ? "has" : "have") \(what)"
    }
    let fates: String
    switch (gone, exploded) {
    case (count, _):
      fates = "\(count == 2 ? "both" : "all \(count)") have vanished (below 0.001\(zeros))"
    case (0, 0): fates = "none has vanished (below 0.001) or exploded (above 100)"
    default:
      fates =
        "of \(count), \(some(gone, "vanished (below 0.001\(zeros))")) and \(some(exploded, "exploded (above 100)"))"
    }
    return LabNumber.list(parts) + "; " + fates
  }

  /// A line for each initial state whose gradient overflows, for the terminal.
  public var overflowNotes: [String] {
    sets.compactMap { set in
      set.overflowStep.map {
        "initial state \(set.point.rawValue): the gradient overflows \(settings.precision.rawValue) at step \($0); \(settings.precision.overflowAdvice)"
      }
    }
  }
}

extension SpectrumResult {
  /// Whether a step changes no state: the relative change of every start is at most 10⁻⁶.
  public var isEveryStateFixed: Bool { fixedPointStarts > 0 && largestStartChange <= 1e-6 }

  /// A description of the result.
  public var statement: String {
    var parts: [String] = []
    if let largest = exponents.first, largest.isFinite {
      parts.append(
        "The largest exponent is \(textNumber(largest)) nats per step: along the runs, small differences \(Self.change(largest))."
      )
    } else if exponents.first == -.infinity {
      parts.append(
        "The largest exponent is −∞: along the runs, a step removes every small difference.")
    }
    if isEveryStateFixed {
      parts.append(
        largestStartChange == 0
          ? "Every state is a fixed point: a step changes none of the \(fixedPointStarts) that were tried."
          : """
          Every state is a fixed point except for rounding: a step changes none of the \(fixedPointStarts) that \
          were tried by more than \(textNumber(largestStartChange)) of its size.
          """)
    } else if fixedPointStarts > 0 {
      parts.append(
        "\(points) found from \(LabNumber.count(fixedPointStarts, "start"))\(stability).")
    }
    return parts.joined(separator: " ")
  }

  /// Describes the effect of an exponent on small differences.
  private static func change(_ exponent: Double) -> String {
    let verb = exponent < 0 ? "shrink" : "grow"
    if exponent.magnitude < 1e-3 { return "change by less than 0.1 % a step" }
    // Factors close to 1 are given in percent.
    if exponent.magnitude < 0.1 {
      let percent = textNumber(100 * Double.expMinusOne(exponent).magnitude)
      return "\(verb) by \(percent) % a step"
    }
    return "\(verb) by a factor of \(textNumber(Double.exp(min(exponent.magnitude, 700)))) a step"
  }

  private var points: String {
    switch fixedPoints.count {
    case 0: "No fixed point was"
    case 1: "1 fixed point was"
    case let count: "\(count) fixed points were"
    }
  }

  private var stability: String {
    let stable = fixedPoints.count(where: \.isStable)
    if fixedPoints.isEmpty { return "" }
    if fixedPoints.count == 1 { return "; it is \(stable == 1 ? "" : "not ")stable" }
    if stable == fixedPoints.count { return "; all of them are stable" }
    return stable < 2
      ? "; \(stable == 0 ? "none" : "1") of them is stable" : "; \(stable) of them are stable"
  }
}

extension GateResult {
  /// A description of the result.
  public var statement: String {
    let half = lifetimes.map(\.halfLife).sorted()
    guard let keepingGate, let shortest = half.first, let longest = half.last else {
      return settings.customCell.map { "\($0) has no gate that controls its retention." }
        ?? "A basic RNN has no gates."
    }
    let stuck = gates.map {
      LabNumber.share($0.shareClosed + $0.shareOpen, of: "\($0.gate.rawValue) gate's values")
    }
    let (first, last) = (LabNumber.steps(shortest), LabNumber.steps(longest))
    let units =
      half.count == 1
      ? "\(first) in its one unit"
      : first == last
        ? "\(first) in every unit"
        : """
        \(first) in the unit that forgets first, \(LabNumber.steps(Summary.median(half))) in the median unit \
        and \(last) in the one that forgets last
        """
    return """
      By \(keepsComplement ? "1 minus " : "")the \(keepingGate.rawValue) gate alone, half of the state is left after \(units). Below 0.1 or \
      above 0.9 are \(LabNumber.list(stuck)).
      """
  }
}

extension GradientPartsResult {
  /// A description of the result.
  package var statement: String {
    guard let whole = contributions.first(where: { $0.total > 0 }), let first = whole.norms.first,
      let last = whole.norms.last, let count = truncations.last?.steps
    else { return "The gradient is 0." }
    guard count > 1 else {
      return "Of \(whole.parameter), the only step adds a gradient of norm \(textNumber(first))."
    }
    // The smallest k with an error of at most 1 %.
    let enough = truncations.first { $0.relativeError <= 0.01 }?.steps
    let sentence =
      switch enough {
      case nil: "No truncation gives"
      case 1: "The last of \(count) steps alone gives"
      case count: "Only all \(count) steps give"
      case let steps?: "The last \(steps) of \(count) steps give"
      }
    return """
      Of \(whole.parameter), the first step adds a gradient of norm \(textNumber(first)), the last one \
      \(textNumber(last)). \(sentence) the whole gradient to 1 %.
      """
  }
}
