// Renders a figure as a gnuplot script and a table. The script is a fixed template with numbers and quoted texts. It
// reads the table from `../data/NAME.csv`, so that a figure can be restyled without the program.
//
// The colours are the colour-blind-safe palette of Okabe and Ito; lines also differ in their dashes, for greyscale
// printing.

internal import UnrollContracts

/// An image format.
public enum PictureFormat: String, Sendable, CaseIterable {
  /// A vector format for the screen.
  case svg
  /// A bitmap at twice the size.
  case png
  /// A vector format for print.
  case pdf

  /// Returns the `set terminal` command for a figure's size.
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
  /// The path of the table, relative to the script's folder.
  private var table: String { "'../data/\(name).csv'" }

  /// The size of the image in pixels: `size`, or larger if the texts need more space.
  public var drawnSize: (width: Int, height: Int) { Self.whole(FigureLayout(self).size) }

  private static func whole(_ size: (width: Double, height: Double)) -> (width: Int, height: Int) {
    (Int(size.width.rounded(.up)), Int(size.height.rounded(.up)))
  }

  /// Returns the position of a panel's axes as fractions of the image, from the lower left corner, for overlays such as
  /// clickable areas.
  ///
  /// - Precondition: The figure has that panel.
  public func plotArea(ofPanel index: Int) -> (x: ClosedRange<Double>, y: ClosedRange<Double>) {
    require(panels.indices.contains(index), "Figure.plotArea: there is no panel \(index).")
    let layout = FigureLayout(self)
    let (plot, size) = (layout.panels[index].plot, layout.size)
    return (
      (plot.left / size.width)...(plot.right / size.width),
      (1 - plot.bottom / size.height)...(1 - plot.top / size.height)
    )
  }

  /// The gnuplot script.
  ///
  /// When run by itself, it draws the SVG. Every text has an explicit position.
  public var script: String {
    let layout = FigureLayout(self)
    var lines = [
      "# \(name): run `gnuplot \(name).gp` in this folder; the numbers are in ../data/\(name).csv",
      "if (!exists('unroll_terminal')) {",
      "  \(PictureFormat.svg.terminal(Self.whole(layout.size)))",
      "  set output '\(name).svg'",
      "}",
      "set encoding utf8",
      "set datafile separator ','",
      "set datafile missing 'nan'",
      "set border 3 linecolor '#444444'",
      "set tics nomirror out scale 0.6",
      "unset key",
      // The SVG terminal places tick labels lower than the other terminals do.
      "unroll_lift = (GPVAL_TERM eq 'svg') ? 0.25 : -0.1",
    ]
    for (index, style) in Self.lineStyles.enumerated() {
      lines.append(
        "set style line \(index + 1) linecolor '\(style.color)' dashtype \(style.dash) linewidth 2")
    }
    lines.append("set multiplot")
    lines += layout.title.enumerated().map { label($0 + 1, $1, in: layout, color: "#000000") }
    var firstColumn = 1
    for (index, panel) in panels.enumerated() {
      lines += commands(panel, layout, index: index, firstColumn: firstColumn)
      firstColumn += panel.columns.count
    }
    return (lines + ["unset multiplot", ""]).joined(separator: "\n")
  }

  private static let lineStyles: [(color: String, dash: String)] = [
    ("#0072B2", "1"), ("#D55E00", "2"), ("#009E73", "4"), ("#CC79A7", "5"), ("#000000", "3"),
    ("#E69F00", "(18,4,4,4)"), ("#56B4E9", "(4,4)"),
  ]

  // MARK: - Places

  private func screen(_ x: Double, _ y: Double, in layout: FigureLayout) -> String {
    "screen \(x / layout.size.width), screen \(1 - y / layout.size.height)"
  }

  /// Returns the command for a text at its position.
  private func label(
    _ number: Int, _ text: PlacedText, in layout: FigureLayout, color: String
  ) -> String {
    let (middle, left) = (text.box.middle, text.box.left)
    let place = screen(text.startsLeft ? left : middle.x, middle.y, in: layout)
    let turn = text.isVertical ? " rotate by 90" : ""
    return
      "set label \(number) \(quoted(text.text)) at \(place) \(text.startsLeft ? "left" : "center")\(turn) front font ',\(Int(text.size))' textcolor '\(color)'"
  }

  /// Returns the tick commands of an axis with computed positions; `isBare` omits marks and lines.
  private func numbers(_ ticks: Ticks, isBare: Bool = false) -> String {
    let list = ticks.ticks.map { tick -> String in
      guard !tick.label.isEmpty else { return "'' \(tick.value) 1" }
      if isBare { return "'' \(tick.value)" }
      let power = tick.exponent.map { "^{\(Tick.text($0))}" } ?? ""
      let text = quoted(tick.label).dropLast() + power + "'"
      return "\(text) \(tick.value)"
    }
    return "(\(list.joined(separator: ", ")))"
  }

  private func axis(_ letter: String, _ axis: Axis, _ ticks: Ticks) -> [String] {
    [
      axis.isLogarithmic ? "set logscale \(letter)" : "unset logscale \(letter)",
      "set \(letter)range [\(ticks.range.lowerBound):\(ticks.range.upperBound)] noextend",
    ]
  }

  // MARK: - Panels

