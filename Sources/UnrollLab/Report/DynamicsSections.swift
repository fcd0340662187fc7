// The report sections on a cell's dynamics: spectrum, gates, and the decomposition of a gradient.

internal import RealModule
internal import Unroll
public import UnrollFigures
internal import UnrollFormats

extension SpectrumResult {
  /// Returns the section on singular values, exponents and fixed points.
  public func section(name: String = "spectrum", weights: String? = nil) -> LabReport.Section {
    let cell = settings.label(weights: weights)
    return LabReport.Section(
      id: name, title: "Effect of a step on small differences: \(cell)",
      interpretation: """
        The singular values of ∂s_t/∂s_0 are the factors by which directions of the initial state have been \
        stretched after t steps. On the logarithmic axis, a straight falling line is exponential decay by the same factor at \
        every step. The Lyapunov exponents are the slopes of those lines in nats per step; above 0, \
        small differences grow. \(statement)
        """,
      settings: settings.listed(weights: weights),
      command: weights == nil
        ? settings.command("spectrum", [("sequences", "\(max(1, sequenceCount))")]) : nil,
      figures: singularValues.isEmpty
        ? []
        : [
          (
            figure: figure(name: "\(name)-values", cell: cell),
            alternative:
              "The singular values of the Jacobian product and the spectral radius at every step."
          )
        ],
      tables: fixedPoints.isEmpty ? [summary] : [summary, pointTable], arrays: arrays)
  }

  private var summary: LabReport.Table {
    var rows = [
      ["spectral radius of U", shortNumber(recurrentRadius)],
      ["entries of the gradient that are 0 or subnormal", "\(underflowCount) of \(gradientCount)"],
    ]
    for (index, exponent) in exponents.prefix(4).enumerated() {
      rows.append([
        "Lyapunov exponent \(index + 1), nats per step",
        exponent.isFinite
          ? spread(of: exponent, exponentDeviations[index])
          : "\(shortNumber(exponent)): a step removes the direction",
      ])
    }
    if let last = singularValues.last, let largest = last.first, let smallest = last.last {
      rows.append(["largest singular value at the end", shortNumber(largest)])
      rows.append(["smallest singular value at the end", shortNumber(smallest)])
    }
    if isEveryStateFixed {
      rows.append([
        "fixed points",
        "every state (a step moves none of \(fixedPointStarts) by more than \(shortNumber(largestStartChange)))",
      ])
    }
    return LabReport.Table(caption: "The numbers", header: ["what", "value"], rows: rows)
  }

  /// Formats an exponent with its deviation over the sequences, if there are several.
  private func spread(of exponent: Double, _ deviation: Double) -> String {
    sequenceCount > 1
      ? "\(shortNumber(exponent)) ± \(shortNumber(deviation)) over \(sequenceCount) sequences"
      : "\(shortNumber(exponent)) of one sequence"
  }

  private var pointTable: LabReport.Table {
    LabReport.Table(
      caption:
        "Fixed points under the mean input, sought from \(fixedPointStarts) starts",
      header: [
        "norm of the state", "spectral radius", "unstable directions", "starts", "residual",
      ],
      rows: fixedPoints.prefix(12).map { point in
        [
          shortNumber(point.state.reduce(0) { $0 + $1 * $1 }.squareRoot()),
          shortNumber(point.spectralRadius),
          point.isStable
            ? "none: stable"
            : point.unstableDirections == 0 ? "none: neutral" : "\(point.unstableDirections)",
          "\(point.startCount)",
          shortNumber(point.residual),
        ]
      })
  }

  private var arrays: [String: StoredArray] {
    var result = [
      "exponents": StoredArray(Tensor(exponents)),
      "exponent_deviations": StoredArray(Tensor(exponentDeviations)),
    ]
    if !singularValues.isEmpty {
      result["singular_values"] = StoredArray(Tensor(rows: singularValues))
      result["step_radii"] = StoredArray(Tensor(stepRadii))
    }
    if !fixedPoints.isEmpty {
      result["fixed_points"] = StoredArray(Tensor(rows: fixedPoints.map(\.state)))
    }
    return result
  }

  /// Returns the figure: singular values on a logarithmic axis, next to the spectral radii.
  public func figure(name: String, cell: String? = nil) -> Figure {
    let steps = singularValues.indices.map { Double($0 + 1) }
    // Show the largest, the smallest and some in between, to keep lines distinguishable.
    let count = singularValues.first?.count ?? 0
    let shown =
      count <= 5 ? Array(0..<count) : [0, count / 4, count / 2, 3 * count / 4, count - 1]
    let lines = shown.map { index in
      Line(
        "value \(index + 1) of \(count)", x: steps, y: drawable(singularValues.map { $0[index] }))
    }
    return Figure(
      name: name,
      title: "\(cell ?? settings.label(weights: nil)): singular values of the Jacobian product",
      columns: 2,
      panels: [
        Panel(
          title: "singular values of ds_t/ds_0", x: .whole("step t"),
          y: .decades("singular value", holding: lines.flatMap(\.y), floor: 1e-30),
          content: .lines(lines)),
        Panel(
          title: "one step", x: .whole("step t"),
          y: Axis(
            "spectral radius",
            range: 0...(max(1, drawable(stepRadii).filter(\.isFinite).max() ?? 1) * 1.05)),
          content: .lines([
            Line("of ds_t/ds_(t-1)", x: stepRadii.indices.map { Double($0 + 1) }, y: stepRadii)
          ]), levels: [Level(1, "1")]),
      ], size: (1000, 440))
  }
}

