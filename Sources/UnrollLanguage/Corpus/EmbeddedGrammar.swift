// A small stochastic grammar of English-like sentences with a known entropy rate. It is computed exactly, so the gap
// between a model and the optimum is known.
//
// The grammar is a unifilar automaton: state and word determine the next state. A reader with sufficient memory thus
// knows the state, and no model can have a lower loss than the entropy of the states:
//
//   v = e₀ + Pᵀ v              v  mean number of visits of each state per line
//   L = Σ v                    L  mean number of symbols per line, including its end
//   H = Σ v h / L              h  entropy of a state's choice;  H  the entropy rate
//
// Lines are independent and end in the initial state, so H is also the entropy rate of the whole text. Long-range
// dependencies: a subject's number, across a clause or a place with another number, until the verb; across the verb's
// object, until "and"; and the tense, from the first word of a line to the last.

internal import RealModule
internal import Unroll
internal import UnrollContracts

/// The grammar that generates the training text of `unroll train` when no corpus is given.
///
/// Its symbols are words and one end of line (`<eos>`) per line, which the text contains as a line feed.
public struct EmbeddedGrammar: Sendable {
  /// A word that a state can emit, and the next state; nil for the end of the line.
  package struct Arc: Sendable {
    package var word: String?
    package var probability: Double
    package var next: Int

    package init(word: String?, probability: Double, next: Int) {
      (self.word, self.probability, self.next) = (word, probability, next)
    }
  }

  /// The arcs of each state; every line starts in state 0.
  package let states: [[Arc]]
  /// The exact entropy rate in nats per symbol: the minimum loss of any model.
  public let entropyRate: Double
  /// The mean number of symbols per line, including its end.
  public let meanLineLength: Double

  /// Creates a grammar from the arcs of its states.
  ///
  /// - Precondition: The probabilities of each state are positive and sum to 1, no state emits a word twice, and every
  ///   line ends.
  /// - Complexity: O(S³) for S states, less if few states follow each state.
  package init(states: [[Arc]]) {
    for (state, arcs) in states.enumerated() {
      let total = arcs.reduce(0) { $0 + $1.probability }
      require(
        abs(total - 1) < 1e-12 && arcs.allSatisfy { $0.probability > 0 },
        "EmbeddedGrammar: expected probabilities that sum to 1 in state \(state), got \(total).")
      require(
        Set(arcs.map(\.word)).count == arcs.count,
        "EmbeddedGrammar: expected words that differ in state \(state).")
    }
    let visits = Self.visitCounts(of: states)
    let entropies = states.map { arcs in
      arcs.reduce(0) { $0 - $1.probability * Double.log($1.probability) }
    }
    self.states = states
    meanLineLength = visits.reduce(0, +)
    entropyRate = zip(visits, entropies).reduce(0) { $0 + $1.0 * $1.1 } / meanLineLength
  }

  /// The minimum perplexity of any model: e to the entropy rate.
  public var bestPerplexity: Double { Double.exp(entropyRate) }

  /// Solves (1 − Pᵀ) v = e₀ for the mean visits of each state per line, by Gaussian elimination.
  ///
  /// Pivoting is unnecessary because the columns of 1 − Pᵀ are diagonally dominant and remain so.
  private static func visitCounts(of states: [[Arc]]) -> [Double] {
    let count = states.count
    // The last column is the right-hand side, e₀.
    var rows = [[Double]](repeating: [Double](repeating: 0, count: count + 1), count: count)
    rows[0][count] = 1
    for (state, arcs) in states.enumerated() {
      rows[state][state] += 1
      for arc in arcs where arc.word != nil { rows[arc.next][state] -= arc.probability }
    }
    for pivot in 0..<count {
      let head = rows[pivot]
      require(head[pivot] > 1e-12, "EmbeddedGrammar: expected lines that end.")
      let columns = (pivot...count).filter { head[$0] != 0 }
      for row in 0..<count where row != pivot && rows[row][pivot] != 0 {
        let factor = rows[row][pivot] / head[pivot]
        for column in columns { rows[row][column] -= factor * head[column] }
      }
    }
    return (0..<count).map { rows[$0][count] / rows[$0][$0] }
  }

