// Translates messages of the libraries, which name fields of `config.json`, into messages that name options.

#if Command
internal import UnrollLanguage

/// Replaces names of settings by options.
enum CommandText {
  /// The option for a field named in an error; nil if it has none.
  private static func option(_ name: String) -> String? {
    switch name {
    // The text sets the size of the vocabulary; the option limits it.
    case "vocabulary_size": "vocabulary-size"
    case "temperature": "temperature"
    case "top_k": "top-k"
    case "top_p": "top-p"
    default: FieldOptions.name(ofField: name)
    }
  }

  /// Advice of the libraries and its wording for the command line.
  private static let advice = [
    (
      "resume it, or choose another folder",
      "continue it with --resume, or choose another --output"
    ),
    ("choose another folder", "choose another --output"),
    ("start a new run in another folder", "start again with another --output"),
    (
      "resume the run from its last checkpoint",
      "continue from the last checkpoint with --resume"
    ),
    (
      "use the folder of a training run",
      "a run is the folder that unroll train leaves (--output)"
    ),
    ("a byte model accepts any file", "--unit bytes takes any file"),
    ("reduce the number of texts", "make --samples smaller"),
    ("a character model has no such limit", "try --unit characters"),
  ]

  /// Replaces names of settings in a sentence by options.
  ///
  /// A setting of one word is replaced only at the start of the sentence and before a colon; elsewhere it may be an
  /// ordinary word.
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

  /// The message for an error about a run.
  ///
  /// Errors about a settings file keep the names of its fields.
  static func sentence(_ error: RunError) -> String {
    if case .malformedConfiguration = error.problem { return error.description }
    return sentence(error.description, after: error.path)
  }

  /// The message for an error about a text.
  static func sentence(_ error: CorpusError) -> String {
    sentence(error.description, after: error.path)
  }

  private static func sentence(_ text: String, after path: String) -> String {
    // Paths are left unchanged.
    let place = "\(path): "
    guard !path.isEmpty, text.hasPrefix(place) else { return sentence(text) }
    return place + sentence(String(text.dropFirst(place.count)))
  }
}

/// Converts errors about runs and texts to errors of the command.
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
