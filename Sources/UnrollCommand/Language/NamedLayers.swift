#if Command
internal import Unroll
internal import UnrollFormats
internal import UnrollLanguage

/// The recurrent layers of a file that settings name.
enum NamedLayers {
  /// The layers that the model begins with, whose file is summarized on the terminal; nil if no file is named.
  ///
  /// - Throws: An error with the file and what is wrong, such as layers of other sizes.
  static func read(_ settings: RunConfiguration) throws -> [CellParameters<Float>]? {
    guard let path = settings.weights else { return nil }
    let read = try BridgeNetwork(
      contentsOf: path, assuming: NetworkAssumptions(prefix: settings.weightsPrefix),
      hints: .training)
    for line in read.summary { Terminal.note(line) }
    return try settings.initialLayers(of: read.single)
  }
}
#endif