  /// Generates sentences, one per line.
  ///
  /// The words of a line depend only on the seed and the line's number: a longer text starts with the shorter one, and
  /// the text is the same on every machine.
  ///
  /// - Parameters:
  ///   - lineCount: The number of lines; at least 0.
  ///   - seed: The seed, which distinguishes texts such as those for training and validation.
  /// - Returns: The words of each line separated by spaces, each line terminated by a line feed.
  public func text(lineCount: Int, seed: UInt64) -> String {
    var text = ""
    for line in 0..<lineCount {
      var (state, place) = (0, UInt32(0))
      while true {
        let arc = draw(from: state, Self.uniform(seed: seed, line: UInt64(line), place: place))
        guard let word = arc.word else { break }
        if place > 0 { text += " " }
        text += word
        state = arc.next
        place += 1
      }
      text += "\n"
    }
    return text
  }

  /// Returns a multiple of 2⁻⁵³ in 0 ..< 1.
  private static func uniform(seed: UInt64, line: UInt64, place: UInt32) -> Double {
    // The second word separates these blocks from those of `TensorFlowRandom`.
    let counter = SIMD4(
      place, 0x6EA, UInt32(truncatingIfNeeded: line), UInt32(truncatingIfNeeded: line >> 32))
    let key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    let block = Philox(counter: counter, key: key).block
    return Double((UInt64(block[1]) << 32 | UInt64(block[0])) >> 11) * 0x1p-53
  }

  private func draw(from state: Int, _ uniform: Double) -> Arc {
    let arcs = states[state]
    var sum = 0.0
    for arc in arcs {
      sum += arc.probability
      if uniform < sum { return arc }
    }
    // Rounding can make the sum less than 1.
    return arcs[arcs.count - 1]
  }

  /// Returns the logarithm of a line's probability, including its end.
  ///
  /// - Parameter words: The words of the line, without `<eos>`.
  /// - Returns: Nats, at most 0; nil for a line that the grammar cannot generate.
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
  public static let standard = EmbeddedGrammar(states: Step.table())
}

/// The verb form that a subject requires.
private enum Form: Int { case singular, plural, past }

/// The role of a noun; subjects are those of a sentence (depth 0) or of a clause in it (depth 1).
private enum Role: Hashable {
  case subject(depth: Int, isPast: Bool)
  case object, place
}

/// A word, its probability, and the steps that remain after it.
private struct Choice {
  var word: String?
  var share: Double
  var then: [Step]

  init(_ word: String?, _ share: Double, _ then: [Step] = []) {
    (self.word, self.share, self.then) = (word, share, then)
  }

  /// Choices with probabilities in the ratio 1 : 1/2 : 1/3 … and the same remaining steps.
  static func words(_ words: [String], _ share: Double, _ then: [Step] = []) -> [Choice] {
    let total = words.indices.reduce(0) { $0 + 1 / Double($1 + 1) }
    return words.enumerated().map { Choice($1, share / Double($0 + 1) / total, then) }
  }
}

/// A part of a line that is still to be generated; a state of the automaton is a list of steps.
private enum Step: Hashable {
  case opening
  /// An article and a noun with its modifiers.
  case phrase(Role)
  /// A noun with an optional adjective; `singular` is the probability of the singular.
  case noun(Role, singular: Double, isPlain: Bool)
  /// A subject's modifiers and its predicate.
  case subject(Form, depth: Int)
  /// A subject's verb and its object.
  case predicate(Form, depth: Int)
  /// The continuation after "that": a verb of the preceding noun, or a subject that acts on it.
  case clause(Form)
  /// The continuation after a sentence's verb and object.
  case rest(Form)
  /// The end of the line, or another sentence in the same tense.
  case close(isPast: Bool)

  private static let beings = (
    one: ["fox", "painter", "child", "goose", "dog", "queen", "mouse", "tailor", "crow"],
    many: ["dogs", "children", "geese", "foxes", "crows", "mice", "tailors", "painters", "queens"]
  )
  private static let places = (
    one: ["river", "mill", "bridge", "tower", "garden", "market"],
    many: ["gardens", "towers", "rivers", "mills", "markets", "bridges"]
  )
  private static let qualities = ["small", "quiet", "strange", "lonely", "famous", "grey"]
  private static let manners = ["again", "slowly", "alone", "gladly"]
  /// Intransitive verbs, in each form.
  private static let rests = [
    ["sleeps", "waits", "sings", "laughs", "falls"],
    ["sleep", "wait", "sing", "laugh", "fall"],
    ["slept", "waited", "sang", "laughed", "fell"],
  ]
  /// Transitive verbs, in each form.
  private static let acts = [
    ["sees", "follows", "finds", "loves", "hears", "fears", "helps"],
    ["see", "follow", "find", "love", "hear", "fear", "help"],
    ["saw", "followed", "found", "loved", "heard", "feared", "helped"],
  ]

