// The case for the notebook's later edition.

internal import Unroll
internal import UnrollFormats
internal import UnrollLab

/// The case for the later edition, which uses Keras.
enum LaterEditionCase {
  static func compare(_ golden: GoldenCase, _ archive: NPZ) throws -> Comparison {
    guard let seed = golden.fields["seed"]?.integer, let start = UInt32(exactly: seed),
      let scale = golden.fields["scale"]?.double,
      let gradientSeed = golden.fields["grad_seed"]?.integer,
      let gradientStart = UInt32(exactly: gradientSeed)
    else { throw VerificationError("expected seed, scale and grad_seed in the index") }
    try LabSettings(scale: scale, seed: seed).validate()
    var comparison = Comparison()
    try compareToy(archive, start, &comparison)

    let settings = LabSettings(scale: scale, seed: seed)
    let float = Run<Float>(settings, start, gradientStart)
    let double = Run<Double>(settings, start, gradientStart)
    compareWeights(float.weights, try arrays(archive, "ltd."), "ltd.", &comparison)
    let reruns = Reruns { float.moved(&$0) }
    for step in [5, 10, 20] {
      let name = "ltd.step\(step).norms"
      let norms = float.distances(step)
      comparison.compare(
        norms, try archive.tensor(name), as: "distances", array: name,
        bound: bound(norms, double.distances(step)),
        sensitivity: { reruns.results.map { $0.distances(step) } })
    }
    let edition = LaterEditionExperiment.run(seed: start, scale: scale)
    for (step, fraction) in zip(edition.steps, edition.fractions) {
      guard let expected = golden.fields["values"]?["diff_frac\(step)"]?.double else { continue }
      comparison.compare(
        Tensor([fraction]), Tensor([expected]), as: "fraction above 0.1",
        array: "ltd.step\(step).norms", bound: 1e-7)
    }
    compareWeights(float.backward, try arrays(archive, "grad."), "grad.", &comparison)
    comparison.compareExactly(
      float.start.hidden.elements, try archive.tensor("grad.h0", Float.self).elements,
      as: "draws", array: "grad.h0")
    comparison.compare(
      float.gradient, try archive.tensor("grad.d_h0"), as: "gradients", array: "grad.d_h0",
      bound: bound(float.gradient, double.gradient),
      sensitivity: { reruns.results.map(\.gradient) })
    let norms = float.gradient.rowNorms
    comparison.compare(
      norms, try archive.tensor("grad.norm"), as: "gradients", array: "grad.norm",
      bound: bound(norms, double.gradient.rowNorms),
      sensitivity: { reruns.results.map(\.gradient.rowNorms) })
    return comparison
  }

  /// Returns a bound derived from rounding.
  ///
  /// The index has no float32 error for these cases, so Unroll's float32 results are compared with its float64 results.
  private static func bound(_ float: Tensor<Float>, _ double: Tensor<Double>) -> Double {
    // Measured like the case itself: relative for large numbers.
    Bounds.float(Comparison.Difference(Tensor<Double>(float), double)?.worst)
  }

  /// The draws, runs and gradient of this edition in one precision.
  private struct Run<Scalar: KernelScalar> {
    let inputs: Tensor<Scalar>
    let weights, backward: CellParameters<Scalar>
    let runs: FourRuns<Scalar>
    let start: RecurrentState<Scalar>
    let gradient: Tensor<Scalar>

    init(_ settings: LabSettings, _ seed: UInt32, _ gradientSeed: UInt32) {
      var random = NumPyRandom(seed: seed)
      weights = drawWeights(settings, scale: settings.scale, &random)
      inputs = drawInputs(settings, &random)
      let first = DrawnState(0, settings, &random)
      runs = FourRuns(
        Cell(.rnn, parameters: weights), inputs, first, DrawnState(0, settings, &random))
      var again = NumPyRandom(seed: gradientSeed)
      backward = drawWeights(settings, scale: settings.scale, &again)
      start = DrawnState(0, settings, &again).state()
      gradient = Self.gradient(Cell(.rnn, parameters: backward), inputs, start)
    }

