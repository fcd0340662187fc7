// Dynamic evaluation.

import Testing
import Unroll
import UnrollLanguage

@Suite("Dynamic evaluation")
struct DynamicEvaluationTests {
  private func model(_ configuration: ModelConfiguration) -> LanguageModel<Double> {
    var random = NumPyRandom(seed: 8)
    return LanguageModel(configuration, initialization: Initialization(), using: &random)
  }

  private static let small = ModelConfiguration(
    vocabularySize: 12, embeddingSize: 6, hiddenSize: 10, cell: .lstm)

  /// The loss of static evaluation.
  private func plain(_ model: LanguageModel<Double>, _ symbols: [Int32]) throws -> Evaluation {
    var evaluator = Evaluator<Double>()
    return try #require(try evaluator.run(model, EncodedText(symbols), batchSize: 1))
  }

  /// A repetitive text that the model was not trained on.
  private static let text = (0..<601).map { Int32($0 * $0 % 11) }

  @Test("Without a learning rate it is evaluation with a carried state, however the text is cut")
  func withoutRate() throws {
    let model = model(Self.small)
    let plain = try plain(model, Self.text)
    for steps in [1, 20, 64] {
      let dynamic = DynamicEvaluation(rate: 0, timeSteps: steps).run(model, EncodedText(Self.text))
      #expect(dynamic.symbols == plain.symbols)
      #expect(abs(dynamic.loss - plain.loss) < 1e-12)
    }
  }

  @Test("A line that begins anew is read to its end with one state, however it is cut")
  func linesWithoutRate() throws {
    let model = model(Self.small)
    // Lines of 1 to 60 symbols; the first has no preceding line end.
    let text = (0..<601).map { (place: Int) -> Int32 in
      place % 61 == 60 || place % 97 == 30 ? 0 : Int32(1 + place * place % 11)
    }
    var evaluator = Evaluator<Double>()
    let lines = try #require(
      try evaluator.run(model, EncodedText(text), batchSize: 1, lineEnd: 0))
    #expect(abs(lines.loss - (try plain(model, text)).loss) > 1e-9)
    for steps in [1, 7, 20, 64] {
      let dynamic = DynamicEvaluation(rate: 0, timeSteps: steps)
        .run(model, EncodedText(text), lineEnd: 0)
      #expect(dynamic.symbols == lines.symbols)
      #expect(abs(dynamic.loss - lines.loss) < 1e-12)
    }
  }

  @Test("A symbol is predicted before anything is learnt from it")
  func nothingLeaks() throws {
    let model = model(Self.small)
    let first = try plain(model, Array(Self.text[...20]))
    let learning = DynamicEvaluation(rate: 0.05, timeSteps: 20)
    #expect(
      abs(learning.run(model, EncodedText(Array(Self.text[...20]))).loss - first.loss) < 1e-12)
    // A change after a position does not affect the losses before it.
    let losses = [40, 41, 60].map { count in
      let result = learning.run(model, EncodedText(Array(Self.text[...count])))
      return result.loss * Double(result.symbols)
    }
    var other = Self.text
    for index in 41..<61 { other[index] = Int32(index % 12) }
    let changed = learning.run(model, EncodedText(Array(other[...40])))
    #expect(changed.loss * Double(changed.symbols) == losses[0])
    #expect(losses[1] > losses[0] && losses[2] > losses[1])
  }

  @Test("A text that repeats itself is learnt while it is read, and the model stays as it was")
  func learns() throws {
    let model = model(Self.small)
    let before = try plain(model, Self.text)
    let dynamic = DynamicEvaluation(rate: 0.02, timeSteps: 10).run(model, EncodedText(Self.text))
    #expect(dynamic.loss < 0.8 * before.loss)
    #expect(try plain(model, Self.text) == before)
    // The reference: an Adam step after every ten symbols.
    var training = TrainingConfiguration()
    training.optimizer = .adam
    training.clipNorm = 1
    training.batchSize = 1
    var state = TrainingState(model, training)
    var total = 0.0
    for start in stride(from: 0, to: 600, by: 10) {
      var pass = ModelPass(state.model)
      let batch = LanguageBatch(
        timeStepCount: 10, batchSize: 1, inputs: Array(Self.text[start..<start + 10]),
        targets: Array(Self.text[start + 1..<start + 11]))
      total += 10 * pass.run(state.model, batch, states: &state.states, masks: nil)
      let gradients = pass.gradients
      state.update(with: gradients, norm: gradients.norm, rate: 0.02, training)
    }
    #expect(abs(total / 600 - dynamic.loss) < 1e-12)
  }

  @Test("Learning that diverges is seen by its loss")
  func diverges() {
    let result = DynamicEvaluation(rate: 1e6, timeSteps: 5).run(
      model(Self.small), EncodedText(Self.text))
    #expect(!result.loss.isFinite)
  }
}
