// The commands that measure one cell: memory, gradients, spectrum, gates.

#if Command
internal import ArgumentParser
internal import Unroll
internal import UnrollLab
internal import UnrollLanguage

struct MemoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "memory",
    abstract: "Measure forgetting: how far runs from different initial states are apart.",
    discussion: """
      Runs of one cell start from zero, random and 100 times larger random states and read the same inputs. The \
      distances between their states at each of --steps show how much of the initial state is left.

      With --weights, every layer of the network is measured. For a language model, the gain from a longer prefix is \
      measured, too.

      EXAMPLES
        unroll lab memory
        unroll lab memory --cell gru --scale 4 --terminal
        unroll lab memory --scale 0.25:8:log24 --output memory-report
        unroll lab memory --weights run --layer 0
      """)

  @OptionGroup var cells: LabCellOptions
  @OptionGroup(title: "Cell and sizes") var sizes: SizeOptions
  @OptionGroup(title: "Output") var out: OutputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions

  @Flag(help: "Draw histograms as text; not with a sweep or --json.")
  var terminal = false

  func validate() throws { try OutputOptions.check(terminal: terminal, json: out.json) }

  func run() throws {
    try cells.check(sizes)
    try cells.checkWeightDraws()
    let settings = cells.settings(sizes, defaultScale: 2)
    if let scales = cells.sweep {
      guard !terminal else { throw ValidationError("--terminal: a sweep has no histograms.") }
      return try runSweep(settings, scales, weightDraws: cells.drawn.weightDraws, out)
    }
    try InstrumentRun(
      title: "Forgetting", cells: cells, sizes: sizes, out: out, settings: settings,
      measure: { settings, layer in
        if let layer { return try MemoryExperiment.run(settings, layer: layer) }
        return try MemoryExperiment.run(settings) { done in
          Terminal.progress("memory, step", done, of: settings.steps.count)
        }
      },
      show: show, section: { [$0.section(name: $1, weights: $2)] },
      context: ContextWords.showPrefixes
    ).run()
  }

  /// Adds the option to an advice of the lab.
  static func option(_ advice: String) -> String {
    advice.replacing("compute in float64", with: "compute in float64 (--dtype float64)")
  }

  private func show(_ result: MemoryResult) {
    var table = TextTable(["step", "pair", "mean", "median", "largest", "share > 0.1"])
    for set in result.distances {
      for (title, summary) in zip(MemoryExperiment.pairTitles, set.summaries) {
        table.add(
          ["\(set.step)", title]
            + [summary.mean, summary.median, summary.maximum, summary.fractionAboveTenth].map {
              LabNumber.short($0)
            })
      }
    }
    print(table.text)
    for set in result.distances {
      print(
        "step \(set.step): fraction above 0.1, mean over the pairs: \(LabNumber.short(set.fractionAboveTenth))"
      )
    }
    for drift in result.drifts {
      print(
        "step \(drift.step): largest change of the state from zero, random, 100·random: "
          + drift.largest.map { LabNumber.short($0) }.joined(separator: ", "))
    }
    if let step = result.overflowStep {
      print(
        "the states overflow \(result.settings.precision.rawValue) at step \(step); \(Self.option(result.settings.precision.overflowAdvice))"
      )
    }
    if terminal { for set in result.distances { print("\n\(result.textHistograms(set))") } }
  }
}

struct GradientsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gradients",
    abstract: "Measure gradient flow: how much a state depends on the initial state.",
    discussion: """
      The gradient of a late state with respect to the initial state vanishes or explodes with the scale of the \
      weights. Its norm is measured for every sequence.

      With --weights, every layer of the network is measured, with --parts. For a language model, the earlier symbols \
      that the gradient of a prediction reaches are measured, too.

      EXAMPLES
        unroll lab gradients
        unroll lab gradients --cell lstm --scale 2 --parts
        unroll lab gradients --scale 0.5,1,2 --weight-draws 20
        unroll lab gradients --weights model.pt --data sequences.npy
      """)

  @OptionGroup var cells: LabCellOptions
  @OptionGroup(title: "Cell and sizes") var sizes: SizeOptions
  @OptionGroup(title: "Output") var out: OutputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions

  @Flag(
    help:
      "Show what each step adds to the gradients of the weights, and the error of truncated backpropagation."
  )
  var parts = false

  @Flag(help: "Draw histograms as text; not with a sweep or --json.")
  var terminal = false

  func validate() throws { try OutputOptions.check(terminal: terminal, json: out.json) }

  /// The printed result for a cell.
  private struct Result: Encodable {
    var flow: GradientResult
    var parts: GradientPartsResult?

    func encode(to encoder: any Encoder) throws {
      guard let parts else { return try flow.encode(to: encoder) }
      try flow.encode(to: encoder)
      enum Key: String, CodingKey { case contributions, truncations }
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(parts.contributions, forKey: .contributions)
      try container.encode(parts.truncations, forKey: .truncations)
    }
  }

  func run() throws {
    try cells.check(sizes)
    try cells.checkWeightDraws()
    let settings = cells.settings(sizes, defaultScale: 1)
    if let scales = cells.sweep {
      guard !terminal, !parts else {
        throw ValidationError("--terminal, --parts: a sweep has neither histograms nor parts.")
      }
      return try runSweep(settings, scales, weightDraws: cells.drawn.weightDraws, out)
    }
    try InstrumentRun(
      title: "Gradient flow", cells: cells, sizes: sizes, out: out, settings: settings,
      measure: { settings, layer in
        let flow =
          if let layer {
            try GradientExperiment.run(settings, layer: layer)
          } else {
            try GradientExperiment.run(settings) { done in
              Terminal.progress("gradients, initial state", done, of: GradientPoint.allCases.count)
            }
          }
        let takesApart = parts || layer != nil
        return Result(
          flow: flow, parts: takesApart ? try GradientParts.run(settings, layer: layer) : nil)
      },
      show: show,
      section: { result, name, weights in
        [result.flow.section(name: name, weights: weights)]
          + (result.parts.map { [$0.section(name: name + "-parts", weights: weights)] } ?? [])
      }, context: ContextWords.showInfluences
    ).run()
  }

  private func show(_ result: Result) {
    var table = TextTable(["initial state", "smallest", "mean", "median", "largest", "zeros"])
    for set in result.flow.sets {
      let summary = set.summary
      let numbers = [summary.minimum, summary.mean, summary.median, summary.maximum]
      table.add(
        [set.point.rawValue] + numbers.map { LabNumber.short($0) } + ["\(summary.zeroCount)"])
    }
    print("gradient of the sum of state \(result.flow.step) with respect to the initial state")
    print(table.text)
    for note in result.flow.overflowNotes {
      print(MemoryCommand.option(note))
    }
    if terminal { print("\n\(result.flow.textHistograms)") }
    guard let parts = result.parts else { return }
    print("\nwhat steps add to the gradient of the sum of the last state (norms)")
    let last = (parts.contributions.first?.norms.count ?? 1) - 1
    var contributions = TextTable(["parameter", "whole", "last step", "middle", "first"])
    for part in parts.contributions where part.total > 0 {
      contributions.add(
        [part.parameter]
          + [part.total, part.norms[last], part.norms[last / 2], part.norms[0]].map {
            LabNumber.short($0)
          })
    }
    print(contributions.text)
    print("\ntruncated against full backpropagation through time")
    var truncations = TextTable(["last k steps", "relative error", "cosine"])
    for row in parts.truncations
    where GradientPartsResult.isListed(row.steps, of: parts.truncations.count) {
      truncations.add([
        "\(row.steps)", LabNumber.short(row.relativeError), LabNumber.short(row.cosine),
      ])
    }
    print(truncations.text)
  }
}

