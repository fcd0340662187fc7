// Terminal output: results on standard output, progress and errors on standard error.

#if Command
internal import ArgumentParser
internal import Foundation
internal import Synchronization
internal import UnrollPlatform

/// An error in data or files: one sentence, exit code 1.
struct DataError: Error, CustomStringConvertible, LocalizedError {
  let description: String
  var errorDescription: String? { description }
}

enum Terminal {
  /// Whether progress may be redrawn on one line.
  static let isInteractive =
    isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"

  /// The current width of the terminal, which may change.
  static var columns: Int {
    var size = winsize()
    if ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 {
      return Int(size.ws_col)
    }
    let given = ProcessInfo.processInfo.environment["COLUMNS"].flatMap { Int($0) } ?? 0
    return given > 0 ? given : 80
  }

  /// Joins the parts of a progress line, dropping trailing parts that do not fit the terminal.
  ///
  /// The last column stays empty, because some terminals wrap when it is written.
  static func line(_ parts: [String], columns: Int) -> String {
    var line = parts.first ?? ""
    for part in parts.dropFirst() {
      guard line.count + 2 + part.count < columns else { break }
      line += ", " + part
    }
    return String(line.prefix(max(0, columns - 1)))
  }

  /// Writes a line to standard error.
  static func note(_ text: String) {
    write(text + "\n")
  }

  /// Writes to standard error and ignores failures such as a closed pipe or a full disk.
  static func write(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }

  /// The error of the first failed write to standard output.
  private static let outputError = Mutex<Int32?>(nil)

  /// Writes bytes to standard output without buffering.
  ///
  /// - Throws: `DataError` if they cannot be written.
  static func output(_ bytes: [UInt8]) throws {
    guard let error = write(bytes, to: STDOUT_FILENO) else { return }
    // Exit as SIGPIPE would have ended the process; the parent may have set it to be ignored.
    if error == EPIPE { throw ExitCode(128 + SIGPIPE) }
    throw DataError(
      description: "standard output cannot be written: \(String(cString: strerror(error)))")
  }

  /// Writes a text to standard output without buffering; ``finishOutput()`` reports a failure.
  static func show(_ text: String) {
    outputError.withLock { failed in
      // Output after a gap would be misleading, so nothing more is written.
      if failed == nil { failed = write(Array(text.utf8), to: STDOUT_FILENO) }
    }
  }

  /// Writes all bytes.
  ///
  /// - Returns: The system's error; nil if there is none.
  private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
    bytes.withUnsafeBytes { buffer in
      var written = 0
      while written < buffer.count {
        let more = systemWrite(
          descriptor, buffer.baseAddress.map { $0 + written }, buffer.count - written)
        if more >= 0 {
          written += more
        } else if errno == EAGAIN {
          // The parent may have set the pipe to non-blocking.
          var output = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          poll(&output, 1, -1)
        } else if errno != EINTR {
          return errno
        }
      }
      return nil
    }
  }

  /// Opens closed standard streams before any other file, which would otherwise get their descriptors and receive the
  /// command's output.
  static func reserveStandardStreams() {
    for (number, mode) in [
      (STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_WRONLY),
    ] where fcntl(number, F_GETFD) < 0 {
      // open() returns the lowest free descriptor. The mode makes reading standard input and writing standard output
      // fail.
      _ = open("/dev/null", mode)
    }
  }

  /// Checks whether all of standard output was written.
  ///
  /// - Returns: A sentence if output was lost; nil if none was, or if the reader of a pipe has ended, as in `| head`.
  static func finishOutput() -> String? {
    var error = outputError.withLock { $0 }
    // A network file system may report a failed write only when the file is closed.
    let copy = dup(STDOUT_FILENO)
    if copy >= 0, close(copy) != 0, error == nil { error = errno }
    guard let error, error != EPIPE else { return nil }
    return
      "standard output cannot be written: \(String(cString: strerror(error))); the result is not complete"
  }

  /// Shows the progress of a task: one redrawn line on a terminal, otherwise a line for each tenth.
  static func progress(_ what: String, _ done: Int, of total: Int) {
    if isInteractive {
      let end = done == total ? "\n" : ""
      write("\r" + line(["\(what) \(done)/\(total)"], columns: columns) + end)
    } else if total < 10 || done == total || done * 10 / total > (done - 1) * 10 / total {
      note("\(what) \(done)/\(total)")
    }
  }

  /// Prints a value as JSON with sorted keys.
  static func printJSON(_ value: any Encodable) throws {
    print(String(decoding: try json(value), as: UTF8.self))
  }

  /// Placeholder for numbers that are not finite; replaced by null.
  private static let notFinite = "unroll:not-a-finite-number:5f1c2a"

  /// A value as JSON with sorted keys.
  ///
  /// Infinity and NaN, which JSON does not have, become null.
  static func json(_ value: any Encodable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: notFinite, negativeInfinity: notFinite, nan: notFinite)
    let text = String(decoding: try encoder.encode(value), as: UTF8.self)
    return Data(text.replacing("\"\(notFinite)\"", with: "null").utf8)
  }
}

/// Prints a line on standard output.
///
/// Replaces Swift's function, which ignores failed writes.
func print(_ text: String) { Terminal.show(text + "\n") }

// Needed because `Terminal.write` hides the system's function.
private func systemWrite(
  _ descriptor: Int32, _ buffer: UnsafeRawPointer?, _ count: Int
) -> Int {
  write(descriptor, buffer, count)
}

/// Rows of text with aligned columns.
struct TextTable {
  var header: [String]
  var rows: [[String]] = []

  init(_ header: [String]) { self.header = header }

  mutating func add(_ row: [String]) { rows.append(row) }

  /// Adds a row of two columns whose second has lines of at most `width` columns, broken between words.
  ///
  /// A word that is longer, such as a path, has a line of its own.
  mutating func add(_ name: String, _ value: String, width: Int) {
    var lines: [String] = []
    for word in value.split(separator: " ") {
      if let last = lines.last, last.count + 1 + word.count <= width {
        lines[lines.count - 1] += " \(word)"
      } else {
        lines.append(String(word))
      }
    }
    for (index, line) in lines.enumerated() { add([index == 0 ? name : "", line]) }
  }

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
#endif
