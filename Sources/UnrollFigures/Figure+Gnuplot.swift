// A figure as a gnuplot script and a table. The script is a fixed template with numbers, and with
// texts that are quoted; it reads the table from `../data/NAME.csv`, so that a person can restyle
// the figure for a paper without the program.
//
// Colours are Okabe and Ito's, which colour-blind eyes tell apart; lines differ in their dashes,
// too, for grey printing.

internal import UnrollContracts

/// A file format of pictures.
public enum PictureFormat: String, Sendable, CaseIterable {
  /// Scalable, for the screen.
  case svg
  /// Pixels, at twice the size.
  case png
  /// For print.
  case pdf

  /// The `set terminal` command for a figure's size.
  func terminal(_ size: (width: Int, height: Int)) -> String {
    let (width, height) = (size.width, size.height)
    return switch self {
    case .svg:
      "set terminal svg size \(width),\(height) font 'sans-serif,13' background '#ffffff' enhanced"
    case .png:
      "set terminal pngcairo size \(2 * width),\(2 * height) font 'Sans,13' fontscale 1.5 linewidth 2 pointscale 2 background '#ffffff' enhanced"
    case .pdf:
      "set terminal pdfcairo size \(inches(width)),\(inches(height)) font 'Sans,13' fontscale 0.62 enhanced"
    }
  }

  private func inches(_ pixels: Int) -> String { "\(Double(pixels) / 100)in" }
}

extension Figure {
  /// The file of the numbers, relative to the script's folder.
  private var table: String { "'../data/\(name).csv'" }

  /// The gnuplot script.
  ///
  /// Run alone, it draws the SVG.
  public var script: String {
    var lines = [
      "# \(name): run `gnuplot \(name).gp` in this folder; the numbers are in ../data/\(name).csv",
      "if (!exists('unroll_terminal')) {",
      "  \(PictureFormat.svg.terminal(size))",
      "  set output '\(name).svg'",
      "}",
      "set datafile separator ','",
      "set datafile missing 'nan'",
      "set border 3 linecolor '#444444'",
      "set tics nomirror out",
      "set grid ytics linecolor '#dddddd' linetype 1",
      "set key bmargin center horizontal samplen 3 spacing 1.2 reverse Left",
    ]
    for (index, style) in Self.lineStyles.enumerated() {
      lines.append(
        "set style line \(index + 1) linecolor '\(style.color)' dashtype \(style.dash) linewidth 2")
    }
    lines.append(
      "set multiplot layout \(rows),\(columns) title \(quoted(title)) font ',15' margins \(margins) spacing \(spacing)"
    )
    var firstColumn = 1
    for (index, panel) in panels.enumerated() {
      lines += commands(panel, index: index, firstColumn: firstColumn)
      firstColumn += panel.columns.count
    }
    return (lines + ["unset multiplot", ""]).joined(separator: "\n")
  }

  private static let lineStyles: [(color: String, dash: String)] = [
    ("#0072B2", "1"), ("#D55E00", "2"), ("#009E73", "4"), ("#CC79A7", "5"), ("#000000", "3"),
    ("#E69F00", "(18,4,4,4)"), ("#56B4E9", "(4,4)"),
  ]

  private var hasHeatMap: Bool {
    panels.contains { if case .heatMap = $0.content { true } else { false } }
  }

  /// Where a panel's axes are, as fractions of the picture from its lower left corner: for what is laid
  /// over the picture, such as places to click on.
  ///
  /// - Precondition: The figure has that panel.
  public func plotArea(ofPanel index: Int) -> (x: ClosedRange<Double>, y: ClosedRange<Double>) {
    require(panels.indices.contains(index), "Figure.plotArea: there is no panel \(index).")
    let (edges, gaps) = (marginFractions, spacingFractions)
    let width = (edges.right - edges.left - gaps.x * Double(columns - 1)) / Double(columns)
    let height = (edges.top - edges.bottom - gaps.y * Double(rows - 1)) / Double(rows)
    let left = edges.left + Double(index % columns) * (width + gaps.x)
    let top = edges.top - Double(index / columns) * (height + gaps.y)
    return (left...(left + width), (top - height)...top)
  }

  // Fractions of the picture: room for the title above, for labels left and below, and for a key
  // or a scale of colours.
  private var marginFractions: (left: Double, right: Double, bottom: Double, top: Double) {
    let left = 84.0 / Double(size.width)
    let right = 1 - (hasHeatMap ? 130.0 : 24.0) / Double(size.width)
    let bottom = (58.0 + 24.0 * Double(keyRows)) / Double(size.height)
    let top = 1 - (panels.contains { !$0.title.isEmpty } ? 70.0 : 48.0) / Double(size.height)
    return (left, right, bottom, top)
  }

