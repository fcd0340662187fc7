/// What was found while a text was encoded.
struct EncodingFacts: Codable, Equatable {
  /// The file.
  var path: String
  /// How many symbols there are, and how many of them became `<unk>`.
  var count = 0, unknown = 0
  /// The first few symbols that are not in the vocabulary, each once.
  var unknownSymbols: [String] = []
  /// The places where bytes were not UTF-8, and the line of the first of them.
  var defects = 0
  var firstDefectLine: Int?

  /// What a person should know of bytes that are not UTF-8, said once of all texts.
  ///
  /// - Parameter all: The texts; several of them may be parts of one file.
  /// - Returns: One sentence, or none.
  static func notes(_ all: [EncodingFacts]) -> [String] {
    var files: [EncodingFacts] = []
    for facts in all where facts.defects > 0 {
      guard let index = files.firstIndex(where: { $0.path == facts.path }) else {
        files.append(facts)
        continue
      }
      files[index].defects += facts.defects
      files[index].firstDefectLine = [files[index].firstDefectLine, facts.firstDefectLine]
        .compactMap(\.self).min()
    }
    guard !files.isEmpty else { return [] }
    let places = files.map { file in
      let line = file.firstDefectLine.map { ", \(file.defects == 1 ? "" : "first ")on line \($0)" }
      return
        "\(file.path): \(file.defects == 1 ? "1 place is" : "\(file.defects) places are") not UTF-8\(line ?? "")"
    }
    return [
      places.joined(separator: "; ")
        + ", read as U+FFFD; a text in Latin-1 can be converted with: iconv -f LATIN1 -t UTF-8 FILE > NEW"
    ]
  }
}
