// The notebook's own arrays: draws, initial weights, outputs, distances, histograms, gradients.

internal import Unroll
internal import UnrollFormats

enum NotebookCase {
  static func compare(_ golden: GoldenCase, _ archive: NPZ) throws -> Comparison {
    golden.fields["steps"] == nil
      ? try ToyCase(golden, archive).compare() : try DependencyCase(golden, archive).compare()
  }

  /// The op seeds of RNN kernel, gate kernel and candidate kernel.
  static func weights(
    _ golden: GoldenCase, inputSize: Int, hiddenSize: Int
  ) throws -> TensorFlowInitialWeights {
    let operations = golden.fields["random_ops"]?.array ?? []
    let opSeeds = operations.compactMap { $0["seed2"]?.integer }.map { Int64($0) }
    guard opSeeds.count == 3, let seed = operations.first?["seed"]?.integer else {
      throw VerificationError("random_ops: expected three operations with seed and seed2")
    }
    return TensorFlowInitialWeights(
      inputSize: inputSize, hiddenSize: hiddenSize, seed: Int64(seed), opSeeds: opSeeds)
  }

  /// TensorFlow's names for the initial weights.
  static func initialArrays(_ weights: TensorFlowInitialWeights) -> [String: Tensor<Float>] {
    let rnn = TensorFlow1Cell(.basicRNN).arrays(
      from: weights.rnn(Float.self), role: .weights)
    let gru = TensorFlow1Cell(.gru).arrays(from: weights.gru(Float.self), role: .weights)
    return Dictionary(
      uniqueKeysWithValues: rnn.map { ("rnn.\($0.key)", $0.value) }
        + gru.map { ("gru.\($0.key)", $0.value) })
  }
}

/// The toy problem.
private struct ToyCase {
  let golden: GoldenCase
  let archive: NPZ
  let inputs: Tensor<Float>
  let weights: TensorFlowInitialWeights

  init(_ golden: GoldenCase, _ archive: NPZ) throws {
    self.golden = golden
    self.archive = archive
    guard let seed = golden.fields["seed"]?.integer, let start = UInt32(exactly: seed) else {
      throw VerificationError("seed: expected an integer in the index")
    }
    let settings = LabSettings(
      steps: [0], hiddenSize: try golden.size("H"), inputSize: try golden.size("I"),
      batchSize: try golden.size("B"), timeStepCount: try golden.size("T"), seed: seed)
    try settings.validate()
    var random = NumPyRandom(seed: start)
    inputs = Tensor<Float>(
      random.rand([settings.batchSize, settings.timeStepCount, settings.inputSize]))
    weights = try NotebookCase.weights(
      golden, inputSize: settings.inputSize, hiddenSize: settings.hiddenSize)
  }

  func compare() throws -> Comparison {
    var comparison = Comparison()
    comparison.compareExactly(
      inputs.elements, try archive.tensor("input_data", Float.self).elements, as: "input_data",
      array: "input_data")
    for (name, tensor) in NotebookCase.initialArrays(weights).sorted(by: { $0.key < $1.key }) {
      comparison.compareExactly(
        tensor.elements, try archive.tensor(name, Float.self).elements, as: "initial weights",
        array: name)
    }
    for (name, cell) in [("rnn", LabCell.rnn), ("gru", .gru)] {
      let trace = run(
        cell.cell(cell == .rnn ? weights.rnn() : weights.gru()) as any RecurrentCell<Float>)
      comparison.compare(
        trace.outputs, try archive.tensor("\(name).y"), as: "outputs", array: "\(name).y",
        bound: Bounds.floatFloor)
      comparison.compare(
        trace.finalState.hidden, try archive.tensor("\(name).hT"), as: "states",
        array: "\(name).hT", bound: Bounds.floatFloor)
    }
    for (name, cell) in [
      ("rnn", LabCell.rnn), ("gru", .gru), ("gru_reset_after", .gruAfter),
    ] where archive.contains("np64.\(name).y") {
      let trace = run(
        cell.cell(cell == .rnn ? weights.rnn() : weights.gru()) as any RecurrentCell<Double>)
      comparison.compare(
        trace.outputs, try archive.tensor("np64.\(name).y"), as: "outputs in float64",
        array: "np64.\(name).y", bound: Bounds.double)
    }
    for row in golden.fields["gru_as_rnn"]?.array ?? [] {
      guard let update = row["bias_u"]?.double, let reset = row["bias_r"]?.double else { continue }
      let name = "gru_as_rnn.u\(shortest(update))_r\(shortest(reset)).y"
      guard archive.contains(name) else { continue }
      let parameters = GRUAsRNNExperiment.parameters(
        of: weights.rnn(Float.self), bias: reset, updateBias: update)
      comparison.compare(
        run(LabCell.gru.cell(parameters)).outputs, try archive.tensor(name), as: "GRU as RNN",
        array: name, bound: Bounds.floatFloor)
    }
    return comparison
  }

  private func run<Scalar: KernelScalar>(
    _ cell: any RecurrentCell<Scalar>
  ) -> SequenceTrace<Scalar> {
    let layer = RecurrentLayer(cell: cell)
    return layer.forward(
      Tensor<Scalar>(inputs), from: layer.zeroState(batchSize: inputs.shape[0]),
      layout: .batchMajor)
  }

  /// A number as C's %g writes whole ones.
  private func shortest(_ value: Double) -> String {
    Int(exactly: value).map(String.init) ?? "\(value)"
  }
}

