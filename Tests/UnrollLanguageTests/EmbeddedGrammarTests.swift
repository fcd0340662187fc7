// The embedded grammar: its entropy rate by hand, by another sum and by sampling; its sentences.

import RealModule
import Testing
import UnrollLanguage

@Suite("The embedded grammar")
struct EmbeddedGrammarTests {
  private let grammar = EmbeddedGrammar.standard

  private func words(_ line: String) -> [String] {
    line.split(separator: " ").map(String.init)
  }

  private func lines(_ count: Int, seed: UInt64) -> [[String]] {
    grammar.text(lineCount: count, seed: seed)
      .split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      .map { words(String($0)) }
  }

  /// Lines of a (¾) or b (¼), then a geometric number of x, then c after a, d after b.
  private let byHand = EmbeddedGrammar(states: [
    [
      EmbeddedGrammar.Arc(word: "a", probability: 0.75, next: 1),
      EmbeddedGrammar.Arc(word: "b", probability: 0.25, next: 2),
    ],
    [
      EmbeddedGrammar.Arc(word: "x", probability: 0.5, next: 1),
      EmbeddedGrammar.Arc(word: "c", probability: 0.5, next: 3),
    ],
    [
      EmbeddedGrammar.Arc(word: "x", probability: 0.5, next: 2),
      EmbeddedGrammar.Arc(word: "d", probability: 0.5, next: 3),
    ],
    [EmbeddedGrammar.Arc(word: nil, probability: 1, next: 0)],
  ])

  @Test("A hand-made grammar has the entropy rate that a hand computes")
  func hand() {
    // One a or b, one x on average, one c or d, and the line's end: 4 symbols. The first choice
    // tells ¾ ln 4⁄3 + ¼ ln 4 nats; two tosses of a coin on average tell ln 2 each.
    let choice = 0.75 * Double.log(4.0 / 3) + 0.25 * Double.log(4)
    #expect(abs(byHand.meanLineLength - 4) < 1e-14)
    #expect(abs(byHand.entropyRate - (choice + 2 * Double.log(2)) / 4) < 1e-14)
    #expect(abs(byHand.bestPerplexity - Double.exp((choice + 2 * Double.log(2)) / 4)) < 1e-14)
  }

  @Test("The probabilities of all lines up to a length sum to 1, but for the longer lines")
  func sums() {
    var strings: [[String]] = [[]]
    var (total, count) = (0.0, 0)
    for _ in 0...6 {
      for logarithm in strings.compactMap(byHand.logProbability(ofLine:)) {
        total += Double.exp(logarithm)
        count += 1
      }
      strings = strings.flatMap { string in ["a", "b", "c", "d", "x"].map { string + [$0] } }
    }
    // Up to 4 x after a or b; 5 or more tails in a row have probability 1⁄32.
    #expect(count == 10)
    #expect(abs(total - 31.0 / 32) < 1e-14)
  }

