// The range of an axis and the numbers along it. They are chosen here and not by gnuplot, because the
// width of an axis depends on them.

internal import UnrollPlatform

/// A mark on an axis with its number.
package struct Tick: Equatable {
  package var value: Double
  /// The number; empty for a small mark without one.
  package var label: String
  /// A power of ten that follows the number, as in 2×10⁻⁸; the number may be `10` itself.
  package var exponent: Int?

  /// How wide the number is drawn.
  package func width(size: Double) -> Double {
    TextMetrics.width(label, size: size)
      + (exponent.map { TextMetrics.width(Self.text($0), size: 0.8 * size) } ?? 0)
  }

  /// An integer with a minus sign instead of a hyphen.
  package static func text(_ value: Int) -> String { value < 0 ? "−\(-value)" : "\(value)" }
}

/// An axis with a range and ticks.
package struct Ticks: Equatable {
  package var range: ClosedRange<Double>
  /// In ascending order, all within the range.
  package var ticks: [Tick]
  /// The offset that is subtracted from the tick labels if they do not fit; the axis label names it.
  package var origin: String?

  /// The widest number.
  package func width(size: Double) -> Double { ticks.map { $0.width(size: size) }.max() ?? 0 }

  /// A label with the number that the axis counts from.
  package func label(_ text: String) -> String {
    guard let origin else { return text }
    return text.isEmpty ? "minus \(origin)" : "\(text) minus \(origin)"
  }
}

extension Axis {
  /// The direction of an axis, which decides how much of its length a number covers.
  package enum Direction {
    /// Numbers stand side by side: each takes its own width.
    case horizontal
    /// Numbers stand one above the other.
    case vertical
  }

  /// The range of the axis, and the numbers along it that fit without overlap.
  ///
  /// - Parameters:
  ///   - numbers: What is drawn along it; asked only if the axis has no range of its own.
  ///   - length: The axis's length in pixels.
  ///   - direction: Whether numbers stand side by side or one above the other.
  ///   - size: The font's size in pixels.
  ///   - widens: Whether a range that is chosen ends at a tick.
  /// - Returns: The range and the ticks.
  package func ticks(
    holding numbers: @autoclosure () -> [Double], length: Double, direction: Direction,
    size: Double, widens: Bool
  ) -> Ticks {
    let chosen = range == nil
    var range = range.flatMap(usable) ?? extent(of: numbers())
    func hasRoom(_ ticks: [Tick]) -> Bool {
      let places = ticks.filter { !$0.label.isEmpty }.map { tick in
        (at: position(tick.value, in: range) * length, width: tick.width(size: size))
      }
      return zip(places, places.dropFirst()).allSatisfy { a, b in
        switch direction {
        case .vertical: b.at - a.at >= 1.9 * size
        case .horizontal: b.at - a.at >= (a.width + b.width) / 2 + size
        }
      }
    }
    if isLogarithmic, let ticks = logarithmic(range, hasRoom: hasRoom, length: length) {
      return Ticks(range: range, ticks: ticks)
    }
    var step = Self.step(atLeast: (range.upperBound - range.lowerBound) / 10)
    if isWhole { step = max(1, step) }
    for _ in 0..<12 {
      if chosen, widens, !isLogarithmic { range = Self.widened(range, to: step) }
      let ticks = Self.linear(range, step: step)
      // One number says where, but not how far; of whole numbers there may be but one.
      if hasRoom(ticks), ticks.count > 1 || (isWhole && !ticks.isEmpty) {
        return Ticks(range: range, ticks: ticks)
      }
      step = Self.step(atLeast: step * 1.5)
      if step > range.upperBound - range.lowerBound { break }
    }
    return countedFromOrigin(range, hasRoom)
  }