/// The long-term dependency, forward and backward, in both precisions.
private struct DependencyCase {
  let golden: GoldenCase
  let archive: NPZ
  let settings: LabSettings
  let gradientScale, keepBias: Double
  let gradientStep: Int
  let weights: TensorFlowInitialWeights

  init(_ golden: GoldenCase, _ archive: NPZ) throws {
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
  }

  private var steps: [Int] { settings.steps }

  func compare() throws -> Comparison {
    var comparison = Comparison()
    try compareDraws(&comparison)
    for (name, tensor) in NotebookCase.initialArrays(weights)
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

  /// The weights as they were drawn, in double.
  private func compareDraws(_ comparison: inout Comparison) throws {
    var random = NumPyRandom(seed: settings.generatorSeed)
    let (hidden, input) = (settings.hiddenSize, settings.inputSize)
    let data = random.rand([settings.batchSize, settings.timeStepCount, input])
    if archive.contains("input_data") {
      comparison.compareExactly(
        (Tensor<Float>(data) - 0.5).elements,
        try archive.tensor("input_data", Float.self).elements, as: "draws", array: "input_data")
    }
    func compare(_ prefix: String, _ scale: Double) throws {
      for (name, shape) in [
        ("wt_h", [hidden, hidden]), ("wt_x", [input, hidden]), ("bias", [hidden]),
      ] {
        comparison.compareExactly(
          ((random.rand(shape) - 0.5) * scale).elements,
          try archive.tensor(prefix + name, Double.self).elements, as: "draws",
          array: prefix + name)
      }
    }
    try compare("", settings.scale)
    for _ in 0..<4 * steps.count { _ = random.rand([settings.batchSize, hidden]) }
    try compare("grad.", gradientScale)
  }

  private func compareRuns<Scalar: KernelScalar>(
    _ comparison: inout Comparison, _ type: Scalar.Type, _ suffix: String
  ) throws {
    var random = NumPyRandom(seed: settings.generatorSeed)
    let inputs: Tensor<Scalar> = drawInputs(settings, &random)
    let rnn: CellParameters<Scalar> = drawWeights(settings, scale: settings.scale, &random)
    var keeping: CellParameters<Scalar> = weights.gru()
    keepState(&keeping, bias: keepBias)
    let grus = [
      ("gru_keep", LabCell.gru.cell(keeping)),
      ("gru_init", LabCell.gru.cell(weights.gru()) as any RecurrentCell<Scalar>),
    ]
    var last = DrawnState(0, LabSettings(hiddenSize: 0, batchSize: 0), &random)
    for cells in [[("rnn", LabCell.rnn.cell(rnn))], grus] {
      for step in steps {
        last = DrawnState(0, settings, &random)
        let second = DrawnState(0, settings, &random)
        for (name, cell) in cells where archive.contains("\(name).step\(step).\(suffix).norm_diff1")
        {
          try compare(
            FourRuns(cell, inputs, last, second), step, "\(name).step\(step)", suffix, &comparison)
        }
      }
    }
    let backward: CellParameters<Scalar> = drawWeights(settings, scale: gradientScale, &random)
    for (name, cell) in grus + [("rnn", LabCell.rnn.cell(backward))] {
      for (point, factor) in [("as_left", 100.0), ("zero", 0), ("rand1", 1)] {
        let base = "grad.\(name).\(point)"
        guard archive.contains("\(base).\(suffix)") else { continue }
        let start: RecurrentState<Scalar> = last.state(times: factor)
        let gradient = GradientFlow(cell).gradient(inputs, from: start, at: gradientStep).hidden
        let isSaturated = RecurrentLayer(cell: cell).forward(inputs, from: start).isSaturated()
        comparison.compare(
          gradient, try archive.tensor("\(base).\(suffix)"), as: "gradients \(suffix)",
          array: "\(base).\(suffix)", bound: bound(base, suffix, isSaturated))
        comparison.compare(
          gradient.rowNorms, try archive.tensor("\(base).\(suffix).norm"),
          as: "gradients \(suffix)", array: "\(base).\(suffix).norm",
          bound: bound("\(base).norm", suffix, isSaturated))
      }
    }
  }

  private func compare<Scalar: KernelScalar>(
    _ runs: FourRuns<Scalar>, _ step: Int, _ base: String, _ suffix: String,
    _ comparison: inout Comparison
  ) throws {
    let isSaturated = runs.traces.contains { $0.isSaturated() }
    for (index, norms) in runs.norms(at: step).enumerated() {
      let name = "\(base).\(suffix).norm_diff\(index + 1)"
      comparison.compare(
        Tensor(norms), try archive.tensor(name), as: "distances \(suffix)", array: name,
        bound: bound(base, suffix, isSaturated), isDifference: true)
    }
    for (index, state) in ["zero", "rand1", "rand2", "scaleup1"].enumerated() {
      let name = "\(base).\(suffix).state_\(state)"
      guard archive.contains(name) else { continue }
      comparison.compare(
        runs.traces[index].hiddenStates.slice(step), try archive.tensor(name),
        as: "states \(suffix)", array: name, bound: bound(base, suffix, isSaturated))
    }
  }

  private func bound(_ base: String, _ suffix: String, _ isSaturated: Bool) -> Double {
    suffix == "f64"
      ? (isSaturated ? Bounds.saturatedDouble : Bounds.double)
      : Bounds.float(golden.fields["f32_error"]?[base]?.double)
  }

  /// Histograms are counted from the set's own numbers: they are exact.
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