  @Test("A verb agrees with its subject past a place, past a clause and past an object")
  func agreement() {
    let good = [
      "the fox near the rivers sleeps", "the foxes near the river sleep",
      "the fox that the crows behind the mill follow sleeps",
      "the crows that follow the fox sleep", "the crow sees the foxes and sleeps",
      "yesterday the fox slept while the crows near the mill sang",
    ]
    let bad = [
      "the fox near the rivers sleep", "the foxes near the river sleeps",
      "the fox that the crows behind the mill follow sleep",
      "the fox that the crows behind the mill follows sleeps",
      "the crows that follow the fox sleeps", "the crow sees the foxes and sleep",
      "yesterday the fox slept while the crows near the mill sing", "the fox slept",
      "a foxes sleep", "the fox", "the fox sees", "the fox sleeps <eos>", "",
    ]
    for line in good { #expect(grammar.logProbability(ofLine: words(line)) != nil, "\(line)") }
    for line in bad { #expect(grammar.logProbability(ofLine: words(line)) == nil, "\(line)") }
  }

  @Test("Following the states word by word gives the entropy rate that the equations give")
  func propagation() {
    var mass = grammar.states.indices.map { $0 == 0 ? 1.0 : 0 }
    var (loss, length, ended) = (0.0, 0.0, 0.0)
    // Lines of more than 1000 words have a probability below 10⁻¹⁰⁰.
    for _ in 0..<1000 {
      var next = mass.map { _ in 0.0 }
      var step = 0.0
      for (state, arcs) in grammar.states.enumerated() where mass[state] > 0 {
        length += mass[state]
        for arc in arcs {
          let share = mass[state] * arc.probability
          step -= share * Double.log(arc.probability)
          if arc.word == nil { ended += share } else { next[arc.next] += share }
        }
      }
      loss += step
      mass = next
    }
    // About 10⁵ additions, each rounded to 10⁻¹⁶ of its sum.
    #expect(abs(ended - 1) < 1e-11)
    #expect(abs(length - grammar.meanLineLength) < 1e-10)
    #expect(abs(loss / length - grammar.entropyRate) < 1e-11)
  }

  @Test("Every line has a probability, and a sample loses and is as long as the equations say")
  func sample() throws {
    let lines = lines(20_000, seed: 5)
    #expect(lines.count == 20_000)
    // What a line loses beyond its share, and how much longer it is than the mean: both average 0.
    var (loss, losses, length, lengths) = (0.0, 0.0, 0.0, 0.0)
    for line in lines {
      let symbols = Double(line.count + 1)
      let logarithm = try #require(grammar.logProbability(ofLine: line), "\(line)")
      let excess = (-logarithm - grammar.entropyRate * symbols, symbols - grammar.meanLineLength)
      loss += excess.0
      losses += excess.0 * excess.0
      length += excess.1
      lengths += excess.1 * excess.1
    }
    // The standard error of a sum is the root of the sum of squares.
    #expect(abs(loss) < 4 * losses.squareRoot())
    #expect(abs(length) < 4 * lengths.squareRoot())
  }

  @Test("The word before does not tell enough: pairs of words lose a fifth more than the rate")
  func bigrams() {
    var followers: [String: [String: Int]] = [:]
    for line in lines(20_000, seed: 6) {
      for (previous, word) in zip(["<eos>"] + line, line + ["<eos>"]) {
        followers[previous, default: [:]][word, default: 0] += 1
      }
    }
    var (loss, count) = (0.0, 0)
    for counts in followers.values {
      let total = counts.values.reduce(0, +)
      for times in counts.values {
        loss -= Double(times) * Double.log(Double(times) / Double(total))
      }
      count += total
    }
    #expect(loss / Double(count) > 1.2 * grammar.entropyRate)
  }

  @Test("Its sentences have 6 to 12 words on average, out of 40 to 120")
  func size() {
    let words = Set(grammar.states.flatMap { $0.compactMap(\.word) })
    #expect((40...120).contains(words.count))
    #expect((6...12).contains(grammar.meanLineLength - 1))
    #expect(words.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (0x61...0x7A).contains($0) } })
  }

  @Test("The same seed gives the same text, another seed another; a longer text begins alike")
  func seeds() {
    let text = grammar.text(lineCount: 50, seed: 1)
    #expect(text == grammar.text(lineCount: 50, seed: 1))
    #expect(text != grammar.text(lineCount: 50, seed: 2))
    #expect(text != grammar.text(lineCount: 50, seed: 1 + 1 << 32))
    #expect(text.hasPrefix(grammar.text(lineCount: 9, seed: 1)))
    #expect(grammar.text(lineCount: 0, seed: 1).isEmpty)
  }

  @Test("The text of a seed is the same on every machine")
  func pinned() {
    let expected = """
      many mice fear every goose
      a small fox waits
      some crows see the tailor

      """
    #expect(grammar.text(lineCount: 3, seed: 1) == expected)
  }
}
