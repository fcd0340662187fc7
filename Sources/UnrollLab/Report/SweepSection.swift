// The report section on a sweep over scales.

internal import RealModule
internal import Unroll
internal import UnrollFigures
internal import UnrollFormats

extension ScaleSweepResult {
  /// Returns the section "Play with the scale": memory and gradient at many scales.
  public func section(name: String = "sweep") -> LabReport.Section {
    let scales = points.map(\.scale)
    var figures = [
      (
        figure: scaleFigure(name: "\(name)-scale"),
        alternative: "The median distance of two runs and the gradient norms against the scale."
      )
    ]
    if let weightDraws {
      figures += weightDraws.figures(name: "\(name)-draws", self)
    }
    if let map = phaseDiagram(name: "\(name)-phases", cell: settings.cell.title) {
      figures.append(
        (
          figure: map,
          alternative: "Colours of memory and gradient over step and scale: a phase diagram."
        ))
    }
    let command = command
    return LabReport.Section(
      id: name, title: "Play with the scale: \(settings.cell.title)", interpretation: statement,
      settings: settings.listed().map {
        $0.name == "scale" ? (name: "scale", value: Self.spelled(scales)) : $0
      }, command: command, figures: figures,
      tables: [table] + (weightDraws.map { [$0.table] } ?? []), arrays: arrays)
  }

  private var command: String {
    settings.command(
      "memory",
      [
        ("scale", Self.spelled(points.map(\.scale))),
        ("weight-draws", "\(weightDraws?.seeds.count ?? 0)"),
      ])
  }

  /// Returns the scales in the command's notation: as a range if the range reproduces them exactly.
  static func spelled(_ scales: [Double]) -> String {
    if scales.count > 2, let low = scales.first, let high = scales.last, 0 < low, low < high,
      ScaleSweep.logarithmicScales(from: low, to: high, count: scales.count) == scales
    {
      return "\(low):\(high):log\(scales.count)"
    }
    return scales.map { "\($0)" }.joined(separator: ",")
  }

  /// The results for the settings' seed as a table.
  public var table: LabReport.Table {
    LabReport.Table(
      caption: """
        Seed \(settings.seed) at step \(step), over the sequences. Vanishes: median below 0.001; explodes: median \
        above 100
        """,
      header: [
        "scale", "median distance", "memory", "first step below 0.001", "median gradient",
        "gradient", "first step below 0.001", "mean gradient", "largest gradient",
      ],
      rows: points.map {
        [
          shortNumber($0.scale), shortNumber($0.memory), $0.memoryFate.rawValue,
          $0.memoryVanishesAt.map(String.init) ?? "–", shortNumber($0.gradient),
          $0.gradientFate.rawValue, $0.gradientVanishesAt.map(String.init) ?? "–",
          shortNumber($0.gradientSpread.mean), shortNumber($0.gradientSpread.largest),
        ]
      })
  }

  private var arrays: [String: StoredArray] {
    var result = [
      "scale": StoredArray(Tensor(points.map(\.scale))),
      "memory": StoredArray(Tensor(rows: points.map(\.memoryCurve))),
      "gradient": StoredArray(Tensor(rows: points.map(\.gradientCurve))),
      "gradient_mean": StoredArray(Tensor(points.map(\.gradientSpread.mean))),
      "gradient_largest": StoredArray(Tensor(points.map(\.gradientSpread.largest))),
      "gradient_steps": StoredArray(gradientSteps),
    ]
    guard let weightDraws else { return result }
    result["draws.seed"] = StoredArray(weightDraws.seeds)
    for (name, values) in [
      ("memory", weightDraws.points.map(\.memory)),
      ("gradient_median", weightDraws.points.map(\.gradientMedian)),
      ("gradient_mean", weightDraws.points.map(\.gradientMean)),
      ("gradient_largest", weightDraws.points.map(\.gradientLargest)),
    ] {
      result["draws.\(name)"] = StoredArray(Tensor(rows: values))
    }
    return result
  }

  private var isLogarithmic: Bool { (points.map(\.scale).min() ?? 0) > 0 }

