// The report on the notebook: its parts in order, then the sweep.

internal import Unroll
internal import UnrollFigures
internal import UnrollFormats

extension NotebookResult {
  /// Returns the report on the whole notebook.
  ///
  /// - Parameter sweeps: The sweeps to append under "play with the scale".
  /// - Returns: The report, with sections in the notebook's order.
  public func report(sweeps: [ScaleSweepResult]) -> LabReport {
    let rows = comparison
    let held = rows.count(where: \.holds)
    let table = LabReport.Table(
      caption: "\(held) of \(rows.count) requirements hold",
      header: ["part", "number", "ours", "printed", "TensorFlow", "required", "verdict"],
      rows: rows.map {
        [
          $0.part, $0.quantity, shortNumber($0.ours), shortNumber($0.printed),
          shortNumber($0.reference), $0.requirement, $0.holds ? "holds" : "FAILS",
        ]
      })
    let overview = LabReport.Section(
      id: "overview", title: "Comparison with the notebook",
      interpretation: """
        Each row compares Unroll's result with the number printed in the notebook (if it \
        printed one) and the result of TensorFlow 1.13.1 for the same draws. A dash means \
        that there is none.
        """,
      settings: settings.listed(), command: overviewCommand(sweeps), figures: [], tables: [table],
      arrays: [:])
    let sections =
      [
        overview, parity.section, gruAsRNN.section,
        memoryRNN.section(name: "memory-rnn", more: readingStatement, moreTables: [readings]),
        memoryGRU.section(name: "memory-gru-keeps"),
        memoryInitialGRU.section(name: "memory-gru-initial", more: comparisonStatement),
        gradientRNN.section(
          name: "gradients-rnn",
          more: """
            The notebook never resets its variable, so its gradient is computed at the last random state times 100 \
            state ("as-left").
            """),
        gradientGRU.section(name: "gradients-gru-keeps"),
        gradientInitialGRU.section(name: "gradients-gru-initial"),
      ] + sweeps.map { $0.section(name: "sweep-\($0.settings.cell.rawValue)") } + [laterSection]
    return LabReport(
      title: "Memory and gradients of recurrent networks",
      introduction: """
        Every experiment of the notebook on recurrent networks, computed by Unroll in \
        \(settings.precision.rawValue) from seed \(settings.seed). T is time, B the number of \
        sequences, D the size of an input, H the number of units; steps count from 0.
        """,
      sections: sections)
  }

  private func overviewCommand(_ sweeps: [ScaleSweepResult]) -> String {
    var options = settings.listed().filter {
      !["cell", "scale", "steps", "draws"].contains($0.name)
    }
    if let sweep = sweeps.first {
      options.append(("scale", ScaleSweepResult.spelled(sweep.points.map(\.scale))))
      options.append(("weight-draws", "\(sweep.weightDraws?.seeds.count ?? 0)"))
    }
    return LabSettings.command("notebook", options)
  }

  /// A paragraph on the interpretation of the input offset, and the results of the alternative.
  private var readingStatement: String {
    let step = memoryRNN.distances.first?.step ?? 0
    func mean(_ result: MemoryResult) -> String {
      textNumber(result.distances.first?.summaries.first?.mean ?? .nan)
    }
    let (other, own) = (mean(memoryUncentredRNN), mean(memoryRNN))
    let comparison = other == own ? "\(own), as with it" : "\(other) instead of \(own)"
    return """
      Here 0.5 is subtracted from the inputs, unlike in the toy problem: the notebook's line is truncated at \
      ".astype(np.f", and TensorFlow's recorded numbers come from inputs minus 0.5. Without the subtraction, the mean \
      distance of zero and random 1 at step \(step) is \(comparison); the last table has both readings.
      """
  }

  /// The table of numbers for both interpretations.
  private var readings: LabReport.Table {
    let pair = MemoryExperiment.pairTitles[0]
    var rows = zip(memoryRNN.distances, memoryUncentredRNN.distances).map { ours, other in
      [
        "mean distance \(pair), step \(ours.step)", shortNumber(ours.summaries[0].mean),
        shortNumber(other.summaries[0].mean),
      ]
    }
    rows += zip(gradientRNN.sets, gradientUncentredRNN.sets).map { ours, other in
      [
        "mean gradient norm, step \(gradientRNN.step), state \(ours.point.rawValue), scale \(shortNumber(gradientRNN.settings.scale))",
        shortNumber(ours.summary.mean), shortNumber(other.summary.mean),
      ]
    }
    return LabReport.Table(
      caption: "Results with both input offsets, 0.5 and 0",
      header: ["number", "inputs minus 0.5", "inputs as drawn"], rows: rows)
  }

  /// A comparison of the three cells.
  private var comparisonStatement: String {
    let cells = [
      ("this GRU", memoryInitialGRU), ("the RNN", memoryRNN),
      ("the GRU with gate bias \(textNumber(memoryGRU.settings.keepBias ?? .nan))", memoryGRU),
    ]
    let step = memoryInitialGRU.distances.last?.step ?? 0
    let parts = cells.map { name, result in
      "\(textNumber(result.distances.last?.summaries.first?.median ?? .nan)) for \(name)"
    }
    return
      "The median distance of zero and random 1 at step \(step) is \(LabNumber.list(parts))."
  }

  private var laterSection: LabReport.Section {
    LabReport.Section(
      id: "later-edition", title: "The later edition's number",
      interpretation: """
        A later edition of the course asks for one number: the fraction of distances above 0.1, averaged over six \
        pairs. It printed 0.832, 0.712 and 0.527 for steps 5, 10 and 20 from seed 137 and scale 1; Unroll \
        computes \(LabNumber.list(laterEdition.fractions.map(textNumber))) for steps \
        \(LabNumber.list(laterEdition.steps.map(String.init))). The weights are drawn before the inputs.
        """,
      settings: laterEdition.settings.listed(), command: laterEdition.settings.command("memory"),
      figures: [],
      tables: [
        LabReport.Table(
          caption:
            "Mean distance of state 20 from the initial state: \(shortNumber(laterEdition.driftAtStep20))",
          header: ["step", "share above 0.1"],
          rows: zip(laterEdition.steps, laterEdition.fractions).map {
            ["\($0)", shortNumber($1)]
          })
      ],
      arrays: [:])
  }
}