    /// Creates the same runs and gradient with every number perturbed by one unit in the last place.
    private init(moving run: Run, by nudge: inout Nudge) {
      (inputs, weights) = (nudge(run.inputs), run.weights)
      (backward, start) = (run.backward, nudge(run.start))
      runs = run.runs.moved(&nudge, Cell(.rnn, parameters: weights), run.inputs)
      var other = nudge
      gradient = Self.gradient(nudge(Cell(.rnn, parameters: backward)), inputs, start) {
        other(&$0)
      }
    }

    func moved(_ nudge: inout Nudge) -> Run { Run(moving: self, by: &nudge) }

    /// Returns the gradient of Σ h² at step 30, computed as that of Σ (2 h) h with constant 2 h.
    private static func gradient(
      _ cell: Cell<Scalar>, _ inputs: Tensor<Scalar>, _ start: RecurrentState<Scalar>,
      changing change: (inout SequenceTrace<Scalar>) -> Void = { _ in }
    ) -> Tensor<Scalar> {
      let layer = RecurrentLayer(cell: cell)
      var trace = layer.forward(inputs[0..<31], from: start)
      change(&trace)
      return layer.backward(
        trace, finalState: RecurrentState(hidden: trace.finalState.hidden * 2)
      ).initialState.hidden
    }

    func distances(_ step: Int) -> Tensor<Scalar> {
      Tensor(rows: runs.norms(at: step, pairs: LaterEditionExperiment.pairs))
    }
  }

  private static func arrays(_ archive: NPZ, _ prefix: String) throws -> [String: Tensor<Float>] {
    [
      "wt_h": try archive.tensor("\(prefix)wt_h"), "wt_x": try archive.tensor("\(prefix)wt_x"),
      "bias": try archive.tensor("\(prefix)bias"),
    ]
  }

  private static func compareWeights(
    _ ours: CellParameters<Float>, _ theirs: [String: Tensor<Float>], _ prefix: String,
    _ comparison: inout Comparison
  ) {
    for (name, tensor) in ours.notebook {
      comparison.compareExactly(
        tensor.elements, theirs[name]?.elements ?? [], as: "draws", array: prefix + name)
    }
  }

  /// Compares the toy problem with recorded weights, because Keras' initialisers cannot be reproduced with NumPy.
  private static func compareToy(
    _ archive: NPZ, _ seed: UInt32, _ comparison: inout Comparison
  ) throws {
    let inputs: Tensor<Float> = try archive.tensor("toy.x")
    guard inputs.rank == 3 else {
      throw VerificationError("toy.x: expected shape [B, T, D], found \(inputs.shape)")
    }
    var random = NumPyRandom(seed: seed)
    comparison.compareExactly(
      Tensor<Float>(random.rand(inputs.shape)).elements, inputs.elements, as: "draws",
      array: "toy.x")
    for (name, convention) in [
      ("rnn", try KerasLayer(.rnn)), ("gru", try KerasLayer(.gruResetBefore)),
    ] {
      var arrays: [String: Tensor<Float>] = [:]
      for array in ["kernel", "recurrent_kernel", "bias"] {
        arrays[array] = try archive.tensor("toy.\(name).w.\(array)")
        comparison.use("toy.\(name).w.\(array)")
      }
      let layer = RecurrentLayer(cell: try convention.cell(from: arrays))
      guard layer.inputSize == inputs.shape[2] else {
        throw VerificationError(
          "toy.\(name): expected weights for inputs of size \(inputs.shape[2]), found \(layer.inputSize)"
        )
      }
      let trace = layer.forward(
        inputs, from: layer.zeroState(batchSize: inputs.shape[0]), layout: .batchMajor)
      comparison.compare(
        trace.outputs, try archive.tensor("toy.\(name).y"), as: "outputs",
        array: "toy.\(name).y", bound: Bounds.floatFloor)
      comparison.compare(
        trace.finalState.hidden, try archive.tensor("toy.\(name).hT"), as: "states",
        array: "toy.\(name).hT", bound: Bounds.floatFloor)
    }
  }
}