  fileprivate var scaleAxis: Axis {
    let scales = points.map(\.scale)
    guard isLogarithmic, let low = scales.min(), let high = scales.max(), low < high else {
      return Axis("scale of the weights")
    }
    return Axis("scale of the weights", isLogarithmic: true, range: low...high)
  }

  /// Clamps numbers to the range of a logarithmic axis: values below 1e-16, including 0, are on its lower edge.
  fileprivate static func logarithmic(
    _ label: String, _ lines: [(title: String, y: [Double])], x: [Double]
  ) -> (axis: Axis, lines: [Line]) {
    let all = lines.map { (title: $0.title, y: drawable($0.y)) }
    let axis = Axis.decades(label, holding: all.flatMap(\.y) + [1e-16, 2e2])
    let floor = axis.range?.lowerBound ?? 1e-16
    return (axis, all.map { Line($0.title, x: x, y: $0.y.map { $0 < floor ? floor : $0 }) })
  }

  /// Returns the figure of memory and gradients for the settings' seed.
  private func scaleFigure(name: String) -> Figure {
    let (axis, lines) = Self.logarithmic(
      "norm (lower edge: 1e-16 and less)",
      [
        ("distance of two runs, median", points.map(\.memory)),
        ("gradient, median", points.map(\.gradient)),
        ("gradient, mean", points.map(\.gradientSpread.mean)),
        ("gradient, 90 % quantile", points.map(\.gradientSpread.high)),
        ("gradient, largest", points.map(\.gradientSpread.largest)),
      ], x: points.map(\.scale))
    return Figure(
      name: name,
      title:
        "\(settings.cell.title): memory and gradient at step \(step) against the scale, seed \(settings.seed)",
      panels: [
        Panel(
          title: "", x: scaleAxis, y: axis, content: .lines(lines),
          levels: [Level(1e-3, "vanishes below"), Level(100, "explodes above")])
      ], size: (900, 560))
  }

  /// Returns the phase diagram over step and scale, if the scales are logarithmically spaced (gnuplot's image is a
  /// grid).
  private func phaseDiagram(name: String, cell: String) -> Figure? {
    guard points.count > 2, points.allSatisfy({ $0.scale > 0 }) else { return nil }
    let exponents = points.map { Double.log2($0.scale) }
    let step = (exponents[exponents.count - 1] - exponents[0]) / Double(exponents.count - 1)
    guard step > 0, gradientSteps.count == settings.timeStepCount,
      zip(exponents, exponents.dropFirst()).allSatisfy({ abs($1 - $0 - step) < 1e-6 })
    else { return nil }
    let steps = gradientSteps.map { Double($0) }
    func panel(_ title: String, _ values: [[Double]]) -> Panel {
      Panel(
        title: title, x: .whole("step t", range: -0.5...(Double(steps.count) - 0.5)),
        y: Axis(
          "log2 of the scale",
          range: (exponents[0] - step / 2)...(exponents[exponents.count - 1] + step / 2)),
        content: .heatMap(
          x: steps, y: exponents,
          // Clamp to a finite value, because gnuplot cannot read infinity.
          values: values.map { $0.map { min($0, 1e300) } },
          colors: Axis("median", isLogarithmic: true, range: 1e-8...1e2)))
    }
    return Figure(
      name: name, title: "\(cell): where memory and gradient vanish, survive, explode", columns: 2,
      panels: [
        panel("memory: distance of two runs", points.map(\.memoryCurve)),
        panel("gradient norm", points.map(\.gradientCurve)),
      ], size: (1000, 460))
  }
}

