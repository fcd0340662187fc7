// Sentences of the libraries in the command's words: they name settings as `config.json` does, and people here give
// options.

#if Command
internal import UnrollLanguage

/// Turns names of settings into options.
enum CommandText {
  /// The option of a setting, as errors name it; nil if it has none.
  private static func option(_ name: String) -> String? {
    switch name {
    // The vocabulary of a text is made smaller by its limit.
    case "vocabulary_size": "vocabulary-size"
    case "temperature": "temperature"
    case "top_k": "top-k"
    case "top_p": "top-p"
    default: FieldOptions.name(ofField: name)
    }
  }

  /// What a library advises, and how it is done here.
  private static let advice = [
    ("resume it, or choose another folder", "go on with --resume, or choose another --output"),
    ("choose another folder", "choose another --output"),
    ("start again in another folder", "start again with another --output"),
    (
      "resume the run from its last whole checkpoint",
      "go on from the last whole checkpoint with --resume"
    ),
    (
      "a run is the folder that training leaves",
      "a run is the folder that unroll train leaves (--output)"
    ),
    ("a model of bytes takes any file", "--unit bytes takes any file"),
    ("make the number of texts smaller", "make --samples smaller"),
    ("a model of characters has no such limit", "try --unit characters"),
  ]

  /// A sentence with options in place of settings.
  ///
  /// A setting of one word is replaced only where the sentence begins with it and a colon follows: elsewhere it may
  /// be a word like any other.
  static func sentence(_ text: String) -> String {
    let text = text.replacing(/as the setting ([a-z_.]+) says/) { match in
      option(String(match.1)).map { "as --\($0) says" } ?? String(match.0)
    }
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    let replaced = words.enumerated().map { index, word in
      let end =
        word.lastIndex { !",:;.".contains($0) }.map { word.index(after: $0) } ?? word.startIndex
      let (name, mark) = (word[..<end], word[end...])
      let isSure = name.contains("_") || name.contains(".") || index == 0 && mark.first == ":"
      guard isSure, let option = option(String(name)) else { return String(word) }
      return "--\(option)\(mark)"
    }.joined(separator: " ")
    return advice.reduce(replaced) { $0.replacing($1.0, with: $1.1) }
  }

  /// What is wrong with a run; a file's own fields keep their names.
  static func sentence(_ error: RunError) -> String {
    if case .malformedConfiguration = error.problem { return error.description }
    return sentence(error.description, after: error.path)
  }

  /// What is wrong with a text.
  static func sentence(_ error: CorpusError) -> String {
    sentence(error.description, after: error.path)
  }

  private static func sentence(_ text: String, after path: String) -> String {
    // A path is not touched, whatever its name is.
    let place = "\(path): "
    guard !path.isEmpty, text.hasPrefix(place) else { return sentence(text) }
    return place + sentence(String(text.dropFirst(place.count)))
  }
}

/// Errors of data as one sentence.
enum LanguageErrors {
  static func told<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as CorpusError {
      throw DataError(description: CommandText.sentence(error))
    } catch let error as RunError {
      throw DataError(description: CommandText.sentence(error))
    }
  }
}
#endif
