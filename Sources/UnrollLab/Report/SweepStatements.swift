// The text on a sweep: over many draws of weights, and for the settings' seed.

internal import Unroll

extension ScaleSweepResult {
  /// A description of the result.
  public var statement: String {
    let question = "Is there a scale that keeps a long-term memory?"
    // A single draw is that of the settings' seed, which `ownStatement` describes.
    guard let weightDraws, weightDraws.seeds.count > 1 else { return "\(question) \(ownStatement)" }
    return [
      question, weightDraws.memoryStatement, weightDraws.reasonStatement,
      weightDraws.gradientStatement, ownStatement, seedStatement,
    ].filter { !$0.isEmpty }.joined(separator: " ")
  }

  /// A description of the draw of the settings' seed.
  private var ownStatement: String {
    func story(_ what: String, _ path: KeyPath<SweepPoint, Fate>) -> String {
      let fates: [Fate] =
        points.count == 1 ? [.vanishes, .survives, .explodes] : [.survives, .explodes]
      let parts = fates.compactMap { fate -> String? in
        let found = points.filter { $0[keyPath: path] == fate }.map(\.scale)
        guard !found.isEmpty else { return nil }
        return "\(fate.rawValue) \(scalePlaces(found, of: points.count))"
      }
      let none = points.contains { $0[keyPath: path] == .survives } || points.count == 1
      return
        "the median \(what) \(LabNumber.list((none ? [] : ["survives at no scale"]) + parts))"
    }
    return """
      In the one draw of seed \(settings.seed), at step \(step), \(story("distance", \.memoryFate)), and \
      \(story("gradient", \.gradientFate)). \(spreadStatement)
      """
  }

  /// Describes the distribution of this draw's gradients over the sequences, at the scale with the largest.
  private var spreadStatement: String {
    guard let worst = points.max(by: { $0.gradientSpread.largest < $1.gradientSpread.largest })
    else { return "" }
    let spread = worst.gradientSpread
    let scale = "scale \(textNumber(worst.scale))"
    if spread.largest == .infinity {
      return
        "At \(scale) a gradient overflows \(settings.precision.rawValue); \(settings.precision.overflowAdvice)."
    }
    guard spread.largest > 0 else {
      return
        "Every gradient is exactly 0 \(scalePlaces(points.map(\.scale), of: points.count))."
    }
    // If the mean equals the largest norm, all norms are equal.
    let areEqual = spread.mean >= spread.largest * (1 - 1e-9)
    let numbers =
      areEqual
      ? "\(settings.batchSize == 1 ? "the" : "every") gradient norm is \(textNumber(spread.largest))"
      : "the median gradient norm is \(textNumber(spread.median)), the mean \(textNumber(spread.mean)) and the largest \(textNumber(spread.largest))"
    if spread.largest > 100, spread.median <= 100 {
      return "The median hides exploding gradients: at \(scale) \(numbers)."
    }
    return points.count == 1
      ? "At \(scale) \(numbers)."
      : "The largest gradients are at \(scale): there \(numbers)."
  }

  /// Compares the draw of the settings' seed with the others at the largest scale.
  private var seedStatement: String {
    guard let all = weightDraws?.points.max(by: { $0.scale < $1.scale }),
      let own = points.max(by: { $0.scale < $1.scale }), all.memory.count > 1
    else { return "" }
    let forgets = own.memory <= WeightDraws.threshold
    let share = forgets ? 1 - all.memoryShare : all.memoryShare
    return
      "At scale \(textNumber(own.scale)) this draw \(forgets ? "forgets its initial state" : "keeps the dependency"), as \(LabNumber.share(share, of: "draws")) \(share * Double(all.memory.count) < 1.5 ? "does" : "do")."
  }
}

extension WeightDrawsResult {
  /// The fraction of draws that keep the dependency, by scale.
  fileprivate var memoryStatement: String {
    let sorted = points.sorted { $0.scale < $1.scale }
    guard let first = sorted.first, let last = sorted.last,
      let most = sorted.max(by: { $0.memoryShare < $1.memoryShare })
    else { return "" }
    let opening =
      "In each of \(seeds.count) draws of weights (\(seedRange)) the state at step \(step) was compared between two runs; it still depends on the initial state where their median distance is above 0.001."
    func share(_ point: WeightDrawsPoint) -> String {
      "\(LabNumber.share(point.memoryShare, of: "draws")) at scale \(textNumber(point.scale))"
    }
    if sorted.count == 1 { return "\(opening) It does so in \(share(most))." }
    if most.memoryShare == 0 { return "\(opening) It does so in none of the draws at any scale." }
    if sorted.allSatisfy({ $0.memoryShare == most.memoryShare }) {
      return
        "\(opening) It does so in \(LabNumber.share(most.memoryShare, of: "draws")) at every scale."
    }
    // The first and last scale, and the largest fraction between them.
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

  /// The reason why draws keep the dependency at the scale where most do: convergence to different states, or growth.
  fileprivate var reasonStatement: String {
    guard let last = points.filter({ $0.keepingCount > 0 }).max(by: { $0.scale < $1.scale })
    else { return "" }
    let (count, settled, growing) = (last.keepingCount, last.settledCount, last.growingCount)
    let rest = count - settled - growing
    var parts: [String] = []
    if settled > 0 {
      parts.append(
        "it has vanished in \(settled): small differences vanish there, but the two runs have converged to different states"
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

  /// A description of exploding gradients over the draws.
  fileprivate var gradientStatement: String {
    guard let most = points.max(by: { $0.explodingShare < $1.explodingShare }) else { return "" }
    guard most.explodingShare > 0 else {
      let places = points.count == 1 ? "scale \(textNumber(most.scale))" : "any scale"
      return "No sequence of any draw has a gradient norm above 100 at \(places)."
    }
    let scales = points.filter { $0.explodingShare > 0 }.map(\.scale)
    let median = Double(most.gradientMedian.count { $0 > 100 }) / Double(max(1, seeds.count))
    let ties = points.filter { $0.explodingShare == most.explodingShare }.map(\.scale)
    // No scale is the most frequent if all are equal.
    let frequency =
      ties.count == scales.count
      ? ""
      : ties.count == 1
        ? "most often at scale \(textNumber(most.scale)), "
        : "most often at the \(ties.count) scales \(LabNumber.list(ties.map(textNumber))), "
    return """
      Gradients explode in some sequence (a norm above 100) \(scalePlaces(scales, of: points.count)), \
      \(frequency)in \(LabNumber.share(most.explodingShare, of: "draws")). The median over the sequences is \
      above 100 in \(LabNumber.share(median, of: "draws")) at scale \(textNumber(most.scale)).
      """
  }
}

/// Describes scales: `at scale 2`, `at every scale`, `at 3 of 24 scales, between 1 and 2`.
private func scalePlaces(_ found: [Double], of count: Int) -> String {
  guard let low = found.min(), let high = found.max(), found.count > 1 else {
    return "at scale \(textNumber(found.first ?? .nan))"
  }
  return found.count == count
    ? "at every scale"
    : "at \(found.count) of \(count) scales, between \(textNumber(low)) and \(textNumber(high))"
}
