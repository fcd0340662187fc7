// What the terminal gets: results on standard output, progress and errors on standard error.

internal import ArgumentParser
internal import Foundation

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A mistake in data or on the disk: one sentence, exit code 1.
struct DataError: Error, CustomStringConvertible, LocalizedError {
  let description: String
  var errorDescription: String? { description }
}

enum Terminal {
  /// Whether progress may be redrawn on one line.
  static let isInteractive = isatty(STDERR_FILENO) == 1

  /// Writes a line to standard error.
  static func note(_ text: String) {
    write(text + "\n")
  }

  /// Writes to standard error as it is; a reader that has gone, or a full disk behind it, is no
  /// reason to stop.
  static func write(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }

  /// Writes bytes to standard output at once.
  ///
  /// - Throws: `DataError` if nobody takes them.
  static func output(_ bytes: [UInt8]) throws {
    do { try FileHandle.standardOutput.write(contentsOf: Data(bytes)) } catch {
      throw DataError(description: "standard output cannot be written")
    }
  }

  /// Shows how far a task is: one redrawn line on a terminal, else a line each tenth.
  static func progress(_ what: String, _ done: Int, of total: Int) {
    if isInteractive {
      let end = done == total ? "\n" : ""
      write("\r\(what) \(done)/\(total)\(end)")
    } else if total < 10 || done == total || done * 10 / total > (done - 1) * 10 / total {
      note("\(what) \(done)/\(total)")
    }
  }

  /// Prints a value as JSON with sorted keys.
  static func printJSON(_ value: some Encodable) throws {
    print(String(decoding: try json(value), as: UTF8.self))
  }

  /// A value as JSON with sorted keys.
  static func json(_ value: some Encodable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try encoder.encode(value)
  }
}

/// Rows of text with aligned columns.
struct TextTable {
  var header: [String]
  var rows: [[String]] = []

  init(_ header: [String]) { self.header = header }

  mutating func add(_ row: [String]) { rows.append(row) }

  var text: String {
    let all = [header] + rows
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    func line(_ row: [String]) -> String {
      let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
      return String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
    }
    let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
    return ([line(header), rule] + rows.map(line)).joined(separator: "\n")
  }
}
