// Selects the active steps of each sequence. An inactive step carries the state unchanged.

internal import UnrollContracts

/// The order of a sequence array's first two axes.
public enum SequenceLayout: String, Sendable, Codable {
  /// `[T, B, …]`, the internal layout of the layers.
  case timeMajor
  /// `[B, T, …]`, as in the notebook, Keras and PyTorch's `batch_first=True`.
  case batchMajor
}

/// Which time steps of which sequences of a batch are active.
///
/// At an inactive step the state is carried unchanged, gates read 0, no gradient reaches the parameters or inputs, and
/// ``paddedOutput`` specifies the output. The inputs at inactive steps are ignored, even if they are NaN.
public struct SequenceMask: Sendable, Equatable {
  /// The output of a layer at an inactive step.
  public enum PaddedOutput: String, Sendable, Codable {
    /// Zero, as in `dynamic_rnn`, PyTorch's packed sequences and ONNX.
    case zero
    /// The output of the previous step, or zero if there is none, as in Keras' masks.
    case previous
  }

  private enum Extent: Sendable, Equatable {
    case full
    case lengths([Int])
    case steps(timeStepCount: Int, batchSize: Int, active: [UInt8])
  }

  private var extent: Extent
  /// The output at inactive steps.
  public let paddedOutput: PaddedOutput

  /// Every step is active.
  public static let full = SequenceMask(extent: .full, paddedOutput: .zero)

  /// Returns a mask with the first `lengths[b]` steps of sequence b active, like `sequence_length` of `dynamic_rnn`.
  ///
  /// A backward layer starts at each sequence's last active step. For length 0 the final state is the
  /// initial state.
  public static func lengths(
    _ lengths: [Int], paddedOutput: PaddedOutput = .zero
  ) -> SequenceMask {
    SequenceMask(extent: .lengths(lengths), paddedOutput: paddedOutput)
  }

  /// Returns a mask for any set of active steps, `active[t][b]`.
  ///
  /// - Precondition: All rows have the same length.
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

  /// Returns one byte per step and sequence, `[T, B]`; nil if all are active.
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
