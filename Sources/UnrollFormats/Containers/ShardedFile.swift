// Arrays that are divided among several files, as Hugging Face's libraries write large models:
//
//   model-00001-of-00002.safetensors, model-00002-of-00002.safetensors
//   model.safetensors.index.json   {"metadata": {"total_size": n}, "weight_map": {"array": "file", …}}
//
// One of the files alone is never read as the whole.

internal import Foundation

/// Files that make one.
struct ShardedFile {
  /// The files, in their order.
  private var paths: [String]
  /// The file of each array, where there is an index.
  private var places: [String: String] = [:]
  /// The index, or the file that was asked for.
  private let path: String

  /// The maximum number of files; no model has more.
  private static let mostFiles = 10_000

  private struct Index: Decodable {
    var weight_map: [String: String]
  }

  /// The files that belong to a path; nil if it is neither an index nor one of several files.
  ///
  /// - Throws: `ArrayFileError` if a file is missing, or an index is damaged.
  init?(_ source: FileSource) throws(ArrayFileError) {
    guard source.isFile else { return nil }
    path = source.name
    let folder = String(
      path.prefix(upTo: path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex))
    let name = String(path.dropFirst(folder.count))
    if (try? source.kind()) == .shards {
      let index = try Self.index(source.bytes())
      places = index.mapValues { folder + $0 }
      paths = Set(places.values).sortedNames()
    } else if let part = Self.part(name) {
      // Most programs count from 1.
      let first = part.number == 0 || AtomicFile.exists(folder + part.name(0)) ? 0 : 1
      paths = (first..<first + part.count).map { folder + part.name($0) }
      guard paths.contains(path) else { return nil }
    } else {
      return nil
    }
    let missing = paths.filter { !AtomicFile.exists($0) }.map { String($0.dropFirst(folder.count)) }
    guard missing.isEmpty else {
      let some = missing.prefix(4).joined(separator: ", ") + (missing.count > 4 ? ", …" : "")
      throw ArrayFileError(
        .unreadable(
          "the arrays are divided among \(paths.count) files, of which \(missing.count == 1 ? "one is" : "\(missing.count) are") missing: \(some); put all of them into one folder"
        ))
    }
  }

  /// Reads all files as one.
  ///
  /// - Throws: `ArrayFileError` if one cannot be read, two hold the same array, or one lacks an array that
  ///   the index expects in it.
  func merged() throws(ArrayFileError) -> ArrayFile {
    var whole: ArrayFile?
    for path in paths {
      let file: ArrayFile
      do { file = try ArrayFile(single: FileSource(path)) } catch {
        throw ArrayFileError(.unreadable("\(path): \(error)"))
      }
      for (name, place) in places where place == path {
        guard file.arrays[name] != nil || file.skipped[name] != nil else {
          throw ArrayFileError(
            .unreadable("\(path): expected the array '\(name)', as \(self.path) says, found none"))
        }
      }
      if whole == nil { whole = file } else { try whole?.merge(file) }
    }
    guard let whole else {
      throw ArrayFileError(.unreadable("\(path): the index does not name a file"))
    }
    return whole
  }

  /// Whether bytes are an index: a JSON object with the file of each array.
  static func isIndex(_ bytes: [UInt8]) -> Bool { decoded(bytes) != nil }

  private static func decoded(_ bytes: [UInt8]) -> Index? {
    guard bytes.count <= 100_000_000 else { return nil }
    return try? JSONDecoder().decode(Index.self, from: Data(bytes))
  }

  /// The file of each array by an index.
  private static func index(_ bytes: [UInt8]) throws(ArrayFileError) -> [String: String] {
    guard let index = decoded(bytes) else {
      throw ArrayFileError(
        .unreadable(
          "expected an index of arrays, an object 'weight_map' in JSON, found something else"))
    }
    let files = Set(index.weight_map.values)
    for file in files where file.isEmpty || file.contains("/") || file.hasPrefix(".") {
      throw ArrayFileError(
        .unreadable("expected files in the index's own folder, found '\(file.prefix(200))'"))
    }
    guard files.count <= mostFiles else {
      throw ArrayFileError(.unreadable("\(files.count) files, expected at most \(mostFiles)"))
    }
    return index.weight_map
  }

  /// A name of the form `model-00001-of-00002.bin`, taken apart.
  private struct Part {
    var start: Substring
    var number: Int
    var digits: Int
    var end: Substring
    var count: Int

    func name(_ number: Int) -> String {
      func padded(_ value: Int) -> String {
        let text = "\(value)"
        return String(repeating: "0", count: max(0, digits - text.count)) + text
      }
      return "\(start)-\(padded(number))-of-\(padded(count))\(end)"
    }
  }

  private static func part(_ name: String) -> Part? {
    guard let middle = name.range(of: "-of-", options: .backwards) else { return nil }
    let head = name[..<middle.lowerBound]
    let digits = head.reversed().prefix { ("0"..."9").contains($0) }.count
    let tail = name[middle.upperBound...]
    let countDigits = tail.prefix { ("0"..."9").contains($0) }.count
    let start = head.dropLast(digits)
    let end = tail.dropFirst(countDigits)
    guard digits > 0, digits == countDigits, digits <= 9, start.last == "-", end.first == ".",
      let number = Int(head.suffix(digits)), let count = Int(tail.prefix(countDigits)),
      (1...mostFiles).contains(count)
    else { return nil }
    return Part(
      start: start.dropLast(), number: number, digits: digits, end: end, count: count)
  }
}
