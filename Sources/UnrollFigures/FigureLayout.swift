// Computes the positions of all elements of a figure, in pixels from the upper left corner. Every text gets a separate
// box of its size, so that no text is clipped or overlaps another. gnuplot only draws.
//
//   row:  title of each panel                  column:  label | numbers | plot | scale of colours
//         plot
//         numbers
//         label
//         key

/// A box in pixels; y increases downwards.
package struct Box: Equatable {
  package var left: Double
  package var right: Double
  package var top: Double
  package var bottom: Double

  package init(left: Double, right: Double, top: Double, bottom: Double) {
    (self.left, self.right, self.top, self.bottom) = (left, right, top, bottom)
  }

  package var width: Double { right - left }
  package var height: Double { bottom - top }
  package var middle: (x: Double, y: Double) { ((left + right) / 2, (top + bottom) / 2) }
}

/// A line of text and its box.
package struct PlacedText: Equatable {
  package var text: String
  package var box: Box
  package var size: Double
  /// Whether the text runs from bottom to top.
  package var isVertical = false
  /// Whether the text is left-aligned; otherwise it is centred.
  package var startsLeft = false
}

/// An entry of a key.
package struct PlacedEntry: Equatable {
  /// The index of the line in the panel.
  package var line: Int
  /// The box of the line's sample.
  package var sample: Box
  package var text: PlacedText
}

/// The layout of a panel.
package struct PanelLayout: Equatable {
  package var plot = Box(left: 0, right: 1, top: 0, bottom: 1)
  package var x = Ticks(range: 0...1, ticks: [])
  package var y = Ticks(range: 0...1, ticks: [])
  /// Whether the vertical axis has tick labels and an axis label; otherwise the first panel of the row has them.
  package var hasVerticalNumbers = true
  package var texts: [PlacedText] = []
  package var key: [PlacedEntry] = []
  /// The colour scale.
  package var colors: (box: Box, ticks: Ticks)?

  package static func == (a: PanelLayout, b: PanelLayout) -> Bool {
    a.plot == b.plot && a.x == b.x && a.y == b.y && a.texts == b.texts && a.key == b.key
      && a.hasVerticalNumbers == b.hasVerticalNumbers && a.colors?.box == b.colors?.box
      && a.colors?.ticks == b.colors?.ticks
  }
}

/// Dimensions in pixels that do not depend on texts.
package enum FigureMeasure {
  package static let border = 10.0
  package static let titleSize = 15.0
  package static let textSize = 13.0
  package static let titleLine = 20.0
  package static let line = 17.0
  /// The distance from the axis to the tick labels.
  package static let tickGap = 15.0
  /// The distance from the horizontal axis to the lower edge of its tick labels.
  package static let numbersBelow = 32.0
  package static let keyLine = 20.0
  package static let keySample = 44.0
  package static let keyGap = 18.0
  package static let colorBar = 14.0
  /// The distance from the colour scale to its label, without the tick labels.
  package static let colorTickGap = 23.0
  package static let leastPlot = (width: 90.0, height: 110.0)
}

