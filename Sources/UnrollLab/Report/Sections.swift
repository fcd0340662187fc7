// The sections of the report: what is drawn, tabulated and stored of each experiment's result.

internal import RealModule
internal import Unroll
internal import UnrollFigures
internal import UnrollFormats

extension ParityResult {
  /// Part 3: our forward pass against TensorFlow's.
  public var section: LabReport.Section {
    let reference = isRecorded ? "TensorFlow 1.13.1" : "our float64, rounded to float32"
    return LabReport.Section(
      id: "parity", title: "Own forward pass against TensorFlow",
      lookFor: """
        Look at the GRU twice. With the reset gate before the product, as TensorFlow 1 computes \
        it, the difference is rounding: a few 1e-7. With the gate after the product, as cuDNN, \
        PyTorch and later Keras compute it, the same weights give 0.9038, which is the number that \
        the notebook printed: its GRU was not wrong by accident, it was the other GRU. The \
        relative error is the notebook's: max |x − y| / max(1e-8, |x| + |y|), of the outputs plus \
        of the final state. No implementation can do much better than 2.24e-7 and 5.83e-7 here, \
        because TensorFlow's own float32 tanh and sigmoid are that far from the truth.
        """,
      settings: settings.listed().filter {
        !["cell", "scale", "steps", "dtype"].contains($0.name)
      },
      figures: [],
      tables: [
        LabReport.Table(
          caption: "Against \(reference)",
          header: [
            "cell", "arithmetic", "relative error", "our distance from float64",
            "reference's distance",
          ],
          rows: rows.map {
            [
              $0.cell.title, $0.precision.rawValue, shortNumber($0.relativeErrorSum),
              shortNumber($0.distanceFromTruth), shortNumber($0.referenceDistanceFromTruth),
            ]
          })
      ],
      arrays: Dictionary(
        uniqueKeysWithValues: (rnnParameters.map { ("rnn.\($0.key)", $0.value) }
          + gruParameters.map { ("gru.\($0.key)", $0.value) })
          .map { ($0.0, StoredArray(Tensor($0.1))) }))
  }
}

extension GRUAsRNNResult {
  /// Part 4: the GRU that is an RNN.
  public var section: LabReport.Section {
    LabReport.Section(
      id: "gru-as-rnn", title: "A GRU that is an RNN",
      lookFor: """
        The candidate gets the RNN's weights, the reset gate is forced to 1 and the update gate \
        to 0 by biases of ±b. Look for the b from which the two agree in every bit: the sigmoid \
        of −b must vanish beside 1 in the arithmetic that is used, about 17.4 in float32 and 36.8 in \
        float64. With b = 30 float32 is exact whatever the sigmoid.
        """,
      settings: settings.listed().filter { !["scale", "steps"].contains($0.name) }
        + [(name: "bias", value: "\(chosen.bias)")],
      figures: [],
      tables: [
        LabReport.Table(
          caption:
            "Difference between the RNN's outputs and the GRU's; untouched, the GRU gives \(shortNumber(untouched))",
          header: ["b", "relative error", "largest difference", "all bits equal"],
          rows: ([chosen] + sweep).map {
            [
              shortNumber($0.bias), shortNumber($0.relativeError),
              shortNumber($0.largestDifference), $0.isBitwiseEqual ? "yes" : "no",
            ]
          })
      ],
      arrays: [
        "bias": StoredArray(Tensor(sweep.map(\.bias))),
        "relative_error": StoredArray(Tensor(sweep.map(\.relativeError))),
      ])
  }
}

extension MemoryResult {
  /// Part 5: forgetting, forward in time.
  ///
  /// - Parameters:
  ///   - name: The name of the section and of its files.
  ///   - title: The heading.
  ///   - lookFor: What to look for; a general paragraph if nil.
  ///   - weights: Where the weights come from, if not from the settings.
  /// - Returns: The section with its figures, tables and arrays.
  public func section(
    name: String = "memory", title: String? = nil, lookFor: String? = nil, weights: String? = nil
  ) -> LabReport.Section {
    let cell = settings.label(weights: weights)
    var figures = distances.map { set in
      (
        figure: histogramFigure(set, name: "\(name)-step\(set.step)", cell: cell),
        alternative: "Six histograms of the distances between runs at step \(set.step)."
      )
    }
    figures.append(
      (
        figure: curveFigure(name: "\(name)-curves", cell: cell),
        alternative: "The median distance of six pairs of runs at every step."
      ))
    return LabReport.Section(
      id: name, title: title ?? "Forgetting, forward in time: \(cell)",
      lookFor: lookFor ?? """
        Four runs read the same inputs and differ in their initial state alone: zero, two random \
        states, and a hundred times the first. Look at how the histograms move towards 0 from \
        step to step: where all distances are 0 the network has forgotten where it began, and \
        nothing that it computes later can depend on it.
        """,
      settings: settings.listed(weights: weights), figures: figures,
      tables: [
        LabReport.Table(
          caption: "Distances between the states of two runs",
          header: ["step", "pair", "mean", "median", "largest", "share above 0.1"],
          rows: distances.flatMap { set in
            zip(MemoryExperiment.pairTitles, set.summaries).map { title, summary in
              [
                "\(set.step)", title, shortNumber(summary.mean), shortNumber(summary.median),
                shortNumber(summary.maximum), shortNumber(summary.fractionAboveTenth),
              ]
            }
          }),
        LabReport.Table(
          caption:
            "How far the state has moved from where it began (mean distance; largest change of an element)",
          header: ["step", "from zero", "from random", "from 100·random"],
          rows: drifts.map { drift in
            ["\(drift.step)"]
              + zip(drift.mean, drift.largest).map { "\(shortNumber($0)); \(shortNumber($1))" }
          }),
      ],
      arrays: arrays)
  }

