// The report sections on the toy problem: parity, and a GRU as an RNN.

internal import Unroll
internal import UnrollFigures
internal import UnrollFormats

extension ParityResult {
  /// The section of part 3: comparison of the forward pass with TensorFlow's.
  public var section: LabReport.Section {
    let reference = isRecorded ? "TensorFlow 1.13.1" : "Unroll's float64 result, rounded to float32"
    return LabReport.Section(
      id: "parity", title: "Forward pass compared with TensorFlow",
      interpretation: """
        The relative error is the notebook's: max |x − y| / max(1e-8, |x| + |y|), of the outputs plus of the \
        final state. \(statement(reference))
        """,
      settings: settings.listed().filter {
        !["cell", "scale", "steps", "dtype"].contains($0.name)
      }, command: command,
      figures: [
        (
          figure: figure(reference),
          alternative: "The largest difference from \(reference) at each step, on a log axis."
        )
      ],
      tables: [
        LabReport.Table(
          caption: "Against \(reference)",
          header: [
            "cell", "arithmetic", "relative error", "distance from float64",
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

extension ParityResult {
  /// Returns the row of a cell in one precision.
  private func row(_ cell: CellKind, _ precision: LabPrecision) -> ParityRow? {
    rows.first { $0.cell == cell && $0.precision == precision }
  }

  private var command: String {
    let cells = Set(rows.map(\.cell))
    return settings.command(
      "parity",
      [
        ("cell", cells.count == 1 ? cells.first?.rawValue : nil), ("scale", nil), ("steps", nil),
        ("dtype", nil),
      ])
  }

  /// Returns a description of the result.
  private func statement(_ reference: String) -> String {
    var parts = rows.filter { $0.precision == .float64 && $0.cell != .gruResetAfter }.compactMap {
      double -> String? in
      guard let single = row(double.cell, .float32) else { return nil }
      return
        "The \(double.cell.title)'s error against \(reference) is \(textNumber(double.relativeErrorSum)) in float64 and \(textNumber(single.relativeErrorSum)) in float32."
    }
    if let after = row(.gruResetAfter, .float64) {
      let number =
        "With the reset gate after the product, as cuDNN, PyTorch and later Keras compute it, the same weights give \(textNumber(after.relativeErrorSum))"
      // The number printed in the notebook for its GRU.
      let printed = 0.9037854511656668
      parts.append(
        isRecorded && abs(after.relativeErrorSum - printed) < 1e-5
          ? "\(number), which is the number that the notebook printed (0.9038): the notebook used the other variant of the GRU."
          : settings.timeStepCount == 1
            ? "\(number): both variants agree in the first step from a zero state."
            : row(.gruResetBefore, .float64) == nil
              ? "\(number)."
              : "\(number): the reference is the variant with the reset gate before the product."
      )
    }
    let floors = [CellKind.rnn, .gruResetBefore].compactMap { row($0, .float64) }
    if isRecorded, !floors.isEmpty {
      parts.append(
        "What remains in float64 is TensorFlow's own rounding: its float32 outputs are up to \(LabNumber.list(floors.map { "\(textNumber($0.referenceDistanceFromTruth)) (\($0.cell.title))" })) from the exact ones."
      )
    }
    return parts.joined(separator: " ")
  }

  private func figure(_ reference: String) -> Figure {
    let lines = rows.map { row in
      Line(
        "\(row.cell.title), \(row.precision.rawValue)",
        x: row.differenceByStep.indices.map { Double($0) }, y: row.differenceByStep)
    }
    return Figure(
      name: "parity-steps", title: "Largest difference from \(reference)",
      panels: [
        Panel(
          title: "", x: .whole("step t"),
          y: .decades("|ours − theirs|", holding: lines.flatMap(\.y)), content: .lines(lines))
      ], size: (900, 480))
  }
}

extension GRUAsRNNResult {
  private var figure: Figure {
    // Only positive b can be shown on a logarithmic axis.
    let rows = rows.filter { $0.bias > 0 }
    let axis = Axis.decades(
      "relative error (lower edge: exactly 0)",
      holding: rows.map(\.relativeError) + [1e-9, 1])
    let low = axis.range?.lowerBound ?? 0
    return Figure(
      name: "gru-as-rnn-bias",
      title: "\(settings.cell.title) as RNN, \(settings.precision.rawValue)",
      panels: [
        Panel(
          title: "", x: Axis("gate bias b", isLogarithmic: true), y: axis,
          content: .lines([
            Line("", x: rows.map(\.bias), y: rows.map { max($0.relativeError, low) })
          ]))
      ], size: (900, 420))
  }

  /// The chosen bias and those of the sweep, in ascending order.
  public var rows: [GRUAsRNNRow] {
    (sweep.filter { $0.bias != chosen.bias } + [chosen]).sorted { $0.bias < $1.bias }
  }

  /// A description of the result.
  private var statement: String {
    // The smallest bias from which all larger ones agree.
    var exact: Double?
    for row in rows.reversed() {
      guard row.isBitwiseEqual else { break }
      exact = row.bias
    }
    let arithmetic = settings.precision.rawValue
    return """
      With b = \(textNumber(chosen.bias)) the relative error is \(textNumber(chosen.relativeError)) and \
      \(chosen.isBitwiseEqual ? "all bits agree" : "not all bits agree"). \
      \(exact.map { "Of the biases tried, \(arithmetic) is exact from b = \(textNumber($0)) on." }
        ?? "None of the biases tried is exact in \(arithmetic).") With its initial weights, the GRU gives \
      \(textNumber(untouched)).
      """
  }

  /// The section of part 4: a GRU as an RNN.
  public var section: LabReport.Section {
    LabReport.Section(
      id: "gru-as-rnn", title: "A GRU equal to an RNN",
      interpretation: """
        The candidate gets the RNN's weights, the reset gate is forced to 1 and the update gate to 0 by \
        biases of ±b. The two are bit-identical once 1 + σ(−b) rounds to 1. \
        \(statement)
        """,
      settings: settings.listed().filter { !["scale", "steps"].contains($0.name) }
        + [(name: "bias", value: "\(chosen.bias)")],
      command: settings.command(
        "gru-as-rnn", [("scale", nil), ("steps", nil), ("bias", "\(chosen.bias)")]),
      figures: [
        (figure: figure, alternative: "The relative error against the gate bias, on a log axis.")
      ],
      tables: [
        LabReport.Table(
          caption:
            "Difference between the RNN's outputs and the GRU's; with its initial weights, the GRU gives \(shortNumber(untouched))",
          header: ["b", "relative error", "largest difference", "all bits equal"],
          rows: rows.map {
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