  /// Ticks that count from a round number at the range's lower end: numbers that differ in their last digits
  /// alone are too long to stand side by side.
  private func countedFromOrigin(
    _ range: ClosedRange<Double>, _ hasRoom: ([Tick]) -> Bool
  ) -> Ticks {
    let width = range.upperBound - range.lowerBound
    let unit = pow(10, floor(log10(width) + 1e-9))
    let origin = floor(range.lowerBound / unit + 1e-6) * unit
    let size = max(abs(range.lowerBound), abs(range.upperBound))
    var best: [Tick] = []
    for step in [0.1, 0.2, 0.5, 1, 2, 5].map({ $0 * unit }) {
      let first = ceil((range.lowerBound - origin) / step - 1e-6)
      let last = floor((range.upperBound - origin) / step + 1e-6)
      guard first.isFinite, last > first else { continue }
      let ticks = (0...Int(last - first)).map { index in
        let shown = (first + Double(index)) * step
        let value = min(max(origin + shown, range.lowerBound), range.upperBound)
        return Self.tick(value, shown: shown, step: step, size: 2 * unit)
      }
      best = ticks
      if hasRoom(ticks) { break }
    }
    if !hasRoom(best), let first = best.first, let last = best.last { best = [first, last] }
    guard origin != 0 else { return Ticks(range: range, ticks: best) }
    let text = Self.tick(origin, shown: origin, step: unit, size: size)
    return Ticks(
      range: range, ticks: best,
      origin: text.label + (text.exponent.map { Self.superscript($0) } ?? ""))
  }

  /// An integer as superscript characters, for texts without formatting.
  private static func superscript(_ value: Int) -> String {
    String(
      Tick.text(value).map { character in
        let digits = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
        return character == "−" ? "⁻" : digits[character.wholeNumberValue ?? 0]
      })
  }

  /// A range that can be drawn: finite, not empty, above 0 on a logarithmic axis.
  private func usable(_ range: ClosedRange<Double>) -> ClosedRange<Double>? {
    guard range.lowerBound.isFinite, range.upperBound.isFinite,
      range.upperBound > range.lowerBound, !isLogarithmic || range.lowerBound > 0
    else { return nil }
    return range
  }

  /// The range of some numbers, made wider where they are one number to the last digits.
  private func extent(of numbers: [Double]) -> ClosedRange<Double> {
    let drawn = numbers.filter { $0.isFinite && (!isLogarithmic || $0 > 0) }
    guard let low = drawn.min(), let high = drawn.max() else {
      return isLogarithmic ? 1...10 : 0...1
    }
    if isLogarithmic {
      // Subnormal numbers have too few digits for ticks.
      let (low, high) = (min(max(low, 1e-300), 1e300), min(max(high, 1e-300), 1e300))
      // Closer ends have logarithms in which gnuplot's own rounding can be seen.
      return high > low * (1 + 1e-6) ? low...high : (low / 2)...(high * 2)
    }
    // Larger ones overflow where their difference is taken.
    let (least, most) = (max(low, -1e300), min(high, 1e300))
    let size = max(abs(least), abs(most))
    guard most - least > 1e-9 * size else {
      let half = size == 0 ? 0.5 : size * 0.05
      return (least - half)...(most + half)
    }
    return least...most
  }

  /// Where a number is, from 0 at the lower end to 1 at the upper one.
  package func position(_ value: Double, in range: ClosedRange<Double>) -> Double {
    // Logarithms first: the ratio of the ends may be beyond the range of numbers.
    isLogarithmic
      ? (log(value) - log(range.lowerBound)) / (log(range.upperBound) - log(range.lowerBound))
      : (value - range.lowerBound) / (range.upperBound - range.lowerBound)
  }

  // MARK: - Linear

  /// The least of 1, 2 and 5 times a power of ten that is at least so large.
  private static func step(atLeast least: Double) -> Double {
    guard least > 0, least.isFinite else { return 1 }
    let power = pow(10, floor(log10(least)))
    return [1, 2, 5, 10].map { $0 * power }.first { $0 >= least * (1 - 1e-9) } ?? 10 * power
  }

  private static func widened(_ range: ClosedRange<Double>, to step: Double) -> ClosedRange<Double>
  {
    let low = floor(range.lowerBound / step + 1e-6) * step
    let high = ceil(range.upperBound / step - 1e-6) * step
    return low < high ? low...high : range
  }

