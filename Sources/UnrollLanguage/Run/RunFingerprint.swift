// What a checkpoint belongs to: a run that goes on with another text, vocabulary or other settings would
// be another run, without anybody noticing.

internal import Foundation
internal import UnrollFormats

/// Checksums of what determines a run.
struct RunFingerprint {
  private let parts: KeyValuePairs<String, String>

  init(_ configuration: RunConfiguration, _ corpus: Corpus) throws {
    // How long a run is, and where its text stands, do not make another run of it.
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

  /// As words in a file's metadata.
  var metadata: [String: String] {
    Dictionary(uniqueKeysWithValues: parts.map { ("of_" + $0.key, $0.value) })
  }

  /// What differs from a checkpoint's metadata; nil if nothing does.
  func difference(from metadata: [String: String]) -> String? {
    parts.first { metadata["of_" + $0.key] != $0.value }?.key
  }
}
