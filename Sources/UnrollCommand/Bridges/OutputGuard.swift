#if Command
internal import Foundation
internal import UnrollFormats
internal import UnrollLanguage
internal import UnrollPlatform

/// A command never overwrites what it reads.
enum OutputGuard {
  /// Refuses an output that is one of the inputs, by any name, or that belongs to a run.
  ///
  /// - Parameters:
  ///   - output: The file that is to be written.
  ///   - input: The file, or run's folder, that is read.
  ///   - others: More files that are read.
  /// - Throws: `DataError` before anything is written.
  static func check(_ output: String, reading input: String, and others: [String] = []) throws {
    let folder = real(folderOf(output))
    for written in files(of: output) where WeightsOptions.isFolder(written) {
      throw DataError(description: "\(written): expected a file's name, found a folder")
    }
    let isRun = WeightsOptions.isFolder(input)
    if isRun, folder == real(input) || folder.hasPrefix(real(input) + "/") {
      throw DataError(
        description:
          "\(output): lies in the run's folder \(input), which is read; write it elsewhere")
    }
    let parts = TensorFlowCheckpoint.files(of: input)
    let read = [input, parts.index, parts.data] + others
    for written in files(of: output) {
      guard let place = identity(written) else { continue }
      if let same = read.first(where: { identity($0) == place }) {
        throw DataError(
          description:
            "\(written): is \(same == written ? "the file" : "the same file as \(same),") that is read; choose another name"
        )
      }
      // A run's own files, whether this run is read or not.
      for run in [folder, folderOf(folder)] where RunFolder(run).hasRun {
        throw DataError(
          description: "\(written): belongs to the run \(run); choose another name")
      }
      // Only the output was named: what stands beside it may be overwritten if it is the same checkpoint's.
      if written != output, !TensorFlowCheckpoint.isWhole(output) {
        throw DataError(
          description:
            "\(written): is there already, does not belong to \(output) and would be overwritten; move it, or choose another name"
        )
      }
    }
  }

  /// The files that are written: a TensorFlow checkpoint has its numbers beside its index.
  private static func files(of output: String) -> [String] {
    guard output.hasSuffix(".index") else { return [output] }
    return [output, TensorFlowCheckpoint.files(of: output).data]
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

  /// What a file is on the disk, by whatever name; nil if there is none.
  private static func identity(_ path: String) -> [UInt64]? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return [UInt64(status.st_dev), UInt64(status.st_ino)]
  }
}
#endif
