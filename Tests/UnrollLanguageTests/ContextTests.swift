// Compares the context of a model with finite differences and with a model that ignores context.

import Foundation
import Testing
import Unroll
import UnrollLanguage

@Suite("Context of a language model")
struct ContextTests {
  private func model(_ change: (inout ModelConfiguration) -> Void = { _ in }) -> LanguageModel<
    Double
  > {
    var configuration = ModelConfiguration(
      vocabularySize: 7, embeddingSize: 4, hiddenSize: 5, topSize: 4, layers: 2, cell: .lstm)
    change(&configuration)
    var random = NumPyRandom(seed: 11)
    return LanguageModel<Double>(
      configuration, initialization: Initialization(embeddingRange: 1, softmaxRange: 1),
      using: &random)
  }

  private let text = EncodedText((0..<60).map { Int32(($0 * $0 + $0 / 7) % 7) })

  @Test("The influence of a symbol is the gradient of the prediction's log-probability")
  func influence() throws {
    let model = model()
    let result = model.context(of: text, longest: 6, predictions: 1)
    #expect(result.predictionCount == 1)
    #expect(result.lastTarget == text[59])
    #expect(result.lastSymbols.first == text[58])
    // Every position has a separate vector, which can be changed individually.
    let symbols = (53..<59).map { text[$0] }
    func logProbability(_ vectors: Tensor<Double>) -> Double {
      var values = vectors
      for layer in model.layers {
        values = layer.forward(values, from: layer.zeroState(batchSize: 1)).outputs
      }
      let top = values[5, ...]
      let logits = (0..<7).map { symbol in
        (0..<4).reduce(model["softmax.bias"][symbol]) {
          $0 + top[0, $1] * model["softmax.weights"][$1, symbol]
        }
      }
      return logits[Int(text[59])] - log(logits.reduce(0) { $0 + exp($1) })
    }
    var vectors = Tensor<Double>(shape: [0])
    model.embedding.lookUp(symbols, timeStepCount: 6, into: &vectors)
    for distance in 1...6 {
      var squares = 0.0
      for element in 0..<4 {
        var (up, down) = (vectors.elements, vectors.elements)
        let place = (6 - distance) * 4 + element
        (up[place], down[place]) = (up[place] + 1e-5, down[place] - 1e-5)
        let slope =
          (logProbability(Tensor(shape: vectors.shape, elements: up))
            - logProbability(Tensor(shape: vectors.shape, elements: down))) / 2e-5
        squares += slope * slope
      }
      #expect(abs(result.lastInfluences[distance - 1] - squares.squareRoot()) < 1e-8)
    }
    #expect(result.influences == result.lastInfluences)
  }

  @Test("The loss from a whole prefix is the one that evaluation gives")
  func prefix() throws {
    let model = model()
    let short = EncodedText((0..<9).map { text[$0] })
    let result = model.context(of: short, longest: 100, predictions: 10)
    #expect(result.prefixes.map(\.length) == [1, 2, 4, 8])
    // One prediction remains: the last symbol, from all preceding ones.
    var evaluator = Evaluator<Double>()
    let whole = try evaluator.run(model, short, batchSize: 1)
    let allButLast = try evaluator.run(model, EncodedText((0..<8).map { text[$0] }), batchSize: 1)
    let last = try 8 * #require(whole).loss - 7 * #require(allButLast).loss
    #expect(abs(result.prefixes[3].loss - last) < 1e-9)
  }

  @Test("A model whose layers forget at once looks one symbol back")
  func forgetful() throws {
    var model = model { $0.cell = .rnn }
    for index in model.layers.indices {
      model.layers[index].cell.parameters.recurrentWeights.fill(0)
    }
    let result = model.context(of: text, longest: 16, predictions: 8)
    #expect(result.effectiveLength == 1)
    #expect(result.influences[0] > 0)
    #expect(result.influences.dropFirst().allSatisfy { $0 == 0 })
  }

  @Test("Where lines begin anew, nothing before the last line end counts")
  func lines() throws {
    let model = model()
    // Lines of 1 to 6 symbols, terminated by 0.
    let symbols: [Int32] = (0..<80).map { [0, 1, 3, 0, 2, 5, 6, 0, 4, 0, 1, 2, 3, 4, 5][$0 % 15] }
    let text = EncodedText(symbols)
    let result = model.context(of: text, longest: 16, predictions: 8, lineEnd: 0)
    // The last prediction is that of symbol 79; its line starts after the 0 at 75.
    #expect(symbols[75...] == [0, 1, 3, 0, 2])
    let last = EncodedText(Array(symbols[78...]))
    let alone = model.context(of: last, longest: 16, predictions: 1)
    #expect(result.lastInfluences[0] == alone.lastInfluences[0])
    #expect(result.lastInfluences.dropFirst().allSatisfy { $0 == 0 })
    let carried = model.context(of: text, longest: 16, predictions: 8)
    #expect(carried.lastInfluences[1] > 0)
    #expect(carried.influences != result.influences)
    // With prefixes that contain a whole line, the loss equals that of line-wise evaluation.
    let all = model.context(of: text, longest: 7, predictions: 73, lineEnd: 0)
    var evaluator = Evaluator<Double>()
    let whole = try #require(
      try evaluator.run(model, text, batchSize: 1, lineEnd: 0))
    let start = try #require(
      try evaluator.run(model, EncodedText(Array(symbols[..<7])), batchSize: 1, lineEnd: 0))
    let rest = (79 * whole.loss - 6 * start.loss) / 73
    #expect(abs(try #require(all.prefixes.last).loss - rest) < 1e-9)
  }
}
