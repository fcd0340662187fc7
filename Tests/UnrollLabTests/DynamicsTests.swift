// Compares spectra, exponents and fixed points with closed forms and published values.

import Foundation
import Testing
import Unroll
import UnrollLab
import UnrollTestSupport

@Suite("Dynamics of cells")
struct DynamicsTests {
  /// A cell h ↦ φ(h·U + x·W + b).
  private func cell(
    _ recurrent: [[Double]], activation: Activation = .identity, bias: [Double]? = nil
  ) -> Cell<Double> {
    var cell = Cell<Double>(.rnn, inputSize: 1, hiddenSize: recurrent.count)
    cell.options.activation = activation
    cell.parameters.recurrentWeights = Tensor(rows: recurrent)
    if let bias { cell.parameters.bias = Tensor(bias) }
    return cell
  }

  private func settings(_ size: Int, steps: Int, batch: Int = 2) -> LabSettings {
    LabSettings(
      steps: [steps - 1], hiddenSize: size, inputSize: 1, batchSize: batch, timeStepCount: steps,
      precision: .float64)
  }

  private func spectrum(_ cell: Cell<Double>, steps: Int) throws -> SpectrumResult {
    let settings = settings(cell.hiddenSize, steps: steps)
    return try SpectrumExperiment.run(
      settings, layer: LayerInNetwork(cell: cell, inputs: drawnInputs(settings)))
  }

  @Test("A linear network's singular values are powers, far below the largest, too")
  func diagonal() throws {
    let found = try spectrum(cell([[0.9, 0, 0], [0, -0.5, 0], [0, 0, 1e-3]]), steps: 30)
    for (index, values) in found.singularValues.enumerated() {
      for (value, factor) in zip(values, [0.9, 0.5, 1e-3]) {
        let expected = pow(factor, Double(index + 1))
        #expect(abs(value - expected) <= 1e-12 * expected)
      }
    }
    for (exponent, factor) in zip(found.exponents, [0.9, 0.5, 1e-3]) {
      #expect(abs(exponent - log(factor)) < 1e-12)
    }
    #expect(found.stepRadii.allSatisfy { abs($0 - 0.9) < 1e-12 })
    #expect(abs(found.recurrentRadius - 0.9) < 1e-12)
  }

