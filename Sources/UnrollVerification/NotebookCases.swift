// Cases for the notebook: draws, initial weights, outputs, distances, histograms, gradients.

internal import Unroll
internal import UnrollFormats
internal import UnrollLab

enum NotebookCase {
  static func compare(_ golden: GoldenCase, _ archive: NPZ) throws -> Comparison {
    golden.fields["steps"] == nil
      ? try ToyCase(golden, archive).compare() : try DependencyCase(golden, archive).compare()
  }

  /// Computes the initial weights from the op seeds of RNN kernel, gate kernel and candidate kernel.
  ///
  /// The graph may contain other random operations, so the three are identified by node name. If there are only three,
  /// they are in this order.
  /// three in all, they come in this order.
  static func weights(
    _ golden: GoldenCase, inputSize: Int, hiddenSize: Int
  ) throws -> TensorFlowInitialWeights {
    let all = golden.fields["random_ops"]?.array ?? []
    let nodes = ["basic_rnn_cell/kernel", "gru_cell/gates/kernel", "gru_cell/candidate/kernel"]
    let named = nodes.map { node in
      all.filter { $0["node"]?.string?.contains(node) ?? false }
    }
    let operations = named.allSatisfy { $0.count == 1 } ? named.flatMap(\.self) : all
    let opSeeds = operations.compactMap { $0["seed2"]?.integer }.map { Int64($0) }
    guard opSeeds.count == 3, let seed = operations.first?["seed"]?.integer else {
      throw VerificationError(
        "random_ops: expected three operations with seed and seed2, or one node each for \(nodes.joined(separator: ", "))"
      )
    }
    return TensorFlowInitialWeights(
      inputSize: inputSize, hiddenSize: hiddenSize, seed: Int64(seed), opSeeds: opSeeds)
  }

  /// Returns the initial weights with TensorFlow's names.
  static func initialArrays(
    _ weights: TensorFlowInitialWeights
  ) throws -> [String: Tensor<Float>] {
    let rnn = try TensorFlow1Cell(.rnn).arrays(
      from: weights.rnn(Float.self), role: .weights)
    let gru = try TensorFlow1Cell(.gruResetBefore).arrays(
      from: weights.gru(Float.self), role: .weights)
    return Dictionary(
      uniqueKeysWithValues: rnn.map { ("rnn.\($0.key)", $0.value) }
        + gru.map { ("gru.\($0.key)", $0.value) })
  }
}

/// The toy problem of the notebook.
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
    for (name, tensor) in try NotebookCase.initialArrays(weights).inKeyOrder {
      comparison.compareExactly(
        tensor.elements, try archive.tensor(name, Float.self).elements, as: "initial weights",
        array: name)
    }
    for (name, cell) in [("rnn", CellKind.rnn), ("gru", .gruResetBefore)] {
      let trace = run(
        Cell<Float>(cell, parameters: cell == .rnn ? weights.rnn() : weights.gru()))
      comparison.compare(
        trace.outputs, try archive.tensor("\(name).y"), as: "outputs", array: "\(name).y",
        bound: Bounds.floatFloor)
      comparison.compare(
        trace.finalState.hidden, try archive.tensor("\(name).hT"), as: "states",
        array: "\(name).hT", bound: Bounds.floatFloor)
    }
    for (name, cell) in [
      ("rnn", CellKind.rnn), ("gru", .gruResetBefore), ("gru_reset_after", .gruResetAfter),
    ] where archive.contains("np64.\(name).y") {
      let trace = run(
        Cell<Double>(cell, parameters: cell == .rnn ? weights.rnn() : weights.gru()))
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
        run(Cell(.gruResetBefore, parameters: parameters)).outputs, try archive.tensor(name),
        as: "GRU as RNN", array: name, bound: Bounds.floatFloor)
    }
    return comparison
  }

  private func run<Scalar: KernelScalar>(
    _ cell: Cell<Scalar>
  ) -> SequenceTrace<Scalar> {
    let layer = RecurrentLayer(cell: cell)
    return layer.forward(
      Tensor<Scalar>(inputs), from: layer.zeroState(batchSize: inputs.shape[0]),
      layout: .batchMajor)
  }

  /// Formats a number like C's %g.
  private func shortest(_ value: Double) -> String {
    Int(exactly: value).map(String.init) ?? "\(value)"
  }
}