  private func commands(
    _ panel: Panel, _ layout: FigureLayout, index: Int, firstColumn: Int
  ) -> [String] {
    let place = layout.panels[index]
    let plot = place.plot
    let (width, height) = layout.size
    var lines = [
      "", "# Panel \(index + 1)",
      "set lmargin at screen \(plot.left / width)", "set rmargin at screen \(plot.right / width)",
      "set tmargin at screen \(1 - plot.top / height)",
      "set bmargin at screen \(1 - plot.bottom / height)",
    ]
    lines += axis("x", panel.x, place.x) + axis("y", panel.y, place.y)
    lines += [
      "unset mxtics", "unset mytics", "set xtics \(numbers(place.x)) offset 0,unroll_lift",
      "set ytics \(numbers(place.y, isBare: !place.hasVerticalNumbers))",
      "set grid ytics linecolor '#dddddd' linetype 1",
    ]
    if index > 0 { lines += ["unset label", "unset arrow"] }
    for (number, text) in place.texts.enumerated() {
      lines.append(
        label(number + 11, text, in: layout, color: text.size < 12 ? panel.levelColor : "#000000"))
    }
    for (number, level) in panel.levels.enumerated()
    where (0...1).contains(panel.y.position(level.y, in: place.y.range)) {
      lines.append(
        "set arrow \(number + 1) from graph 0, first \(level.y) to graph 1, first \(level.y) nohead \(panel.isHeatMap ? "front" : "back") linecolor '\(panel.levelColor)' dashtype 3"
      )
    }
    switch panel.content {
    case .histogram:
      let (low, high, count) = (firstColumn, firstColumn + 1, firstColumn + 2)
      lines += [
        "set style fill solid 0.75 border linecolor '#ffffff'",
        "plot \(table) skip 1 using (($\(low)+$\(high))/2):\(count):($\(high)-$\(low)) with boxes linecolor '#0072B2'",
      ]
    case .lines(let series):
      lines += key(place, series, in: layout)
      lines += plotLines(series, panel, place, in: layout, firstColumn: firstColumn)
    case .heatMap(_, _, _, let colors):
      lines += [
        "unset grid", colorBox(place, in: layout),
        colors.isLogarithmic ? "set logscale cb" : "unset logscale cb",
        // The palette is monotonic in lightness, for greyscale printing.
        "set palette defined (0 '#fff7ec', 0.35 '#fdbb84', 0.65 '#b5367a', 1 '#120d31')",
      ]
      if let colors = place.colors?.ticks {
        lines.append("unset mcbtics")
        lines.append("set cbtics \(numbers(colors)) scale 0.5")
      }
      let range = place.colors?.ticks.range ?? colors.range
      lines.append(
        range.map { "set cbrange [\($0.lowerBound):\($0.upperBound)]" } ?? "set cbrange [*:*]")
      lines.append(
        "plot \(table) skip 1 using \(firstColumn):\(firstColumn + 1):\(firstColumn + 2) with image pixels"
      )
    }
    return lines
  }

  private func colorBox(_ place: PanelLayout, in layout: FigureLayout) -> String {
    guard let box = place.colors?.box else { return "unset colorbox" }
    let (width, height) = layout.size
    return
      "set colorbox user origin \(screen(box.left, box.bottom, in: layout)) size screen \(box.width / width), screen \(box.height / height)"
  }

  /// Returns the commands for the key: a sample and a text for each line.
  private func key(_ place: PanelLayout, _ series: [Line], in layout: FigureLayout) -> [String] {
    place.key.enumerated().flatMap { number, entry in
      let style = entry.line % Self.lineStyles.count + 1
      let (a, b) = (entry.sample.left, entry.sample.right)
      let y = entry.sample.top
      let sample =
        series[entry.line].x.count > 1
        ? "set arrow \(number + 101) from \(screen(a, y, in: layout)) to \(screen(b, y, in: layout)) nohead front linestyle \(style)"
        : "set label \(number + 201) '' at \(screen((a + b) / 2, y, in: layout)) front point linestyle \(style) pointtype 7"
      return [sample, label(number + 101, entry.text, in: layout, color: "#000000")]
    }
  }

  /// Returns the plot command for lines; gnuplot cannot plot an empty list, so a text is shown instead.
  private func plotLines(
    _ series: [Line], _ panel: Panel, _ place: PanelLayout, in layout: FigureLayout,
    firstColumn: Int
  ) -> [String] {
    let plots = series.enumerated().compactMap { number, line -> String? in
      guard panel.draws(line) else { return nil }
      let column = firstColumn + 2 * number
      let style = number % Self.lineStyles.count + 1
      // The line style must precede overrides of its properties.
      let mark =
        line.x.count > 1 ? "lines linestyle \(style)" : "points linestyle \(style) pointtype 7"
      return "\(table) skip 1 using \(column):\(column + 1) with \(mark)"
    }
    guard !plots.isEmpty else {
      let why = panel.y.isLogarithmic ? "no number is above 0" : "there are no numbers"
      let middle = place.plot.middle
      return [
        "set label 99 \(quoted(why)) at \(screen(middle.x, middle.y, in: layout)) center front font ',13' textcolor '#555555'",
        "plot NaN notitle",
      ]
    }
    return ["plot \(plots.joined(separator: ", \\\n     "))"]
  }

  /// Quotes a text as a gnuplot string, and escapes the characters of enhanced mode.
  private func quoted(_ text: String) -> String {
    // Escape scalars: Swift can merge a quotation mark with a combining character, but gnuplot would end the string
    // there and execute the rest.
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
}

extension Panel {
  fileprivate var isHeatMap: Bool { if case .heatMap = content { true } else { false } }

  /// The colour of levels, visible also on the darkest colour of a heat map.
  fileprivate var levelColor: String { isHeatMap ? "#00a2ff" : "#555555" }
}
