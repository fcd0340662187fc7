// The notebook's report: its parts in order, then the sweep.

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
      header: ["part", "number", "ours", "printed", "TensorFlow", "required", ""],
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
      settings: settings.listed(), figures: [], tables: [table], arrays: [:])
    let sections =
      [
        overview, parity.section, gruAsRNN.section, memoryRNN.section(name: "memory-rnn"),
        memoryGRU.section(
          name: "memory-gru-keeps",
          lookFor: """
            The gates' weights are 0 and the update gate's bias is \
            \(shortNumber(memoryGRU.settings.keepBias)): z is 1 to the last bit, so the state \
            stays what it was. Look at the histograms: the same distances at every step, those of \
            the initial states (they differ from step to step only because every histogram draws \
            new ones). An update bias b keeps the state with a half-life of ln 2 / −ln σ(b) steps.
            """),
        memoryInitialGRU.section(
          name: "memory-gru-initial",
          title: "Forgetting, forward in time: GRU as TensorFlow initialises it",
          lookFor: """
            The same draws for a GRU with TensorFlow's initial weights and an update bias of 1. \
            Look between the two others: it forgets more slowly than the RNN, but it forgets.
            """, weights: "as TensorFlow initialises it"),
        gradientRNN.section(
          name: "gradients-rnn",
          lookFor: """
            New weights of scale \(shortNumber(gradientRNN.settings.scale)). The notebook never \
            resets its variable: the gradient is taken at a hundred times the last random state \
            ("as-left"), where tanh is flat and some gradients are exactly 0. Look at the \
            horizontal axis: 1e-7 and less is a gradient that has vanished.
            """),
        gradientGRU.section(
          name: "gradients-gru-keeps",
          lookFor: """
            The GRU that keeps its state: every element of the gradient is exactly 1, every norm \
            √H = \(shortNumber(gradientGRU.sets.first?.summary.mean)), for any initial state and \
            at any step. The histogram has one bar.
            """),
        gradientInitialGRU.section(
          name: "gradients-gru-initial",
          title: "Gradients, backward in time: GRU as TensorFlow initialises it",
          lookFor: """
            The GRU with TensorFlow's initial weights: its gradient shrinks, but by a constant \
            factor close to 1 at each step, far more slowly than the RNN's.
            """, weights: "as TensorFlow initialises it"),
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

  private var laterSection: LabReport.Section {
    LabReport.Section(
      id: "later-edition", title: "The later edition's number",
      lookFor: """
        A later edition of the course asks for one number: the share of distances above 0.1, as a \
        mean over six pairs. It printed 0.832, 0.712 and 0.527 for steps 5, 10 and 20 from seed \
        137 and scale 1; look for the same here.
        """,
      settings: [
        (name: "cell", value: "rnn"), (name: "scale", value: "1.0"), (name: "seed", value: "137"),
        (name: "dtype", value: "float32"),
      ], figures: [],
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
