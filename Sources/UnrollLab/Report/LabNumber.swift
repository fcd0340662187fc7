// Number formats of the lab: four significant digits in tables, three in sentences.

internal import RealModule

/// Formatting of numbers.
public enum LabNumber {
  /// Formats a number for a table with four significant digits, such as `0.06476`, `37570` or `9.239e-7`.
  ///
  /// Missing values and NaN are a dash; infinity is shown as overflow.
  public static func short(_ value: Double?) -> String { digits(value, 4) }

  /// Formats a number for a sentence with three significant digits, such as `0.0648`, `37,600` or `9.24e-7`.
  public static func text(_ value: Double) -> String {
    let plain = digits(value, 3)
    guard value.isFinite, value.magnitude >= 1e4, !plain.contains("e") else { return plain }
    let all = Array(plain)
    return all.indices.reduce(into: "") { result, index in
      result.append(all[index])
      let left = all.count - 1 - index
      if left > 0, left % 3 == 0, all[index] != "-" { result += "," }
    }
  }

  /// Formats a fraction as a percentage, such as `44 %`.
  package static func percent(_ share: Double) -> String {
    guard share.isFinite else { return "–" }
    let percent = share * 100
    // Round to whole percents unless that would hide that the fraction is not 0 or 1.
    if share > 0, percent < 0.5 { return "less than 1 %" }
    if share < 1, percent >= 99.5 { return "more than 99 %" }
    return "\(Int(percent.rounded())) %"
  }

  /// Formats a fraction in words, such as `none of the draws`, `all of the draws` or `44 % of the draws`.
  package static func share(_ share: Double, of things: String) -> String {
    let words = share == 0 ? "none" : share == 1 ? "all" : percent(share)
    return "\(words) of the \(things)"
  }

  /// Formats a duration in time steps, such as `29.7 steps` or `more than a million steps`.
  public static func steps(_ value: Double) -> String {
    if value > 1e6 { return "more than a million steps" }
    let number = text(value)
    return number == "1" ? "1 step" : "\(number) steps"
  }

  /// Returns the half-life of the state under a gate with this constant bias: ln 2 / −ln σ(b).
  ///
  /// Accurate also where σ(b) rounds to 1 or 0.
  package static func halfLife(ofBias bias: Double) -> Double {
    // −ln σ(b) = ln(1 + e^−b), which for a negative b is −b + ln(1 + e^b).
    Double.log(2) / (max(0, -bias) + Double.log(onePlus: Double.exp(-bias.magnitude)))
  }

  /// `1 sequence`, `60 sequences`.
  public static func count(_ number: Int, _ noun: String) -> String {
    "\(number) \(noun)\(number == 1 ? "" : "s")"
  }

  /// `a`, `a and b`, `a, b and c`.
  static func list(_ parts: [String]) -> String {
    guard let last = parts.last, parts.count > 1 else { return parts.first ?? "" }
    return parts.dropLast().joined(separator: ", ") + " and " + last
  }

  private static func digits(_ value: Double?, _ count: Int) -> String {
    guard let value, !value.isNaN else { return "–" }
    guard value.isFinite else { return value < 0 ? "-inf" : "overflow" }
    guard value != 0 else { return "0" }
    // The exponent after rounding: 9.9996 gets another digit before the point.
    var exponent = Int(Double.log10(value.magnitude).rounded(.down))
    func mantissa() -> Double {
      // Split a power of ten beyond the range of Double.
      let half = exponent / 2
      let shifted =
        value.magnitude / Double.pow(10, Double(half)) / Double.pow(10, Double(exponent - half))
      let scale = Double.pow(10, Double(count - 1))
      return (shifted * scale).rounded() / scale
    }
    if mantissa() >= 10 { exponent += 1 }
    if mantissa() < 1 { exponent -= 1 }
    let sign = value < 0 ? "-" : ""
    let figures = Array("\(Int((mantissa() * Double.pow(10, Double(count - 1))).rounded()))")
    func trimmed(_ whole: ArraySlice<Character>, _ fraction: [Character]) -> String {
      let end = fraction.lastIndex { $0 != "0" }.map { $0 + 1 } ?? 0
      return sign + String(whole) + (end == 0 ? "" : "." + String(fraction[..<end]))
    }
    if (-3..<6).contains(exponent) {
      if exponent < 0 {
        return trimmed(
          ["0"], Array(repeating: "0", count: -exponent - 1) + figures)
      }
      let padded = figures + Array(repeating: "0", count: max(0, exponent + 1 - figures.count))
      return trimmed(padded[...exponent], Array(padded[(exponent + 1)...]))
    }
    return trimmed(figures[..<1], Array(figures[1...])) + "e\(exponent)"
  }
}

/// Formats a number for a table; a dash for nil.
func shortNumber(_ value: Double?) -> String { LabNumber.short(value) }

/// Formats a number for a sentence.
func textNumber(_ value: Double) -> String { LabNumber.text(value) }
