// The commands whose subject is one cell, drawn or given: memory, gradients, spectrum, gates.

#if Command
internal import ArgumentParser
internal import Unroll
internal import UnrollLab
internal import UnrollLanguage

struct MemoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "memory",
    abstract: "Forgetting: how far apart runs from different initial states are at each step.",
    discussion: """
      With --weights, for every layer of the network; of a language model also how much it gains from a \
      longer prefix.
      """)

  @OptionGroup var cells: LabCellOptions
  @OptionGroup var sizes: SizeOptions
  @OptionGroup var out: OutputOptions

  @Flag(help: "Draw histograms as text; not for a sweep, nor with --json.")
  var terminal = false

  func validate() throws { try OutputOptions.check(terminal: terminal, json: out.json) }

  func run() throws {
    try cells.check(sizes)
    try cells.checkWeightDraws()
    let settings = cells.settings(sizes, defaultScale: 2)
    if let scales = cells.sweep {
      guard !terminal else { throw ValidationError("--terminal: a sweep has no histograms.") }
      return try runSweep(settings, scales, weightDraws: cells.weightDraws, out)
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

  /// Advice with the option that it is about.
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
    abstract: "Gradient flow: how much a state depends on the initial state.",
    discussion: """
      With --weights, for every layer of the network, with what each step adds to the weights' gradients \
      and what truncation leaves of them; of a language model also which earlier symbols the gradient of \
      a prediction reaches.
      """)

  @OptionGroup var cells: LabCellOptions
  @OptionGroup var sizes: SizeOptions
  @OptionGroup var out: OutputOptions

  @Flag(help: "Take the gradient of the weights apart: what each step adds, and truncation.")
  var parts = false

  @Flag(help: "Draw histograms as text; not for a sweep, nor with --json.")
  var terminal = false

  func validate() throws { try OutputOptions.check(terminal: terminal, json: out.json) }

  /// What is printed of a cell.
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
      return try runSweep(settings, scales, weightDraws: cells.weightDraws, out)
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
    abstract: "Singular values of the Jacobian product, Lyapunov exponents, fixed points.",
    discussion: """
      Computed in float64; --dtype says in which precision entries of the gradient that are 0 or subnormal are \
      counted. Exponents are in nats per step; the last tenth of the steps turns the directions and does \
      not count. With --weights, for every layer of the network.
      """)

  @OptionGroup var cells: LabCellOptions
  @OptionGroup var sizes: SizeOptions
  @OptionGroup var out: OutputOptions

  @Option(
    parsing: .unconditional,
    help: "How many sequences the Lyapunov exponents are the mean of, at least 1.")
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
    abstract: "How open gates are, how often they are stuck, how long what they keep lives.",
    discussion: """
      Computed in float64, of a GRU unless --cell says otherwise. With --weights, for every layer of the \
      network.
      """)

  @OptionGroup var cells: LabCellOptions
  @OptionGroup var sizes: SizeOptions
  @OptionGroup var out: OutputOptions

  func run() throws {
    try cells.check(sizes)
    try cells.refuseSweep()
    try LabCellOptions.refuse(
      [("--dtype", sizes.dtype != nil)], because: "gates are computed in float64")
    try LabCellOptions.refuse(
      [("--steps", cells.steps != nil)], because: "gates are measured at all steps")
    var settings = cells.settings(sizes, defaultScale: 2, defaultCell: .gruResetBefore)
    // Any sequence is long enough; where one is read, its length is not known yet.
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
