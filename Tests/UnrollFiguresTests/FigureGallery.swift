// Figures that could cause overlapping texts: many lines and panels, long words, and numbers that are large, small,
// negative, close together, single, or missing.

import UnrollFigures

enum FigureGallery {
  /// Data of lines, by name.
  static let numbers: [(name: String, values: [Double])] = [
    ("plain", [0, 1, 4, 9, 16]), ("negative", [-3, -1.5, 0, 2]), ("all-negative", [-2e-7, -1e-7]),
    ("close", [1_000_000.001, 1_000_000.002, 1_000_000.0035]), ("same", [5, 5, 5]),
    ("tiny", [1e-12, 2e-12, 1.7e-12]), ("huge", [1e200, 3e200]), ("largest", [-1.7e308, 1.7e308]),
    ("subnormal", [Double.leastNonzeroMagnitude, Double.leastNonzeroMagnitude * 2000]),
    ("decades", [1e-30, 1e-9, 1, 1e12]),
    ("all-decades", [1e-300, 1e300]), ("narrow", [2.1e-3, 2.9e-3]), ("one", [42]), ("zero", [0]),
    ("zeros", [0, 0]), ("none", []), ("nan", [.nan, .nan]), ("some-nan", [1, .nan, 3]),
    ("infinite", [1, .infinity, 3]), ("ulp", [1, 1.0000000000000002]),
    ("thousands", [12_345, 98_765, 54_321]), ("step", [0, 0.05, 0.1]),
  ]

  static let words = "a label that is much longer than the axis beside which it has to find a place"

  /// One figure for each kind of data, linear and logarithmic.
  static var lines: [Figure] {
    numbers.flatMap { name, values in
      [false, true].map { isLogarithmic in
        let x = values.indices.map { Double($0) }
        return Figure(
          name: "lines-\(name)-\(isLogarithmic ? "log" : "linear")",
          title: "lines of \(name) numbers",
          columns: 2,
          panels: [
            Panel(
              title: "against the step", x: Axis("step t"),
              y: Axis("value", isLogarithmic: isLogarithmic),
              content: .lines([
                Line("first", x: x, y: values), Line("second", x: x, y: values.map { $0 / 2 }),
              ]),
              levels: [
                Level(1e-3, "vanishes below"), Level(1e-3, "again"), Level(100, "explodes above"),
              ]),
            Panel(
              title: "the other way", x: Axis("value", isLogarithmic: isLogarithmic),
              y: Axis("step t"), content: .lines([Line("first", x: values, y: x)])),
          ], size: (900, 420))
      }
    }
  }

  /// Long texts, many lines, many panels, small pictures.
  static var crowded: [Figure] {
    var figures: [Figure] = []
    for count in [1, 2, 5, 7, 16] {
      for (index, size) in [(width: 900, height: 520), (width: 380, height: 300)].enumerated() {
        let lines = (1...count).map {
          Line("100·random \($0) − random \($0 + 1)", x: [0, 1, 2], y: [1, 2, Double($0)])
        }
        figures.append(
          Figure(
            name: "key-\(count)-\(index)", title: words + " " + words,
            panels: [
              Panel(
                title: words, x: Axis(words), y: Axis(words + " " + words), content: .lines(lines))
            ], size: size))
      }
    }
    for (rows, columns) in [(1, 5), (2, 3), (3, 4), (6, 1)] {
      for isShared in [false, true] {
        figures.append(
          Figure(
            name: "bars-\(rows)-\(columns)-\(isShared ? "shared" : "own")", title: "bars",
            rows: rows, columns: columns,
            panels: (0..<(rows * columns)).map { index in
              Panel(
                title: "initial state: as-left, panel \(index)", x: Axis("gradient norm"),
                y: Axis("sequences", range: isShared ? 0...105 : nil),
                content: .histogram(
                  counts: [100, 40, 20, 0, 1],
                  edges: (0...5).map { 1.234e-7 * (Double($0) + 1) * Double(index + 1) }))
            }, size: (320 * columns, 300 * rows)))
      }
    }
    figures += bars
    for isLogarithmic in [false, true] {
      figures.append(
        Figure(
          name: "map-\(isLogarithmic ? "log" : "linear")", title: "where memory vanishes",
          columns: 2,
          panels: (0..<2).map { index in
            Panel(
              title: "map \(index)", x: Axis("step t", range: -0.5...2.5),
              y: Axis("log2 of the scale", range: -2...3),
              content: .heatMap(
                x: [0, 1, 2], y: [-1.5, 0.5, 2.5],
                values: [[1, 2, 3], [1e-9, 0, 5], [1e4, 1, 1]],
                colors: Axis(
                  "median", isLogarithmic: isLogarithmic, range: isLogarithmic ? 1e-8...1e2 : nil)),
              levels: [Level(2.95, "here")])
          }, size: (1000, 460)))
    }
    for hiddenSize in [1, 2, 8, 64] {
      let count = min(hiddenSize, 5)
      figures.append(
        Figure(
          name: "values-\(hiddenSize)", title: "GRU (reset after), scale 2.0: singular values",
          columns: 2,
          panels: [
            Panel(
              title: "singular values of ds_t/ds_0", x: Axis("step t"),
              y: .decades("singular value", holding: [1e-30, 2], floor: 1e-30),
              content: .lines(
                (1...count).map {
                  Line("value \($0) of \(hiddenSize)", x: [1, 500, 1000], y: [1, 1e-9, 1e-30])
                })),
            Panel(
              title: "one step", x: Axis("step t"), y: Axis("spectral radius", range: 0...1.05),
              content: .lines([Line("of ds_t/ds_(t-1)", x: [1, 1000], y: [0.2, 0.9])]),
              levels: [Level(1, "1")]),
          ], size: (1000, 440)))
    }
    return figures
  }

  /// Edges of histograms, by name; nearly equal numbers have the longest labels.
  static let bins: [(name: String, low: Double, high: Double)] = [
    ("close", 1.234567e-7, 1.234571e-7), ("root", 1.232050895690918, 2.232050895690918),
    ("float", 1.7320507764816284, 1.7320510149002075), ("double", 0.123456789, 0.123456791),
    ("large", 37_569.97, 37_570.03), ("huge", 1.23456e38, 1.23458e38), ("zero", -0.5, 0.5),
    ("negative", -1.000002, -1.000001), ("wide", 0, 1.0e38), ("tiny", 1.4e-45, 2.8e-45),
  ]

  /// Histograms in a row with a common vertical axis, for wide and narrow screens.
  static var bars: [Figure] {
    bins.flatMap { name, low, high in
      let figure = Figure(
        name: "bins-\(name)", title: "RNN, scale 1: gradient of the sum of state 30", columns: 3,
        panels: ["as-left", "zero", "random"].map { state in
          Panel(
            title: "initial state: \(state)", x: Axis("gradient norm"),
            y: Axis("sequences", range: 0...2.1),
            content: .histogram(
              counts: [1] + Array(repeating: 0, count: 18) + [1],
              edges: (0...20).map { low + (high - low) * Double($0) / 20 }))
        }, size: (960, 400))
      return [figure, figure.narrow()]
    }
  }

  static var all: [Figure] { lines + crowded }
}
