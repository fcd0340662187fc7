// What a sweep says about its result: over many draws of weights, and of the seed's own draw.

internal import Unroll

extension ScaleSweepResult {
  /// What was found, in sentences.
  public var statement: String {
    let question = "Is there a scale that keeps a long-term memory?"
    guard let weightDraws else { return "\(question) \(ownStatement)" }
    return [
      question, weightDraws.memoryStatement, weightDraws.reasonStatement,
      weightDraws.gradientStatement, ownStatement, seedStatement,
    ].filter { !$0.isEmpty }.joined(separator: " ")
  }

  /// The seed's own draw.
  private var ownStatement: String {
    func scales(_ fate: Fate, _ path: KeyPath<SweepPoint, Fate>) -> String? {
      let found = points.filter { $0[keyPath: path] == fate }.map(\.scale)
      guard let first = found.min(), let last = found.max() else { return nil }
      if found.count == points.count { return "at every scale" }
      return found.count == 1
        ? "at scale \(textNumber(first))"
        : "at \(found.count) of \(points.count) scales, between \(textNumber(first)) and \(textNumber(last))"
    }
    func story(_ what: String, _ path: KeyPath<SweepPoint, Fate>) -> String {
      let parts = [
        scales(.survives, path).map { "survives \($0)" } ?? "survives at no scale",
        scales(.explodes, path).map { "explodes \($0)" },
      ].compactMap(\.self)
      return "the median \(what) \(LabNumber.list(parts))"
    }
    var sentences = [
      "In the one draw of seed \(settings.seed), at step \(step), \(story("distance", \.memoryFate)), and \(story("gradient", \.gradientFate))."
    ]
    if let worst = points.max(by: { $0.gradientSpread.largest < $1.gradientSpread.largest }) {
      let spread = worst.gradientSpread
      let numbers =
        "the median gradient norm is \(textNumber(spread.median)), the mean \(textNumber(spread.mean)) and the largest \(textNumber(spread.largest))"
      if spread.largest == .infinity {
        sentences.append(
          "At scale \(textNumber(worst.scale)) a gradient overflows \(settings.precision.rawValue); \(settings.precision.overflowAdvice)."
        )
      } else if spread.largest > 100, spread.median <= 100 {
        sentences.append(
          "The median hides exploding gradients: at scale \(textNumber(worst.scale)) \(numbers).")
      } else {
        sentences.append(
          "The largest gradients are at scale \(textNumber(worst.scale)): there \(numbers).")
      }
    }
    return sentences.joined(separator: " ")
  }

  /// Where the seed's own draw stands among the others at the largest scale.
  private var seedStatement: String {
    guard let all = weightDraws?.points.max(by: { $0.scale < $1.scale }),
      let own = points.max(by: { $0.scale < $1.scale }), all.memory.count > 1
    else { return "" }
    let forgets = own.memory <= WeightDraws.threshold
    let share = forgets ? 1 - all.memoryShare : all.memoryShare
    return
      "At scale \(textNumber(own.scale)) this draw \(forgets ? "forgets its initial state" : "keeps the dependency"), as \(LabNumber.percent(share)) of the draws do."
  }
}

extension WeightDrawsResult {
  /// How many draws keep the dependency, over the scale.
  fileprivate var memoryStatement: String {
    let sorted = points.sorted { $0.scale < $1.scale }
    guard let first = sorted.first, let last = sorted.last,
      let most = sorted.max(by: { $0.memoryShare < $1.memoryShare })
    else { return "" }
    let opening =
      "In each of \(LabNumber.count(seeds.count, "draw")) of weights (\(seedRange)) the state at step \(step) was compared between two runs; it still depends on the initial state where their median distance is above 0.001."
    func share(_ point: WeightDrawsPoint) -> String {
      (point.memoryShare == 0
        ? "none" : point.memoryShare == 1 ? "all" : LabNumber.percent(point.memoryShare))
        + " of the draws at scale \(textNumber(point.scale))"
    }
    if most.memoryShare == 0 { return "\(opening) It does so in none of the draws at any scale." }
    if sorted.allSatisfy({ $0.memoryShare == most.memoryShare }) {
      return sorted.count == 1
        ? "\(opening) It does so in \(share(most))."
        : "\(opening) It does so in \(LabNumber.percent(most.memoryShare)) of the draws at every scale."
    }
    // The end points, and the largest share between them.
    var parts = [share(first)]
    if most.scale != first.scale, most.scale != last.scale { parts.append(share(most)) }
    if last.scale != first.scale { parts.append(share(last)) }
    var half = ""
    if let scale = sorted.first(where: { $0.memoryShare >= 0.5 })?.scale {
      half =
        " The smallest scale at which half of the draws or more keep it is \(textNumber(scale))."
    }
    return "\(opening) It does so in \(LabNumber.list(parts)).\(half)"
  }

  /// Why draws keep the dependency at the scale where most do: settled in different states, or growing.
  fileprivate var reasonStatement: String {
    guard let last = points.filter({ $0.keepingCount > 0 }).max(by: { $0.scale < $1.scale })
    else { return "" }
    let (count, settled, growing) = (last.keepingCount, last.settledCount, last.growingCount)
    let rest = count - settled - growing
    var parts: [String] = []
    if settled > 0 {
      parts.append(
        "it has vanished in \(settled): small differences die out there, but the two runs have settled in different states"
      )
    }
    if growing > 0 {
      parts.append("it is above √H in \(growing): small differences have grown there, as in chaos")
    }
    if rest > 0 {
      parts.append(
        "it lies between in \(rest): small differences have neither vanished nor grown there")
    }
    return """
      \(count == 1 ? "One draw keeps" : "\(count) draws keep") it at scale \(textNumber(last.scale)). The median \
      gradient tells how: \(parts.joined(separator: "; ")).
      """
  }

  /// How gradients explode over the draws.
  fileprivate var gradientStatement: String {
    guard let most = points.max(by: { $0.explodingShare < $1.explodingShare }) else { return "" }
    guard most.explodingShare > 0 else {
      return "No sequence of any draw has a gradient norm above 100 at any scale."
    }
    let scales = points.filter { $0.explodingShare > 0 }.map(\.scale)
    let (low, high) = (scales.min() ?? most.scale, scales.max() ?? most.scale)
    let places =
      low == high
      ? "at scale \(textNumber(low))"
      : "at \(scales.count) of \(points.count) scales, between \(textNumber(low)) and \(textNumber(high))"
    let median = LabNumber.percent(
      Double(most.gradientMedian.count { $0 > 100 }) / Double(max(1, seeds.count)))
    let ties = points.filter { $0.explodingShare == most.explodingShare }.map(\.scale)
    let frequency =
      ties.count == 1
      ? "and most often at scale \(textNumber(most.scale))"
      : "and equally often, most of all, at the \(ties.count) scales \(ties.map { textNumber($0) }.joined(separator: ", "))"
    return """
      Gradients explode in some sequence (a norm above 100) \(places), \(frequency): in \
      \(LabNumber.percent(most.explodingShare)) of the draws. The median over the sequences is above 100 in \
      \(median) of the draws at scale \(textNumber(most.scale)).
      """
  }
}