  /// Returns the possible first words of this step, whose probabilities add up to `share`.
  private func choices(sharing share: Double) -> [Choice] {
    switch self {
    case .opening:
      return [Choice("yesterday", 0.2 * share, [.phrase(.subject(depth: 0, isPast: true))])]
        + Step.phrase(.subject(depth: 0, isPast: false)).choices(sharing: 0.8 * share)
    case .phrase(let role):
      func noun(_ singular: Double) -> [Step] { [.noun(role, singular: singular, isPlain: false)] }
      return [Choice("the", 0.5 * share, noun(0.6))]
        + Choice.words(["a", "every"], 0.3 * share, noun(1))
        + Choice.words(["some", "many", "two"], 0.2 * share, noun(0))
    case .noun(let role, let singular, isPlain: false):
      let plain = Step.noun(role, singular: singular, isPlain: true)
      return Choice.words(Step.qualities, 0.25 * share, [plain])
        + plain.choices(sharing: 0.75 * share)
    case .noun(let role, let singular, isPlain: true):
      let nouns = role == .place ? Step.places : Step.beings
      let one = Choice.words(nouns.one, singular * share, role.steps(after: .singular))
      let many = Choice.words(nouns.many, (1 - singular) * share, role.steps(after: .plural))
      return (singular > 0 ? one : []) + (singular < 1 ? many : [])
    case .subject(let form, let depth):
      let verb = Step.predicate(form, depth: depth)
      let clause = depth == 0 ? [Choice("that", 0.25 * share, [.clause(form), verb])] : []
      return clause + Choice.words(["near", "behind"], 0.2 * share, [.phrase(.place), verb])
        + verb.choices(sharing: (depth == 0 ? 0.55 : 0.8) * share)
    case .predicate(let form, depth: 0):
      return Choice.words(Step.rests[form.rawValue], 0.5 * share, [.rest(form)])
        + Choice.words(Step.acts[form.rawValue], 0.5 * share, [.phrase(.object), .rest(form)])
    case .predicate(let form, _):
      // The object of a clause with its own subject is the noun before "that".
      return Choice.words(Step.acts[form.rawValue], share)
    case .clause(let form):
      return Step.phrase(.subject(depth: 1, isPast: form == .past)).choices(sharing: 0.5 * share)
        + Choice.words(Step.rests[form.rawValue], 0.2 * share)
        + Choice.words(Step.acts[form.rawValue], 0.3 * share, [.phrase(.object)])
    case .rest(let form):
      let close = Step.close(isPast: form == .past)
      return [Choice("and", 0.15 * share, [.predicate(form, depth: 0)])]
        + Choice.words(["near", "behind"], 0.15 * share, [.phrase(.place), close])
        + Choice.words(Step.manners, 0.15 * share, [close]) + close.choices(sharing: 0.55 * share)
    case .close(let isPast):
      let sentence = Step.phrase(.subject(depth: 0, isPast: isPast))
      return [Choice(nil, 0.9 * share, [.opening]), Choice("while", 0.1 * share, [sentence])]
    }
  }

  /// Builds the automaton: every list of steps that is reachable from the start is a state.
  static func table() -> [[EmbeddedGrammar.Arc]] {
    var lists: [[Step]] = [[.opening]]
    var indices = [lists[0]: 0]
    var table: [[EmbeddedGrammar.Arc]] = []
    while table.count < lists.count {
      let list = lists[table.count]
      table.append(
        list[0].choices(sharing: 1).map { choice in
          let rest = choice.then + list.dropFirst()
          let next = indices[rest] ?? lists.count
          if next == lists.count {
            indices[rest] = next
            lists.append(rest)
          }
          return EmbeddedGrammar.Arc(word: choice.word, probability: choice.share, next: next)
        })
    }
    return table
  }
}

extension Role {
  /// Returns the steps after a noun of this role; the past tense has one form for both numbers.
  fileprivate func steps(after form: Form) -> [Step] {
    guard case .subject(let depth, let isPast) = self else { return [] }
    return [.subject(isPast ? .past : form, depth: depth)]
  }
}
