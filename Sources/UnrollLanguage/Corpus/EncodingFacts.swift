/// Statistics of the encoding of a text.
struct EncodingFacts: Codable, Equatable {
  /// The file.
  var path: String
  /// The number of symbols, and how many of them became `<unk>`.
  var count = 0, unknown = 0
  /// The first few distinct symbols that are not in the vocabulary.
  var unknownSymbols: [String] = []
  /// The number of places with invalid UTF-8, and the line of the first.
  var defects = 0
  var firstDefectLine: Int?

  /// Returns a remark for each file with invalid UTF-8.
  ///
  /// - Parameter all: The texts; several of them may be parts of one file.
  /// - Returns: One sentence per file.
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
        + ", read as U+FFFD; convert Latin-1 text with: iconv -f LATIN1 -t UTF-8 FILE > NEW"
    ]
  }
}
