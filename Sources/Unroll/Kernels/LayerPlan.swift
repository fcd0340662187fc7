// How a layer runs: the kernels' plan, for people.

internal import CUnrollKernels
internal import UnrollContracts

/// How a layer runs for given sizes: the path, why, and the memory that it takes.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let layer = RecurrentLayer(cell: Cell<Float>(.lstm, inputSize: 8, hiddenSize: 256, using: &random))
/// print(layer.plan(for: .training, timeStepCount: 50, batchSize: 20))
/// ```
///
/// All paths of one instruction set but ``Path/plain`` give the same bits.
public struct LayerPlan: Sendable, CustomStringConvertible {
  /// What a plan is for.
  public enum Purpose: String, Sendable, CaseIterable {
    /// A sequence forward and backward.
    case training
    /// A sequence forward, with packed weights and without a trace: a frozen layer.
    case inference
    /// One step of a stream.
    case stream

    fileprivate var mode: Int32 {
      switch self {
      case .training: Int32(UNROLL_TRAIN)
      case .inference: Int32(UNROLL_INFER)
      case .stream: Int32(UNROLL_STREAM)
      }
    }
  }

  /// How the kernels go through a layer.
  public enum Path: String, Sendable, CaseIterable {
    /// Unit by unit, on one thread: slow, for options that no other path has.
    case plain
    /// Vectors hold units; threads share sequences.
    case rows
    /// Vectors hold units; threads share the columns of each product.
    case columns
    /// Vectors hold one unit of several sequences.
    case lanes
    /// One sequence; weights in the order in which a step reads them.
    case streamed = "streamed weights"
    /// One sequence; the gates of a step stay in registers.
    case registers
  }

  /// The path.
  public let path: Path
  /// Why this path, in words.
  public let reason: String
  /// The instruction set.
  public let instructionSet: InstructionSet
  /// The threads that share a forward pass.
  public let threadCount: Int
  /// Bytes of packed weights.
  public let packedBytes: Int
  /// Bytes of the trace between the forward and the backward pass, besides outputs and states; 0 unless for training.
  public let traceBytes: Int
  /// Bytes of scratch of the larger pass.
  public let scratchBytes: Int

  init(_ plan: unroll_plan) {
    path = Path(rawValue: String(cString: unroll_path_name(plan.path))) ?? .plain
    var plan = plan
    reason = String(cString: unroll_plan_reason(&plan))
    instructionSet = InstructionSet(plan.isa)
    threadCount = max(1, plan.parts)
    let size = plan.layer.type == UNROLL_F64 ? 8 : 4
    packedBytes = plan.packed_count * size
    traceBytes = plan.trace_count * size
    scratchBytes = max(plan.scratch_count, plan.backward_scratch_count) * size
  }

  /// One line: path, reason, instruction set, threads and memory.
  public var description: String {
    let threads = threadCount == 1 ? "1 thread" : "\(threadCount) threads"
    return
      "\(path.rawValue), \(instructionSet.rawValue), \(threads): \(reason); packed weights \(packedBytes) bytes, trace \(traceBytes), scratch \(scratchBytes)"
  }
}

extension RecurrentLayer {
  /// How the layer runs, for the calling thread's number of threads and instruction set.
  ///
  /// - Parameters:
  ///   - purpose: What for.
  ///   - timeStepCount: T, at least 0; of a stream 1.
  ///   - batchSize: B, at least 0.
  ///   - isMasked: Whether some steps do not count.
  /// - Returns: The plan.
  /// - Complexity: O(1).
  public func plan(
    for purpose: LayerPlan.Purpose, timeStepCount: Int, batchSize: Int, isMasked: Bool = false
  ) -> LayerPlan {
    LayerPlan(
      kernelPlan(
        purpose, steps: timeStepCount, rows: batchSize, isMasked: isMasked,
        operation: "RecurrentLayer.plan"))
  }

  /// The bytes that one training pass takes at its peak: outputs, trace, packed weights, gradients and scratch.
  ///
  /// Inputs, output gradients and the parameters themselves are the caller's and not counted.
  ///
  /// - Parameters:
  ///   - timeStepCount: T.
  ///   - batchSize: B.
  /// - Returns: Bytes.
  public func trainingMemory(timeStepCount: Int, batchSize: Int) -> Int {
    let plan = kernelPlan(
      .training, steps: timeStepCount, rows: batchSize, isMasked: false,
      operation: "RecurrentLayer.trainingMemory")
    let arrays = timeStepCount * batchSize * (cell.outputSize + cell.inputSize)
    let count =
      arrays + plan.trace_count + plan.packed_count + plan.scratch_count
      + plan.backward_scratch_count + cell.parameters.count
    return count * MemoryLayout<Scalar>.stride
  }

  /// The bytes that one run of the frozen layer takes at its peak: outputs, packed weights and scratch.
  ///
  /// - Parameters:
  ///   - timeStepCount: T.
  ///   - batchSize: B.
  /// - Returns: Bytes.
  public func inferenceMemory(timeStepCount: Int, batchSize: Int) -> Int {
    let plan = kernelPlan(
      .inference, steps: timeStepCount, rows: batchSize, isMasked: false,
      operation: "RecurrentLayer.inferenceMemory")
    let count = timeStepCount * batchSize * cell.outputSize + plan.packed_count + plan.scratch_count
    return count * MemoryLayout<Scalar>.stride
  }

  private func kernelPlan(
    _ purpose: LayerPlan.Purpose, steps: Int, rows: Int, isMasked: Bool, operation: StaticString
  ) -> unroll_plan {
    // Less than what overflows with any cell that there is memory for.
    let most = 1 << 32
    require(
      steps >= 0 && rows >= 0 && steps <= most / max(1, rows),
      "\(operation): expected T and B of at least 0 whose product is at most \(most), got \(steps) and \(rows)."
    )
    var layer = cell.kernelLayer(direction, steps: steps, rows: rows, isMasked: isMasked)
    let threads = purpose == .stream ? 1 : Int32(Threads.count)
    return unroll_plan_make(&layer, purpose.mode, threads, unroll_isa(), 0)
  }
}
