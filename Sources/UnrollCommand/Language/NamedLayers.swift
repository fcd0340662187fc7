#if Command
internal import Unroll
internal import UnrollFormats
internal import UnrollLanguage

/// Reads the file of recurrent layers that settings name.
enum NamedLayers {
  /// Reads the model's initial layers and prints a summary of their file; nil if no file is named.
  ///
  /// - Throws: `DataError` or `RunError` with the file and the reason, such as layers of other sizes.
  static func read(_ settings: RunConfiguration) throws -> [CellParameters<Float>]? {
    guard let path = settings.weights else { return nil }
    let read = try NetworkFile.read(
      path, assuming: NetworkAssumptions(prefix: settings.weightsPrefix), hints: .training)
    for line in read.summary(.training) { Terminal.note(line) }
    return try settings.initialLayers(of: read.network.single)
  }
}
#endif
