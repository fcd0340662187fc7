internal import Foundation

/// Strings by name, as JSON.
enum JSONWords {
  static func encode(_ words: [String: String]) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // A dictionary of strings always has a JSON.
    return (try? Array(encoder.encode(words))) ?? []
  }

  static func decode(_ bytes: [UInt8]) throws(ArrayFileError) -> [String: String] {
    guard let words = try? JSONDecoder().decode([String: String].self, from: Data(bytes)) else {
      throw ArrayFileError(
        .malformedHeader("expected a JSON object of words"), arrayName: ArrayFile.metadataName)
    }
    return words
  }
}
