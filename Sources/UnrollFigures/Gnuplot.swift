// One gnuplot process that draws any number of figures. It is told what to do through a pipe and
// answers a word after each figure; paths reach it only as fixed names in its own folder.

internal import Foundation
internal import Synchronization

/// A figure that could not be drawn.
public struct GnuplotError: Error, Equatable, Sendable, CustomStringConvertible {
  /// One clause.
  public let description: String

  init(_ description: String) { self.description = description }
}

/// The end of what a process wrote to its standard error.
private final class Complaints: Sendable {
  private let bytes = Mutex<[UInt8]>([])

  func add(_ data: Data) {
    bytes.withLock { $0 = Array(($0 + data).suffix(4096)) }
  }

  var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
}

/// A running gnuplot.
public final class Gnuplot {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private let errorOutput = Pipe()
  private var buffer: [UInt8] = []
  /// The last that gnuplot complained of; it must be taken, or gnuplot waits for a reader.
  private let complaints = Complaints()
  private var figureCount = 0

  /// Where gnuplot is, if it is on the path.
  public static func path() -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    return folders.map { "\($0)/gnuplot" }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }

  /// What gnuplot says of its version; nil without gnuplot.
  public static func version() -> String? {
    guard let path = path(), FreeDescriptors.areThere(FreeDescriptors.ofProcess + 2) else {
      return nil
    }
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = ["--version"]
    process.standardOutput = output
    guard (try? process.run()) != nil else { return nil }
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return text.split(separator: "\n").first.map(String.init)
  }

  /// Starts gnuplot in a folder that holds scripts.
  ///
  /// - Parameter folder: Where scripts are read and pictures written.
  /// - Throws: `GnuplotError` if there is no gnuplot, or it does not start.
  public init(folder: String) throws(GnuplotError) {
    guard let path = Self.path() else {
      throw GnuplotError(
        "gnuplot is not on the path; install it (package gnuplot-nox) for pictures")
    }
    guard FreeDescriptors.areThere(FreeDescriptors.ofProcess) else {
      let limit = FreeDescriptors.limit.map { " (the limit is \($0))" } ?? ""
      throw GnuplotError(
        "gnuplot does not start: this process may open too few files\(limit); raise the limit with ulimit -n"
      )
    }
    process.executableURL = URL(fileURLWithPath: path)
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    // A person's own start-up file must not change the figures.
    process.arguments = ["-d"]
    process.standardInput = input
    process.standardOutput = output
    process.standardError = errorOutput
    // A gnuplot that died must not take this process along.
    signal(SIGPIPE, SIG_IGN)
    let complaints = complaints
    errorOutput.fileHandleForReading.readabilityHandler = { handle in
      let data = handle.availableData
      if data.isEmpty { handle.readabilityHandler = nil } else { complaints.add(data) }
    }
    do { try process.run() } catch { throw GnuplotError("gnuplot does not start: \(error)") }
    try send("set print '-'\n")
  }

  deinit {
    errorOutput.fileHandleForReading.readabilityHandler = nil
    try? input.fileHandleForWriting.close()
    if process.isRunning { process.terminate() }
  }

  /// The process's number with the system.
  package var identifier: Int32 { process.processIdentifier }

  /// Ends the process at once.
  private func kill() {
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// Draws a script of the folder.
  ///
  /// - Parameters:
  ///   - figure: The figure; its script stands in the folder as `NAME.gp`.
  ///   - format: What is written: `NAME.svg`, `NAME.png` or `NAME.pdf`.
  /// - Throws: `GnuplotError` with what gnuplot said, or if it says nothing for a minute.
  public func draw(_ figure: Figure, as format: PictureFormat) throws(GnuplotError) {
    figureCount += 1
    let word = "unroll-figure-\(figureCount)"
    try send(
      """
      unset multiplot
      reset session
      reset errors
      set print '-'
      unroll_terminal = 1
      \(format.terminal(figure.size))
      set output '\(figure.name).\(format.rawValue)'
      load '\(figure.name).gp'
      unset output
      print sprintf('unroll-error %d ', GPVAL_ERRNO).GPVAL_ERRMSG
      print '\(word)'

      """)
    let answer = try answer(to: word, figure.name)
    if let range = answer.range(of: "unroll-error "), !answer[range.upperBound...].hasPrefix("0 ") {
      let words = answer[range.upperBound...].split(whereSeparator: \.isWhitespace).dropFirst()
      let message = words.joined(separator: " ").replacingOccurrences(of: word, with: "")
      throw GnuplotError("figure '\(figure.name)': gnuplot says: \(message)")
    }
  }

  private func send(_ text: String) throws(GnuplotError) {
    do {
      try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    } catch {
      throw GnuplotError("gnuplot ended: \(complaint)")
    }
  }

  /// Reads the answer up to a word.
  private func answer(to word: String, _ figure: String) throws(GnuplotError) -> String {
    let descriptor = output.fileHandleForReading.fileDescriptor
    let deadline = Date(timeIntervalSinceNow: 60)
    while !String(decoding: buffer, as: UTF8.self).contains(word) {
      var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let wait = max(0, deadline.timeIntervalSinceNow * 1000)
      guard poll(&poller, 1, Int32(wait)) > 0 else {
        kill()
        throw GnuplotError("figure '\(figure)': gnuplot did not answer within a minute")
      }
      let data = output.fileHandleForReading.availableData
      guard !data.isEmpty else {
        throw GnuplotError("figure '\(figure)': gnuplot ended: \(complaint)")
      }
      buffer += data
    }
    defer { buffer = [] }
    return String(decoding: buffer, as: UTF8.self)
  }

  /// What gnuplot wrote before it ended.
  private var complaint: String {
    process.waitUntilExit()
    let text = complaints.text
    let lines = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    return lines.filter { !$0.isEmpty }.suffix(2).joined(separator: " ")
  }
}