extension WeightDrawsResult {
  /// The draws as a table.
  public var table: LabReport.Table {
    LabReport.Table(
      caption: """
        \(LabNumber.count(seeds.count, "draw")) of weights (\(seedRange)) at step \(step): shares of draws, and quantiles of the \
        median distance over the draws
        """,
      header: [
        "scale", "distance above 0.001", "distance: 10 %", "50 %", "90 %",
        "median gradient above 0.001", "some gradient above 100", "gradient: median of the means",
        "largest of all",
      ],
      rows: points.map { point in
        [
          shortNumber(point.scale), LabNumber.percent(point.memoryShare),
          shortNumber(point.memoryQuantiles[0]), shortNumber(point.memoryQuantiles[2]),
          shortNumber(point.memoryQuantiles[4]), LabNumber.percent(point.gradientShare),
          LabNumber.percent(point.explodingShare),
          shortNumber(Summary.median(point.gradientMean.sorted())),
          shortNumber(point.gradientLargest.max()),
        ]
      })
  }

  /// The range of seeds in words.
  var seedRange: String {
    guard let first = seeds.first, let last = seeds.last, first != last else {
      return "seed \(seeds.first ?? 0)"
    }
    func range(_ low: Int, _ high: Int) -> String { low == high ? "\(low)" : "\(low) to \(high)" }
    guard last < first else { return "seeds \(range(first, last))" }
    // Seeds wrap around to 0.
    return "seeds \(range(first, Int(UInt32.max))) and \(range(0, last))"
  }

  /// Returns the figures over the scale: the fraction of draws that keep the dependency, and quantiles of memory and
  /// gradients.
  fileprivate func figures(
    name: String, _ sweep: ScaleSweepResult
  ) -> [(figure: Figure, alternative: String)] {
    let scales = points.map(\.scale)
    let draws = "\(LabNumber.count(seeds.count, "draw")) of weights"
    let title = "\(sweep.settings.cell.title), step \(step), \(draws)"
    func figure(_ part: String, _ what: String, _ y: Axis, _ lines: [Line], _ levels: [Level] = [])
      -> Figure
    {
      Figure(
        name: "\(name)-\(part)", title: "\(title): \(what)",
        panels: [
          Panel(title: "", x: sweep.scaleAxis, y: y, content: .lines(lines), levels: levels)
        ], size: (900, 520))
    }
    func quantile(_ share: Double, _ values: KeyPath<WeightDrawsPoint, [Double]>) -> [Double] {
      points.map { Summary.quantile(share, of: $0[keyPath: values].sorted()) }
    }
    let (distance, distances) = ScaleSweepResult.logarithmic(
      "median distance (lower edge: 1e-16 and less)",
      [0.1, 0.25, 0.5, 0.75, 0.9].map {
        ("\(Int(100 * $0)) % quantile", quantile($0, \.memory))
      } + [("seed \(sweep.settings.seed)", sweep.points.map(\.memory))], x: scales)
    let (norm, norms) = ScaleSweepResult.logarithmic(
      "gradient norm (lower edge: 1e-16 and less)",
      [
        ("median of the medians", quantile(0.5, \.gradientMedian)),
        ("median of the means", quantile(0.5, \.gradientMean)),
        ("median of the largest", quantile(0.5, \.gradientLargest)),
        ("90 % quantile of the largest", quantile(0.9, \.gradientLargest)),
        ("seed \(sweep.settings.seed), largest", sweep.points.map(\.gradientSpread.largest)),
      ], x: scales)
    let shares = [
      ("distance above 0.001", \WeightDrawsPoint.memoryShare),
      ("median gradient above 0.001", \.gradientShare),
      ("some gradient above 100", \.explodingShare),
    ].map { title, path in Line(title, x: scales, y: points.map { 100 * $0[keyPath: path] }) }
    return [
      (
        figure(
          "share", "memory and exploding gradients", Axis("% of the draws", range: 0...105), shares),
        "The shares of draws whose state depends on the initial state, whose gradient survives, and in which a gradient explodes, against the scale."
      ),
      (
        figure(
          "distance", "distance of two runs", distance, distances, [Level(1e-3, "forgotten below")]),
        "Quantiles over the draws of the median distance of two runs, against the scale."
      ),
      (
        figure(
          "gradient", "gradients", norm, norms,
          [Level(1e-3, "vanishes below"), Level(100, "explodes above")]),
        "The median over the draws of the median, mean and largest gradient norm, against the scale."
      ),
    ]
  }
}
