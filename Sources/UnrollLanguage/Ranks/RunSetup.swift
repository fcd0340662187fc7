// The setup that rank 0 reads and broadcasts: settings, vocabulary, and the paths of the encoded texts, which every
// rank maps.

internal import Foundation
internal import Unroll
internal import UnrollFormats

/// The settings and texts of a run, the same on all ranks.
public struct RunSetup {
  /// The settings, including the size of the corpus's vocabulary.
  public var settings: RunConfiguration
  /// The texts.
  public var corpus: Corpus

  /// Creates a setup on rank 0.
  public init(settings: RunConfiguration, corpus: Corpus) {
    self.settings = settings
    self.corpus = corpus
  }

  /// Broadcasts the setup to the other ranks.
  ///
  /// - Throws: `RankError` if a rank is lost.
  public func send(to ranks: any Ranks) throws {
    guard ranks.count > 1 else { return }
    _ = try ranks.broadcast(settings.encoded())
    _ = try ranks.broadcast(corpus.vocabulary.encoded())
    let parts = CorpusPart.allCases.filter { corpus.texts[$0] != nil }.map(\.rawValue)
    _ = try ranks.broadcast(Array(parts.joined(separator: " ").utf8))
  }

  /// Receives the setup from rank 0.
  ///
  /// - Parameters:
  ///   - ranks: The ranks.
  ///   - folder: The run's folder, which must be visible to this rank.
  /// - Throws: `RankError` if rank 0 is lost; `CorpusError` if the texts cannot be mapped.
  public init(from ranks: any Ranks, in folder: RunFolder) throws {
    settings = try JSONDecoder().decode(
      RunConfiguration.self, from: Data(ranks.broadcast(nil)))
    let vocabulary = try Vocabulary(
      decoding: ranks.broadcast(nil), path: folder.path + "/vocabulary.json")
    let parts = String(decoding: try ranks.broadcast(nil), as: UTF8.self)
      .split(separator: " ").compactMap { CorpusPart(rawValue: String($0)) }
    corpus = try Corpus(mapping: folder.corpusFolder, parts: parts, vocabulary: vocabulary)
  }
}

/// Checks of properties that must agree on all ranks for bit-identical results.
public enum RankAgreement {
  /// Rejects ranks with other kernels or another version.
  ///
  /// - Parameters:
  ///   - ranks: The ranks; collective.
  ///   - version: The version of this program.
  /// - Throws: `RankError` for the first rank that differs from rank 0.
  public static func check(_ ranks: any Ranks, version: String) throws {
    guard ranks.count > 1 else { return }
    let all = try ranks.gather(Array("\(version) \(InstructionSet.current.rawValue)".utf8)).map {
      String(decoding: $0, as: UTF8.self).split(separator: " ").map(String.init)
    }
    for (rank, words) in all.enumerated() where words != all[0] {
      if words.first != all[0].first {
        throw RankError(
          .different(
            "rank \(rank) is unroll \(words.first ?? "?"), rank 0 is \(all[0].first ?? "?"); start the same program on all"
          ))
      }
      throw RankError(
        .different(
          "rank \(rank) has the \(words.last ?? "?") kernels, rank 0 \(all[0].last ?? "?"), whose rounding differs; set UNROLL_ISA to one that all ranks support"
        ))
    }
  }
}