  @Test("A direction that a step takes away is 0, not what rounding leaves of it")
  func lostDirections() throws {
    let matrix = Matrix(Tensor(rows: [[0, 0, 0], [1, 2, 3], [4, 5, 7]]))
    let values = JacobianProduct.singularValues([matrix, matrix])
    #expect(values.count == 2 && values.allSatisfy { $0[2] == 0 && $0[1] > 1e-3 })
    // Two dependent columns: the component of the second along the first is rounding, too.
    let two = Matrix(Tensor(rows: [[0, 0, 0, 0], [0, 0, 0, 0], [1, 2, 3, 4], [4, 5, 7, 9]]))
    let few = JacobianProduct.singularValues([two, two])
    #expect(few.count == 2 && few.allSatisfy { $0[2] == 0 && $0[3] == 0 && $0[1] > 1e-3 })
    let exponents = LyapunovSpectrum(steps: 3, size: 3, count: 3) { _, rows in rows * matrix }
    #expect(exponents?.exponents[2] == -.infinity)
    #expect(exponents?.exponents[1].isFinite == true)
    // No direction remains, so the report must not contain "± nan".
    let found = try spectrum(cell([[0, 0], [0, 0]]), steps: 5)
    #expect(found.exponents.allSatisfy { $0 == -.infinity })
    let rows = found.section().tables[0].rows.filter { $0[0].contains("exponent") }
    #expect(
      rows.map { $0[1] } == [
        "-inf: a step removes the direction", "-inf: a step removes the direction",
      ])
  }

  @Test("An orthogonal network keeps all directions; g times one stretches all alike")
  func orthogonal() throws {
    var random = NumPyRandom(seed: 3)
    let drawn: Tensor<Double> = random.rand([6, 6]) - 0.5
    let q = try #require(Matrix(drawn).orthonormalized).q
    let rows = (0..<6).map { row in (0..<6).map { 1.25 * q[row, $0] } }
    let found = try spectrum(cell(rows), steps: 40)
    #expect(found.exponents.allSatisfy { abs($0 - log(1.25)) < 1e-12 })
    let last = try #require(found.singularValues.last)
    #expect(last.allSatisfy { abs($0 / pow(1.25, 40) - 1) < 1e-10 })
    // An unbounded map has only the fixed point 0, a source.
    let point = try #require(
      FixedPointSearch.run(
        StepMap(cell(rows)), input: [0], starts: Tensor(shape: [1, 6], repeating: 0.3)
      ).first)
    #expect(point.state.allSatisfy { abs($0) < 1e-10 })
    #expect(point.unstableDirections == 6)
    #expect(abs(point.spectralRadius - 1.25) < 1e-12)
  }

  @Test("Lyapunov exponents of the Hénon map are the published ones")
  func henon() throws {
    // x′ = 1 − 1.4·x² + y, y′ = 0.3·x: 0.41922 and −1.62319 (Sprott 2003); their sum is ln 0.3.
    let steps = 200_000
    var (x, y) = (0.1, 0.1)
    var orbit: [(Double, Double)] = []
    for step in 0..<steps + 1000 {
      if step >= 1000 { orbit.append((x, y)) }
      (x, y) = (1 - 1.4 * x * x + y, 0.3 * x)
    }
    let spectrum = try #require(
      LyapunovSpectrum(steps: steps, size: 2, count: 2, transient: 100) { step, rows in
        rows
          * Matrix(rows: 2, columns: 2, elements: [-2.8 * orbit[step].0, 1, 0.3, 0])
      })
    #expect(abs(spectrum.exponents[0] - 0.41922) < 0.003)
    #expect(abs(spectrum.exponents[1] + 1.62319) < 0.003)
    #expect(abs(spectrum.exponents[0] + spectrum.exponents[1] - log(0.3)) < 1e-10)
  }

  @Test("A flip-flop made by hand has two stable points and a saddle between them")
  func flipFlop() throws {
    // h′ = tanh(2·h): 0 and ± h with h = tanh(2·h), 0.957504…; a second unit forgets.
    let flipFlop = cell([[2, 0], [0, 0.5]], activation: .tanh)
    let found = FixedPointSearch.run(
      StepMap(flipFlop), input: [0],
      starts: Tensor(rows: [[0.9, 0.1], [-0.7, 0.3], [0.01, -0.2], [0.6, 0.6], [0, 0]]))
    #expect(found.count == 3)
    let stable = found.filter(\.isStable).map { $0.state[0] }.sorted()
    #expect(stable.count == 2)
    for (point, sign) in zip(stable, [-1.0, 1]) {
      #expect(abs(point - sign * 0.957_504_024_079_7) < 1e-9)
      #expect(abs(point - tanh(2 * point)) < 1e-10)
    }
    let saddle = try #require(found.first { !$0.isStable })
    #expect(saddle.state.allSatisfy { abs($0) < 1e-10 })
    #expect(saddle.unstableDirections == 1)
    #expect(abs(saddle.spectralRadius - 2) < 1e-10)
    // The derivative at the fixed point, 2·(1 − h²).
    let radius = try #require(found.first { $0.isStable }).spectralRadius
    #expect(abs(radius - max(0.5, 2 * (1 - 0.957_504_024_079_7 * 0.957_504_024_079_7))) < 1e-9)
  }

  @Test("Jacobians are what differences give", arguments: CellKind.allCases)
  func jacobians(kind: CellKind) throws {
    let settings = LabSettings(cell: kind, hiddenSize: 3, inputSize: 2, batchSize: 1)
    var random = NumPyRandom(seed: testSeed)
    let parameters: CellParameters<Double> = drawWeights(settings, scale: 2, &random)
    let map = StepMap(Cell(kind, parameters: parameters))
    let x: Tensor<Double> = random.rand([1, 2])
    let s: Tensor<Double> = random.rand([1, map.size]) - 0.5
    let jacobian = map.jacobians(x, s)[0]
    for column in 0..<map.size {
      var (up, down) = (s.elements, s.elements)
      (up[column], down[column]) = (up[column] + 1e-6, down[column] - 1e-6)
      let difference =
        map.step(x, Tensor(shape: s.shape, elements: up))
        - map.step(x, Tensor(shape: s.shape, elements: down))
      for row in 0..<map.size {
        #expect(abs(difference[0, row] / 2e-6 - jacobian[row, column]) < 1e-8)
      }
    }
  }

  @Test("The steps' shares of a gradient add up to it", arguments: CellKind.allCases)
  func parts(kind: CellKind) throws {
    var settings = LabSettings(
      cell: kind, steps: [8], hiddenSize: 4, inputSize: 3, batchSize: 2, timeStepCount: 9)
    settings.precision = .float64
    var random = NumPyRandom(seed: testSeed)
    let parameters: CellParameters<Double> = drawWeights(settings, scale: 2, &random)
    let cell = Cell(kind, parameters: parameters)
    let x = try drawnInputs(settings)
    let layer = RecurrentLayer(cell: cell)
    var seed = layer.zeroState(batchSize: 2)
    seed.hidden.fill(1)
    let whole = layer.backward(
      layer.forward(x, from: layer.zeroState(batchSize: 2)), finalState: seed
    ).parameters
    var parts: [CellParameters<Double>] = []
    GradientParts.forEachPart(cell, x) { parts.append($0) }
    #expect(parts.count == 9)
    for name in cell.parameters.names where !whole[name].isEmpty {
      let sum = parts.dropFirst().reduce(parts[0][name]) { $0 + $1[name] }
      #expect((sum - whole[name]).maximumMagnitude < 1e-12)
    }
    // The gradient truncated after k steps is the gradient of a run that starts k steps before the end
    // from the state at that step.
    let result = try GradientParts.run(settings, layer: LayerInNetwork(cell: cell, inputs: x))
    let late = layer.forward(
      x[6..<9],
      from: layer.forward(x[0..<6], from: layer.zeroState(batchSize: 2)).finalState)
    let truncated = layer.backward(late, finalState: seed).parameters
    var (missing, norm) = (0.0, 0.0)
    for name in cell.parameters.names {
      missing += (whole[name] - truncated[name]).elements.reduce(0) { $0 + $1 * $1 }
      norm += whole[name].elements.reduce(0) { $0 + $1 * $1 }
    }
    #expect(abs(result.truncations[2].relativeError - (missing / norm).squareRoot()) < 1e-12)
    #expect(result.truncations[8].relativeError < 1e-14)
    #expect(abs(result.truncations[8].cosine - 1) < 1e-14)
  }

  @Test("A unit's half-life is ln 2 over −ln σ(b) where the gate is its bias alone")
  func halfLives() throws {
    var settings = LabSettings(cell: .gruResetBefore, keepBias: 4)
    settings.precision = .float64
    let result = try GateExperiment.run(settings)
    #expect(result.keepingGate == .update)
    let expected = log(2) / log1p(0.018315638888734179)
    #expect(result.lifetimes.count == 8)
    #expect(result.lifetimes.allSatisfy { abs($0.halfLife - expected) < 1e-9 })
    let update = try #require(result.gates.first { $0.gate == .update })
    #expect(update.shareOpen == 1 && update.shareClosed == 0)
    #expect(try GateExperiment.run(LabSettings()).lifetimes.isEmpty)
  }

  @Test(
    "Every cell with a gate for what it keeps is set to keep its state, by 1 minus it in an MGU")
  func retention() throws {
    for cell in CellKind.allCases where cell.retention != nil {
      var settings = LabSettings(cell: cell, keepBias: 4)
      settings.precision = .float64
      let result = try GateExperiment.run(settings)
      let expected = log(2) / log1p(0.018315638888734179)
      #expect(result.lifetimes.allSatisfy { abs($0.halfLife - expected) < 1e-9 }, "\(cell)")
      #expect(result.keepsComplement == (cell == .mgu))
      let statement = result.statement
      #expect(
        statement.hasPrefix(cell == .mgu ? "By 1 minus the forget gate alone" : "By the "),
        "\(statement)")
      // A larger bias and larger time constants keep more state.
      func halfLife(_ change: (inout LabSettings) -> Void) throws -> Double {
        var settings = LabSettings(cell: cell, scale: 0)
        settings.precision = .float64
        change(&settings)
        return try GateExperiment.run(settings).lifetimes.map(\.halfLife).reduce(0, +)
      }
      let plain = try halfLife { _ in }
      let biased = try halfLife { $0.gateBias = 2 }
      let chrono = try halfLife { $0.chronoSteps = 100 }
      #expect(biased > plain && chrono > plain, "\(cell)")
    }
  }

  @Test("Experiments on a layer of a user's own cell find what they find on the kind it copies")
  func ownCell() throws {
    var random = NumPyRandom(seed: testSeed)
    let kind = Cell<Double>(.lstm, inputSize: 5, hiddenSize: 6, using: &random)
    let own = Cell(custom: OwnLSTM(), parameters: kind.parameters)
    let asked = LabSettings(
      steps: [7], hiddenSize: 6, batchSize: 4, timeStepCount: 12, precision: .float64)
    let inputs = try drawnInputs(asked)
    let (a, b) = (
      LayerInNetwork(cell: own, inputs: inputs), LayerInNetwork(cell: kind, inputs: inputs)
    )
    func isNear(_ one: [Double], _ other: [Double]) -> Bool {
      one.count == other.count
        && zip(one, other).allSatisfy { abs($0 - $1) <= 1e-9 * max(1, abs($1)) }
    }
    let gates = try GateExperiment.run(asked, layer: a)
    #expect(
      try isNear(
        gates.lifetimes.map(\.halfLife),
        GateExperiment.run(asked, layer: b).lifetimes.map(\.halfLife)))
    #expect(gates.keepingGate == .forget && gates.settings.cellTitle == "own LSTM")
    #expect(gates.section().settings.contains { $0.name == "cell" && $0.value == "own LSTM" })
    let memory = try MemoryExperiment.run(asked, layer: a)
    #expect(
      try isNear(
        memory.curves.flatMap(\.self),
        MemoryExperiment.run(asked, layer: b).curves.flatMap(\.self)))
    let gradients = try GradientExperiment.run(asked, layer: a)
    #expect(
      try isNear(
        gradients.sets.flatMap(\.norms),
        GradientExperiment.run(asked, layer: b).sets.flatMap(\.norms)))
    let spectrum = try SpectrumExperiment.run(asked, layer: a)
    #expect(try isNear(spectrum.exponents, SpectrumExperiment.run(asked, layer: b).exponents))
    let parts = try GradientParts.run(asked, layer: a)
    #expect(
      try isNear(
        parts.contributions.map(\.total),
        GradientParts.run(asked, layer: b).contributions.map(\.total)))
    let rnn = LayerInNetwork(
      cell: Cell(custom: OwnRNN(), inputSize: 5, hiddenSize: 6, using: &random), inputs: inputs)
    #expect(
      try GateExperiment.run(asked, layer: rnn).statement
        == "own RNN has no gate that controls its retention.")
  }

  @Test("Gradients that underflow in float32 are counted, and are there in float64")
  func underflow() throws {
    var settings = LabSettings(scale: 0.1, steps: [49])
    settings.precision = .float32
    let single = try SpectrumExperiment.run(settings)
    settings.precision = .float64
    let double = try SpectrumExperiment.run(settings)
    #expect(single.gradientCount == 800 && double.gradientCount == 800)
    #expect(single.underflowCount > 700)
    #expect(double.underflowCount == 0)
    #expect(single.exponents == double.exponents)
  }

  @Test("A layer in a network reads what the layers below it put out")
  func layers() throws {
    var random = NumPyRandom(seed: testSeed)
    let first = Cell<Double>(.lstm, inputSize: 3, hiddenSize: 4, using: &random)
    let second = Cell<Double>(
      .gruResetAfter, inputSize: 4, hiddenSize: 2, using: &random)
    let network = RecurrentNetwork<Double>(levels: [
      [RecurrentLayer(cell: first)], [RecurrentLayer(cell: second, direction: .backward)],
    ])
    let x: Tensor<Double> = random.rand([5, 2, 3])
    let layers = try LayerInNetwork.all(of: network, reading: x)
    let below = RecurrentLayer(cell: first).forward(
      x, from: first.zeroState(batchSize: 2)
    ).outputs
    #expect(layers[0].inputs == x)
    // The second layer reads backward.
    #expect(layers[1].inputs[0, ...] == below[4, ...])
    #expect(layers[1].inputs[4, ...] == below[0, ...])
    let ours = RecurrentLayer(cell: second).forward(
      layers[1].inputs, from: second.zeroState(batchSize: 2)
    ).outputs
    let theirs = network.forward(x, from: network.zeroStates(batchSize: 2)).outputs
    #expect(ours[4, ...] == theirs[0, ...])
    let error = #expect(throws: LabError.self) {
      try LayerInNetwork.all(of: network, reading: Tensor(shape: [5, 2, 4]))
    }
    #expect(
      error?.description
        == "data: expected sequences of 3 numbers a step, at least one, got [5, 2, 4]")
  }

  @Test("Orthogonal weights are orthogonal, chrono biases in their range, and all else as it was")
  func initialization() throws {
    func drawn(_ cell: CellKind, _ change: (inout LabSettings) -> Void = { _ in })
      -> CellParameters<Double>
    {
      var settings = LabSettings(cell: cell)
      change(&settings)
      var random = NumPyRandom(seed: testSeed)
      return drawWeights(settings, scale: 2, &random)
    }
    let plain = drawn(.lstm)
    let orthogonal = drawn(.lstm) { $0.orthogonalGain = 1.5 }
    for gate in plain.gates {
      let u = Matrix(orthogonal[gate].recurrentWeights)
      let square = u.transposed * u
      for i in 0..<8 {
        for j in 0..<8 { #expect(abs(square[i, j] - (i == j ? 2.25 : 0)) < 1e-6) }
      }
      #expect(orthogonal[gate].inputWeights == plain[gate].inputWeights)
      #expect(orthogonal[gate].bias == plain[gate].bias)
    }
    let chrono = drawn(.lstm) { $0.chronoSteps = 50 }
    let biases = chrono[.forget].bias.elements
    #expect(biases.allSatisfy { $0 >= 0 && $0 <= log(49) })
    #expect((biases.max() ?? 0) - (biases.min() ?? 0) > 0.5)
    #expect(chrono[.input].bias.elements == biases.map { -$0 })
    #expect(chrono[.output] == plain[.output])
    #expect(chrono[.forget].recurrentWeights == plain[.forget].recurrentWeights)
    let moved = drawn(.gruResetBefore) { $0.gateBias = 0.1 }
    let before = drawn(.gruResetBefore)
    for (a, b) in zip(moved[.update].bias.elements, before[.update].bias.elements) {
      // A float32 number in both precisions.
      #expect(a == Double(Float(b + 0.1)))
    }
    #expect(moved[.reset] == before[.reset])
  }
}
