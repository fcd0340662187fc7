// A gnuplot process that draws any number of figures. It receives commands through a socket and prints a word after
// each figure. Paths in commands are fixed names in its working directory.

internal import Foundation

/// An error while drawing a figure.
public struct GnuplotError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A clause that describes the error.
  public let description: String

  init(_ description: String) { self.description = description }
}

/// A running gnuplot process.
public final class Gnuplot {
  private let process: ChildProcess
  private var figureCount = 0

  /// Returns the path of gnuplot; nil if it is not on the search path.
  public static func path() -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    return folders.map { "\($0)/gnuplot" }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }

  /// Returns gnuplot's version message; nil without gnuplot.
  public static func version() -> String? {
    guard let path = path(),
      let process = try? ChildProcess(path: path, arguments: ["--version"], folder: "/"),
      let text = try? process.exchange(
        "", until: "\n", deadline: .now + .seconds(5), shouldContinue: { true })
    else { return nil }
    return text.split(separator: "\n").first.map(String.init)
  }

  /// Starts gnuplot in a folder with scripts.
  ///
  /// - Parameter folder: The working directory, for scripts and images.
  /// - Throws: `GnuplotError` if gnuplot is not installed or does not start.
  public init(folder: String) throws(GnuplotError) {
    guard let path = Self.path() else {
      throw GnuplotError(
        "gnuplot is not on the path; install it (package gnuplot-nox) for figures")
    }
    // Ignore the user's start-up file, which could change the figures.
    process = try ChildProcess(path: path, arguments: ["-d"], folder: folder)
  }

  /// The process identifier.
  package var identifier: Int32 { process.identifier }

  /// Draws a figure whose script is in the folder.
  ///
  /// - Parameters:
  ///   - figure: The figure; its script is `NAME.gp` in the folder.
  ///   - format: The format of the output: `NAME.svg`, `NAME.png` or `NAME.pdf`.
  ///   - timeLimit: The time after which gnuplot is killed.
  ///   - shouldContinue: Called while gnuplot draws; returns false to kill gnuplot.
  /// - Throws: `GnuplotError` with gnuplot's message, or after a timeout or cancellation. After a timeout, a
  ///   cancellation, or the end of the process, this object cannot be used again.
  public func draw(
    _ figure: Figure, as format: PictureFormat, timeLimit: Duration = .seconds(60),
    shouldContinue: () -> Bool = { true }
  ) throws(GnuplotError) {
    figureCount += 1
    let word = "unroll-figure-\(figureCount)"
    let commands = """
      unset multiplot
      reset session
      reset errors
      set print '-'
      unroll_terminal = 1
      \(format.terminal(figure.drawnSize))
      set output '\(figure.name).\(format.rawValue)'
      load '\(figure.name).gp'
      unset output
      print sprintf('unroll-error %d ', GPVAL_ERRNO).GPVAL_ERRMSG
      print '\(word)'

      """
    let answer: String
    do {
      answer = try process.exchange(
        commands, until: word, deadline: .now + timeLimit, shouldContinue: shouldContinue)
    } catch {
      let why =
        switch error {
        case .ended: "gnuplot ended: \(process.errorMessage())"
        case .late: "gnuplot did not answer within \(timeLimit.components.seconds) s"
        case .cancelled: "the drawing was stopped"
        }
      process.end()
      throw GnuplotError("figure '\(figure.name)': \(why)")
    }
    if let range = answer.range(of: "unroll-error "), !answer[range.upperBound...].hasPrefix("0 ") {
      let words = answer[range.upperBound...].split(whereSeparator: \.isWhitespace).dropFirst()
      let message = words.joined(separator: " ").replacingOccurrences(of: word, with: "")
      throw GnuplotError("figure '\(figure.name)': gnuplot says: \(message)")
    }
  }
}
