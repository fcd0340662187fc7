/// A histogram as text: one bar per bin, for terminals without graphics.
public enum TextHistogram {
  /// Draws counts as horizontal bars beneath a title.
  ///
  /// - Parameters:
  ///   - title: The first line.
  ///   - counts: One per bin.
  ///   - edges: One more than counts.
  ///   - width: The length of the longest bar in characters; at least 1.
  ///   - largest: The count of the longest bar; set it to share a scale between histograms.
  /// - Returns: The lines, without a trailing line end.
  public static func draw(
    title: String, counts: [Int], edges: [Double], width: Int = 40, largest: Int? = nil
  ) -> String {
    let scale = Double(max(1, largest ?? counts.max() ?? 1))
    let labels = edges.dropLast().map { short($0) }
    let labelWidth = labels.map(\.count).max() ?? 0
    let bars = zip(labels, counts).map { label, count in
      let eighths = Int((Double(count) / scale * Double(width * 8)).rounded())
      let bar =
        String(repeating: "█", count: eighths / 8)
        + (eighths % 8 > 0 ? String(Array("▏▎▍▌▋▊▉")[eighths % 8 - 1]) : "")
      let pad = String(repeating: " ", count: labelWidth - label.count)
      return "  \(pad)\(label) │\(bar)\(count > 0 ? " \(count)" : "")"
    }
    return ([title] + bars).joined(separator: "\n")
  }

  /// Formats a number with three significant digits.
  private static func short(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return "\(value)" }
    var (scaled, exponent) = (abs(value), 0)
    while scaled >= 10 { (scaled, exponent) = (scaled / 10, exponent + 1) }
    while scaled < 1 { (scaled, exponent) = (scaled * 10, exponent - 1) }
    let digits = (scaled * 100).rounded() / 100
    let sign = value < 0 ? "-" : ""
    if (-3...3).contains(exponent) {
      var power = 1.0
      for _ in 0..<abs(exponent) { power *= 10 }
      let plain = exponent < 0 ? digits / power : digits * power
      return "\(sign)\((plain * 1e5).rounded() / 1e5)"
    }
    return "\(sign)\(digits)e\(exponent)"
  }
}
