#if Command
internal import Foundation
internal import UnrollFormats
internal import UnrollLanguage
internal import UnrollPlatform

/// Checks that a command does not overwrite what it reads, nor a run's files.
enum OutputGuard {
  /// Refuses an output that is one of the inputs, by any name, or that belongs to a run.
  ///
  /// - Parameters:
  ///   - output: The file that is to be written.
  ///   - input: The file, or run's folder, that is read.
  ///   - others: Other files that are read.
  /// - Throws: `DataError` before anything is written.
  static func check(_ output: String, reading input: String, and others: [String] = []) throws {
    let folder = real(folderOf(output))
    for written in FileKind.files(writing: output) where WeightsOptions.isFolder(written) {
      throw DataError(description: "\(written): expected a file's name, found a folder")
    }
    let isRun = WeightsOptions.isFolder(input)
    if isRun, folder == real(input) || folder.hasPrefix(real(input) + "/") {
      throw DataError(
        description:
          "\(output): lies in the run's folder \(input), which is read; write it elsewhere")
    }
    let read = [input] + others
    for written in FileKind.files(writing: output) {
      guard let place = identity(written) else { continue }
      if let same = read.first(where: { identity($0) == place }) {
        throw DataError(
          description:
            "\(written): is \(same == written ? "the file" : "the same file as \(same),") that is read; choose another name"
        )
      }
      // The files of any run, not only of the one that is read.
      for run in [folder, folderOf(folder)] where RunFolder(run).hasRun {
        throw DataError(
          description: "\(written): belongs to the run \(run); choose another name")
      }
      // Only the output was named. The file next to it may be overwritten if it belongs to the same checkpoint.
      if written != output, !TensorFlowCheckpoint.isWhole(output) {
        throw DataError(
          description:
            "\(written): is there already, does not belong to \(output) and would be overwritten; move it, or choose another name"
        )
      }
    }
  }

  /// Refuses a report's folder that is a run's, or that holds what is read.
  ///
  /// - Parameters:
  ///   - folder: Where the report is to be written.
  ///   - inputs: The files and folders that are read.
  /// - Throws: `DataError` before anything is written.
  static func check(report folder: String, reading inputs: [String]) throws {
    guard !RunFolder(folder).hasRun else {
      throw DataError(description: "\(folder): is the folder of a run; choose another folder")
    }
    let place = real(folder)
    if let input = inputs.first(where: { real($0) == place || real($0).hasPrefix(place + "/") }) {
      throw DataError(
        description: "\(folder): holds \(input), which is read; choose another folder")
    }
  }

  private static func folderOf(_ path: String) -> String {
    URL(fileURLWithPath: path).deletingLastPathComponent().path
  }

  private static func real(_ path: String) -> String {
    URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.path
  }

  /// The device and the inode of a file; nil if there is none.
  private static func identity(_ path: String) -> [UInt64]? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return [UInt64(status.st_dev), UInt64(status.st_ino)]
  }
}
#endif
