// Arrays that are divided among several files, as Hugging Face's libraries write large models:
//
//   model-00001-of-00002.safetensors, model-00002-of-00002.safetensors
//   model.safetensors.index.json   {"metadata": {"total_size": n}, "weight_map": {"array": "file", …}}
//
// A file alone is never taken for the whole.

internal import Foundation

/// Files that make one.
struct ShardedFile {
  /// The files, in their order.
  private var paths: [String]
  /// The file of each array, where there is an index.
  private var places: [String: String] = [:]
  /// The index, or the file that was asked for.
  private let path: String

  /// No model has more files, and an index of more is not read.
  private static let mostFiles = 10_000

  private struct Index: Decodable {
    var weight_map: [String: String]
  }

  /// The files that belong to a path; nil if it is neither an index nor one of several files.
  ///
  /// - Throws: `ArrayFileError` if a file is missing, or an index is damaged.
  init?(_ path: String) throws(ArrayFileError) {
    self.path = path
    let folder = String(
      path.prefix(upTo: path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex))
    let name = String(path.dropFirst(folder.count))
    if name.hasSuffix(".index.json") {
      let index = try Self.index(path)
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
      do { file = try ArrayFile(single: path) } catch {
        throw ArrayFileError(.unreadable("\(path): \(error)"))
      }
      for (name, place) in places where place == path {
        guard file.arrays[name] != nil || file.skipped[name] != nil else {
          throw ArrayFileError(
            .unreadable("\(path): expected the array '\(name)', as \(self.path) says, found none"))
        }
      }
      guard var sum = whole else {
        whole = file
        continue
      }
      for (name, array) in file.arrays {
        guard sum.arrays.updateValue(array, forKey: name) == nil else {
          throw ArrayFileError(.unreadable("\(path): the array '\(name)' is in another file, too"))
        }
      }
      sum.metadata.merge(file.metadata) { first, _ in first }
      sum.skipped.merge(file.skipped) { first, _ in first }
      whole = sum
    }
    guard let whole else {
      throw ArrayFileError(.unreadable("\(path): the index names no file"))
    }
    return whole
  }

  /// An index's file for each array.
  private static func index(_ path: String) throws(ArrayFileError) -> [String: String] {
    let bytes = try AtomicFile.read(path, limit: 100_000_000)
    guard let index = try? JSONDecoder().decode(Index.self, from: Data(bytes)) else {
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
