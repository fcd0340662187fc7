// A small stochastic grammar of English-like sentences, with an entropy rate that is computed, not
// estimated: how far a model is from the best possible one is then known.
//
// It is an automaton in which state and word give the next state. A subject's number has to be
// remembered past a relative clause or a place with a number of its own, until the verb comes: the
// word before does not tell.

internal import RealModule
internal import Unroll

/// The grammar that `unroll train` learns when it is given no corpus.
public struct EmbeddedGrammar: Sendable {
  /// A word that a state may say, and what follows; nil: the end of the line.
  struct Arc: Sendable {
    var word: String?
    var probability: Double
    var next: Int
  }

  /// The arcs of each state; the first state begins every line.
  private let states: [[Arc]]
  /// Nats per symbol, words and line ends: what the best possible model loses.
  public let entropyRate: Double
  /// Symbols of a line on average, its end included.
  public let meanLineLength: Double

  /// A grammar from its table; probabilities of a state sum to 1, and every line ends.
  init(states: [[Arc]]) {
    self.states = states
    let visits = Self.visits(states)
    let entropies = states.map { arcs in
      arcs.reduce(0) { $0 - $1.probability * Double.log($1.probability) }
    }
    meanLineLength = visits.reduce(0, +)
    entropyRate = zip(visits, entropies).reduce(0) { $0 + $1.0 * $1.1 } / meanLineLength
  }

  /// e to the entropy rate.
  public var bestPerplexity: Double { Double.exp(entropyRate) }

  /// How often a line passes each state on average: v = e₀ + Pᵀ v, by Gaussian elimination.
  private static func visits(_ states: [[Arc]]) -> [Double] {
    let n = states.count
    var rows = (0..<n).map { row in
      (0...n).map { $0 == row ? 1.0 : $0 == n && row == 0 ? 1.0 : 0.0 }
    }
    for (state, arcs) in states.enumerated() {
      for arc in arcs where arc.word != nil { rows[arc.next][state] -= arc.probability }
    }
    for pivot in 0..<n {
      if let best = (pivot..<n).max(by: { abs(rows[$0][pivot]) < abs(rows[$1][pivot]) }) {
        rows.swapAt(pivot, best)
      }
      for row in 0..<n where row != pivot && rows[row][pivot] != 0 {
        let factor = rows[row][pivot] / rows[pivot][pivot]
        for column in pivot...n { rows[row][column] -= factor * rows[pivot][column] }
      }
    }
    return (0..<n).map { rows[$0][n] / rows[$0][$0] }
  }

  /// Sentences, one a line.
  ///
  /// - Parameters:
  ///   - lineCount: How many.
  ///   - seed: The same seed gives the same text on every machine.
  /// - Returns: The text, each line with its line feed.
  public func text(lineCount: Int, seed: UInt64) -> String {
    var text = ""
    var place: UInt64 = 0
    for _ in 0..<lineCount {
      var state = 0
      var isFirst = true
      while true {
        let arc = draw(state, uniform(seed, place))
        place += 1
        guard let word = arc.word else { break }
        if !isFirst { text += " " }
        text += word
        isFirst = false
        state = arc.next
      }
      text += "\n"
    }
    return text
  }

  private func uniform(_ seed: UInt64, _ place: UInt64) -> Double {
    let philox = Philox(
      counter: SIMD4(
        UInt32(truncatingIfNeeded: place), UInt32(truncatingIfNeeded: place >> 32), 0x6EA, 0),
      key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
    return (Double(philox.block[0]) + 0.5) / 4_294_967_296
  }

  private func draw(_ state: Int, _ uniform: Double) -> Arc {
    var left = uniform
    for arc in states[state] {
      left -= arc.probability
      if left < 0 { return arc }
    }
    return states[state][states[state].count - 1]
  }

  /// The logarithm of a line's probability, its end included, in nats; nil if the grammar cannot say
  /// it.
  public func logProbability(ofLine words: [String]) -> Double? {
    var (state, sum) = (0, 0.0)
    for word in words.map(Optional.some) + [nil] {
      guard let arc = states[state].first(where: { $0.word == word }) else { return nil }
      sum += Double.log(arc.probability)
      state = arc.next
    }
    return sum
  }
}

// MARK: - The sentences

extension EmbeddedGrammar {
  /// The grammar of `unroll train`.
  public static let standard = EmbeddedGrammar(states: Builder().table())

