// Sampling frequencies, independence of the number of threads, and agreement of streams with batches.

import CAllocationCounter
import RealModule
import Testing
import Unroll
import UnrollLanguage
import UnrollTestSupport

@Suite("Generation")
struct GenerationTests {
  private func model(
    _ cell: CellKind = .gruResetAfter, symbols: Int = 40, isNormalized: Bool = false,
    zoneout: Double = 0
  ) -> LanguageModel<Float> {
    var random = NumPyRandom(seed: testSeed)
    return ModelTests.model(
      ModelConfiguration(
        vocabularySize: symbols, embeddingSize: 10, hiddenSize: 24, layers: 2, cell: cell,
        isNormalized: isNormalized, dropout: DropoutRates(zoneoutHidden: zoneout)),
      &random)
  }

  private func draws(_ logits: [Float], _ count: Int, _ change: (inout SamplingOptions) -> Void)
    -> [Int]
  {
    var options = SamplingOptions()
    change(&options)
    var sampler = SymbolSampler(options, symbolCount: logits.count)
    var counts = [Int](repeating: 0, count: logits.count)
    logits.withUnsafeBufferPointer { logits in
      for place in 0..<count { counts[Int(sampler.draw(logits, sequence: 0, place: place))] += 1 }
    }
    return counts
  }

  private let logits: [Float] = [0, 1, 2, -1, 0.5]

  @Test("Symbols come with their probabilities, sharpened by the temperature")
  func temperature() {
    for temperature in [0.5, 1, 2] {
      let counts = draws(logits, 40_000) { $0.temperature = temperature }
      let weights = logits.map { Double.exp(Double($0) / temperature) }
      let total = weights.reduce(0, +)
      for (count, weight) in zip(counts, weights) {
        let p = weight / total
        // Five standard deviations.
        #expect(abs(Double(count) - 40_000 * p) < 5 * (40_000 * p * (1 - p)).squareRoot())
      }
    }
    #expect(draws(logits, 10) { $0.temperature = 0 } == [0, 0, 10, 0, 0])
  }

  @Test("Top-k, top-p and banned symbols leave the rest in proportion")
  func cuts() {
    let two = draws(logits, 20_000) { $0.topK = 2 }
    #expect(two[0] == 0 && two[3] == 0 && two[4] == 0)
    #expect(abs(Double(two[2]) / Double(two[1]) - Double.exp(1)) < 0.15)
    #expect(draws(logits, 10) { $0.topP = 0.01 } == [0, 0, 10, 0, 0])
    // Their probabilities: 0.56, 0.21, 0.13, 0.08, 0.03.
    let most = draws(logits, 5000) { $0.topP = 0.8 }
    #expect(most[2] > 0 && most[1] > 0 && most[4] > 0 && most[0] == 0 && most[3] == 0)
    let banned = draws(logits, 1000) { $0.banned = [2] }
    #expect(banned[2] == 0)
    #expect(draws(logits, 5) { ($0.banned, $0.temperature) = ([2], 0) }[1] == 5)
    #expect(draws(logits, 1000) { $0.topK = 9 } == draws(logits, 1000) { $0.topK = nil })
  }