  /// The multiples of a step in a range.
  private static func linear(_ range: ClosedRange<Double>, step: Double) -> [Tick] {
    let first = ceil(range.lowerBound / step - 1e-6)
    let last = floor(range.upperBound / step + 1e-6)
    guard first.isFinite, last >= first, last - first < 1000 else { return [] }
    let size = max(abs(range.lowerBound), abs(range.upperBound))
    return (0...Int(last - first)).map { index in
      let value = (first + Double(index)) * step
      // Rounding must not put a tick beyond the end, where gnuplot leaves it out.
      let placed = min(max(value, range.lowerBound), range.upperBound)
      return tick(placed, shown: value, step: step, size: size)
    }
  }

  /// A number whose last digit is the step's.
  private static func tick(_ value: Double, shown: Double, step: Double, size: Double) -> Tick {
    if shown == 0 { return Tick(value: value, label: "0") }
    let power = Int(floor(log10(step) + 1e-9))
    guard size >= 1e5 || size < 1e-3 else {
      return Tick(value: value, label: decimal(shown, digits: max(0, -power)))
    }
    let exponent = Int(floor(log10(size) + 1e-12))
    let scaled = shown / pow(10, Double(exponent))
    return Tick(
      value: value, label: decimal(scaled, digits: min(12, max(0, exponent - power))) + "×10",
      exponent: exponent)
  }

  private static func decimal(_ value: Double, digits: Int) -> String {
    let scale = pow(10, Double(digits))
    let rounded = (abs(value) * scale).rounded()
    guard rounded < 1e15 else { return "\(value)" }
    var text = "\(Int(rounded))"
    if digits > 0 {
      text = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
      text.insert(".", at: text.index(text.endIndex, offsetBy: -digits))
    }
    return value < 0 && rounded > 0 ? "−" + text : text
  }

  // MARK: - Logarithmic

  /// Decades, or 1, 2 and 5 times powers of ten; nil if the range holds fewer than two of these.
  private func logarithmic(
    _ range: ClosedRange<Double>, hasRoom: ([Tick]) -> Bool, length: Double
  ) -> [Tick]? {
    let low = Int(ceil(log10(range.lowerBound) - 1e-9))
    let high = Int(floor(log10(range.upperBound) + 1e-9))
    let isPlain = range.lowerBound >= 1e-4 && range.upperBound <= 1e5
    func tick(_ factor: Int, _ power: Int) -> Tick? {
      // Read from its digits, which is exact; a product of powers is not.
      let value = Double("\(factor)e\(power)") ?? .nan
      guard value >= range.lowerBound * (1 - 1e-9), value <= range.upperBound * (1 + 1e-9) else {
        return nil
      }
      let placed = min(max(value, range.lowerBound), range.upperBound)
      if isPlain { return Tick(value: placed, label: Self.decimal(value, digits: max(0, -power))) }
      return factor == 1
        ? Tick(value: placed, label: "10", exponent: power)
        : Tick(value: placed, label: "\(factor)×10", exponent: power)
    }
    let powers = (low - 1)...(high + 1)
    if high - low < 2 {
      for factors in [[1, 2, 5], [1, 3], [1]] {
        let ticks = powers.flatMap { power in factors.compactMap { tick($0, power) } }
        if ticks.count >= 2, hasRoom(ticks) { return ticks }
      }
      return nil
    }
    for step in [1, 2, 3, 5, 10, 20, 50, 100] {
      let labelled = (low...high).filter { $0 % step == 0 }.compactMap { tick(1, $0) }
      guard hasRoom(labelled) else { continue }
      guard labelled.count >= 2 else { return nil }
      guard step == 1 else {
        let others = (low...high).filter { $0 % step != 0 }.compactMap { power in
          tick(1, power).map { Tick(value: $0.value, label: "") }
        }
        return (labelled + (others.count <= 40 ? others : [])).sorted { $0.value < $1.value }
      }
      let perDecade = length * position(range.lowerBound * 10, in: range)
      guard perDecade > 24 else { return labelled }
      let small = powers.flatMap { power in
        (2...9).compactMap { factor in tick(factor, power).map { Tick(value: $0.value, label: "") }
        }
      }
      return (labelled + small).sorted { $0.value < $1.value }
    }
    return nil
  }
}
