// The report sections on the long-term dependency: memory forward, gradients backward.

internal import Unroll
internal import UnrollFigures
internal import UnrollFormats

extension MemoryResult {
  /// Returns the section of part 5: memory, forward in time.
  ///
  /// - Parameters:
  ///   - name: The name of the section and of its files.
  ///   - title: The heading.
  ///   - more: Sentences to append to the description of the result.
  ///   - moreTables: Tables to append.
  ///   - weights: The source of the weights, if not the settings.
  /// - Returns: The section with its figures, tables and arrays.
  public func section(
    name: String = "memory", title: String? = nil, more: String = "",
    moreTables: [LabReport.Table] = [], weights: String? = nil
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
      interpretation: """
        Four runs read the same inputs and differ only in their initial state: zero, two random states, and a \
        hundred times the first of these. Where their distance is 0, nothing that is computed later can depend \
        on the initial state. \(statement)\(more.isEmpty ? "" : " " + more)
        """,
      settings: settings.listed(weights: weights),
      command: weights == nil ? settings.command("memory") : nil, figures: figures,
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
            "Distance of the state from the initial state (mean; largest change of an element)",
          header: ["step", "from zero", "from random", "from 100·random"],
          rows: drifts.map { drift in
            ["\(drift.step)"]
              + zip(drift.mean, drift.largest).map { "\(shortNumber($0)); \(shortNumber($1))" }
          }),
      ] + moreTables,
      arrays: arrays)
  }

  private var arrays: [String: StoredArray] {
    var result = ["curves": StoredArray(Tensor(rows: curves))]
    for set in distances { result["norms.step\(set.step)"] = StoredArray(Tensor(rows: set.norms)) }
    return result
  }

  private func histogramFigure(_ set: DistanceSet, name: String, cell: String) -> Figure {
    let top = Double(max(1, set.histograms.flatMap(\.counts).max() ?? 1))
    return Figure(
      name: name, title: "\(cell): distances at step \(set.step)",
      rows: 2, columns: 3,
      panels: zip(MemoryExperiment.pairTitles, set.histograms).map { title, histogram in
        Panel(
          title: title, x: Axis("distance"),
          y: .whole("sequences", range: 0...(top * 1.05)),
          content: .histogram(counts: histogram.counts, edges: histogram.edges))
      }, size: (960, 600))
  }

  private func curveFigure(name: String, cell: String) -> Figure {
    let steps = (0..<settings.timeStepCount).map { Double($0) }
    return Figure(
      name: name, title: "\(cell): influence of the initial state",
      panels: [
        Panel(
          title: "", x: .whole("step t"),
          y: .decades("median distance", holding: curves.flatMap(\.self)),
          content: .lines(
            zip(MemoryExperiment.pairTitles, curves).map { Line($0, x: steps, y: drawable($1)) }))
      ], size: (900, 520))
  }

  /// Returns the histograms of one step as text.
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
  /// Returns the section of part 6: gradients, backward in time.
  ///
  /// - Parameters:
  ///   - name: The name of the section and of its files.
  ///   - title: The heading.
  ///   - more: Sentences to append to the description of the result.
  ///   - moreTables: Tables to append.
  ///   - weights: The source of the weights, if not the settings.
  /// - Returns: The section with its figures, tables and arrays.
  public func section(
    name: String = "gradients", title: String? = nil, more: String = "",
    moreTables: [LabReport.Table] = [], weights: String? = nil
  ) -> LabReport.Section {
    let cell = settings.label(weights: weights)
    let top = Double(max(1, sets.flatMap(\.histogram.counts).max() ?? 1))
    let histograms = Figure(
      name: "\(name)-histograms",
      title: "\(cell): gradient of the sum of state \(step)",
      columns: sets.count,
      panels: sets.map { set in
        Panel(
          title: "initial state: \(set.point.rawValue)", x: Axis("gradient norm"),
          y: .whole("sequences", range: 0...(top * 1.05)),
          content: .histogram(counts: set.histogram.counts, edges: set.histogram.edges))
      }, size: (960, 400))
    let steps = sets.first?.curveSteps.map { Double($0) } ?? []
    let lines = sets.flatMap { set in
      [
        Line("\(set.point.rawValue): median", x: steps, y: drawable(set.curve)),
        Line("\(set.point.rawValue): largest", x: steps, y: drawable(set.largestCurve)),
      ]
    }
    let curves = Figure(
      name: "\(name)-curves",
      title: "\(cell): gradient of state t with respect to the initial state",
      panels: [
        Panel(
          title: "", x: .whole("step t"),
          y: .decades("gradient norm", holding: lines.flatMap(\.y)), content: .lines(lines))
      ], size: (900, 520))
    var arrays: [String: StoredArray] = [:]
    for set in sets {
      arrays["norms.\(set.point.rawValue)"] = StoredArray(Tensor(set.norms))
      arrays["curve.\(set.point.rawValue)"] = StoredArray(Tensor(set.curve))
      arrays["largest.\(set.point.rawValue)"] = StoredArray(Tensor(set.largestCurve))
    }
    return LabReport.Section(
      id: name, title: title ?? "Gradients, backward in time: \(cell)",
      interpretation: """
        The gradient of the sum of the state at step \(step) with respect to the initial state. Gradient descent \
        cannot learn dependencies between the ends of a sequence if the norms are close to 0; norms far above 1 make \
        training steps too large. \(statement)\(more.isEmpty ? "" : " " + more)
        """,
      settings: settings.listed(weights: weights),
      command: weights == nil ? settings.command("gradients") : nil,
      figures: [
        (figure: histograms, alternative: "Histograms of the gradient norms of all sequences."),
        (figure: curves, alternative: "The median and the largest gradient norm at every step."),
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
      ] + moreTables,
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

/// Replaces numbers that a figure cannot show with missing values.
func drawable(_ numbers: [Double]) -> [Double] {
  numbers.map { $0.magnitude < 1e300 ? $0 : .nan }
}
