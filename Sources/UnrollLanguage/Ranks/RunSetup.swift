// What rank 0 has read and the other ranks take over: settings, vocabulary, and where the encoded texts
// are, which every rank maps.

internal import Foundation
internal import Unroll
internal import UnrollFormats

/// A run's settings and texts, as all ranks have them.
public struct RunSetup {
  /// The settings; the vocabulary's size is the corpus's.
  public var settings: RunConfiguration
  /// The texts.
  public var corpus: Corpus

  /// What rank 0 has prepared.
  public init(settings: RunConfiguration, corpus: Corpus) {
    self.settings = settings
    self.corpus = corpus
  }

  /// Gives it to the other ranks.
  ///
  /// - Throws: `RankError` if one of them is gone.
  public func give(to ranks: any Ranks) throws {
    guard ranks.count > 1 else { return }
    _ = try ranks.broadcast(settings.encoded())
    _ = try ranks.broadcast(corpus.vocabulary.encoded())
    let parts = CorpusPart.allCases.filter { corpus.texts[$0] != nil }.map(\.rawValue)
    _ = try ranks.broadcast(Array(parts.joined(separator: " ").utf8))
  }

  /// What rank 0 gives.
  ///
  /// - Parameters:
  ///   - ranks: The ranks.
  ///   - folder: The run's folder, which this rank must see, too.
  /// - Throws: `RankError` if rank 0 is gone; `CorpusError` if the texts cannot be mapped.
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

/// What must be the same on all ranks, or their bits would differ.
public enum RankAgreement {
  /// Refuses ranks with other kernels or another version.
  ///
  /// - Parameters:
  ///   - ranks: The ranks; all call this.
  ///   - version: This program's.
  /// - Throws: `RankError` with the first rank that differs from rank 0.
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
          "rank \(rank) has the \(words.last ?? "?") kernels, rank 0 \(all[0].last ?? "?"), which round otherwise; set UNROLL_ISA to one that all have"
        ))
    }
  }
}
