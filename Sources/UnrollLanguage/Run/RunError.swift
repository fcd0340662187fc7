internal import Foundation

/// An error in a run folder or one of its files.
public struct RunError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The problem.
  public enum Problem: Error, Equatable, Sendable {
    /// The reason of the system or of the container format.
    case file(String)
    /// The folder contains files that do not belong to a run.
    case foreignFolder(found: String)
    /// The folder already contains a run.
    case alreadyThere
    /// The path is not a run's folder; the string says what was found instead.
    case noRun(found: String)
    /// The configuration cannot be read.
    case malformedConfiguration(String)
    /// A setting is invalid.
    case impossible(String)
    /// A parameter is missing, unexpected, or has another shape.
    case parameter(String, expected: [Int], found: [Int]?)
    /// A parameter has infinite or NaN elements.
    case notFinite(String, count: Int)
    /// The checkpoint belongs to another text, vocabulary or other settings.
    case otherRun(String)
    /// Another process is using the run.
    case busy
    /// All checkpoints are damaged or missing.
    case noWholeCheckpoint([String])
  }

  /// The problem.
  public var problem: Problem
  /// The file or folder.
  public var path: String

  /// Creates an error.
  public init(_ problem: Problem, path: String) {
    self.problem = problem
    self.path = path
  }

  /// Returns the error for a path that is not a run's folder.
  package static func noRun(at path: String) -> RunError {
    var isFolder: ObjCBool = false
    let isThere = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    return RunError(
      .noRun(found: !isThere ? "no such folder" : isFolder.boolValue ? "none" : "a file"),
      path: path)
  }

  /// A sentence for the user.
  public var description: String {
    switch problem {
    // The system's message already names the file.
    case .file(let reason): return reason.hasPrefix(path) ? reason : "\(path): \(reason)"
    case .foreignFolder(let found):
      return "\(path): expected an empty folder or a run, found \(found); choose another folder"
    case .alreadyThere:
      return "\(path): already contains a run; resume it, or choose another folder"
    case .noRun(let found):
      return
        "\(path): expected a run with config.json, found \(found); use the folder of a training run"
    case .malformedConfiguration(let what): return "\(path): \(what)"
    case .impossible(let what): return "\(path): \(what)"
    case .parameter(let name, let expected, let found):
      let shape = found.map { "shape \($0)" } ?? "none"
      return
        "\(path): expected '\(name)' of shape \(expected), found \(shape); does config.json belong to this model?"
    case .notFinite(let name, let count):
      return
        "\(path): expected finite numbers, found \(count) infinite or NaN in '\(name)'; the model cannot predict"
    case .otherRun(let what):
      return
        "\(path): belongs to a run with other \(what); restore the original, or start a new run in another folder"
    case .busy:
      return "\(path): another process is using this run; wait for it, or choose another folder"
    case .noWholeCheckpoint(let found):
      return
        "\(path): no usable checkpoint: \(found.joined(separator: "; ")); start a new run in another folder"
    }
  }
}