  private var arrays: [String: StoredArray] {
    var result = ["curves": StoredArray(Tensor(rows: curves))]
    for set in distances { result["norms.step\(set.step)"] = StoredArray(Tensor(rows: set.norms)) }
    return result
  }

  private func histogramFigure(_ set: DistanceSet, name: String, cell: String) -> Figure {
    let top = Double(set.histograms.flatMap(\.counts).max() ?? 1)
    return Figure(
      name: name, title: "\(cell): distances at step \(set.step)",
      rows: 2, columns: 3,
      panels: zip(MemoryExperiment.pairTitles, set.histograms).map { title, histogram in
        Panel(
          title: title, x: Axis("distance"),
          y: Axis("sequences", range: 0...(top * 1.05)),
          content: .histogram(counts: histogram.counts, edges: histogram.edges))
      }, size: (960, 600))
  }

  private func curveFigure(name: String, cell: String) -> Figure {
    let steps = (0..<settings.timeStepCount).map { Double($0) }
    return Figure(
      name: name, title: "\(cell): what is left of the initial state",
      panels: [
        Panel(
          title: "", x: Axis("step t"),
          y: .decades("median distance", holding: curves.flatMap(\.self)),
          content: .lines(
            zip(MemoryExperiment.pairTitles, curves).map { Line($0, x: steps, y: $1) }))
      ], size: (900, 520))
  }

  /// The histograms of one step as text.
  public func textHistograms(_ set: DistanceSet) -> String {
    let largest = set.histograms.flatMap(\.counts).max()
    return zip(MemoryExperiment.pairTitles, set.histograms).map { title, histogram in
      TextHistogram.draw(
        title: "step \(set.step): \(title)", counts: histogram.counts, edges: histogram.edges,
        largest: largest)
    }.joined(separator: "\n\n")
  }
}

extension GradientResult {
  /// Part 6: gradients, backward in time.
  ///
  /// - Parameters:
  ///   - name: The name of the section and of its files.
  ///   - title: The heading.
  ///   - lookFor: What to look for; a general paragraph if nil.
  ///   - weights: Where the weights come from, if not from the settings.
  /// - Returns: The section with its figures, tables and arrays.
  public func section(
    name: String = "gradients", title: String? = nil, lookFor: String? = nil,
    weights: String? = nil
  ) -> LabReport.Section {
    let cell = settings.label(weights: weights)
    let top = Double(sets.flatMap(\.histogram.counts).max() ?? 1)
    let histograms = Figure(
      name: "\(name)-histograms",
      title: "\(cell): gradient of the sum of state \(step)",
      columns: sets.count,
      panels: sets.map { set in
        Panel(
          title: "initial state: \(set.point.rawValue)", x: Axis("gradient norm"),
          y: Axis("sequences", range: 0...(top * 1.05)),
          content: .histogram(counts: set.histogram.counts, edges: set.histogram.edges))
      }, size: (960, 400))
    let curves = Figure(
      name: "\(name)-curves", title: "\(cell): how much state t depends on the initial state",
      panels: [
        Panel(
          title: "", x: Axis("step t"),
          y: .decades("median gradient norm", holding: sets.flatMap(\.curve)),
          content: .lines(
            sets.map {
              Line(
                "initial state: \($0.point.rawValue)", x: $0.curveSteps.map { Double($0) },
                y: $0.curve)
            }))
      ], size: (900, 520))
    var arrays: [String: StoredArray] = [:]
    for set in sets {
      arrays["norms.\(set.point.rawValue)"] = StoredArray(Tensor(set.norms))
      arrays["curve.\(set.point.rawValue)"] = StoredArray(Tensor(set.curve))
    }
    return LabReport.Section(
      id: name, title: title ?? "Gradients, backward in time: \(cell)",
      lookFor: lookFor ?? """
        How much would the sum of the state at step \(step) change if the initial state did? Look \
        at the scale of the horizontal axis: where the norms are 1e-7, learning by gradient \
        cannot connect the two ends of the sequence; where they grow with t, one step of learning \
        throws the weights away.
        """,
      settings: settings.listed(weights: weights),
      figures: [
        (figure: histograms, alternative: "Histograms of the gradient norms of all sequences."),
        (figure: curves, alternative: "The median gradient norm at every step."),
      ],
      tables: [
        LabReport.Table(
          caption: "Gradient of Σ h at step \(step) with respect to the initial state",
          header: ["initial state", "smallest", "mean", "median", "largest", "exact zeros"],
          rows: sets.map {
            let summary = $0.summary
            return [
              $0.point.rawValue, shortNumber(summary.minimum), shortNumber(summary.mean),
              shortNumber(summary.median), shortNumber(summary.maximum), "\(summary.zeroCount)",
            ]
          })
      ],
      arrays: arrays)
  }

  /// The histograms as text.
  public var textHistograms: String {
    sets.map { set in
      TextHistogram.draw(
        title: "gradient norms at step \(step), initial state \(set.point.rawValue)",
        counts: set.histogram.counts, edges: set.histogram.edges)
    }.joined(separator: "\n\n")
  }
}

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
