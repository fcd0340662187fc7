// Identifies the run that a checkpoint belongs to, to prevent resuming with another text, vocabulary or other
// settings.

internal import Foundation
internal import UnrollFormats

/// Checksums of the inputs that determine a run.
struct RunFingerprint {
  private let parts: KeyValuePairs<String, String>

  init(_ configuration: RunConfiguration, _ corpus: Corpus) throws {
    // The length of a run and the location of its text do not affect its identity.
    var settings = configuration
    settings.corpus = nil
    settings.vectors = nil
    (settings.weights, settings.weightsPrefix) = (nil, nil)
    settings.version = ""
    settings.training.epochs = 1
    (settings.training.maximumSteps, settings.training.logEvery) = (nil, nil)
    settings.training.halvesOnDivergence = false
    let train = corpus.texts[.train]?.checksum ?? 0
    let valid = corpus.texts[.valid]?.checksum ?? 0
    parts = [
      "text": "\(train)-\(valid)",
      "vocabulary": "\(CRC32.checksum(try corpus.vocabulary.encoded()))",
      "settings": "\(CRC32.checksum(try settings.encoded()))",
    ]
  }

  /// The checksums as metadata of a file.
  var metadata: [String: String] {
    Dictionary(uniqueKeysWithValues: parts.map { ("of_" + $0.key, $0.value) })
  }

  /// Returns the input that differs from a checkpoint's metadata; nil if none does.
  func difference(from metadata: [String: String]) -> String? {
    parts.first { metadata["of_" + $0.key] != $0.value }?.key
  }
}