/// The layout of a figure.
package struct FigureLayout {
  private typealias Measure = FigureMeasure

  package let figure: Figure
  /// The size of the image: that of the figure, or larger if its texts need more space.
  package private(set) var size: (width: Double, height: Double)
  package private(set) var title: [PlacedText] = []
  package private(set) var panels: [PanelLayout] = []

  /// The size of a plot after subtracting the space for texts; computed iteratively.
  private var plotSize: (width: Double, height: Double)

  package init(_ figure: Figure) {
    self.figure = figure
    let (rows, columns) = (Double(max(1, figure.rows)), Double(max(1, figure.columns)))
    size = (Double(figure.size.width), Double(figure.size.height))
    plotSize = (max(40, size.width / columns - 90), max(40, size.height / rows - 100))
    // The tick labels depend on the size of the plot, and that on the size of the labels. Most layouts converge in a
    // few rounds; after four, plots may only shrink, so that labels never overlap.
    for round in 0..<24 {
      let last = plotSize
      place(mayGrow: round < 4)
      if plotSize == last { break }
    }
  }

  /// Whether all panels of a row have the same vertical axis, so that only the first needs labels.
  private var sharesVerticalAxis: Bool {
    guard figure.columns > 1, let first = figure.panels.first else { return false }
    return figure.panels.allSatisfy { $0.y == first.y && $0.y.range != nil }
  }

  // MARK: - Placement

  private mutating func place(mayGrow: Bool) {
    let rows = max(1, figure.rows)
    let columns = max(1, figure.columns)
    let drafts = figure.panels.enumerated().map { draft($1, index: $0) }
    func column(_ index: Int) -> [Draft] {
      drafts.indices.filter { $0 % columns == index }.map { drafts[$0] }
    }
    func row(_ index: Int) -> [Draft] {
      drafts.indices.filter { $0 / columns == index }.map { drafts[$0] }
    }
    let lefts = (0..<columns).map { column($0).map(\.left).max() ?? Measure.border }
    let rights = (0..<columns).map { column($0).map(\.right).max() ?? Measure.border }
    let aboves = (0..<rows).map { row($0).map(\.above).max() ?? 0 }
    let belows = (0..<rows).map { row($0).map(\.below).max() ?? 0 }

    let titleWidth = size.width - 2 * Measure.border
    let titleLines = TextMetrics.lines(
      figure.title, size: Measure.titleSize, limit: titleWidth, most: 3)
    let top = Measure.border + Double(titleLines.count) * Measure.titleLine + 4

    // Enlarge the figure if the texts leave too little space.
    let widthLeft = size.width - lefts.reduce(0, +) - rights.reduce(0, +) - 2 * Measure.border
    let heightLeft = size.height - top - aboves.reduce(0, +) - belows.reduce(0, +) - Measure.border
    let last = mayGrow ? (width: Double.infinity, height: Double.infinity) : plotSize
    plotSize = (
      max(Measure.leastPlot.width, min(last.width, widthLeft / Double(columns))),
      max(Measure.leastPlot.height, min(last.height, heightLeft / Double(rows)))
    )
    size.width += max(0, (plotSize.width * Double(columns) - widthLeft).rounded(.up))
    size.height += max(0, (plotSize.height * Double(rows) - heightLeft).rounded(.up))

    title = titleLines.enumerated().map { index, text in
      let y = Measure.border + Double(index) * Measure.titleLine
      return PlacedText(
        text: text,
        box: box(
          of: text, size: Measure.titleSize, x: size.width / 2, y: y + Measure.titleLine / 2),
        size: Measure.titleSize)
    }
    var y = top
    panels = []
    for rowIndex in 0..<rows {
      y += aboves[rowIndex]
      var x = Measure.border
      for columnIndex in 0..<columns {
        let index = rowIndex * columns + columnIndex
        x += lefts[columnIndex]
        if index < drafts.count {
          let plot = Box(
            left: x, right: x + plotSize.width, top: y, bottom: y + plotSize.height)
          let cell = (
            left: x - lefts[columnIndex], right: x + plotSize.width + rights[columnIndex]
          )
          panels.append(placed(drafts[index], figure.panels[index], plot: plot, cell: cell))
        }
        x += plotSize.width + rights[columnIndex]
      }
      y += plotSize.height + belows[rowIndex]
    }
  }

  /// The texts of a panel, and the space that they need around the plot.
  private struct Draft {
    var x: Ticks
    var y: Ticks
    var colors: Ticks?
    var hasVerticalNumbers: Bool
    var title: [String]
    var xLabel: [String]
    var yLabel: [String]
    var colorLabel: [String]
    var key: [(line: Int, text: String)]
    var keyColumns: Int
    var keyWidth: Double
    var left: Double
    var right: Double
    var above: Double
    var below: Double
  }

  private func draft(_ panel: Panel, index: Int) -> Draft {
    let (width, height) = plotSize
    let size = Measure.textSize
    let column = index % max(1, figure.columns)
    let x = panel.x.ticks(
      holding: panel.xs, length: width, direction: .horizontal, size: size, widens: false)
    let y = panel.y.ticks(
      holding: panel.ys, length: height, direction: .vertical, size: size, widens: true)
    let hasNumbers = !sharesVerticalAxis || column == 0
    let yLabel =
      hasNumbers
      ? TextMetrics.lines(y.label(panel.y.label), size: size, limit: height, most: 3) : []
    var left = 14.0
    if hasNumbers {
      left = Double(yLabel.count) * Measure.line + y.width(size: size) + Measure.tickGap + 4
    }
    // Tick labels extend beyond the ends of their axis, and need a distance from those of the next panel.
    let reach = reach(of: x, along: panel.x, width: width)
    left = max(left, reach.left + 8)
    var right = reach.right + 8
    var colors: Ticks?
    var colorLabel: [String] = []
    if case .heatMap(_, _, let values, let axis) = panel.content {
      // One colour scale per row is sufficient if all panels share the vertical axis.
      if !sharesVerticalAxis || column == figure.columns - 1 || index == figure.panels.count - 1 {
        let ticks = axis.ticks(
          holding: values.flatMap(\.self), length: height, direction: .vertical, size: size,
          widens: false)
        colorLabel = TextMetrics.lines(ticks.label(axis.label), size: size, limit: height, most: 2)
        right = max(
          right,
          12 + Measure.colorBar + Measure.colorTickGap + ticks.width(size: size)
            + Double(colorLabel.count) * Measure.line + 4)
        colors = ticks
      }
    }
    // A title may be as wide as the panel below it.
    let limit = width + 2 * min(left, right) - 8
    let title = TextMetrics.lines(panel.title, size: size, limit: limit, most: 3)
    let xLabel = TextMetrics.lines(
      x.label(panel.x.label), size: size, limit: limit, most: x.origin == nil ? 2 : 3)
    let key = keyTexts(panel, limit: width + left + right - Measure.keySample - 12)
    let entry =
      (key.map { TextMetrics.width($0.text, size: size) }.max() ?? 0) + Measure.keySample
      + Measure.keyGap
    let keyColumns = max(1, Int((width + left + right + Measure.keyGap - 8) / entry))
    let keyRows = (key.count + keyColumns - 1) / keyColumns
    return Draft(
      x: x, y: y, colors: colors, hasVerticalNumbers: hasNumbers, title: title, xLabel: xLabel,
      yLabel: yLabel, colorLabel: colorLabel, key: key, keyColumns: keyColumns, keyWidth: entry,
      left: left, right: right,
      above: (title.isEmpty ? 12 : Double(title.count) * Measure.line + 8),
      below: Measure.numbersBelow + Double(xLabel.count) * Measure.line + 4
        + (keyRows == 0 ? 0 : Double(keyRows) * Measure.keyLine + 6) + 6)
  }

  /// Returns how far the tick labels of a horizontal axis extend beyond its ends.
  private func reach(
    of ticks: Ticks, along axis: Axis, width: Double
  ) -> (left: Double, right: Double) {
    ticks.ticks.filter { !$0.label.isEmpty }.reduce((left: 0, right: 0)) { reach, tick in
      let half = tick.width(size: Measure.textSize) / 2
      let place = axis.position(tick.value, in: ticks.range) * width
      return (max(reach.left, half - place), max(reach.right, place + half - width))
    }
  }

  /// Returns the entries of the key: visible lines, if there are several.
  private func keyTexts(_ panel: Panel, limit: Double) -> [(line: Int, text: String)] {
    guard case .lines(let lines) = panel.content, lines.count > 1 else { return [] }
    return lines.enumerated().compactMap { index, line in
      guard !line.title.isEmpty, panel.draws(line) else { return nil }
      let text = TextMetrics.lines(line.title, size: Measure.textSize, limit: limit, most: 1)
      return (index, text.first ?? "")
    }
  }

  /// Returns the layout of a panel around its plot.
  private func placed(
    _ draft: Draft, _ panel: Panel, plot: Box, cell: (left: Double, right: Double)
  ) -> PanelLayout {
    let size = Measure.textSize
    var layout = PanelLayout(
      plot: plot, x: draft.x, y: draft.y, hasVerticalNumbers: draft.hasVerticalNumbers)
    var texts: [PlacedText] = []
    func add(_ lines: [String], firstAt y: Double) {
      for (index, line) in lines.enumerated() {
        // As close to the centre of the plot as the cell permits.
        let half = TextMetrics.width(line, size: size) / 2
        let x = min(max(plot.middle.x, cell.left + half), max(cell.left + half, cell.right - half))
        texts.append(
          PlacedText(
            text: line,
            box: box(
              of: line, size: size, x: x, y: y + (Double(index) + 0.5) * Measure.line), size: size))
      }
    }
    func addVertical(_ lines: [String], firstAt x: Double) {
      for (index, line) in lines.enumerated() {
        let middle = x + (Double(index) + 0.5) * Measure.line
        let half = TextMetrics.width(line, size: size) / 2
        let y = plot.middle.y
        texts.append(
          PlacedText(
            text: line,
            box: Box(
              left: middle - Measure.line / 2, right: middle + Measure.line / 2, top: y - half,
              bottom: y + half), size: size, isVertical: true))
      }
    }
    add(draft.title, firstAt: plot.top - 4 - Double(draft.title.count) * Measure.line)
    add(draft.xLabel, firstAt: plot.bottom + Measure.numbersBelow)
    addVertical(
      draft.yLabel,
      firstAt: plot.left - Measure.tickGap - draft.y.width(size: size) - 4
        - Double(draft.yLabel.count) * Measure.line)
    if let ticks = draft.colors {
      let bar = Box(
        left: plot.right + 12, right: plot.right + 12 + Measure.colorBar, top: plot.top,
        bottom: plot.bottom)
      layout.colors = (bar, ticks)
      addVertical(
        draft.colorLabel, firstAt: bar.right + Measure.colorTickGap + ticks.width(size: size))
    }
    texts += levelTexts(panel, draft.y, plot)
    layout.texts = texts
    layout.key = key(
      draft, plot: plot, cell: cell,
      top: plot.bottom + Measure.numbersBelow + Double(draft.xLabel.count) * Measure.line + 8)
    return layout
  }

  /// Arranges the key in rows below the panel.
  private func key(
    _ draft: Draft, plot: Box, cell: (left: Double, right: Double), top: Double
  ) -> [PlacedEntry] {
    let columns = min(draft.keyColumns, max(1, draft.key.count))
    let width = Double(columns) * draft.keyWidth - Measure.keyGap
    let left = min(
      max(plot.middle.x - width / 2, cell.left), max(cell.left, cell.right - width))
    return draft.key.enumerated().map { index, entry in
      let x = left + Double(index % columns) * draft.keyWidth
      let y = top + (Double(index / columns) + 0.5) * Measure.keyLine
      let textLeft = x + Measure.keySample
      return PlacedEntry(
        line: entry.line,
        sample: Box(left: x, right: textLeft - 8, top: y, bottom: y),
        text: PlacedText(
          text: entry.text,
          box: Box(
            left: textLeft,
            right: textLeft + TextMetrics.width(entry.text, size: Measure.textSize),
            top: y - Measure.line / 2, bottom: y + Measure.line / 2),
          size: Measure.textSize, startsLeft: true))
    }
  }

  /// Places the labels of levels above their line, or below it at the upper end of the plot.
  ///
  /// A label that would overlap another is moved to the right.
  private func levelTexts(_ panel: Panel, _ y: Ticks, _ plot: Box) -> [PlacedText] {
    let size = 11.0
    var result: [PlacedText] = []
    for level in panel.levels where !level.label.isEmpty {
      let share = panel.y.position(level.y, in: y.range)
      guard share >= 0, share <= 1 else { continue }
      guard
        let text = TextMetrics.lines(level.label, size: size, limit: plot.width - 12, most: 1).first
      else { continue }
      let line = plot.bottom - share * plot.height
      let middle = line - 9 >= plot.top + 7 ? line - 9 : line + 9
      let width = TextMetrics.width(text, size: size)
      var left = plot.left + 6
      func overlaps(_ other: PlacedText) -> Bool {
        abs(other.box.middle.y - middle) < 15 && other.box.left < left + width + 8
          && left < other.box.right + 8
      }
      while let other = result.first(where: overlaps) { left = other.box.right + 9 }
      guard left + width <= plot.right else { continue }
      result.append(
        PlacedText(
          text: text,
          box: Box(left: left, right: left + width, top: middle - 7, bottom: middle + 7),
          size: size, startsLeft: true))
    }
    return result
  }

  private func box(of text: String, size: Double, x: Double, y: Double) -> Box {
    let half = (TextMetrics.width(text, size: size) / 2, size * TextMetrics.lineHeight / 2)
    return Box(left: x - half.0, right: x + half.0, top: y - half.1, bottom: y + half.1)
  }
}