  private static let numbers = ["one", "many"]
  private static let nouns: [String: [String]] = [
    "one": ["sailor", "gull", "harbour", "lamp", "boat", "keeper", "storm", "island"],
    "many": ["sailors", "gulls", "harbours", "lamps", "boats", "keepers", "storms", "islands"],
  ]
  private static let rests: [String: [String]] = [
    "one": ["waits", "sleeps", "returns", "glows", "vanishes"],
    "many": ["wait", "sleep", "return", "glow", "vanish"],
  ]
  private static let acts: [String: [String]] = [
    "one": ["watches", "follows", "guides", "fears", "finds"],
    "many": ["watch", "follow", "guide", "fear", "find"],
  ]
  private static let qualities = ["old", "grey", "quiet", "distant", "bright"]
  private static let manners = ["again", "slowly", "tonight", "alone"]

  /// Names states while the table grows.
  private struct Builder {
    private var indices: [String: Int] = [:]
    private var states: [[Arc]] = []

    func table() -> [[Arc]] {
      var copy = self
      return copy.build()
    }

    private mutating func build() -> [[Arc]] {
      _ = index("subject")
      nounPhrase("subject") { "verb or more \($0)" }
      for number in numbers {
        // The subject is told more of, or its verb comes.
        let verb = verbs(number, after: "sentence \(number)")
        add(
          "verb or more \(number)",
          [("that", 0.3, "clause \(number)"), ("near", 0.15, "place \(number)")], verb, 0.55)
        nounPhrase("clause \(number)") { "clause verb \(number) \($0)" }
        for other in numbers {
          add("clause verb \(number) \(other)", [], words(acts[other], "verb \(number)"), 1)
        }
        nounPhrase("place \(number)") { _ in "verb \(number)" }
        add("verb \(number)", [], verb, 1)
        nounPhrase("object \(number)") { _ in "sentence \(number)" }
        add(
          "sentence \(number)", [(nil, 0.6, "subject"), ("and", 0.12, "verb \(number)")],
          words(manners, "end"), 0.28)
      }
      add("end", [(nil, 1, "subject")], [], 0)
      return states
    }

    /// Rests end the sentence's middle, acts need an object.
    private func verbs(_ number: String, after next: String) -> [(String, Double, String)] {
      words(rests[number], next).map { ($0.0, $0.1 * 0.45, $0.2) }
        + words(acts[number], "object \(number)").map { ($0.0, $0.1 * 0.55, $0.2) }
    }

    /// An article, perhaps a quality, a noun; which state follows depends on its number.
    private mutating func nounPhrase(_ name: String, then next: (String) -> String) {
      add(
        name,
        [("the", 0.6, name + " the"), ("a", 0.25, name + " one"), ("some", 0.15, name + " many")],
        [], 0)
      for (kind, share) in [("the", 0.6), ("one", 1), ("many", 0)] {
        let both =
          words(nouns["one"], next("one")).map { ($0.0, $0.1 * share, $0.2) }
          + words(nouns["many"], next("many")).map { ($0.0, $0.1 * (1 - share), $0.2) }
        let those = both.filter { $0.1 > 0 }
        let quality = words(qualities, "\(name) \(kind) quality").map { ($0.0, $0.1 * 0.3, $0.2) }
        add("\(name) \(kind)", [], quality + those.map { ($0.0, $0.1 * 0.7, $0.2) }, 1)
        add("\(name) \(kind) quality", [], those, 1)
      }
    }

    /// Words of falling frequency, 1 : 1/2 : 1/3 …, that lead to one state.
    private func words(_ words: [String]?, _ next: String) -> [(String, Double, String)] {
      let words = words ?? []
      let total = words.indices.reduce(0) { $0 + 1 / Double($1 + 1) }
      return words.enumerated().map { ($1, 1 / Double($0 + 1) / total, next) }
    }

    private mutating func index(_ name: String) -> Int {
      if let index = indices[name] { return index }
      indices[name] = states.count
      states.append([])
      return states.count - 1
    }

    private mutating func add(
      _ name: String, _ arcs: [(String?, Double, String)], _ others: [(String, Double, String)],
      _ share: Double
    ) {
      let state = index(name)
      for (word, probability, next) in arcs + others.map({ ($0.0, $0.1 * share, $0.2) }) {
        let next = index(next)
        states[state].append(Arc(word: word, probability: probability, next: next))
      }
    }
  }
}
