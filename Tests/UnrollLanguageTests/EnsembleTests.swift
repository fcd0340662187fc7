// Evaluation of ensembles that average probabilities.

import RealModule
import Testing
import Unroll
import UnrollLanguage

@Suite("Evaluation by several models")
struct EnsembleTests {
  private static let text = EncodedText((0..<301).map { Int32($0 * $0 % 11) })

  /// Three different models with the same symbols.
  private static func models<Scalar: KernelScalar>(of: Scalar.Type) -> [LanguageModel<Scalar>] {
    [
      ModelConfiguration(vocabularySize: 12, embeddingSize: 6, hiddenSize: 10, cell: .lstm),
      ModelConfiguration(
        vocabularySize: 12, embeddingSize: 7, hiddenSize: 7, cell: .gruResetBefore, isTied: true),
      ModelConfiguration(
        vocabularySize: 12, embeddingSize: 4, hiddenSize: 9, cell: .rnn, projectionSize: 5),
    ].enumerated().map { index, configuration in
      var random = NumPyRandom(seed: UInt32(index))
      // Large weights, so that the models disagree.
      return LanguageModel(
        configuration,
        initialization: Initialization(embeddingRange: 1, recurrentRange: 0.8, softmaxRange: 1),
        using: &random)
    }
  }

  private static func evaluate<Scalar>(
    _ models: [LanguageModel<Scalar>], _ text: EncodedText, batchSize: Int = 1,
    lineEnd: Int32? = nil, ranks: any Ranks = SingleRank()
  ) throws -> Evaluation {
    var evaluator = Evaluator<Scalar>()
    return try #require(
      try evaluator.run(
        averaging: models, text, batchSize: batchSize, lineEnd: lineEnd, ranks: ranks))
  }

  /// The loss of each symbol by one model, as the difference of two texts.
  private static func losses(
    _ model: LanguageModel<Double>, _ text: EncodedText, lineEnd: Int32?
  ) throws -> [Double] {
    let totals = try (1...text.count).map { length in
      guard length > 1 else { return 0.0 }
      let result = try evaluate(
        [model], EncodedText((0..<length).map { text[$0] }), lineEnd: lineEnd)
      return result.loss * Double(result.symbols)
    }
    return zip(totals, totals.dropFirst()).map { $1 - $0 }
  }

  @Test("It is the mean of the models' probabilities of each symbol", arguments: [nil, Int32(4)])
  func byHand(lineEnd: Int32?) throws {
    let models = Self.models(of: Double.self)
    let text = EncodedText((0..<61).map { Self.text[$0] })
    let apart = try models.map { try Self.losses($0, text, lineEnd: lineEnd) }
    var total = 0.0
    for index in 0..<60 {
      let probabilities = apart.map { Double.exp(-$0[index]) }
      total -= Double.log(probabilities.reduce(0, +) / 3)
    }
    let result = try Self.evaluate(models, text, lineEnd: lineEnd)
    #expect(result.symbols == 60)
    #expect(abs(result.loss - total / 60) < 1e-10)
    // The ensemble predicts better than its members on average.
    let mean =
      try models.map { try Self.evaluate([$0], text, lineEnd: lineEnd).loss }
      .reduce(0, +) / 3
    #expect(result.loss < mean - 0.02)
  }

  @Test("A model averaged with itself is that model, and the order says nothing")
  func itself() throws {
    let models = Self.models(of: Double.self)
    for rows in [1, 7] {
      let alone = try Self.evaluate([models[0]], Self.text, batchSize: rows)
      let twice = try Self.evaluate([models[0], models[0]], Self.text, batchSize: rows)
      #expect(twice.symbols == alone.symbols && abs(twice.loss - alone.loss) < 1e-12)
      let forward = try Self.evaluate(models, Self.text, batchSize: rows)
      let backward = try Self.evaluate(models.reversed(), Self.text, batchSize: rows)
      #expect(abs(forward.loss - backward.loss) < 1e-12)
    }
  }

  @Test("Models that all think a symbol impossible leave its loss a number")
  func hopeless() throws {
    var models = Self.models(of: Double.self)
    // exp(−2000) underflows to 0.
    for index in models.indices { models[index]["softmax.bias"][3] = 2000 + Double(index) }
    let apart = try models.map { try Self.evaluate([$0], Self.text).loss }
    let result = try Self.evaluate(models, Self.text)
    #expect(apart.allSatisfy { $0 > 1500 })
    #expect(result.loss > 1500 && result.loss <= apart.reduce(0, +) / 3)
    // An infinite loss remains infinite.
    models[1]["softmax.bias"][0] = .nan
    #expect(try !Self.evaluate(models, Self.text).loss.isFinite)
  }

  @Test("It has the same bits for any number of ranks", arguments: [nil, Int32(4)])
  func divided(lineEnd: Int32?) throws {
    let models = Self.models(of: Float.self)
    for rows in [1, 2, 7] {
      let alone = try Self.evaluate(models, Self.text, batchSize: rows, lineEnd: lineEnd)
      for count in [2, 3] {
        let all = try ThreadRanks.run(count) { ranks in
          try Self.evaluate(models, Self.text, batchSize: rows, lineEnd: lineEnd, ranks: ranks)
        }
        #expect(all.allSatisfy { $0 == alone })
      }
    }
  }
}
