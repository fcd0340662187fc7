/// An error in a text, vocabulary or encoded corpus.
public struct CorpusError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The problem.
  public enum Problem: Equatable, Sendable {
    /// The system's reason why a file cannot be read or written.
    case system(String)
    /// The folder lacks a required part.
    case missingPart(String, found: [String])
    /// Several files in the folder match a part.
    case severalParts(String, found: [String])
    /// The text is too short for training or evaluation.
    case tooShort(symbols: Int, needed: Int, unit: SymbolUnit)
    /// A word exceeds the length limit.
    case wordTooLong(limit: Int)
    /// A symbol is not in the vocabulary, which has no `<unk>`.
    case unknownSymbol(String)
    /// Symbols of a prompt are not in the vocabulary, which has no `<unk>`.
    case unknownSymbols([String], unit: SymbolUnit)
    /// The file is not UTF-8 text; the string says what it is and how to convert it.
    case notUTF8(String)
    /// The encoded file would overwrite the text.
    case overwritten
    /// The fractions of a split do not add up to 1.
    case impossibleSplit([Double])
    /// The vocabulary file is malformed.
    case malformedVocabulary(String)
    /// The encoded text is damaged.
    case damaged(String)
  }

  /// The problem.
  public var problem: Problem
  /// The file or folder.
  public var path: String
  /// The line, starting at 1, if known.
  public var line: Int?

  /// Creates an error.
  public init(_ problem: Problem, path: String, line: Int? = nil) {
    self.problem = problem
    self.path = path
    self.line = line
  }

  /// A sentence with location, expectation, finding and remedy.
  public var description: String {
    let place = line.map { "\(path): line \($0)" } ?? path
    switch problem {
    case .system(let reason): return "\(place): \(reason)"
    case .missingPart(let part, let found):
      let some = found.isEmpty ? "no text" : found.prefix(8).joined(separator: ", ")
      return
        "\(place): expected a text for \(part), such as \(part).txt, found \(some); use a folder with train, valid and test, or a single file"
    case .severalParts(let part, let found):
      return
        "\(place): expected one text for \(part), found \(found.prefix(8).joined(separator: ", ")); use a folder with only one of them"
    case .tooShort(let symbols, let needed, let unit):
      return "\(place): expected at least \(unit.counted(needed)), found \(symbols)"
    case .wordTooLong(let limit):
      return
        "\(place): expected words of at most \(limit) bytes, found a longer one; a character model has no such limit"
    case .unknownSymbol(let symbol):
      return "\(place): '\(symbol)' is not in the vocabulary, which has no <unk>"
    case .unknownSymbols(let symbols, let unit):
      return
        "\(place): \(Vocabulary.sentence(unknown: symbols, unit)); it has no <unk>"
    case .notUTF8(let what): return "\(place): expected text in UTF-8, \(what)"
    case .overwritten:
      return "\(place): the run would overwrite this file; use the text that it was encoded from"
    case .impossibleSplit(let parts):
      return "\(place): \(Self.problem(ofSplit: parts) ?? "the split \(parts) is impossible")"
    case .malformedVocabulary(let what):
      return what.hasPrefix(path) ? what : "\(place): not a vocabulary: \(what)"
    case .damaged(let what): return "\(place): \(what)"
    }
  }

  /// Returns a sentence that describes what is wrong with a split; nil if it is valid.
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
          "split: expected more than 0 for \(name), found \(found); \(name == "train" ? "the model is trained on it" : "it selects the best model")"
      }
    }
    let sum = parts.reduce(0, +)
    guard abs(sum - 1) < 1e-9 else {
      return "split: expected fractions that sum to 1, found \(found), which sum to \(Float(sum))"
    }
    return nil
  }
}
