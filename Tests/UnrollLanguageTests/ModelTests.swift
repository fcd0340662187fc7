// Compares the gradient of the whole model with finite differences, and tests its laws.

import RealModule
import Testing
import Unroll
import UnrollLanguage
import UnrollTestSupport

@Suite("Language models")
struct ModelTests {
  static let dropouts = [
    DropoutRates(),
    DropoutRates(input: 0.2, hidden: 0.3, output: 0.4),
    DropoutRates(
      embedding: 0.2, input: 0.2, hidden: 0.3, output: 0.4, weights: 0.3, isVariational: true),
  ]

  static func configurations() -> [ModelConfiguration] {
    var result: [ModelConfiguration] = []
    for cell in CellKind.allCases {
      for dropout in dropouts {
        result.append(
          ModelConfiguration(
            vocabularySize: 7, embeddingSize: 4, hiddenSize: 5, layers: 2, cell: cell,
            dropout: dropout))
      }
      result.append(
        ModelConfiguration(
          vocabularySize: 7, embeddingSize: 4, hiddenSize: 5, topSize: 4, layers: 2, cell: cell,
          isTied: true, dropout: dropouts[2]))
      result.append(
        ModelConfiguration(
          vocabularySize: 7, embeddingSize: 4, hiddenSize: 5, layers: 1, cell: cell,
          projectionSize: 4, isTied: true, dropout: dropouts[1]))
      result.append(
        ModelConfiguration(
          vocabularySize: 7, embeddingSize: 4, hiddenSize: 5, layers: 1, cell: cell,
          projectionSize: 3))
      for isNormalized in [false, true] {
        result.append(
          ModelConfiguration(
            vocabularySize: 7, embeddingSize: 4, hiddenSize: 5, layers: 2, cell: cell,
            isNormalized: isNormalized,
            dropout: DropoutRates(
              output: 0.3, weights: isNormalized ? 0.3 : 0, zoneoutHidden: 0.3,
              zoneoutCell: cell == .lstm ? 0.4 : 0)))
      }
    }
    return result
  }

  /// Sets all parameters to random values, including biases.
  static func model<Scalar: KernelScalar>(
    _ configuration: ModelConfiguration, _ random: inout NumPyRandom
  ) -> LanguageModel<Scalar> {
    var model = LanguageModel<Scalar>(configuration)
    model.forEachParameter {
      $1 = Tensor(Tensor<Double>(random.uniform(-0.7, 0.7, $1.shape)))
    }
    return model
  }

  static func batch(_ steps: Int, _ rows: Int, _ symbols: Int, _ random: inout NumPyRandom)
    -> LanguageBatch
  {
    let draws = random.uniform(0, Double(symbols), [2 * steps * rows]).elements.map {
      Int32(min(Double(symbols - 1), $0))
    }
    var batch = LanguageBatch(
      timeStepCount: steps, batchSize: rows, inputs: Array(draws[..<(steps * rows)]),
      targets: Array(draws[(steps * rows)...]))
    batch.targets[1] = -1
    return batch
  }

  /// The model with one element of one parameter perturbed.
  private static func shifted(
    _ model: LanguageModel<Double>, _ index: Int, _ element: Int, _ by: Double
  ) -> LanguageModel<Double> {
    var other = model
    other.forEachParameter { position, parameter in
      guard position == index else { return }
      var elements = parameter.elements
      elements[element] += by
      parameter = Tensor(shape: parameter.shape, elements: elements)
    }
    return other
  }