  private var margins: String {
    let edges = marginFractions
    return "\(edges.left),\(edges.right),\(edges.bottom),\(edges.top)"
  }

  /// About how many rows the key beneath the panels takes.
  private var keyRows: Int {
    panels.map { panel in
      guard case .lines(let lines) = panel.content, lines.count > 1 else { return 0 }
      let widest = lines.map(\.title.count).max() ?? 0
      let perRow = max(1, (size.width / columns - 100) / (9 * widest + 80))
      return (lines.count + perRow - 1) / perRow
    }.max() ?? 0
  }

  private var spacingFractions: (x: Double, y: Double) {
    ((sharesVerticalAxis ? 36.0 : 90.0) / Double(size.width), 96.0 / Double(size.height))
  }

  private var spacing: String { "\(spacingFractions.x),\(spacingFractions.y)" }

  /// Whether panels in a row have one y axis, so that only the first needs its numbers.
  private var sharesVerticalAxis: Bool {
    columns > 1 && panels.allSatisfy { $0.y == panels[0].y && $0.y.range != nil }
  }

  private func commands(_ panel: Panel, index: Int, firstColumn: Int) -> [String] {
    var lines = ["", "# Panel \(index + 1)", "set title \(quoted(panel.title)) offset 0,-0.4"]
    lines += axis("x", panel.x)
    lines += axis("y", panel.y)
    if sharesVerticalAxis, index % columns != 0 {
      lines += ["set format y ''", "unset ylabel"]
    }
    lines.append(
      columns > 1 && !panel.x.isLogarithmic
        ? "set xtics \(panel.tickStep)" : "set xtics autofreq")
    lines.append("unset arrow")
    lines.append("unset label")
    for (number, level) in panel.levels.enumerated() {
      lines.append(
        "set arrow \(number + 1) from graph 0, first \(level.y) to graph 1, first \(level.y) nohead back linecolor '#888888' dashtype 3"
      )
      lines.append(
        "set label \(number + 1) \(quoted(level.label)) at graph 0.01, first \(level.y) offset 0,0.5 font ',11' textcolor '#555555'"
      )
    }
    switch panel.content {
    case .histogram:
      let (low, high, count) = (firstColumn, firstColumn + 1, firstColumn + 2)
      lines += [
        "set style fill solid 0.75 border linecolor '#ffffff'", "unset key",
        "plot \(table) skip 1 using (($\(low)+$\(high))/2):\(count):($\(high)-$\(low)) with boxes linecolor '#0072B2'",
      ]
    case .lines(let series):
      lines += plot(series, panel, firstColumn: firstColumn)
    case .heatMap(_, _, _, let colors):
      lines += [
        "unset key", "unset grid",
        // One scale of colours a row is enough where all panels share it.
        sharesVerticalAxis && index % columns != columns - 1 ? "unset colorbox" : "set colorbox",
        colors.isLogarithmic ? "set logscale cb" : "unset logscale cb",
        colors.range.map { "set cbrange [\($0.lowerBound):\($0.upperBound)]" }
          ?? "set cbrange [*:*]",
        colors.isLogarithmic ? "set format cb '10^{%L}'" : "set format cb '%g'",
        "set cblabel \(quoted(colors.label)) offset 1.5,0",
        // Light to dark, so that grey printing keeps the order.
        "set palette defined (0 '#fff7ec', 0.35 '#fdbb84', 0.65 '#b5367a', 1 '#120d31')",
        "plot \(table) skip 1 using \(firstColumn):\(firstColumn + 1):\(firstColumn + 2) with image pixels",
      ]
    }
    return lines
  }

  /// The lines of a panel; gnuplot refuses to plot none, so then a word stands in their place.
  private func plot(_ series: [Line], _ panel: Panel, firstColumn: Int) -> [String] {
    let plots = series.enumerated().compactMap { number, line -> String? in
      guard line.y.contains(where: { panel.y.isLogarithmic ? $0 > 0 : $0.isFinite }) else {
        return nil
      }
      let column = firstColumn + 2 * number
      let style = number % Self.lineStyles.count + 1
      // A style comes before what departs from it.
      let mark =
        line.x.count > 1 ? "lines linestyle \(style)" : "points linestyle \(style) pointtype 7"
      return
        "\(table) skip 1 using \(column):\(column + 1) with \(mark) title \(quoted(line.title))"
    }
    guard !plots.isEmpty else {
      let why = panel.y.isLogarithmic ? "no number is above 0" : "there are no numbers"
      return [
        "unset key", "set xrange [0:1]",
        "set label 99 \(quoted(why)) at graph 0.5, graph 0.5 center textcolor '#555555'",
        "plot NaN notitle",
      ]
    }
    return [
      series.count > 1 ? "set key" : "unset key",
      "plot \(plots.joined(separator: ", \\\n     "))",
    ]
  }

