// What the terminal gets: results on standard output, progress and errors on standard error.

#if Command
internal import ArgumentParser
internal import Foundation
internal import Synchronization
internal import UnrollPlatform

/// A mistake in data or on the disk: one sentence, exit code 1.
struct DataError: Error, CustomStringConvertible, LocalizedError {
  let description: String
  var errorDescription: String? { description }
}

enum Terminal {
  /// Whether progress may be redrawn on one line.
  static let isInteractive =
    isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"

  /// The terminal's width now: it may have been resized.
  static var columns: Int {
    var size = winsize()
    if ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 {
      return Int(size.ws_col)
    }
    let given = ProcessInfo.processInfo.environment["COLUMNS"].flatMap { Int($0) } ?? 0
    return given > 0 ? given : 80
  }

  /// The text of a line that is redrawn: parts that fit the terminal, the first ones first.
  ///
  /// The last column stays free: some terminals begin a new row when it is written.
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

  /// Writes to standard error as it is; a reader that has gone, or a full disk behind it, is no
  /// reason to stop.
  static func write(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }

  /// Why standard output could not be written, once that has happened.
  private static let outputError = Mutex<Int32?>(nil)

  /// Writes bytes to standard output at once.
  ///
  /// - Throws: `DataError` if nobody takes them.
  static func output(_ bytes: [UInt8]) throws {
    guard let error = write(bytes, to: STDOUT_FILENO) else { return }
    // As a signal would have ended it, which a parent may have turned off.
    if error == EPIPE { throw ExitCode(128 + SIGPIPE) }
    throw DataError(
      description: "standard output cannot be written: \(String(cString: strerror(error)))")
  }

  /// Writes a text to standard output at once; a failure is kept for ``finishOutput()``.
  static func show(_ text: String) {
    outputError.withLock { failed in
      // What follows a gap would only mislead.
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
          // A parent may have made the pipe one that does not wait.
          var output = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          poll(&output, 1, -1)
        } else if errno != EINTR {
          return errno
        }
      }
      return nil
    }
  }

  /// Takes the places of standard streams that are closed, before any file is opened: it would get their number, and
  /// the command's words would be written into it.
  static func reserveStandardStreams() {
    for (number, mode) in [
      (STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_WRONLY),
    ] where fcntl(number, F_GETFD) < 0 {
      // The lowest free number is given. To read standard input or write standard output fails then.
      _ = open("/dev/null", mode)
    }
  }

  /// Finds out whether all of standard output was taken.
  ///
  /// - Returns: A sentence if something was lost; nil if nothing was, or if the reader of a pipe has gone, as in
  ///   `| head`.
  static func finishOutput() -> String? {
    var error = outputError.withLock { $0 }
    // Only when it is closed does a file on another machine say that it could not be written.
    let copy = dup(STDOUT_FILENO)
    if copy >= 0, close(copy) != 0, error == nil { error = errno }
    guard let error, error != EPIPE else { return nil }
    return
      "standard output cannot be written: \(String(cString: strerror(error))); the result is not complete"
  }

  /// Shows how far a task is: one redrawn line on a terminal, else a line each tenth.
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

  /// What stands for a number that is not finite until it is replaced by null.
  private static let notFinite = "unroll:not-a-finite-number:5f1c2a"

  /// A value as JSON with sorted keys.
  ///
  /// JSON has neither infinity nor NaN: both are null.
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
/// In place of Swift's function, which loses what a full disk does not take without a word.
func print(_ text: String) { Terminal.show(text + "\n") }

// `write` is the terminal's own name, too.
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