  @Test(
    "A JANET begins with chrono biases over the steps of a batch, other cells with constant ones")
  func chrono() {
    var rule = Initialization()
    func layers(_ cell: CellKind) -> [CellParameters<Double>] {
      var random = NumPyRandom(seed: testSeed)
      let configuration = ModelConfiguration(
        vocabularySize: 7, embeddingSize: 4, hiddenSize: 200, layers: 2, cell: cell)
      let model = LanguageModel<Double>(configuration, initialization: rule, using: &random)
      return model.layers.map(\.cell.parameters)
    }
    rule.applyDefaults(for: .janet, timeSteps: 40)
    #expect(rule.chronoSteps == 40)
    let janet = layers(.janet)
    for parameters in janet {
      // exp b is uniform in 1 ... 39.
      let times = parameters[.forget].bias.elements.map { Double.exp($0) }
      #expect(times.allSatisfy { (1...39).contains($0) })
      #expect(abs(times.reduce(0, +) / 200 - 20) < 4)
      #expect(parameters[.candidate].bias.maximumMagnitude == 0)
    }
    #expect(janet[0][.forget].bias != janet[1][.forget].bias)
    rule.applyDefaults(for: .janet, timeSteps: 1)
    #expect(rule.chronoSteps == 3)
    rule.applyDefaults(for: .lstm, timeSteps: 40)
    #expect(rule.chronoSteps == nil)
    for parameters in layers(.lstm) {
      #expect(parameters[.forget].bias == Tensor(shape: [200], repeating: 1))
    }
  }

  @Test("Every parameter's gradient is that of finite differences", arguments: configurations())
  func gradient(_ configuration: ModelConfiguration) {
    var random = NumPyRandom(seed: testSeed)
    var model: LanguageModel<Double> = Self.model(configuration, &random)
    let batch = Self.batch(4, 3, 7, &random)
    let states = model.layers.map { layer in
      RecurrentState(
        hidden: random.uniform(-0.5, 0.5, [3, layer.outputSize]),
        cell: random.uniform(-0.5, 0.5, [3, layer.cell.cellStateSize]))
    }
    let masks = ModelPass<Double>.Masks(rates: configuration.dropout, seed: 3, step: 5)
    func loss(_ model: LanguageModel<Double>) -> Double {
      var pass = ModelPass(model)
      var states = states
      return pass.run(model, batch, states: &states, masks: masks)
    }
    var pass = ModelPass(model)
    var after = states
    _ = pass.run(model, batch, states: &after, masks: masks)
    let gradients = pass.gradients.all
    #expect(gradients.map(\.shape) == model.parameters.map(\.shape))
    #expect(model.parameters.reduce(0) { $0 + $1.count } == configuration.parameterCount)
    #expect(model.tensors.layout.entries.map(\.shape) == gradients.map(\.shape))
    let step = 1e-5
    var worst = 0.0
    let shapes = model.parameters.map(\.count)
    for (index, count) in shapes.enumerated() {
      for element in Set([0, count / 3, count / 2, count - 1]) {
        func shifted(_ by: Double) -> Double {
          loss(Self.shifted(model, index, element, by))
        }
        let numeric = (shifted(step) - shifted(-step)) / (2 * step)
        let analytic = gradients[index].elements[element]
        worst = max(worst, abs(numeric - analytic) / max(1e-3, abs(numeric)))
      }
    }
    // Central differences of a loss near 2 at 1e-5 leave 1e-11 / 1e-5 · 1e3.
    #expect(worst < 1e-6)
    model.embedding.vectors.fill(0)  // the model above was not changed by its copies
    #expect(model.parameters[0].maximumMagnitude == 0)
  }