  private func axis(_ letter: String, _ axis: Axis) -> [String] {
    [
      axis.isLogarithmic ? "set logscale \(letter)" : "unset logscale \(letter)",
      axis.isLogarithmic && letter == "y"
        ? "set format \(letter) '10^{%L}'" : "set format \(letter) '%g'",
      axis.range.map { "set \(letter)range [\($0.lowerBound):\($0.upperBound)]" }
        ?? "set \(letter)range [*:*]",
      "set \(letter)label \(quoted(axis.label)) offset \(letter == "x" ? "0,0.3" : "0.3,0")",
    ]
  }

  /// A text as a gnuplot string; enhanced mode's own characters are taken literally.
  private func quoted(_ text: String) -> String {
    // Scalars: a quotation mark and what stands before or after it may be one character to Swift, but not
    // to gnuplot, which would run what follows.
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .lineSeparator, .paragraphSeparator: continue
      default: break
      }
      if "^_@&~{}\\".unicodeScalars.contains(scalar) { result.append("\\") }
      if scalar == "'" { result.append("'") }
      result.append(scalar)
    }
    return "'\(String(result))'"
  }

  /// The numbers as comma-separated values: a line of names, then rows; short columns end blank.
  public var csv: String {
    var names: [String] = []
    var columns: [[Double]] = []
    for (index, panel) in panels.enumerated() {
      for (name, numbers) in panel.columns {
        names.append(panels.count > 1 ? "\(name)_\(index + 1)" : name)
        columns.append(numbers)
      }
    }
    let rowCount = columns.map(\.count).max() ?? 0
    let rows = (0..<rowCount).map { row in
      columns.map { $0.count > row ? "\($0[row])" : "" }.joined(separator: ",")
    }
    return ([names.joined(separator: ",")] + rows).joined(separator: "\n") + "\n"
  }
}

extension Panel {
  /// A step of 1, 2 or 5 times a power of ten that leaves at most four numbers on a narrow axis.
  fileprivate var tickStep: Double {
    let numbers: [Double] =
      switch content {
      case .histogram(_, let edges): edges
      case .lines(let lines): lines.flatMap(\.x)
      case .heatMap(let x, _, _, _): x
      }
    let span = (numbers.max() ?? 1) - (numbers.min() ?? 0)
    guard span > 0, span.isFinite else { return 1 }
    var power = 1.0
    while power > span { power /= 10 }
    while power * 10 <= span { power *= 10 }
    return [0.2, 0.5, 1, 2, 5].map { $0 * power }.first { span / $0 <= 3.5 } ?? 5 * power
  }

  /// The numbers that are drawn, as columns with names.
  var columns: [(String, [Double])] {
    switch content {
    case .histogram(let counts, let edges):
      return [
        ("low", Array(edges.dropLast())), ("high", Array(edges.dropFirst())),
        ("count", counts.map { Double($0) }),
      ]
    case .lines(let lines):
      return lines.enumerated().flatMap { number, line in
        let name = lines.count > 1 ? "_\(Self.identifier(line.title, number))" : ""
        return [("x\(name)", line.x), ("y\(name)", drawable(line.y, y))]
      }
    case .heatMap(let xs, let ys, let values, let colors):
      // gnuplot's image wants an even grid: on a logarithmic axis that is one of exponents, which
      // the caller hands over as such.
      var columns: ([Double], [Double], [Double]) = ([], [], [])
      let floor = colors.range?.lowerBound ?? .leastNormalMagnitude
      for (row, y) in ys.enumerated() {
        for (column, x) in xs.enumerated() {
          columns.0.append(x)
          columns.1.append(y)
          let value = values[row][column]
          columns.2.append(colors.isLogarithmic ? max(value, floor) : value)
        }
      }
      return [("x", columns.0), ("y", columns.1), ("value", columns.2)]
    }
  }

  /// On a logarithmic axis what is not positive is missing.
  private func drawable(_ numbers: [Double], _ axis: Axis) -> [Double] {
    axis.isLogarithmic ? numbers.map { $0 > 0 ? $0 : .nan } : numbers
  }

  private static func identifier(_ title: String, _ number: Int) -> String {
    let letters = title.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
    let name = String(letters).split(separator: "_").joined(separator: "_")
    return name.isEmpty ? "\(number + 1)" : name
  }
}
