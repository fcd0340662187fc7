// One gnuplot process that draws any number of figures. It is told what to do through a socket and
// answers a word after each figure; paths reach it only as fixed names in its own folder.

internal import Foundation

/// A figure that could not be drawn.
public struct GnuplotError: Error, Equatable, Sendable, CustomStringConvertible {
  /// One clause.
  public let description: String

  init(_ description: String) { self.description = description }
}

/// A running gnuplot.
public final class Gnuplot {
  private let process: ChildProcess
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
    guard let path = path(),
      let process = try? ChildProcess(path: path, arguments: ["--version"], folder: "/"),
      let text = try? process.exchange(
        "", until: "\n", deadline: .now + .seconds(5), isWanted: { true })
    else { return nil }
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
    // A person's own start-up file must not change the figures.
    process = try ChildProcess(path: path, arguments: ["-d"], folder: folder)
  }

  /// The process's number with the system.
  package var identifier: Int32 { process.identifier }

  /// Draws a script of the folder.
  ///
  /// - Parameters:
  ///   - figure: The figure; its script stands in the folder as `NAME.gp`.
  ///   - format: What is written: `NAME.svg`, `NAME.png` or `NAME.pdf`.
  ///   - timeLimit: After this time without an answer gnuplot is killed.
  ///   - isWanted: Asked while gnuplot draws; if it says no, gnuplot is killed.
  /// - Throws: `GnuplotError` with what gnuplot said, or if it took too long or was no longer wanted. After
  ///   the last two, and if gnuplot ended, this gnuplot draws nothing more.
  public func draw(
    _ figure: Figure, as format: PictureFormat, timeLimit: Duration = .seconds(60),
    isWanted: () -> Bool = { true }
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
        commands, until: word, deadline: .now + timeLimit, isWanted: isWanted)
    } catch {
      let why =
        switch error {
        case .ended: "gnuplot ended: \(process.lastWords())"
        case .late: "gnuplot did not answer within \(timeLimit.components.seconds) s"
        case .unwanted: "the drawing was stopped"
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
