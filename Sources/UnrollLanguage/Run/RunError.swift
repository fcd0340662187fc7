internal import Foundation

/// A run folder, or a file in it, that cannot be used.
public struct RunError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Problem: Error, Equatable, Sendable {
    /// The system's reason, or the container's.
    case file(String)
    /// A folder that holds something that is not a run.
    case foreignFolder(found: String)
    /// A new run where one is already.
    case alreadyThere
    /// A path where a run's folder should be: what is there instead.
    case noRun(found: String)
    /// A configuration that cannot be read.
    case malformedConfiguration(String)
    /// A setting that cannot be.
    case impossible(String)
    /// A parameter that is missing, of another shape, or too many.
    case parameter(String, expected: [Int], found: [Int]?)
    /// A parameter with numbers that are infinite or NaN: its name, and how many.
    case notFinite(String, count: Int)
    /// A checkpoint of another text, vocabulary or other settings.
    case otherRun(String)
    /// A run that another process is at.
    case busy
    /// No checkpoint that is whole.
    case noWholeCheckpoint([String])
  }

  /// What is wrong.
  public var problem: Problem
  /// The file or folder.
  public var path: String

  /// Creates an error.
  public init(_ problem: Problem, path: String) {
    self.problem = problem
    self.path = path
  }

  /// The error for a path that is no run's folder.
  package static func noRun(at path: String) -> RunError {
    var isFolder: ObjCBool = false
    let isThere = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    return RunError(
      .noRun(found: !isThere ? "no such folder" : isFolder.boolValue ? "none" : "a file"),
      path: path)
  }

  /// One sentence.
  public var description: String {
    switch problem {
    // The system's words name the file already.
    case .file(let reason): return reason.hasPrefix(path) ? reason : "\(path): \(reason)"
    case .foreignFolder(let found):
      return "\(path): expected an empty folder or a run, found \(found); choose another folder"
    case .alreadyThere:
      return "\(path): holds a run already; resume it, or choose another folder"
    case .noRun(let found):
      return
        "\(path): expected a run with config.json, found \(found); a run is the folder that training leaves"
    case .malformedConfiguration(let what): return "\(path): \(what)"
    case .impossible(let what): return "\(path): \(what)"
    case .parameter(let name, let expected, let found):
      let shape = found.map { "shape \($0)" } ?? "none"
      return
        "\(path): expected '\(name)' of shape \(expected), found \(shape); does config.json belong to it?"
    case .notFinite(let name, let count):
      return
        "\(path): expected finite numbers, found \(count) infinite or NaN in '\(name)'; such a model predicts nothing"
    case .otherRun(let what):
      return
        "\(path): belongs to another \(what) than the run now has; give back what it was started with, or start again in another folder"
    case .busy:
      return "\(path): another process is at this run; wait for it, or choose another folder"
    case .noWholeCheckpoint(let found):
      return
        "\(path): no checkpoint is whole: \(found.joined(separator: "; ")); start again in another folder"
    }
  }
}
