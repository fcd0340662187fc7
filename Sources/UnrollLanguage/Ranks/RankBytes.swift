// Encoding of messages between ranks: exact floating-point numbers, and votes at the end of a step.

internal import Foundation
internal import Unroll

/// Encoded numbers with one flag.
enum RankBytes {
  static func encode(_ numbers: [Double], flag: Bool = false) -> [UInt8] {
    var bytes: [UInt8] = [flag ? 1 : 0]
    numbers.withUnsafeBytes { bytes += $0 }
    return bytes
  }

  static func decode(_ bytes: [UInt8]) -> (numbers: [Double], flag: Bool) {
    var numbers = [Double](repeating: 0, count: max(0, bytes.count - 1) / 8)
    numbers.withUnsafeMutableBytes { $0.copyBytes(from: bytes.dropFirst().prefix($0.count)) }
    return (numbers, bytes.first == 1)
  }
}

/// A rank's proposal for the end of a step; all ranks do what any of them proposes.
struct RankVote: Equatable {
  /// Stop, because the process was asked to.
  var stops = false
  /// Stop, because the time budget is used up.
  var isOver = false
  /// Write a checkpoint.
  var keeps = false

  private var bits: UInt8 { (stops ? 1 : 0) | (isOver ? 2 : 0) | (keeps ? 4 : 0) }

  private init(bits: UInt8) {
    (stops, isOver, keeps) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0)
  }

  init(stops: Bool = false, isOver: Bool = false, keeps: Bool = false) {
    (self.stops, self.isOver, self.keeps) = (stops, isOver, keeps)
  }

  /// Returns the combined vote and the numbers of all ranks, in rank order.
  ///
  /// - Throws: `RankError` if a rank is lost.
  func agreed(_ numbers: [Double], among ranks: any Ranks) throws -> (RankVote, [Double]) {
    guard ranks.count > 1 else { return (self, numbers) }
    let all = try ranks.gather([bits] + RankBytes.encode(numbers))
    let bits = all.reduce(0) { $0 | ($1.first ?? 0) }
    return (RankVote(bits: bits), all.flatMap { RankBytes.decode(Array($0.dropFirst())).numbers })
  }
}