  @Test("Top-p counts the probability of the symbols that top-k leaves")
  func cutsTogether() {
    func drawn(_ logits: [Float], _ topK: Int?, _ topP: Double, _ temperature: Double = 1) -> [Int]
    {
      let counts = draws(logits, 2000) {
        ($0.topK, $0.topP, $0.temperature) = (topK, topP, temperature)
      }
      return counts.indices.filter { counts[$0] > 0 }
    }
    // The likeliest two have 0.731 and 0.269 after renormalisation, and 0.56 and 0.21 before.
    #expect(drawn(logits, 2, 0.73) == [2])
    #expect(drawn(logits, 2, 0.74) == [1, 2])
    #expect(drawn(logits, nil, 0.73) == [1, 2])
    // The temperature is applied first: at 0.1 the likeliest has 0.99995.
    #expect(drawn(logits, 2, 0.74, 0.1) == [2])
    // Ties are kept in index order.
    let equals = [Float](repeating: 1, count: 6)
    #expect(drawn(equals, 4, 0.5) == [0, 1])
    #expect(drawn(equals, 4, 0.51) == [0, 1, 2])
    #expect(drawn(equals, nil, 0.5) == [0, 1, 2])
    for topP in [1e-12, 0.3, 1] { #expect(drawn(logits, 1, topP) == [2]) }
    #expect(drawn(logits, 3, 1) == [1, 2, 4] && drawn(logits, 99, 1) == [0, 1, 2, 3, 4])
    #expect(drawn(logits, 99, 0.73) == [1, 2])
    // The probabilities of the remaining symbols keep their ratios.
    let counts = draws(logits, 20_000) { ($0.topK, $0.topP) = (3, 0.9) }
    #expect(abs(Double(counts[2]) / Double(counts[1]) - Double.exp(1)) < 0.15)
  }

  @Test(
    "With a line end every line of a text is what it is alone, beside others and in a trace",
    arguments: CellKind.allCases)
  func lines(cell: CellKind) throws {
    let model = model(cell, symbols: 6)
    var options = SamplingOptions()
    options.seed = 11
    let prompt: [Int32] = [2, 0, 4, 4]
    var generator = TextGenerator(model, prompt: prompt, count: 4, lineEnd: 0, options: options)
    var texts = [[Int32]](repeating: prompt, count: 4)
    for _ in 0..<40 {
      generator.next()
      for (index, symbol) in generator.symbols.enumerated() { texts[index].append(symbol) }
    }
    #expect(texts.allSatisfy { $0.count { $0 == 0 } > 2 })
    let logits = generator.nextLogits()
    for (index, text) in texts.enumerated() {
      let start = try #require(text.lastIndex(of: 0))
      var line = TextGenerator(model, prompt: Array(text[start...]))
      #expect(line.nextLogits().isBitwiseEqual(to: logits[index, ...].reshaped(to: [1, 6])))
    }
    var whole = TextGenerator(model, prompt: texts[0])
    #expect(!whole.nextLogits().isBitwiseEqual(to: logits[0, ...].reshaped(to: [1, 6])))
    for gate in [nil] + model.layers[1].cell.parameters.gates.map(Optional.some) {
      let probe = UnitProbe(layer: 1, unit: 3, gate: gate)
      var traced = TracedGenerator(model, lineEnd: 0, options: options, probe: probe)
      let symbols = prompt.map { traced.read($0) } + (0..<40).map { _ in traced.next() }
      #expect(symbols.map(\.symbol) == texts[0])
      let start = try #require(texts[0].lastIndex(of: 0))
      var line = TracedGenerator(model, options: options, probe: probe)
      let alone = texts[0][start...].map { line.read($0) }
      #expect(alone.map(\.value) == symbols[start...].map(\.value))
    }
  }

  @Test("The same seed gives the same text on any number of threads, alone and beside others")
  func seeds() {
    let model = model()
    func text(_ seed: UInt64, count: Int, threads: Int) -> [[Int32]] {
      Threads.use(threads) {
        var options = SamplingOptions()
        options.seed = seed
        var generator = TextGenerator(model, prompt: [3, 1], count: count, options: options)
        return (0..<60).map { _ in
          generator.next()
          return generator.symbols
        }
      }
    }
    let one = text(7, count: 1, threads: 1)
    for threads in [2, 3] { #expect(text(7, count: 1, threads: threads) == one) }
    #expect(text(7, count: 5, threads: 2).map { $0[0] } == one.map { $0[0] })
    #expect(text(8, count: 1, threads: 1) != one)
    let five = text(7, count: 5, threads: 1)
    #expect(Set(five.map { $0[1] }).count > 1 && five.map { $0[1] } != five.map { $0[2] })
  }

  @Test("Predictions step by step and in a batch agree to the bit")
  func steps() {
    let cells = CellKind.allCases
    let models =
      cells.map { model($0) } + cells.map { model($0, isNormalized: true, zoneout: 0.2) }
    for model in models {
      let symbols: [Int32] = [3, 1, 4, 1, 5, 9, 2, 6]
      var vectors = Tensor<Float>(shape: [0])
      model.embedding.lookUp(symbols, timeStepCount: 8, into: &vectors)
      for layer in model.layers {
        vectors = layer.forward(vectors, from: layer.zeroState(batchSize: 1)).outputs
      }
      var logits = Tensor<Float>(shape: [0])
      model.softmax.forward(vectors, into: &logits, using: Scratch())
      for length in 1...8 {
        var generator = TextGenerator(model, prompt: Array(symbols[..<length]))
        #expect(
          generator.nextLogits().isBitwiseEqual(
            to: logits[length - 1, ...].reshaped(to: [1, 40])))
      }
    }
  }

  @Test("After the first symbol, a step allocates nothing")
  func allocations() {
    for model in [model(), model(.lstm, isNormalized: true, zoneout: 0.2)] {
      for topK in [nil, 5] {
        var options = SamplingOptions()
        options.topK = topK
        // A line ends about every sixth step.
        var generator = TextGenerator(
          model, prompt: [1], count: 2, lineEnd: topK == nil ? nil : 7, options: options)
        for _ in 0..<3 { generator.next() }
        let count = allocations { for _ in 0..<20 { generator.next() } }
        #expect(count == 0)
      }
    }
  }

  private func allocations(_ body: () -> Void) -> Int {
    let before = allocation_count()
    body()
    return Int(allocation_count() - before)
  }

  @Test(
    "A traced text is the plain one, with probabilities, states and gates that the layers have",
    arguments: [CellKind.gruResetAfter, .lstm, .rnn])
  func traced(cell: CellKind) throws {
    let model = model(cell)
    var options = SamplingOptions()
    options.seed = 7
    let prompt: [Int32] = [3, 1, 4]
    var plain = TextGenerator(model, prompt: prompt, options: options)
    var read = prompt
    for _ in 0..<12 {
      plain.next()
      read.append(plain.symbols[0])
    }
    let gates = model.layers[1].cell.parameters.gates.filter { $0 != .candidate }
    for gate in gates.map(Optional.some) + [nil] {
      var generator = TracedGenerator(
        model, options: options, probe: UnitProbe(layer: 1, unit: 5, gate: gate))
      let traced = prompt.map { generator.read($0) } + (0..<12).map { _ in generator.next() }
      #expect(traced.map(\.symbol) == read)
      // The whole text in one pass.
      var values = Tensor<Float>(shape: [0])
      model.embedding.lookUp(read, timeStepCount: read.count, into: &values)
      var trace = SequenceTrace<Float>()
      for layer in model.layers {
        trace = layer.forward(values, from: layer.zeroState(batchSize: 1))
        values = trace.outputs
      }
      let watched = gate.map { trace.gate($0) } ?? trace.hiddenStates
      for (place, symbol) in traced.enumerated() {
        let value = try #require(symbol.value)
        #expect(abs(value - Double(watched[place, 0, 5])) < 1e-6)
        guard place > 0 else {
          #expect(symbol.probability == nil && symbol.candidates.isEmpty)
          continue
        }
        var logits = Tensor<Float>(shape: [0])
        model.softmax.forward(values[place - 1, ...], into: &logits, using: Scratch())
        let weights = logits.elements.map { Double.exp(Double($0)) }
        let expected = weights[Int(read[place])] / weights.reduce(0, +)
        #expect(abs(try #require(symbol.probability) - expected) < 1e-6)
        #expect(symbol.candidates.count == 8)
        #expect(symbol.candidates[0].probability >= symbol.candidates[7].probability)
      }
    }
  }
}
