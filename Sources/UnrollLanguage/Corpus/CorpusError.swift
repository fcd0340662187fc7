/// A text, vocabulary or encoded corpus that cannot be used.
public struct CorpusError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Problem: Equatable, Sendable {
    /// The system's reason why a file cannot be read or written.
    case system(String)
    /// A folder without a part that is needed.
    case missingPart(String, found: [String])
    /// A folder with several files that may be a part.
    case severalParts(String, found: [String])
    /// A text that is too short to learn from or to be judged.
    case tooShort(symbols: Int, needed: Int, unit: SymbolUnit)
    /// A word that is longer than a vocabulary should hold.
    case wordTooLong(limit: Int)
    /// A symbol that the vocabulary does not have, and no `<unk>` to stand for it.
    case unknownSymbol(String)
    /// Symbols of a prompt that the vocabulary does not have, and no `<unk>` to stand for them.
    case unknownSymbols([String], unit: SymbolUnit)
    /// A file that is no text in UTF-8: what it is, and what to do.
    case notUTF8(String)
    /// A text whose encoding is written to the place where the text stands.
    case overwritten
    /// A split whose parts do not make a whole.
    case impossibleSplit([Double])
    /// A vocabulary file that is not one.
    case malformedVocabulary(String)
    /// An encoded text that is damaged.
    case damaged(String)
  }

  /// What is wrong.
  public var problem: Problem
  /// The file or folder.
  public var path: String
  /// The line, from 1, where it is known.
  public var line: Int?

  /// Creates an error.
  public init(_ problem: Problem, path: String, line: Int? = nil) {
    self.problem = problem
    self.path = path
    self.line = line
  }

  /// One sentence: where, what was expected, what was found, what to do.
  public var description: String {
    let place = line.map { "\(path): line \($0)" } ?? path
    switch problem {
    case .system(let reason): return "\(place): \(reason)"
    case .missingPart(let part, let found):
      let some = found.isEmpty ? "no text" : found.prefix(8).joined(separator: ", ")
      return
        "\(place): expected a text for \(part), such as \(part).txt, found \(some); give a folder with train, valid and test, or one file"
    case .severalParts(let part, let found):
      return
        "\(place): expected one text for \(part), found \(found.prefix(8).joined(separator: ", ")); give a folder with one of them"
    case .tooShort(let symbols, let needed, let unit):
      return "\(place): expected at least \(unit.counted(needed)), found \(symbols)"
    case .wordTooLong(let limit):
      return
        "\(place): expected words of at most \(limit) bytes, found a longer one; a model of characters has no such limit"
    case .unknownSymbol(let symbol):
      return "\(place): '\(symbol)' is not in the vocabulary, which has no <unk> to stand for it"
    case .unknownSymbols(let symbols, let unit):
      return
        "\(place): \(Vocabulary.sentence(unknown: symbols, unit)); there is no <unk> to stand for them"
    case .notUTF8(let what): return "\(place): expected text in UTF-8, \(what)"
    case .overwritten:
      return "\(place): is a file that this run itself writes; give the text that it was made from"
    case .impossibleSplit(let parts):
      return "\(place): \(Self.problem(ofSplit: parts) ?? "the split \(parts) is impossible")"
    case .malformedVocabulary(let what):
      return what.hasPrefix(path) ? what : "\(place): not a vocabulary: \(what)"
    case .damaged(let what): return "\(place): \(what)"
    }
  }

  /// What is wrong with the fractions of a split, in one sentence; nil if nothing is.
  package static func problem(ofSplit parts: [Double]) -> String? {
    let found = parts.map { "\($0)" }.joined(separator: ",")
    guard (2...3).contains(parts.count) else {
      return
        "split: expected two or three fractions, for train, valid and perhaps test, found \(parts.count): \(found)"
    }
    for (name, part) in zip(["train", "valid", "test"], parts) {
      guard part >= 0 && part <= 1 else {
        return "split: expected a fraction of 0 ... 1 for \(name), found \(part)"
      }
      if part == 0 && name != "test" {
        return
          "split: expected more than 0 for \(name), found \(found); \(name == "train" ? "the model learns from it" : "it decides which model is kept")"
      }
    }
    let sum = parts.reduce(0, +)
    guard abs(sum - 1) < 1e-9 else {
      return "split: expected fractions that sum to 1, found \(found), which sum to \(Float(sum))"
    }
    return nil
  }
}
