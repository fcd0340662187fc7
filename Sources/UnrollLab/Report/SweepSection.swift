// The section of a sweep over scales.

internal import RealModule
internal import Unroll
internal import UnrollFigures
internal import UnrollFormats

extension ScaleSweepResult {
  /// "Play with the scale": memory and gradient at many scales.
  public func section(name: String = "sweep") -> LabReport.Section {
    let cell = settings.cell.title
    let scales = points.map(\.scale)
    let isLogarithmic = (scales.min() ?? 0) > 0
    let axis = Axis.decades(
      "median (lower edge: 1e-16 and less, and 0)",
      holding: points.flatMap { [$0.memory, $0.gradient] } + [1e-16, 2e2])
    // A median that is exactly 0 has no logarithm: it is drawn on the lower edge.
    func drawn(_ values: [Double]) -> [Double] {
      values.map { max($0, axis.range?.lowerBound ?? $0) }
    }
    let lines = Figure(
      name: "\(name)-scale",
      title: "\(cell): memory and gradient at step \(step) against the scale",
      panels: [
        Panel(
          title: "", x: Axis("scale of the weights", isLogarithmic: isLogarithmic), y: axis,
          content: .lines([
            Line("distance of two runs (memory)", x: scales, y: drawn(points.map(\.memory))),
            Line("gradient norm", x: scales, y: drawn(points.map(\.gradient))),
          ]),
          levels: [Level(1e-3, "vanishes below"), Level(100, "explodes above")])
      ], size: (900, 520))
    var figures = [
      (figure: lines, alternative: "Median memory and median gradient against the scale.")
    ]
    if let map = phaseDiagram(name: "\(name)-phases", cell: cell) {
      figures.append(
        (
          figure: map,
          alternative: "Colours of memory and gradient over step and scale: a phase diagram."
        ))
    }
    return LabReport.Section(
      id: name, title: "Play with the scale: \(cell)",
      lookFor: lookFor,
      settings: settings.listed().map {
        $0.name == "scale"
          ? (name: "scale", value: scales.map { shortNumber($0) }.joined(separator: ", ")) : $0
      },
      figures: figures,
      tables: [
        LabReport.Table(
          caption:
            "Medians at step \(step); vanishes: below 0.001, explodes: above 100; and the first step below 0.001",
          header: ["scale", "memory", "", "gone at", "gradient", "", "gone at"],
          rows: points.map {
            [
              shortNumber($0.scale), shortNumber($0.memory), $0.memoryFate.rawValue,
              $0.memoryVanishesAt.map(String.init) ?? "–", shortNumber($0.gradient),
              $0.gradientFate.rawValue, $0.gradientVanishesAt.map(String.init) ?? "–",
            ]
          })
      ],
      arrays: [
        "scale": StoredArray(Tensor(scales)),
        "memory": StoredArray(Tensor(rows: points.map(\.memoryCurve))),
        "gradient": StoredArray(Tensor(rows: points.map(\.gradientCurve))),
        "gradient_steps": StoredArray(gradientSteps),
      ])
  }

  /// What to look for, from what was found.
  private var lookFor: String {
    func scales(_ fate: Fate, _ path: KeyPath<SweepPoint, Fate>) -> String? {
      let found = points.filter { $0[keyPath: path] == fate }.map(\.scale)
      guard let first = found.min(), let last = found.max() else { return nil }
      return found.count == 1
        ? "at scale \(shortNumber(first))"
        : "at \(found.count) of \(points.count) scales between \(shortNumber(first)) and \(shortNumber(last))"
    }
    func story(_ what: String, _ path: KeyPath<SweepPoint, Fate>) -> String {
      let survives = scales(.survives, path).map { "survives \($0)" } ?? "survives at no scale"
      let explodes = scales(.explodes, path).map { "explodes \($0)" } ?? "explodes at none"
      return "The median \(what) at step \(step) \(survives) and \(explodes)."
    }
    let why =
      settings.cell == .rnn
      ? """
      large weights drive tanh to its limits, where it is flat, so that the typical sequence \
      forgets there, too, though single ones may not
      """
      : """
      large weights drive the gates to their limits, and a gate that is shut by chance keeps what \
      its unit holds
      """
    return """
      Is there a scale that keeps a long-term memory? \(story("memory", \.memoryFate)) \
      \(story("gradient", \.gradientFate)) Look at how the two lines go together: a state that \
      makes no difference has no gradient. Small weights shrink every difference; \(why).
      """
  }

  /// Colours over step and scale, if the scales are even by ratio (gnuplot's image is a grid).
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
        title: title, x: Axis("step t", range: -0.5...(Double(steps.count) - 0.5)),
        y: Axis(
          "log2 of the scale",
          range: (exponents[0] - step / 2)...(exponents[exponents.count - 1] + step / 2)),
        content: .heatMap(
          x: steps, y: exponents, values: values,
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
