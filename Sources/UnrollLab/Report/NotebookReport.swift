// The notebook's report: its parts in order, then the sweep.

internal import Unroll
internal import UnrollFigures
internal import UnrollFormats

extension NotebookResult {
  /// The report of the whole notebook.
  ///
  /// - Parameter sweeps: What to add under "play with the scale".
  /// - Returns: The report, sections in the notebook's order.
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
      id: "overview", title: "Every number beside the notebook's",
      lookFor: """
        Each row is a number that we compute, beside the one that the notebook printed (where it \
        printed one) and the one that TensorFlow 1.13.1 computes for the same draws. A dash means \
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
            The notebook never resets its variable, so it takes its gradient at a hundred times the last random \
            state ("as-left").
            """),
        gradientGRU.section(name: "gradients-gru-keeps"),
        gradientInitialGRU.section(name: "gradients-gru-initial"),
      ] + sweeps.map { $0.section(name: "sweep-\($0.settings.cell.rawValue)") } + [laterSection]
    return LabReport(
      title: "What a recurrent network remembers",
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

  /// How the inputs were read, and what the other reading gives.
  private var readingStatement: String {
    let step = memoryRNN.distances.first?.step ?? 0
    func mean(_ result: MemoryResult) -> String {
      textNumber(result.distances.first?.summaries.first?.mean ?? .nan)
    }
    let (other, own) = (mean(memoryUncentredRNN), mean(memoryRNN))
    let comparison = other == own ? "\(own), as with it" : "\(other) instead of \(own)"
    return """
      From the inputs 0.5 is subtracted here, though not in the toy problem: the notebook's line is cut off at \
      ".astype(np.f", and TensorFlow's recorded numbers come from inputs minus 0.5. Read without it, the mean \
      distance of zero and random 1 at step \(step) is \(comparison); the last table has both readings.
      """
  }

  /// The numbers of both readings.
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
      caption: "Both readings of the inputs; the second is computed with an input offset of 0",
      header: ["number", "inputs minus 0.5", "inputs as drawn"], rows: rows)
  }

  /// The three cells side by side.
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
      lookFor: """
        A later edition of the course asks for one number: the share of distances above 0.1, as a mean over six \
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
