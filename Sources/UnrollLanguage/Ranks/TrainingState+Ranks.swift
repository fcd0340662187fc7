// The state of a run on several ranks: parameters, optimizer and averages are the same on all ranks; the carried states
// of a row are on the rank that owns its shard.

internal import Foundation
internal import Unroll
internal import UnrollContracts

extension TrainingState<Float> {
  /// Replaces the state with that of rank 0.
  ///
  /// - Throws: `RankError` if a rank is lost.
  mutating func share(among ranks: any Ranks) throws {
    guard ranks.count > 1 else { return }
    let words = ranks.rank == 0 ? Array(try JSONEncoder().encode(progress)) : nil
    let received = try ranks.broadcast(words)
    progress = try JSONDecoder().decode(TrainingProgress.self, from: Data(received))
    try forEachArray { try $1.share(among: ranks) }
  }

  /// Collects the carried states of all rows on every rank.
  ///
  /// - Throws: `RankError` if a rank is lost.
  mutating func collectStates(_ plan: ShardPlan, among ranks: any Ranks) throws {
    guard ranks.count > 1 else { return }
    let mine = plan.rows(ofRank: ranks.rank)
    for index in states.indices {
      for part in [\RecurrentState<Float>.hidden, \.cell] {
        guard !states[index][keyPath: part].isEmpty else { continue }
        var rows = Tensor<Float>(shape: [0, 0])
        rows.assign(rows: mine, of: states[index][keyPath: part])
        let all = try ranks.gather(rows.bytes)
        for (rank, bytes) in all.enumerated() {
          let range = plan.rows(ofRank: rank)
          var others = Tensor<Float>(shape: [range.count, rows.shape[1]])
          others.load(bytes)
          others.copy(into: &states[index][keyPath: part], rows: range)
        }
      }
    }
  }
}

extension LanguageModel<Float> {
  /// Replaces the parameters with those of rank 0.
  ///
  /// - Throws: `RankError` if a rank is lost.
  mutating func share(among ranks: any Ranks) throws {
    guard ranks.count > 1 else { return }
    try forEachParameter { try $1.share(among: ranks) }
  }
}

extension Tensor<Float> {
  fileprivate mutating func share(among ranks: any Ranks) throws {
    guard !isEmpty else { return }
    load(try ranks.broadcast(ranks.rank == 0 ? bytes : nil))
  }

  fileprivate var bytes: [UInt8] {
    withUnsafeElements { Array(UnsafeRawBufferPointer(start: $0, count: 4 * count)) }
  }

  fileprivate mutating func load(_ bytes: [UInt8]) {
    let size = 4 * count
    require(bytes.count == size, "Tensor.load: expected \(size) bytes, got \(bytes.count).")
    withUnsafeMutableElements {
      UnsafeMutableRawBufferPointer(start: $0, count: size).copyBytes(from: bytes)
    }
  }
}
