// The processes ("ranks" in MPI) that train one model together, and the operations between them. The rest of the
// library uses only this protocol; MPI is one implementation.

/// Sums of arrays over the shards of a batch: `sum[i] = ((shard 0)[i] + (shard 1)[i]) + ...`, bit-identical
/// for any number of ranks.
public protocol ShardSums: AnyObject {
  /// Starts the sums of a step.
  ///
  /// - Parameters:
  ///   - plan: The assignment of shards to ranks.
  ///   - sums: The destination of each sum, on every rank; must stay valid and unused until `finishSums` returns.
  func beginSums(_ plan: ShardPlan, _ sums: [UnsafeMutableBufferPointer<Float>])

  /// Adds a shard's contribution to one of the sums; it may be sent immediately.
  ///
  /// - Parameters:
  ///   - index: The index of the sum.
  ///   - shard: One of this rank's shards, in order.
  ///   - values: As many elements as the sum has.
  /// - Returns: Whether the values must stay valid until `finishSums` returns; if not, they have been
  ///   consumed. Those of the last shard stay valid in either case.
  func contribute(_ index: Int, shard: Int, _ values: UnsafePointer<Float>) -> Bool

  /// Waits until all sums are complete.
  ///
  /// - Throws: `RankError` if a rank is lost.
  func finishSums() throws
}

/// The processes of one job, from the perspective of one of them.
///
/// All ranks call the same functions in the same order. Only rank 0 reads settings and writes files.
public protocol Ranks: ShardSums {
  /// The rank of this process, starting at 0.
  var rank: Int { get }
  /// The number of ranks.
  var count: Int { get }
  /// Bytes of gradients and sums sent by this process.
  var sentBytes: Int { get }
  /// Seconds spent waiting for other ranks' gradients and sums after this rank's own work was done.
  var waitedSeconds: Double { get }
  /// Whether the ranks sum in shared memory and send nothing.
  var hasSharedMemory: Bool { get }

  /// Returns the bytes of all ranks, in rank order.
  ///
  /// - Throws: `RankError` if a rank is lost.
  func gather(_ bytes: [UInt8]) throws -> [[UInt8]]

  /// Returns rank 0's bytes on every rank; the other ranks pass nil.
  ///
  /// - Throws: `RankError` if a rank is lost.
  func broadcast(_ bytes: [UInt8]?) throws -> [UInt8]

  /// Returns page-aligned memory shared by all ranks, with a part for each, valid until the ranks separate.
  ///
  /// - Parameter byteCounts: The size of every rank's part in bytes.
  /// - Returns: The addresses of the parts in this process; nil on all ranks if there is no shared memory, for
  ///   example between hosts.
  /// - Throws: `RankError` if a rank is lost.
  func sharedMemory(byteCounts: [Int]) throws -> [UnsafeMutableRawPointer]?

  /// Returns when all ranks have called it; afterwards each rank sees the others' writes to shared memory.
  ///
  /// - Throws: `RankError` if a rank is lost.
  func barrier() throws
}

/// A single process, which owns all shards.
public final class SingleRank: Ranks {
  private var sums: [UnsafeMutableBufferPointer<Float>] = []

  /// Creates the rank.
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
  public var hasSharedMemory: Bool { false }

  /// Returns the bytes.
  public func gather(_ bytes: [UInt8]) -> [[UInt8]] { [bytes] }

  /// Returns the bytes.
  public func broadcast(_ bytes: [UInt8]?) -> [UInt8] { bytes ?? [] }

  /// Returns nil: there are no other ranks.
  public func sharedMemory(byteCounts: [Int]) -> [UnsafeMutableRawPointer]? { nil }

  /// Does nothing.
  public func barrier() {}

  /// Stores the destinations of the sums.
  public func beginSums(_ plan: ShardPlan, _ sums: [UnsafeMutableBufferPointer<Float>]) {
    self.sums = sums
  }

  /// Adds the values to the sum immediately.
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

  /// Releases the destinations; the sums are complete.
  public func finishSums() { sums = [] }
}

/// The error that ends a job of several ranks.
public struct RankError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What happened.
  public enum Problem: Equatable, Sendable {
    /// A rank died or has not answered.
    case lost(String)
    /// Rank 0 failed and has reported the reason.
    case ended
    /// This rank failed; the others do not know the reason.
    case failed(String)
    /// The ranks differ in something that must be the same.
    case different(String)
  }

  /// What happened.
  public var problem: Problem

  /// Creates an error.
  public init(_ problem: Problem) { self.problem = problem }

  /// A sentence for the user.
  public var description: String {
    switch problem {
    case .lost(let what):
      "\(what); resume the run from its last checkpoint"
    case .ended: "rank 0 failed"
    case .failed(let what), .different(let what): what
    }
  }
}
