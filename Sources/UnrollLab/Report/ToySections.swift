// The sections of the toy problem: parity, and the GRU that is an RNN.

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
        PyTorch and later Keras compute it, the same weights give \
        \(isRecorded
          ? "0.9038, which is the number that the notebook printed: its GRU was not wrong by accident, it was the other GRU"
          : "another function"). The \
        relative error is the notebook's: max |x − y| / max(1e-8, |x| + |y|), of the outputs plus \
        of the final state.\
        \(isRecorded
          ? " No implementation can do much better than 2.24e-7 and 5.83e-7 here, because TensorFlow's own float32 tanh and sigmoid are that far from the truth."
          : "")
        """,
      settings: settings.listed().filter {
        !["cell", "scale", "steps", "dtype"].contains($0.name)
      },
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

extension ParityResult {
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
          title: "", x: Axis("step t"),
          y: .decades("|ours − theirs|", holding: lines.flatMap(\.y)), content: .lines(lines))
      ], size: (900, 480))
  }
}

extension GRUAsRNNResult {
  private var figure: Figure {
    let rows = sweep.sorted { $0.bias < $1.bias }
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
      figures: [
        (figure: figure, alternative: "The relative error against the gate bias, on a log axis.")
      ],
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