extension GateResult {
  /// Returns the section on gate values and half-lives.
  public func section(name: String = "gates", weights: String? = nil) -> LabReport.Section {
    let cell = settings.label(weights: weights)
    let half = lifetimes.map(\.halfLife).sorted()
    return LabReport.Section(
      id: name, title: "Gate values and half-lives: \(cell)",
      interpretation: """
        A gate below 0.1 or above 0.9 is saturated: it hardly responds to changes of its weights. \
        The half-life of a unit is the number of steps after which its retention gate alone leaves half of its state. \(statement)
        """,
      settings: settings.listed(weights: weights),
      command: weights == nil ? settings.command("gates") : nil,
      figures: gates.isEmpty
        ? []
        : [
          (
            figure: figure(name: "\(name)-values", cell: cell),
            alternative: "A histogram of each gate's values, and the gates' means at every step."
          )
        ],
      tables: [
        LabReport.Table(
          caption: "Gates", header: ["gate", "mean", "share below 0.1", "share above 0.9"],
          rows: gates.map {
            [
              $0.gate.rawValue, shortNumber($0.mean), shortNumber($0.shareClosed),
              shortNumber($0.shareOpen),
            ]
          }),
        LabReport.Table(
          caption: "Half-lives of the units, in steps",
          header: ["shortest", "median", "longest", "share of |h| above 0.95"],
          rows: [
            [
              lifetime(half.first), lifetime(half.isEmpty ? nil : Summary.median(half)),
              lifetime(half.last), shortNumber(shareSaturated),
            ]
          ]),
      ],
      arrays: half.isEmpty ? [:] : ["half_lives": StoredArray(Tensor(lifetimes.map(\.halfLife)))])
  }

  /// Formats a half-life for the table.
  private func lifetime(_ steps: Double?) -> String {
    guard let steps, steps > 1e6 else { return shortNumber(steps) }
    return "more than 1,000,000"
  }

  /// Returns the figure: a histogram for each gate, and their means at every step.
  public func figure(name: String, cell: String? = nil) -> Figure {
    var panels = gates.map { gate in
      Panel(
        title: "\(gate.gate.rawValue) gate", x: Axis("value"), y: .whole("count"),
        content: .histogram(counts: gate.histogram.counts, edges: gate.histogram.edges))
    }
    panels.append(
      Panel(
        title: "means", x: .whole("step t"), y: Axis("mean value", range: 0...1),
        content: .lines(
          gates.map { gate in
            Line(gate.gate.rawValue, x: gate.curve.indices.map { Double($0) }, y: gate.curve)
          })))
    return Figure(
      name: name, title: "\(cell ?? settings.label(weights: nil)): gates",
      rows: (panels.count + 2) / 3, columns: min(3, panels.count), panels: panels,
      size: (320 * min(3, panels.count), 40 + 310 * ((panels.count + 2) / 3)))
  }
}

extension GradientPartsResult {
  /// Returns the section on the contributions of the steps and the error of truncation.
  public func section(name: String = "parts", weights: String? = nil) -> LabReport.Section {
    let cell = settings.label(weights: weights)
    let steps = contributions.first.map { $0.norms.indices.map { Double($0) } } ?? []
    let shown = contributions.filter { $0.total > 0 }
    return LabReport.Section(
      id: name, title: "Contributions of the steps to a gradient: \(cell)",
      interpretation: """
        The loss is the sum of the last state. Each step adds to the gradient of the weights; where \
        early steps contribute almost nothing, training ignores them, and truncated \
        backpropagation through time loses almost nothing by omitting them. \(statement)
        """,
      settings: settings.listed(weights: weights),
      command: weights == nil
        ? settings.command("gradients", [("parts", "")]) : nil,
      figures: [
        (
          figure: Figure(
            name: "\(name)-steps", title: "\(cell): contribution of each step to the gradient",
            columns: 2,
            panels: [
              Panel(
                title: "contributions", x: .whole("step t"),
                y: .decades(
                  "norm", holding: shown.flatMap { drawable($0.norms) }, floor: 1e-30),
                content: .lines(
                  shown.map { Line($0.parameter, x: steps, y: drawable($0.norms)) })),
              Panel(
                title: "truncated after k steps", x: .whole("k"),
                y: .decades(
                  "relative error", holding: drawable(truncations.map(\.relativeError)),
                  floor: 1e-16),
                content: .lines([
                  Line(
                    "relative error", x: truncations.map { Double($0.steps) },
                    y: drawable(truncations.map(\.relativeError)))
                ])),
            ], size: (1000, 440)),
          alternative:
            "The norm of each step's contribution to the gradient, and the error of truncation."
        )
      ],
      tables: [
        LabReport.Table(
          caption: "Truncated against full backpropagation through time",
          header: ["last k steps", "relative error", "cosine"],
          rows: truncations.filter { Self.isListed($0.steps, of: truncations.count) }.map {
            ["\($0.steps)", shortNumber($0.relativeError), shortNumber($0.cosine)]
          })
      ],
      arrays: Dictionary(
        contributions.map { ("contributions.\($0.parameter)", StoredArray(Tensor($0.norms))) },
        uniquingKeysWith: { first, _ in first }))
  }

  /// Returns whether a table lists k: powers of two, and the last.
  public static func isListed(_ k: Int, of count: Int) -> Bool { k & (k - 1) == 0 || k == count }
}