  @Test("The penalties' gradients are those of finite differences")
  func penalties() {
    var random = NumPyRandom(seed: testSeed)
    let configuration = ModelConfiguration(
      vocabularySize: 7, embeddingSize: 4, hiddenSize: 5, cell: .lstm,
      dropout: DropoutRates(output: 0.4, isVariational: true))
    let model: LanguageModel<Double> = Self.model(configuration, &random)
    let batch = Self.batch(4, 3, 7, &random)
    let penalties = ActivationPenalties(activation: 2, temporal: 1)
    let masks = ModelPass<Double>.Masks(rates: configuration.dropout, seed: 3, step: 5)
    // The penalties computed directly from the layer's outputs.
    func loss(_ model: LanguageModel<Double>) -> Double {
      var pass = ModelPass(model)
      var states = model.initialStates(batchSize: 3)
      let plain = pass.run(model, batch, states: &states, masks: masks)
      var vectors = Tensor<Double>(shape: [0])
      model.embedding.lookUp(batch.inputs, timeStepCount: 4, into: &vectors)
      let h = model.layers[0].forward(vectors, from: model.layers[0].zeroState(batchSize: 3))
        .outputs
      var dropped = h
      masks.dropout(0.4, 2).apply(to: &dropped, period: 15)
      let activation = dropped.elements.reduce(0) { $0 + $1 * $1 } / 60
      var temporal = 0.0
      for index in 0..<45 {
        let d = h.elements[index + 15] - h.elements[index]
        temporal += d * d / 45
      }
      return plain + 2 * activation + temporal
    }
    var pass = ModelPass(model)
    var states = model.initialStates(batchSize: 3)
    _ = pass.run(model, batch, states: &states, masks: masks, penalties: penalties)
    for (index, gradient) in pass.gradients.all.enumerated() {
      for element in [0, gradient.count / 2] {
        func shifted(_ by: Double) -> Double {
          loss(Self.shifted(model, index, element, by))
        }
        let numeric = (shifted(1e-5) - shifted(-1e-5)) / 2e-5
        #expect(abs(numeric - gradient.elements[element]) < 1e-8)
      }
    }
  }

  @Test("Two batches with the state carried are one batch")
  func split() {
    var random = NumPyRandom(seed: testSeed)
    for cell in CellKind.allCases {
      let configuration = ModelConfiguration(
        vocabularySize: 9, embeddingSize: 4, hiddenSize: 20, layers: 2, cell: cell,
        isNormalized: cell == .gruResetBefore,
        dropout: DropoutRates(zoneoutHidden: cell == .rnn ? 0.3 : 0))
      let model: LanguageModel<Float> = Self.model(configuration, &random)
      let whole = Self.batch(8, 5, 9, &random)
      func half(_ range: Range<Int>) -> LanguageBatch {
        LanguageBatch(
          timeStepCount: 4, batchSize: 5, inputs: Array(whole.inputs[range]),
          targets: Array(whole.targets[range]))
      }
      var pass = ModelPass(model)
      var states = model.initialStates(batchSize: 5)
      _ = pass.run(model, whole, states: &states, masks: nil)
      let losses = pass.losses
      var parts = model.initialStates(batchSize: 5)
      _ = pass.run(model, half(0..<20), states: &parts, masks: nil)
      let first = pass.losses
      _ = pass.run(model, half(20..<40), states: &parts, masks: nil)
      #expect(first + pass.losses == losses)
      #expect(parts == states)
    }
  }

  @Test("A training step has the same bits for any number of threads")
  func threads() {
    var random = NumPyRandom(seed: testSeed)
    let configuration = ModelConfiguration(
      vocabularySize: 300, embeddingSize: 40, hiddenSize: 40, layers: 2, isTied: true,
      dropout: Self.dropouts[2])
    let model: LanguageModel<Float> = Self.model(configuration, &random)
    let batch = Self.batch(10, 8, 300, &random)
    let results = [1, 2, 3, 8].map { threads in
      Threads.use(threads) {
        var training = TrainingConfiguration()
        training.batchSize = 8
        var state = TrainingState(model, training)
        var pass = ModelPass(model)
        for step in 0..<3 {
          _ = pass.run(
            state.model, batch, states: &state.states,
            masks: ModelPass<Float>.Masks(rates: configuration.dropout, seed: 1, step: step))
          state.update(with: pass.gradients, norm: pass.gradients.norm, rate: 0.01, training)
        }
        return state.model.parameters
      }
    }
    for other in results.dropFirst() { #expect(other == results[0]) }
  }
}
