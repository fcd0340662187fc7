// Computes the range and ticks of an axis. gnuplot's automatic ticks are not used, because the layout needs the width
// of the labels.

internal import UnrollPlatform

/// A tick on an axis, with its label.
package struct Tick: Equatable {
  package var value: Double
  /// The label; empty for a minor tick.
  package var label: String
  /// An exponent of ten after the label, as in 2×10⁻⁸; the label may be `10` itself.
  package var exponent: Int?

  /// Returns the width of the label.
  package func width(size: Double) -> Double {
    TextMetrics.width(label, size: size)
      + (exponent.map { TextMetrics.width(Self.text($0), size: 0.8 * size) } ?? 0)
  }

  /// Formats an integer with a minus sign instead of a hyphen.
  package static func text(_ value: Int) -> String { value < 0 ? "−\(-value)" : "\(value)" }
}

/// The range and ticks of an axis.
package struct Ticks: Equatable {
  package var range: ClosedRange<Double>
  /// The ticks in ascending order, within the range.
  package var ticks: [Tick]
  /// The offset that is subtracted from the tick labels if they do not fit; the axis label names it.
  package var origin: String?

  /// Returns the width of the widest label.
  package func width(size: Double) -> Double { ticks.map { $0.width(size: size) }.max() ?? 0 }

  /// Returns an axis label that includes the origin.
  package func label(_ text: String) -> String {
    guard let origin else { return text }
    return text.isEmpty ? "minus \(origin)" : "\(text) minus \(origin)"
  }
}

extension Axis {
  /// The direction of an axis, which determines the length that a label occupies along it.
  package enum Direction {
    /// Labels are side by side: each occupies its width.
    case horizontal
    /// Labels are stacked: each occupies its height.
    case vertical
  }

  /// Computes the range of the axis, and ticks whose labels do not overlap.
  ///
  /// - Parameters:
  ///   - numbers: Returns the data; called only if the axis has no explicit range.
  ///   - length: The length of the axis in pixels.
  ///   - direction: The direction of the axis.
  ///   - size: The font size in pixels.
  ///   - widens: Whether an automatic range is extended to the next ticks.
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
      // A single tick shows no scale; it is acceptable only for whole numbers.
      if hasRoom(ticks), ticks.count > 1 || (isWhole && !ticks.isEmpty) {
        return Ticks(range: range, ticks: ticks)
      }
      step = Self.step(atLeast: step * 1.5)
      if step > range.upperBound - range.lowerBound { break }
    }
    return countedFromOrigin(range, hasRoom)
  }

  /// Returns ticks relative to a round number near the lower end, for numbers that differ only in their last digits
  /// and are too long to be placed side by side.
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

  /// Formats an integer as superscript characters, for plain text.
  private static func superscript(_ value: Int) -> String {
    String(
      Tick.text(value).map { character in
        let digits = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
        return character == "−" ? "⁻" : digits[character.wholeNumberValue ?? 0]
      })
  }

  /// Returns a range that can be drawn: finite, not empty, and positive on a logarithmic axis; otherwise nil.
  private func usable(_ range: ClosedRange<Double>) -> ClosedRange<Double>? {
    guard range.lowerBound.isFinite, range.upperBound.isFinite,
      range.upperBound > range.lowerBound, !isLogarithmic || range.lowerBound > 0
    else { return nil }
    return range
  }

  /// Returns the range of some numbers, extended if they are equal up to rounding.
  private func extent(of numbers: [Double]) -> ClosedRange<Double> {
    let drawn = numbers.filter { $0.isFinite && (!isLogarithmic || $0 > 0) }
    guard let low = drawn.min(), let high = drawn.max() else {
      return isLogarithmic ? 1...10 : 0...1
    }
    if isLogarithmic {
      // Subnormal numbers have too few significant digits for ticks.
      let (low, high) = (min(max(low, 1e-300), 1e300), min(max(high, 1e-300), 1e300))
      // Between closer ends, gnuplot's rounding of the logarithms would be visible.
      return high > low * (1 + 1e-6) ? low...high : (low / 2)...(high * 2)
    }
    // The difference of larger numbers overflows.
    let (least, most) = (max(low, -1e300), min(high, 1e300))
    let size = max(abs(least), abs(most))
    guard most - least > 1e-9 * size else {
      let half = size == 0 ? 0.5 : size * 0.05
      return (least - half)...(most + half)
    }
    return least...most
  }

  /// Returns the position of a number, from 0 at the lower end to 1 at the upper end.
  package func position(_ value: Double, in range: ClosedRange<Double>) -> Double {
    // Subtract logarithms, because the ratio of the ends may overflow.
    isLogarithmic
      ? (log(value) - log(range.lowerBound)) / (log(range.upperBound) - log(range.lowerBound))
      : (value - range.lowerBound) / (range.upperBound - range.lowerBound)
  }

  // MARK: - Linear

  /// Returns the smallest of 1, 2 and 5 times a power of ten that is at least this large.
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

  /// Returns the multiples of a step in a range.
  private static func linear(_ range: ClosedRange<Double>, step: Double) -> [Tick] {
    let first = ceil(range.lowerBound / step - 1e-6)
    let last = floor(range.upperBound / step + 1e-6)
    guard first.isFinite, last >= first, last - first < 1000 else { return [] }
    let size = max(abs(range.lowerBound), abs(range.upperBound))
    return (0...Int(last - first)).map { index in
      let value = (first + Double(index)) * step
      // Rounding must not move a tick beyond the end, where gnuplot would omit it.
      let placed = min(max(value, range.lowerBound), range.upperBound)
      return tick(placed, shown: value, step: step, size: size)
    }
  }

  /// Returns a tick labelled to the precision of the step.
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

  /// Returns ticks at decades, or at 1, 2 and 5 times powers of ten; nil if the range contains fewer than two.
  private func logarithmic(
    _ range: ClosedRange<Double>, hasRoom: ([Tick]) -> Bool, length: Double
  ) -> [Tick]? {
    let low = Int(ceil(log10(range.lowerBound) - 1e-9))
    let high = Int(floor(log10(range.upperBound) + 1e-9))
    let isPlain = range.lowerBound >= 1e-4 && range.upperBound <= 1e5
    func tick(_ factor: Int, _ power: Int) -> Tick? {
      // Parsing decimal digits is exact; a product of powers is not.
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
