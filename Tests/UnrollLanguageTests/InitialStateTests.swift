// The trained initial state: its gradient and all its uses.

import Foundation
import Testing
import Unroll
import UnrollFormats
import UnrollLanguage
import UnrollTestSupport

@Suite("Learned initial states")
struct InitialStateTests {
  static func configurations() -> [ModelConfiguration] {
    CellKind.allCases.flatMap { cell -> [ModelConfiguration] in
      let plain = ModelConfiguration(
        vocabularySize: 7, embeddingSize: 4, hiddenSize: 5, topSize: 4, layers: 2, cell: cell,
        isTied: true,
        dropout: DropoutRates(
          embedding: 0.2, input: 0.2, hidden: 0.3, output: 0.4, weights: 0.3, isVariational: true),
        learnsInitialState: true)
      let normalized = ModelConfiguration(
        vocabularySize: 7, embeddingSize: 4, hiddenSize: 5, layers: 2, cell: cell,
        projectionSize: 3, isNormalized: true,
        dropout: DropoutRates(zoneoutHidden: 0.3, zoneoutCell: cell.hasCellState ? 0.4 : 0),
        learnsInitialState: true)
      return [plain, normalized]
    }
  }

  /// Indices of the initial states among a model's parameters.
  private static func indices(_ names: [String]) -> [Int] {
    names.indices.filter { names[$0].contains(".initial_") }
  }

  @Test(
    "Its gradient is that of finite differences where a batch begins with it, and zero elsewhere",
    arguments: configurations())
  func gradient(_ configuration: ModelConfiguration) {
    var random = NumPyRandom(seed: testSeed)
    let model: LanguageModel<Double> = ModelTests.model(configuration, &random)
    let batch = ModelTests.batch(4, 3, 7, &random)
    let masks = ModelPass<Double>.Masks(rates: configuration.dropout, seed: 3, step: 5)
    let penalties = ActivationPenalties()
    func pass(_ model: LanguageModel<Double>, begins: Bool) -> (Double, [Tensor<Double>]) {
      var pass = ModelPass(model)
      // Other states, which a batch that starts from the initial states must not read.
      var states = model.layers.map {
        RecurrentState(
          hidden: Tensor(shape: [3, $0.outputSize], repeating: 0.3),
          cell: Tensor(shape: [3, $0.cell.cellStateSize], repeating: -0.2))
      }
      let loss = pass.run(
        model, batch, states: &states, masks: masks, penalties: penalties,
        fromInitialStates: begins)
      return (loss, pass.gradients.all)
    }
    let (names, own) = (model.parameterNames, Self.indices(model.parameterNames))
    #expect(own.count == (configuration.cell.hasCellState ? 4 : 2))
    #expect(names.contains("layers.1.initial_hidden"))
    #expect(model.parameters.reduce(0) { $0 + $1.count } == configuration.parameterCount)
    let gradients = pass(model, begins: true).1
    for index in own {
      #expect(gradients[index].maximumMagnitude > 1e-4, "\(names[index])")
      for element in 0..<gradients[index].count {
        func loss(_ by: Double) -> Double {
          var other = model
          other[names[index]][element] += by
          return pass(other, begins: true).0
        }
        let numeric = (loss(1e-5) - loss(-1e-5)) / 2e-5
        // As in ModelTests: 1e-11 / 1e-5 · 1e3.
        let error = abs(numeric - gradients[index].elements[element]) / max(1e-3, abs(numeric))
        #expect(error < 1e-6, "\(names[index])")
      }
    }
    let carried = pass(model, begins: false).1
    for index in own { #expect(carried[index].maximumMagnitude == 0) }
  }

  @Test("A model that does not learn it has the settings, parameters and bits of earlier versions")
  func absent() throws {
    let settings = try TrainerTests.configuration()
    let text = String(decoding: try settings.encoded(), as: UTF8.self)
    #expect(!text.contains("initial_state"))
    var learned = settings
    learned.model.learnsInitialState = true
    #expect(learned != settings)
    #expect(
      String(decoding: try learned.encoded(), as: UTF8.self)
        .contains("\"learn_initial_state\" : true"))
    learned.model.learnsInitialState = false
    #expect(learned == settings)
  }

  private static func settings(_ text: String, resets: Bool) throws -> RunConfiguration {
    try TrainerTests.configuration {
      $0.corpus = text
      $0.model.learnsInitialState = true
      $0.model.cell = .lstm
      $0.training.learningRate = 0.01
      $0.training.isJittered = !resets
      $0.training.resetsEachLine = resets
      $0.training.epochs = 3
    }
  }

