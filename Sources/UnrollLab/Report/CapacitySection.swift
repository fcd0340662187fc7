// The section of memory capacity.

internal import Unroll
internal import UnrollFigures
internal import UnrollFormats

extension MemoryCapacityResult {
  /// R² against the delay, over the draws, and the capacity.
  ///
  /// - Parameters:
  ///   - name: The section's anchor.
  ///   - weights: Where given weights come from; nil for drawn ones.
  /// - Returns: The section, with one figure and one table.
  public func section(name: String = "capacity", weights: String? = nil) -> LabReport.Section {
    let cell = settings.label(weights: weights)
    let delays = (0...longestDelay).map { Double($0) }
    return LabReport.Section(
      id: name, title: "What can be read back from the state: \(cell)",
      interpretation: """
        A linear readout of the state predicts the input of k steps ago. R² is the share of that input's variance that it \
        recovers on sequences that it was not fitted to: 1 is a perfect memory, 0 is none. Their sum over the delays \
        from 1 on is the memory capacity (Jaeger 2001), for independent inputs at most the \(stateSize) numbers of the \
        state; with several inputs, the sum over all of them. \(statement)
        """,
      settings: settings.listed(weights: weights).filter {
        $0.name != "steps" && $0.name != "dtype"
      }
        + extraOptions,
      command: weights == nil
        ? settings.command("capacity", extraOptions.map { ($0.name, $0.value) }) : nil,
      figures: [
        (
          figure: Figure(
            name: "\(name)-delays", title: "\(cell): what a readout recovers", columns: 1,
            panels: [
              Panel(
                title: "linear readout of the state", x: .whole("delay k in steps"),
                y: Axis("R²", range: 0...1.02), content: .lines(lines(delays)))
            ], size: (760, 440)),
          alternative: "The share of the input's variance that is recovered, against the delay."
        )
      ],
      tables: [table],
      arrays: [
        "determination": StoredArray(Tensor(rows: determination)),
        "capacity": StoredArray(Tensor(capacities)),
      ])
  }

  private var extraOptions: [(name: String, value: String)] {
    [("delay", "\(longestDelay)"), ("weight-draws", "\(seeds.count)")]
  }

  private func lines(_ delays: [Double]) -> [Line] {
    func line(_ title: String, _ values: [Double]) -> Line {
      Line(title, x: delays, y: values.map { max(0, $0) })
    }
    guard seeds.count > 1 else { return [line("R²", determination[0])] }
    return [
      line("90 % quantile", quantiles(0.9)), line("median of the draws", quantiles(0.5)),
      line("10 % quantile", quantiles(0.1)),
    ]
  }

  /// What was found, in one or two sentences.
  public var statement: String {
    let sorted = capacities.sorted()
    let median = quantiles(0.5)
    let over = seeds.count > 1 ? ", the median of \(LabNumber.count(seeds.count, "draw"))" : ""
    let range =
      seeds.count > 1
      ? " (10 to 90 % of the draws: \(LabNumber.text(Summary.quantile(0.1, of: sorted))) to \(LabNumber.text(Summary.quantile(0.9, of: sorted))))"
      : ""
    // The first delay at which less than half is left, if there is one.
    let reach =
      median.dropFirst().firstIndex { $0 < 0.5 }.map {
        $0 == 1
          ? "Of the input one step ago less than half of the variance is recovered"
          : "More than half of the variance is recovered up to a delay of \(LabNumber.count($0 - 1, "step"))"
      } ?? "More than half of the variance is recovered at every delay up to \(longestDelay)"
    let bound =
      hasIndependentInputs
      ? ", of at most \(stateSize)"
      : "; it has no upper bound, because the inputs may depend on each other"
    return
      "The capacity is \(LabNumber.text(medianCapacity))\(over)\(range)\(bound). \(reach)."
  }

  /// R² at some delays.
  public var table: LabReport.Table {
    let curves = [0.1, 0.5, 0.9].map { quantiles($0) }
    let shown = (0...longestDelay).filter { $0 <= 10 || $0 % 5 == 0 || $0 == longestDelay }
    return LabReport.Table(
      caption: "R² of the layer's input k steps ago"
        + (seeds.count > 1 ? ", over \(LabNumber.count(seeds.count, "draw"))" : ""),
      header: seeds.count > 1
        ? ["delay k", "10 % quantile", "median", "90 % quantile"] : ["delay k", "R²"],
      rows: shown.map { delay in
        ["\(delay)"]
          + (seeds.count > 1 ? curves : [curves[1]]).map { LabNumber.short($0[delay]) }
      })
  }
}
