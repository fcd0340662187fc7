// The exercise on the disk. A file that is there is never written: it may be a student's work.

internal import Foundation
internal import UnrollFormats

/// Writes the exercise into a folder.
package enum ExerciseFolder {
  /// What was written.
  package struct Outcome: Sendable, Equatable {
    /// The files that were not there, relative to the folder.
    package var written: [String]
    /// The files that were there with other contents, and stay as they are.
    package var kept: [String]
  }

  /// The files of the exercise, by their paths in the folder.
  package static var files: [(path: String, bytes: [UInt8])] {
    var files: [(path: String, bytes: [UInt8])] = [
      ("README.md", Array(ExerciseReadme.text.utf8)), ("rnn.py", Array(PythonSkeleton.text.utf8)),
      ("Rnn.swift", Array(SwiftSkeleton.text.utf8)),
    ]
    for problem in [ExerciseProblem.toy, .large] {
      files.append(("\(problem.name).npz", NPZ.encode(problem.stored)))
      for array in problem.arrays {
        files.append(
          ("\(problem.name)/\(array.name).npy", NPY.encode(StoredArray(array.tensor))))
      }
    }
    return files
  }

  /// Writes the files that are not there yet, and makes the folder `answers`.
  ///
  /// - Parameter folder: Where they go; made if it is not there.
  /// - Returns: What was written, and what stays although it differs.
  /// - Throws: `LabError` if the folder cannot be made or written.
  package static func write(to folder: String) throws(LabError) -> Outcome {
    guard !folder.isEmpty else {
      throw LabError(.outOfRange(expected: "a folder", found: "an empty name"), field: "output")
    }
    guard isFolder(folder) || !FileManager.default.fileExists(atPath: folder) else {
      throw LabError(
        .outOfRange(expected: "a folder", found: "the file \(folder)"), field: "output")
    }
    var outcome = Outcome(written: [], kept: [])
    do {
      for part in ["answers", ExerciseProblem.toy.name, ExerciseProblem.large.name] {
        try AtomicFile.makeFolder("\(folder)/\(part)")
      }
      for (path, bytes) in files {
        let target = "\(folder)/\(path)"
        if !FileManager.default.fileExists(atPath: target) {
          try AtomicFile.write(bytes, to: target)
          outcome.written.append(path)
        } else if FileManager.default.contents(atPath: target) != Data(bytes) {
          outcome.kept.append(path)
        }
      }
    } catch {
      throw LabError(.system("\(error)"), field: "output")
    }
    return outcome
  }
}
