// Every text of a figure has a separate box: according to the layout, and as measured in a browser.

import Foundation
import Testing
import UnrollFigures
import UnrollTestSupport

@Suite("The layout of figures")
struct LayoutTests {
  /// The boxes of all texts, including tick labels, in pixels.
  private func boxes(of layout: FigureLayout) -> [(text: String, box: Box)] {
    var result = layout.title.map { ($0.text, $0.box) }
    let size = FigureMeasure.textSize
    for (panel, place) in zip(layout.figure.panels, layout.panels) {
      result += place.texts.map { ($0.text, $0.box) }
      for entry in place.key {
        result.append((entry.text.text, entry.text.box))
        result.append(("sample of \(entry.text.text)", entry.sample))
      }
      for tick in place.x.ticks where !tick.label.isEmpty {
        let x = place.plot.left + panel.x.position(tick.value, in: place.x.range) * place.plot.width
        let half = tick.width(size: size) / 2
        result.append(
          (
            "x \(tick.label)",
            Box(
              left: x - half, right: x + half, top: place.plot.bottom + 8,
              bottom: place.plot.bottom + FigureMeasure.numbersBelow)
          ))
      }
      for tick in place.y.ticks where !tick.label.isEmpty && place.hasVerticalNumbers {
        let y =
          place.plot.bottom - panel.y.position(tick.value, in: place.y.range) * place.plot.height
        let right = place.plot.left - 8
        result.append(
          (
            "y \(tick.label)",
            Box(left: right - tick.width(size: size), right: right, top: y - 8, bottom: y + 8)
          ))
      }
    }
    return result
  }

  @Test("Every text lies within the picture, and no two overlap")
  func places() {
    for figure in FigureGallery.all {
      let layout = FigureLayout(figure)
      let boxes = boxes(of: layout)
      for (index, (text, box)) in boxes.enumerated() {
        #expect(
          box.left >= 0 && box.top >= 0 && box.right <= layout.size.width
            && box.bottom <= layout.size.height, "\(figure.name): '\(text)' at \(box)")
        for (other, place) in boxes[(index + 1)...] {
          let width = min(box.right, place.right) - max(box.left, place.left)
          let height = min(box.bottom, place.bottom) - max(box.top, place.top)
          #expect(width < 1 || height < 1, "\(figure.name): '\(text)' overlaps '\(other)'")
        }
      }
      for panel in layout.panels { #expect(panel.plot.width >= 80 && panel.plot.height >= 80) }
    }
  }

  @Test("Every axis of bars has two numbers or more, which can be told apart")
  func twoNumbers() {
    for figure in FigureGallery.bars {
      for panel in FigureLayout(figure).panels {
        let labels = panel.x.ticks.map { "\($0.label)\($0.exponent.map(String.init) ?? "")" }
        let shown = labels.filter { !$0.isEmpty }
        #expect(shown.count >= 2 && Set(shown).count == shown.count, "\(figure.name): \(shown)")
      }
    }
  }

  @Test("Numbers that are too long to stand side by side count from one that the label names")
  func origin() {
    let ticks = Axis("norm").ticks(
      holding: [1.234567e-7, 1.234571e-7], length: 90, direction: .horizontal, size: 13,
      widens: false)
    #expect(ticks.label("norm") == "norm minus 1.234567×10⁻⁷")
    #expect(ticks.ticks.map(\.label) == ["0", "4×10"])
    #expect(ticks.ticks.map(\.exponent) == [nil, -13])
    let wide = Axis("norm").ticks(
      holding: [1.234567e-7, 1.234571e-7], length: 900, direction: .horizontal, size: 13,
      widens: false)
    #expect(wide.label("norm") == "norm" && wide.ticks.count == 5)
  }

  @Test("A figure whose texts have room keeps its size; a crowded one grows")
  func sizes() {
    let simple = FigureTests.figures[0]
    #expect(simple.drawnSize == simple.size)
    let crowded = FigureGallery.crowded.first { $0.name == "key-16-1" }
    #expect((crowded?.drawnSize.height ?? 0) > 300)
  }

  static let axes: [(axis: Axis, numbers: [Double], labels: [String])] = [
    (Axis("", range: 0...50), [], ["0", "10", "20", "30", "40", "50"]),
    (Axis(""), [0, 0.28], ["0", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]),
    (Axis(""), [-2e-7, 2e-7], ["−2×10^-7", "−1×10^-7", "0", "1×10^-7", "2×10^-7"]),
    (
      Axis(""), [1_000_000.001, 1_000_000.003],
      [
        "1.0000000010×10^6", "1.0000000015×10^6", "1.0000000020×10^6", "1.0000000025×10^6",
        "1.0000000030×10^6",
      ]
    ),
    (
      Axis("", isLogarithmic: true, range: 1e-12...1), [],
      ["10^-12", "10^-10", "10^-8", "10^-6", "10^-4", "10^-2", "10^0"]
    ),
    (Axis("", isLogarithmic: true), [0.25, 8], ["0.5", "1", "2", "5"]),
    (.whole(""), [0, 1], ["0", "1"]), (.whole(""), [0], ["−1", "0", "1"]),
    (.whole(""), [0, 49], ["0", "10", "20", "30", "40", "50"]),
    (.whole("", range: 0...2.1), [], ["0", "1", "2"]),
    (Axis("", isLogarithmic: true), [-1, 0], ["1", "2", "5", "10"]),
  ]

  @Test(
    "Numbers along an axis are round, and have as many digits as their distance needs",
    arguments: axes)
  func numbers(axis: Axis, numbers: [Double], labels: [String]) {
    let ticks = axis.ticks(
      holding: numbers, length: 170, direction: .vertical, size: 13, widens: true)
    let texts = ticks.ticks.filter { !$0.label.isEmpty }.map { tick in
      tick.label + (tick.exponent.map { "^\($0)" } ?? "")
    }
    #expect(texts == labels)
  }

  @Test("A text is broken at spaces, and cut with … where it cannot be")
  func lines() {
    let lines = TextMetrics.lines("one two three four", size: 10, limit: 60, most: 2)
    #expect(lines == ["one two", "three four"])
    let cut = TextMetrics.lines("unbreakableunbreakable more", size: 10, limit: 60, most: 1)
    #expect(cut.count == 1 && cut[0].hasSuffix("…"))
    #expect(TextMetrics.width(cut[0], size: 10) <= 60)
    #expect(TextMetrics.lines("", size: 10, limit: 60, most: 2).isEmpty)
  }

  @Test(
    "In a browser every text lies within its picture and no two overlap; no PNG is cut at its border",
    .needs(.gnuplot, .browser, .python))
  func measured() throws {
    try withFigureFiles(of: FigureGallery.all) { root in
      let gnuplot = try Gnuplot(folder: root + "/figures")
      for figure in FigureGallery.all {
        for format in PictureFormat.allCases { try gnuplot.draw(figure, as: format) }
      }
      let (status, output) = try runScript(
        "figure_texts.py", #require(preparedPython()), [root + "/figures"])
      #expect(status == 0, "\(String(decoding: output, as: UTF8.self).suffix(4000))")
    }
  }
}
