// The notebook's long-term dependency, forward and backward, in both precisions.

package import Unroll
package import UnrollFormats
package import UnrollLab

package struct DependencyCase {
  let golden: GoldenCase
  let archive: NPZ
  package let settings: LabSettings
  let gradientScale, keepBias: Double
  let gradientStep: Int
  package let weights: TensorFlowInitialWeights
  package let draws: NotebookDraws

  package init(_ golden: GoldenCase, _ archive: NPZ) throws {
    self.golden = golden
    self.archive = archive
    guard let seed = golden.fields["seed"]?.integer, let scale = golden.fields["scale"]?.double,
      let steps = golden.fields["steps"]?.integers,
      let gradientScale = golden.fields["grad_scale"]?.double,
      let keepBias = golden.fields["keep_bias"]?.double
    else {
      throw VerificationError("expected seed, scale, steps, grad_scale and keep_bias in the index")
    }
    gradientStep = golden.fields["grad_step"]?.integer ?? 30
    settings = LabSettings(
      scale: scale, steps: steps, hiddenSize: try golden.size("H"),
      inputSize: try golden.size("I"), batchSize: try golden.size("B"),
      timeStepCount: try golden.size("T"), seed: seed)
    try settings.validate()
    guard (0..<settings.timeStepCount).contains(gradientStep) else {
      throw VerificationError("grad_step: expected a step of the sequence, found \(gradientStep)")
    }
    (self.gradientScale, self.keepBias) = (gradientScale, keepBias)
    weights = try NotebookCase.weights(
      golden, inputSize: settings.inputSize, hiddenSize: settings.hiddenSize)
    draws = try NotebookDraws(golden, settings)
  }

  func compare() throws -> Comparison {
    var comparison = Comparison()
    try compareDraws(&comparison)
    for (name, tensor) in try NotebookCase.initialArrays(weights)
    where archive.contains("init.\(name)") {
      comparison.compareExactly(
        tensor.elements, try archive.tensor("init.\(name)", Float.self).elements,
        as: "initial weights", array: "init.\(name)")
    }
    try compareRuns(&comparison, Float.self, "f32")
    try compareRuns(&comparison, Double.self, "f64")
    try compareHistograms(&comparison)
    return comparison
  }

  // MARK: - Draws

  /// Returns the three draws of weights with a prefix, scaled as in the notebook.
  private func drawnWeights(_ prefix: String, _ scale: Double) throws -> [(String, Tensor<Double>)]
  {
    let (hidden, input) = (settings.hiddenSize, settings.inputSize)
    return try [("wt_h", [hidden, hidden]), ("wt_x", [input, hidden]), ("bias", [hidden])].map {
      ($0, (try draws.tensor(prefix + $0, $1) - 0.5) * scale)
    }
  }

  package func parameters<Scalar: KernelScalar>(
    _ prefix: String, _ scale: Double
  ) throws -> CellParameters<Scalar> {
    var parameters: CellParameters<Scalar> = CellKind.rnn.zeroParameters(settings)
    let drawn = try drawnWeights(prefix, scale).map { $1.roundedToFloat() as Tensor<Scalar> }
    parameters[.candidate] = GateParameters(
      inputWeights: drawn[1], recurrentWeights: drawn[0], bias: drawn[2])
    return parameters
  }

  /// Compares the unscaled weights, in double.
  private func compareDraws(_ comparison: inout Comparison) throws {
    if archive.contains("input_data") {
      comparison.compareExactly(
        (Tensor<Float>(draws.inputs) - 0.5).elements,
        try archive.tensor("input_data", Float.self).elements, as: "draws", array: "input_data")
    }
    for (prefix, tag, scale) in [("", "", settings.scale), ("grad.", "grad ", gradientScale)] {
      for (name, tensor) in try drawnWeights(tag, scale) {
        let array = prefix + name
        comparison.compareExactly(
          tensor.elements, try archive.tensor(array, Double.self).elements, as: "draws",
          array: array)
      }
    }
    try draws.compare(archive, &comparison)
  }

  // MARK: - Runs

  private func compareRuns<Scalar: KernelScalar>(
    _ comparison: inout Comparison, _ type: Scalar.Type, _ suffix: String
  ) throws {
    let inputs = Tensor<Scalar>(Tensor<Float>(draws.inputs) - 0.5).exchangingFirstAxes
    let rnn = Cell(.rnn, parameters: try parameters("", settings.scale) as CellParameters<Scalar>)
    let states = [settings.batchSize, settings.hiddenSize]
    var keeping: CellParameters<Scalar> = weights.gru()
    keepState(&keeping, of: .gruResetBefore, bias: keepBias)
    let grus = [
      ("gru_keep", Cell(.gruResetBefore, parameters: keeping)),
      ("gru_init", Cell(.gruResetBefore, parameters: weights.gru()) as Cell<Scalar>),
    ]
    for (drawn, cells) in [("rnn", [("rnn", rnn)]), ("gru", grus)] {
      for step in settings.steps {
        for (name, cell) in cells
        where archive.contains("\(name).step\(step).\(suffix).norm_diff1") {
          let first = DrawnState(hidden: try draws.tensor("init_rand1 \(drawn) \(step)", states))
          let second = DrawnState(hidden: try draws.tensor("init_rand2 \(drawn) \(step)", states))
          let runs = FourRuns(cell, inputs, first, second)
          try compare(
            runs, Reruns { runs.moved(&$0, cell, inputs) }, step, "\(name).step\(step)", suffix,
            &comparison)
        }
      }
    }
    let last = DrawnState(
      hidden: draws.lastFirst.isEmpty
        ? Tensor(shape: states) : try draws.tensor(draws.lastFirst, states))
    let backward: CellParameters<Scalar> = try parameters("grad ", gradientScale)
    for (name, cell) in grus + [("rnn", Cell(.rnn, parameters: backward))] {
      for (point, factor) in [("as_left", 100.0), ("zero", 0), ("rand1", 1)] {
        let base = "grad.\(name).\(point)"
        guard archive.contains("\(base).\(suffix)") else { continue }
        try compareGradient(
          cell, inputs, last.state(times: factor), base, suffix, &comparison)
      }
    }
  }

  private func compareGradient<Scalar: KernelScalar>(
    _ cell: Cell<Scalar>, _ inputs: Tensor<Scalar>, _ start: RecurrentState<Scalar>,
    _ base: String, _ suffix: String, _ comparison: inout Comparison
  ) throws {
    let gradient = GradientFlow(cell).gradient(inputs, from: start, at: gradientStep).hidden
    let isSaturated = RecurrentLayer(cell: cell).forward(inputs, from: start).isSaturated()
    let step = gradientStep
    let reruns = Reruns { nudge in
      let layer = RecurrentLayer(cell: nudge(cell))
      var trace = layer.forward(nudge(inputs)[0..<step + 1], from: nudge(start))
      nudge(&trace)
      var seed = layer.zeroState(batchSize: inputs.shape[1])
      seed.hidden = Tensor(shape: seed.hidden.shape, repeating: 1)
      return layer.backward(trace, finalState: seed).initialState.hidden
    }
    comparison.compare(
      gradient, try archive.tensor("\(base).\(suffix)"), as: "gradients \(suffix)",
      array: "\(base).\(suffix)", bound: try bound(base, suffix, isSaturated),
      sensitivity: { reruns.results })
    comparison.compare(
      gradient.rowNorms, try archive.tensor("\(base).\(suffix).norm"),
      as: "gradients \(suffix)", array: "\(base).\(suffix).norm",
      bound: try bound("\(base).norm", suffix, isSaturated),
      sensitivity: { reruns.results.map(\.rowNorms) })
  }

  private func compare<Scalar: KernelScalar>(
    _ runs: FourRuns<Scalar>, _ reruns: Reruns<FourRuns<Scalar>>, _ step: Int, _ base: String,
    _ suffix: String, _ comparison: inout Comparison
  ) throws {
    let isSaturated = runs.traces.contains { $0.isSaturated() }
    for (index, norms) in runs.norms(at: step).enumerated() {
      let name = "\(base).\(suffix).norm_diff\(index + 1)"
      comparison.compare(
        Tensor(norms), try archive.tensor(name), as: "distances \(suffix)", array: name,
        bound: try bound(base, suffix, isSaturated), isDifference: true,
        sensitivity: { reruns.results.map { Tensor($0.norms(at: step)[index]) } })
    }
    for (index, state) in ["zero", "rand1", "rand2", "scaleup1"].enumerated() {
      let name = "\(base).\(suffix).state_\(state)"
      guard archive.contains(name) else { continue }
      comparison.compare(
        runs.traces[index].hiddenStates[step, ...], try archive.tensor(name),
        as: "states \(suffix)", array: name, bound: try bound(base, suffix, isSaturated),
        sensitivity: { reruns.results.map { $0.traces[index].hiddenStates[step, ...] } })
    }
  }

  /// Returns the bound for the arrays with a base name, such as `rnn.step10` or `grad.rnn.zero.norm`.
  private func bound(_ base: String, _ suffix: String, _ isSaturated: Bool) throws -> Double {
    guard suffix == "f32" else { return isSaturated ? Bounds.saturatedDouble : Bounds.double }
    let stated = golden.fields["f32_error"]?[base]?.double
    return Bounds.float([stated, try spread(base)].compactMap(\.self).min())
  }

  /// Returns the distance between the reference's float32 and float64 results, by the same measure.
  private func spread(_ base: String) throws -> Double? {
    let (stem, isNorm) = base.hasSuffix(".norm") ? (String(base.dropLast(5)), true) : (base, false)
    var spread: Double?
    for name in archive.names {
      let twin = name.replacing(".f32", with: ".f64")
      let isOwn =
        name == "\(stem).f32\(isNorm ? ".norm" : "")"
        || name.hasPrefix("\(stem).f32.norm_diff") || name.hasPrefix("\(stem).f32.state_")
      guard isOwn, twin != name, archive.contains(twin) else { continue }
      let float = Tensor<Double>(try archive.tensor(name, Float.self))
      let double = try archive.tensor(twin, Double.self)
      guard let found = Comparison.Difference(float, double) else { continue }
      spread = max(spread ?? 0, found.worst)
    }
    return spread
  }

  /// Compares histograms; they are computed from the set's own numbers and must be exact.
  private func compareHistograms(_ comparison: inout Comparison) throws {
    for name in archive.names where name.hasSuffix(".counts") {
      let base = name.dropLast(".counts".count)
      let data: String
      if base.hasSuffix(".hist") {
        data = "\(base.dropLast(".hist".count)).norm"
      } else {
        guard let dot = base.lastIndex(of: ".") else { continue }
        data = "\(base[..<dot]).norm_diff\(base[dot...].dropFirst(".hist".count))"
      }
      let counts = try archive.array(name).integers()
      guard !counts.isEmpty else { throw VerificationError("\(name): expected at least one bin") }
      let values: Tensor<Float> = try archive.tensor(data)
      let histogram = Histogram(values.elements, binCount: counts.count)
      comparison.compareExactly(histogram.counts, counts, as: "histograms", array: name)
      comparison.compareExactly(
        histogram.edges, try archive.tensor("\(base).edges", Double.self).elements,
        as: "histograms", array: "\(base).edges")
    }
  }
}

extension FourRuns {
  /// Returns the same runs with every number perturbed by one unit in the last place.
  func moved(
    _ nudge: inout Nudge, _ cell: Cell<Scalar>, _ inputs: Tensor<Scalar>
  ) -> FourRuns {
    let moved = nudge(inputs)
    return FourRuns(nudge(cell), moved, from: starts.map { nudge($0) })
  }
}
