// Which steps of which sequences count. A step that does not count carries the state unchanged.

internal import UnrollContracts

/// The order of a sequence array's first two axes.
public enum SequenceLayout: String, Sendable, Codable {
  /// `[T, B, …]`, as the layers work inside.
  case timeMajor
  /// `[B, T, …]`, as the notebook, Keras and `batch_first=True` have it.
  case batchMajor
}

/// Which time steps of which sequences of a batch are active.
///
/// At an inactive step the state is carried unchanged, gates read 0, no gradient reaches the
/// parameters or inputs, and the output is zero or repeats, as `paddedOutput` says. What the inputs hold
/// there does not matter, not even NaN.
public struct SequenceMask: Sendable, Equatable {
  /// What a layer puts out where a step is inactive.
  public enum PaddedOutput: String, Sendable, Codable {
    /// Zero: `dynamic_rnn`, PyTorch's packed sequences, ONNX.
    case zero
    /// The output of the step before, zero if there is none: Keras' masks.
    case previous
  }

  private enum Extent: Sendable, Equatable {
    case full
    case lengths([Int])
    case steps(timeStepCount: Int, batchSize: Int, active: [UInt8])
  }

  private var extent: Extent
  /// What is put out at inactive steps.
  public let paddedOutput: PaddedOutput

  /// Every step is active.
  public static let full = SequenceMask(extent: .full, paddedOutput: .zero)

  /// The first `lengths[b]` steps of sequence b are active, as `sequence_length` of `dynamic_rnn`.
  ///
  /// A layer that runs backward starts at each sequence's last active step. Length 0 returns the
  /// initial state.
  public static func lengths(
    _ lengths: [Int], paddedOutput: PaddedOutput = .zero
  ) -> SequenceMask {
    SequenceMask(extent: .lengths(lengths), paddedOutput: paddedOutput)
  }

  /// Any set of steps, `active[t][b]`.
  ///
  /// - Precondition: All rows have one length.
  public static func steps(
    _ active: [[Bool]], paddedOutput: PaddedOutput = .previous
  ) -> SequenceMask {
    let batchSize = active.first?.count ?? 0
    require(
      active.allSatisfy { $0.count == batchSize },
      "SequenceMask.steps: expected rows of \(batchSize) flags, got \(active.map(\.count)).")
    return SequenceMask(
      extent: .steps(
        timeStepCount: active.count, batchSize: batchSize,
        active: active.joined().map { $0 ? 1 : 0 }),
      paddedOutput: paddedOutput)
  }

  /// One byte for each step and sequence, `[T, B]`; nil if all are active.
  ///
  /// - Precondition: The mask fits T and B.
  func flags(timeStepCount: Int, batchSize: Int) -> [UInt8]? {
    switch extent {
    case .full: return nil
    case .lengths(let lengths):
      require(
        lengths.count == batchSize && lengths.allSatisfy { (0...timeStepCount).contains($0) },
        "SequenceMask: expected \(batchSize) lengths in 0 ... \(timeStepCount), got \(lengths).")
      if lengths.allSatisfy({ $0 == timeStepCount }) { return nil }
      return (0..<timeStepCount).flatMap { time in lengths.map { time < $0 ? 1 : 0 } }
    case .steps(let steps, let rows, let active):
      require(
        steps == timeStepCount && rows == batchSize,
        "SequenceMask: expected [\(timeStepCount), \(batchSize)] flags, got [\(steps), \(rows)].")
      return active.contains(0) ? active : nil
    }
  }
}
