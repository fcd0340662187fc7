// Widths of texts, for laying out a figure before it is drawn. They are the widths of DejaVu Sans, one of the widest
// sans-serif typefaces, so that texts also fit in Arial, Helvetica, Noto or Roboto.

/// Widths of texts in a wide sans-serif typeface.
package enum TextMetrics {
  /// The line height relative to the font size, including ascenders and descenders.
  package static let lineHeight = 1.165

  /// Widths in thousandths of the font size, from space to tilde.
  private static let ascii: [Int16] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636,
    636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632,
    575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685,
    611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579,
    278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
  ]

  /// Returns the width of a single-line text, in the unit of the font size.
  package static func width(_ text: String, size: Double) -> Double {
    let thousandths = text.unicodeScalars.reduce(0) { sum, scalar in
      switch scalar.value {
      case 32...126: sum + Int(ascii[Int(scalar.value) - 32])
      // Combining marks have no width.
      case 0x300...0x36F: sum
      // An upper bound of the average width of Latin, Greek and Cyrillic letters and of symbols such as − and ×. Later
      // characters are as wide as they are high.
      case ..<0x1100, 0x2000..<0x2E80: sum + 840
      default: sum + 1100
      }
    }
    return Double(thousandths) / 1000 * size
  }

  /// Breaks a text at spaces into lines of at most `limit`.
  ///
  /// - Parameters:
  ///   - text: The text.
  ///   - size: The font size.
  ///   - limit: The maximum width of a line.
  ///   - most: The maximum number of lines; a truncated text ends with `…`.
  /// - Returns: The lines; none for an empty text.
  package static func lines(_ text: String, size: Double, limit: Double, most: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      let longer = line.isEmpty ? String(word) : line + " " + word
      if width(longer, size: size) <= limit || line.isEmpty {
        line = longer
      } else {
        lines.append(line)
        line = String(word)
      }
    }
    if !line.isEmpty { lines.append(line) }
    if lines.count > most {
      lines[most - 1] = lines[(most - 1)...].joined(separator: " ")
      lines = Array(lines[..<most])
    }
    return lines.map { shortened($0, size: size, limit: limit) }
  }

  /// Truncates a text to a width of at most `limit` and appends `…`.
  private static func shortened(_ text: String, size: Double, limit: Double) -> String {
    guard width(text, size: size) > limit else { return text }
    var result = text
    while !result.isEmpty, width(result + "…", size: size) > limit { result.removeLast() }
    return result + "…"
  }
}