struct SpectrumCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "spectrum",
    abstract: "Compute Jacobian singular values, Lyapunov exponents and fixed points.",
    discussion: """
      Computed in float64. --dtype sets the precision in which zero and subnormal gradients are counted. Exponents are in nats per step, without the last tenth of the steps, in which the directions still \
      turn. With --weights, every layer of the network is measured.

      EXAMPLES
        unroll lab spectrum
        unroll lab spectrum --cell gru --orthogonal 1 --sequences 16
        unroll lab spectrum --weights run --output spectrum-report
      """)

  @OptionGroup var cells: LabCellOptions
  @OptionGroup(title: "Cell and sizes") var sizes: SizeOptions
  @OptionGroup(title: "Output") var out: OutputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Number of sequences whose Lyapunov exponents are averaged. (at least 1)", valueName: "count")
  )
  var sequences = 8

  func validate() throws {
    guard sequences >= 1 else {
      throw ValidationError("--sequences: expected at least 1, found \(sequences).")
    }
  }

  func run() throws {
    try cells.check(sizes)
    try cells.refuseSweep()
    try InstrumentRun(
      title: "Spectrum", cells: cells, sizes: sizes, out: out,
      settings: cells.settings(sizes, defaultScale: 2),
      measure: { try SpectrumExperiment.run($0, layer: $1, sequences: sequences) }, show: show,
      section: { [$0.section(name: $1, weights: $2)] }
    ).run()
  }

  private func show(_ result: SpectrumResult) {
    for table in result.section().tables { table.show() }
    print(result.statement)
    if result.singularValues.isEmpty {
      print(
        "no whole Jacobians: a state of \(result.stateSize) numbers over \(result.settings.timeStepCount) steps is too large for them"
      )
    }
  }
}

struct GatesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gates",
    abstract: "Measure gates: mean, saturation and half-life.",
    discussion: """
      The arithmetic is float64, and the cell a GRU unless --cell is given. With --weights, every layer of the network \
      is measured.

      EXAMPLES
        unroll lab gates
        unroll lab gates --cell lstm --gate-bias 2
        unroll lab gates --weights run --data book.txt
      """)

  @OptionGroup var cells: LabCellOptions
  @OptionGroup(title: "Cell and sizes") var sizes: SizeOptions
  @OptionGroup(title: "Output") var out: OutputOptions
  @OptionGroup(title: "Machine") var threads: ThreadOptions

  func run() throws {
    try cells.check(sizes)
    try cells.refuseSweep()
    try LabCellOptions.refuse(
      [("--dtype", sizes.dtype != nil)], because: "gates are computed in float64")
    try LabCellOptions.refuse(
      [("--steps", cells.steps != nil)], because: "gates are measured at all steps")
    var settings = cells.settings(sizes, defaultScale: 2, defaultCell: .gruResetBefore)
    // Gates are measured at all steps, so no default step may exceed the sequence. The length of sequences from a file
    // is not known yet.
    if cells.given.weights == nil { settings.steps = [max(0, settings.timeStepCount - 1)] }
    try InstrumentRun(
      title: "Gates", cells: cells, sizes: sizes, out: out, settings: settings,
      measure: { try GateExperiment.run($0, layer: $1) },
      show: { result in
        if result.gates.isEmpty { print("a basic RNN has no gates\n") }
        for table in result.section().tables { table.show() }
        if !result.gates.isEmpty { print(result.statement) }
      }, section: { [$0.section(name: $1, weights: $2)] }
    ).run()
  }
}
#endif
