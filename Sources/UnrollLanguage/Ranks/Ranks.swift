// Processes that learn one model together ("ranks", as MPI says), and what they ask of each other.
// Everything else of a run knows this protocol alone; MPI is one module that implements it.

/// Sums of arrays over the shards of a batch: `sum[i] = ((shard 0)[i] + (shard 1)[i]) + ...`, the same bits
/// for any number of ranks.
public protocol ShardSums: AnyObject {
  /// Begins the sums of a step.
  ///
  /// - Parameters:
  ///   - plan: Which rank has which shard.
  ///   - sums: Where each sum goes, on every rank; alive and untouched until `finishSums` is over.
  func beginSums(_ plan: ShardPlan, _ sums: [UnsafeMutableBufferPointer<Float>])

  /// A shard's contribution to one of the sums is ready; it may be on its way at once.
  ///
  /// - Parameters:
  ///   - index: Which sum.
  ///   - shard: Whose; one of this rank's, in their order.
  ///   - values: As many numbers as the sum has.
  /// - Returns: Whether the values must stay as they are until `finishSums` is over; if not, they have
  ///   been taken. The last shard's stay in either case.
  func contribute(_ index: Int, shard: Int, _ values: UnsafePointer<Float>) -> Bool

  /// Waits until all sums are there.
  ///
  /// - Throws: `RankError` if a rank is gone.
  func finishSums() throws
}

/// The processes of one job, seen from one of them.
///
/// All ranks call the same functions in the same order. Rank 0 alone reads settings and writes files.
public protocol Ranks: ShardSums {
  /// This process's number, from 0.
  var rank: Int { get }
  /// How many there are.
  var count: Int { get }
  /// Bytes that this process has sent of gradients and their sums.
  var sentBytes: Int { get }
  /// Seconds that it waited for the others' gradients and sums after its own work was done.
  var waitedSeconds: Double { get }
  /// Whether they sum in memory that all of them see, and send nothing.
  var hasCommonMemory: Bool { get }

  /// Everybody's bytes, in the order of ranks.
  ///
  /// - Throws: `RankError` if one of them is gone.
  func gather(_ bytes: [UInt8]) throws -> [[UInt8]]

  /// Rank 0's bytes for everybody; the others give nil.
  ///
  /// - Throws: `RankError` if one of them is gone.
  func broadcast(_ bytes: [UInt8]?) throws -> [UInt8]

  /// Memory that all ranks see, a part for each of them, aligned as pages are, until they part.
  ///
  /// - Parameter byteCounts: The bytes of every rank's part.
  /// - Returns: Where the parts begin for this process; on all ranks nil if they have none in common, as
  ///   ranks of several hosts have not.
  /// - Throws: `RankError` if one of them is gone.
  func commonMemory(byteCounts: [Int]) throws -> [UnsafeMutableRawPointer]?

  /// Returns when all ranks have called it: then each sees what the others had written into common memory.
  ///
  /// - Throws: `RankError` if one of them is gone.
  func meet() throws
}

/// One process, which has all shards.
public final class SingleRank: Ranks {
  private var sums: [UnsafeMutableBufferPointer<Float>] = []

  /// Creates it.
  public init() {}

  /// 0.
  public var rank: Int { 0 }
  /// 1.
  public var count: Int { 1 }
  /// 0.
  public var sentBytes: Int { 0 }
  /// 0.
  public var waitedSeconds: Double { 0 }
  /// false.
  public var hasCommonMemory: Bool { false }

  /// The bytes.
  public func gather(_ bytes: [UInt8]) -> [[UInt8]] { [bytes] }

  /// The bytes.
  public func broadcast(_ bytes: [UInt8]?) -> [UInt8] { bytes ?? [] }

  /// None: nobody else is there.
  ///
  /// - Returns: nil.
  public func commonMemory(byteCounts: [Int]) -> [UnsafeMutableRawPointer]? { nil }

  /// Does nothing.
  public func meet() {}

  /// Remembers where the sums go.
  public func beginSums(_ plan: ShardPlan, _ sums: [UnsafeMutableBufferPointer<Float>]) {
    self.sums = sums
  }

  /// Adds to the sum at once.
  ///
  /// - Returns: false.
  public func contribute(_ index: Int, shard: Int, _ values: UnsafePointer<Float>) -> Bool {
    let sum = sums[index]
    guard let base = sum.baseAddress else { return false }
    if shard == 0 {
      base.update(from: values, count: sum.count)
    } else {
      OrderedSum.add(values, to: base, count: sum.count)
    }
    return false
  }

  /// Does nothing: the sums are there.
  public func finishSums() { sums = [] }
}

/// What ends a job of several ranks.
public struct RankError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What happened.
  public enum Problem: Equatable, Sendable {
    /// A rank died, or has not answered.
    case lost(String)
    /// Rank 0 could not go on, and has said why.
    case ended
    /// This rank cannot go on; the others do not know why.
    case failed(String)
    /// The ranks do not agree on something that must be the same.
    case different(String)
  }

  /// What happened.
  public var problem: Problem

  /// Creates an error.
  public init(_ problem: Problem) { self.problem = problem }

  /// One sentence.
  public var description: String {
    switch problem {
    case .lost(let what):
      "\(what); resume the run from its last whole checkpoint"
    case .ended: "rank 0 could not go on"
    case .failed(let what), .different(let what): what
    }
  }
}