  @Test(
    "A run that learns it resumes to the same bits, and judges and keeps what it has learned",
    arguments: [false, true])
  func resume(resets: Bool) throws {
    try withTemporaryFolder { folder in
      let settings = try Self.settings(TrainerTests.corpus(in: folder), resets: resets)
      let whole = try TrainerTests.trainer(settings, folder + "/whole")
      #expect(try whole.run() == .finished)
      for index in Self.indices(whole.model.parameterNames) {
        #expect(whole.model.parameters[index].maximumMagnitude > 1e-3)
      }
      let path = folder + "/parts"
      var trainer = try TrainerTests.trainer(settings, path)
      let epoch = whole.progress.step / 3
      for stop in [1, 4, epoch, epoch + 1, 2 * epoch + 3] {
        #expect(
          try trainer.run(shouldStop: { trainer.progress.step >= stop }) == .interrupted)
        trainer = try TrainerTests.trainer(settings, path, resumes: true)
      }
      #expect(try trainer.run() == .finished)
      #expect(trainer.model.parameters == whole.model.parameters)
      #expect(try CheckpointFile.arrays(path) == CheckpointFile.arrays(folder + "/whole"))
      #expect(try TrainerTests.timeless(path) == TrainerTests.timeless(folder + "/whole"))
      // The saved model gives the same loss as in the run; without the trained state the loss differs.
      let stored = try StoredModel(run: path)
      let text = try EncodedText(
        mapping: path + "/corpus/valid.symbols", vocabularySize: stored.vocabulary.count)
      let rows = settings.training.evaluationBatchSize
      let loss = try stored.evaluate(text, batchSize: rows).loss
      #expect(loss == trainer.progress.bestLoss)
      var evaluator = Evaluator<Float>()
      var forgetful = stored.model
      for index in Self.indices(forgetful.parameterNames) {
        forgetful.forEachParameter { if $0 == index { $1.fill(0) } }
      }
      let without = try evaluator.run(
        forgetful, text, batchSize: rows, lineEnd: stored.resettingSymbol)
      let changed = try #require(without).loss
      // The carried state affects only the first symbols of the text.
      #expect(resets ? changed > loss : changed != loss)
    }
  }

  @Test("Any number of ranks learns the same initial state", arguments: [false, true])
  func ranks(hasMemory: Bool) throws {
    try withTemporaryFolder { folder in
      var settings = try Self.settings(TrainerTests.corpus(in: folder), resets: !hasMemory)
      settings.training.shards = 6
      for count in [1, 2, 3] {
        _ = try ShardTests.run(settings, "\(folder)/\(count)", ranks: count, hasMemory: hasMemory)
      }
      for count in [2, 3] {
        #expect(
          try CheckpointFile.arrays("\(folder)/\(count)") == CheckpointFile.arrays(folder + "/1"))
      }
    }
  }

  @Test("Dynamic evaluation, and the measure of context, begin with it as evaluation does")
  func otherReaders() throws {
    let configuration = Self.configurations()[6]
    var random = NumPyRandom(seed: testSeed)
    let model: LanguageModel<Double> = ModelTests.model(configuration, &random)
    let text = EncodedText((0..<60).map { Int32($0 * $0 % 7) })
    var evaluator = Evaluator<Double>()
    for lineEnd in [nil, Int32(2)] {
      let loss = try #require(try evaluator.run(model, text, batchSize: 1, lineEnd: lineEnd)).loss
      let still = DynamicEvaluation(rate: 0, timeSteps: 5).run(model, text, lineEnd: lineEnd)
      #expect(abs(still.loss - loss) < 1e-12)
    }
    let pair = EncodedText([3, 5])
    let loss = try #require(try evaluator.run(model, pair, batchSize: 1)).loss
    let context = model.context(of: pair, longest: 1, predictions: 1)
    #expect(abs(context.prefixes[0].loss - loss) < 1e-12)
  }

  @Test("Texts are written from it, and every line again if lines begin anew")
  func generation() throws {
    var configuration = Self.configurations()[6]
    configuration.dropout = DropoutRates()
    var random = NumPyRandom(seed: testSeed)
    let model: LanguageModel<Float> = ModelTests.model(configuration, &random)
    func logits(_ symbols: [Int32], lineEnd: Int32? = nil) -> Tensor<Float> {
      var generator = TextGenerator(model, prompt: symbols, count: 2, lineEnd: lineEnd)
      return generator.nextLogits()
    }
    // The reference, layer by layer.
    let symbols: [Int32] = [3, 1, 5]
    var values = Tensor<Float>(shape: [0])
    model.embedding.lookUp(symbols.flatMap { [$0, $0] }, timeStepCount: 3, into: &values)
    for (index, layer) in model.layers.enumerated() {
      func rows(_ name: String) -> Tensor<Float> {
        let row = model["layers.\(index).initial_\(name)"].elements
        return Tensor(rows: [row, row])
      }
      let state = RecurrentState(
        hidden: rows("hidden"),
        cell: configuration.cell.hasCellState ? rows("cell") : Tensor(shape: [2, 0]))
      values = layer.forward(values, from: state).outputs
    }
    var expected = Tensor<Float>(shape: [0])
    model.softmax.forward(values[2, ...], into: &expected, using: Scratch())
    #expect((logits(symbols) - expected).maximumMagnitude < 1e-5)
    #expect(logits([2, 6, 3, 1, 5], lineEnd: 3) == logits(symbols))
    #expect(logits([2, 6, 3, 1, 5]) != logits(symbols))
  }
}
