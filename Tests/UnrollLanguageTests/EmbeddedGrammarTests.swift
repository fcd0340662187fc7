// The embedded grammar: its entropy rate against sums, samples and a hand-made one.

import RealModule
import Testing

@testable import UnrollLanguage

@Suite("The embedded grammar")
struct EmbeddedGrammarTests {
  @Test("A hand-made grammar has the entropy that a hand computes")
  func byHand() {
    // a with 3/4, else the line ends; after a: b or c, then from the start again.
    let grammar = EmbeddedGrammar(states: [
      [
        EmbeddedGrammar.Arc(word: "a", probability: 0.75, next: 1),
        EmbeddedGrammar.Arc(word: nil, probability: 0.25, next: 0),
      ],
      [
        EmbeddedGrammar.Arc(word: "b", probability: 0.5, next: 0),
        EmbeddedGrammar.Arc(word: "c", probability: 0.5, next: 0),
      ],
    ])
    // The start is passed 4 times, the other state 3 times.
    let start = -0.75 * Double.log(0.75) - 0.25 * Double.log(0.25)
    #expect(abs(grammar.meanLineLength - 7) < 1e-12)
    #expect(abs(grammar.entropyRate - (4 * start + 3 * Double.log(2)) / 7) < 1e-12)
    // Lines of up to 10 pairs, in all orders: what is left out has probability 0.75^11.
    var total = 0.0
    for length in 0...10 {
      let line = [[String]](repeating: ["a", "b"], count: length).flatMap(\.self)
      total += Double.exp(grammar.logProbability(ofLine: line) ?? 0) * Double.pow(2, length)
    }
    #expect(abs(total - (1 - Double.pow(0.75, 11))) < 1e-12)
    #expect(grammar.logProbability(ofLine: ["a"]) == nil)
  }

  private let lines = EmbeddedGrammar.standard.text(lineCount: 20_000, seed: 5)
    .split(separator: "\n").map { $0.split(separator: " ").map(String.init) }

  @Test("A large sample loses what the entropy rate says, and has the length that it says")
  func sample() throws {
    let grammar = EmbeddedGrammar.standard
    #expect(lines.count == 20_000)
    var (sum, squares, symbols) = (0.0, 0.0, 0)
    for line in lines {
      let loss = -(try #require(grammar.logProbability(ofLine: line)))
      // What a line loses beyond its share: its mean is 0.
      let excess = loss - grammar.entropyRate * Double(line.count + 1)
      sum += excess
      squares += excess * excess
      symbols += line.count + 1
    }
    let error = (squares / 20_000).squareRoot() * 20_000.0.squareRoot()
    #expect(abs(sum) < 4 * error)
    #expect(abs(Double(symbols) / 20_000 - grammar.meanLineLength) < 0.1)
    #expect((6...14).contains(grammar.meanLineLength))
  }

  @Test("The word before does not tell enough: pairs of words lose more than the rate")
  func bigrams() {
    var pairs: [String: [String: Int]] = [:]
    for line in lines {
      var previous = "<eos>"
      for word in line + ["<eos>"] {
        pairs[previous, default: [:]][word, default: 0] += 1
        previous = word
      }
    }
    var (loss, count) = (0.0, 0)
    for followers in pairs.values {
      let total = followers.values.reduce(0, +)
      for times in followers.values {
        loss -= Double(times) * Double.log(Double(times) / Double(total))
      }
      count += total
    }
    #expect(loss / Double(count) > 1.03 * EmbeddedGrammar.standard.entropyRate)
    #expect((40...120).contains(pairs.count))
  }

  @Test("The same seed gives the same text, another seed another")
  func seeds() {
    let grammar = EmbeddedGrammar.standard
    #expect(grammar.text(lineCount: 50, seed: 1) == grammar.text(lineCount: 50, seed: 1))
    #expect(grammar.text(lineCount: 50, seed: 1) != grammar.text(lineCount: 50, seed: 2))
    #expect(grammar.text(lineCount: 50, seed: 1).hasPrefix(grammar.text(lineCount: 9, seed: 1)))
  }
}
