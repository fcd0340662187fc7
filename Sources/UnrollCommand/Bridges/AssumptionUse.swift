// Options that say how a file is read are refused where the file does not leave that open.

#if Command
internal import ArgumentParser
internal import Unroll
internal import UnrollFormats

extension AssumptionOptions {
  /// Refuses every one of the options for what says all of it by itself: a run's folder, or an ONNX model.
  func check(_ path: String) throws {
    let isRun = WeightsOptions.isFolder(path)
    guard isRun || ONNXBridge.isModel(path), let name = given.first(where: \.1)?.0 else { return }
    throw ValidationError(
      "\(name): expected a file that leaves this open, found \(isRun ? "a run's folder" : "an ONNX model"), \(path); leave it out."
    )
  }
}

extension BridgeNetwork {
  /// Refuses assumptions that change nothing in how a file is read.
  ///
  /// Whether one does is found out by another value of it, so that no list of formats is needed.
  ///
  /// - Parameters:
  ///   - assumptions: Those that were given, with which the file can be read.
  ///   - file: The file.
  ///   - path: Its name, for the sentence.
  /// - Throws: `DataError` with the first option that changes nothing.
  static func checkUse(
    of assumptions: NetworkAssumptions, in file: ArrayFile, _ path: String
  ) throws {
    /// What is read with some assumptions; nil if the file cannot be read so.
    func reading(_ assumptions: NetworkAssumptions) -> [String]? {
      guard
        let (imported, _) = try? NetworkFile.network(
          in: file, assuming: assumptions, as: Double.self)
      else { return nil }
      let table = BridgeWords.table(imported.network).text
      let report = imported.report
      return [table] + report.mappings + report.assumptions + report.notes + report.omissions
    }
    let given = AssumptionOption.allCases.filter { $0.isGiven(in: assumptions) }
    guard !given.isEmpty, let read = reading(assumptions) else { return }
    for option in given where reading(option.changed(in: assumptions)) == read {
      throw DataError(
        description:
          "\(path): \(option.rawValue) changes nothing in how this network is read; leave it out")
    }
  }
}
#endif
