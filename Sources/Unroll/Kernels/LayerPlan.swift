// The kernels' plan for a layer, for display.

internal import CUnrollKernels
internal import UnrollContracts

/// The execution path of a layer for given sizes, the reason for it, and its memory use.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let layer = RecurrentLayer(cell: Cell<Float>(.lstm, inputSize: 8, hiddenSize: 256, using: &random))
/// print(layer.plan(for: .training, timeStepCount: 50, batchSize: 20))
/// ```
///
/// All paths of one instruction set except ``Path/plain`` give bit-identical results. A ``CustomCell`` always has the
/// path ``Path/custom``.
public struct LayerPlan: Sendable, CustomStringConvertible {
  /// The kind of pass that a plan is for.
  public enum Purpose: String, Sendable, CaseIterable {
    /// Forward and backward over a sequence.
    case training
    /// Forward over a sequence, with packed weights and without a trace: a frozen layer.
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

  /// The order in which the kernels compute a layer.
  public enum Path: String, Sendable, CaseIterable {
    /// Unit by unit, on one thread: slow, for options that no other path supports.
    case plain
    /// Vectors hold units; threads share sequences.
    case rows
    /// Vectors hold units; threads share the columns of each product.
    case columns
    /// Vectors hold one unit of several sequences.
    case lanes
    /// One sequence; weights are stored in the order in which a step reads them.
    case streamed = "streamed weights"
    /// One sequence; the gates of a step stay in registers.
    case registers
    /// Step by step with tensors, on one thread; for a custom cell.
    case custom = "custom cell"
  }

  /// The path.
  public let path: Path
  /// The reason for choosing the path.
  public let reason: String
  /// The instruction set.
  public let instructionSet: InstructionSet
  /// The number of threads of a forward pass.
  public let threadCount: Int
  /// Bytes of packed weights; 0 for ``Path/plain`` and ``Path/custom``, which pack none.
  public let packedBytes: Int
  /// Bytes of the trace between the forward and the backward pass, without outputs and states; 0 unless for training.
  public let traceBytes: Int
  /// Bytes of scratch, the larger of the forward and backward pass.
  public let scratchBytes: Int

  /// The maximum number of elements of an array in a plan; larger arrays would not fit into memory.
  package static let largestCount = 1 << 48

  /// Plans a layer of one of the kinds without its parameters, for the calling thread's instruction set and number of
  /// threads.
  ///
  /// - Parameters:
  ///   - kind: The kind of the cell, with default options.
  ///   - type: The element type.
  ///   - inputSize: D, at least 0.
  ///   - hiddenSize: H, at least 1.
  ///   - purpose: The kind of pass.
  ///   - timeStepCount: T, at least 0; 1 for a stream.
  ///   - batchSize: B, at least 0.
  /// - Precondition: None of the arrays has more than 2⁴⁸ elements.
  /// - Complexity: O(1).
  public init<Scalar: KernelScalar>(
    of kind: CellKind, _ type: Scalar.Type = Scalar.self, inputSize: Int, hiddenSize: Int,
    for purpose: Purpose, timeStepCount: Int, batchSize: Int
  ) {
    require(
      hiddenSize > 0
        && Self.fits(
          kind, inputSize: inputSize, hiddenSize: hiddenSize, timeStepCount: timeStepCount,
          batchSize: batchSize),
      "LayerPlan.init: expected H of at least 1, D, T and B of at least 0, and arrays of at most \(Self.largestCount) elements, got H \(hiddenSize), D \(inputSize), T \(timeStepCount) and B \(batchSize)."
    )
    var layer = unroll_layer(
      kind, options: CellOptions(), type, inputSize: inputSize, hiddenSize: hiddenSize)
    layer.steps = timeStepCount
    layer.batch = batchSize
    self.init(Self.kernelPlan(&layer, purpose))
  }

  /// Returns whether every array of a layer of these sizes has at most `largestCount` elements.
  package static func fits(
    _ kind: CellKind, inputSize: Int, hiddenSize: Int, timeStepCount: Int, batchSize: Int
  ) -> Bool {
    fits(
      gateCount: kind.gateCount, inputSize: inputSize, hiddenSize: hiddenSize,
      timeStepCount: timeStepCount, batchSize: batchSize)
  }

  fileprivate static func fits(
    gateCount: Int, inputSize: Int, hiddenSize: Int, timeStepCount: Int, batchSize: Int
  ) -> Bool {
    let sizes = [inputSize, hiddenSize, timeStepCount, batchSize]
    guard sizes.allSatisfy({ (0...largestCount).contains($0) }) else { return false }
    let numbers = sizes.map(Double.init)
    let width = Double(gateCount + 4) * numbers[1]
    let largest = max(
      width * (numbers[0] + numbers[1]), numbers[2] * numbers[3] * (width + numbers[0]))
    return largest <= Double(largestCount)
  }

  fileprivate static func kernelPlan(_ layer: inout unroll_layer, _ purpose: Purpose) -> unroll_plan
  {
    let threads = purpose == .stream ? 1 : Int32(Threads.count)
    return unroll_plan_make(&layer, purpose.mode, threads, unroll_isa(), 0)
  }

  /// The plan of a custom cell.
  ///
  /// - Parameters:
  ///   - name: The cell's name.
  ///   - traceCount: The number of elements in a trace.
  ///   - scratchCount: The number of elements of scratch.
  ///   - stride: The size of an element in bytes.
  fileprivate init(custom name: String, traceCount: Int, scratchCount: Int, stride: Int) {
    path = .custom
    reason = "\(name) is written with tensors"
    instructionSet = .current
    threadCount = 1
    packedBytes = 0
    traceBytes = traceCount * stride
    scratchBytes = scratchCount * stride
  }

  init(_ plan: unroll_plan) {
    path = Path(rawValue: String(cString: unroll_path_name(plan.path))) ?? .plain
    var plan = plan
    reason = String(cString: unroll_plan_reason(&plan))
    instructionSet = InstructionSet(plan.isa)
    threadCount = max(1, plan.parts)
    let size = plan.layer.type == UNROLL_F64 ? 8 : 4
    packedBytes = path == .plain ? 0 : plan.packed_count * size
    traceBytes = plan.trace_count * size
    scratchBytes = max(plan.scratch_count, plan.backward_scratch_count) * size
  }

  /// One line: path, reason, instruction set, threads and memory.
  public var description: String {
    let threads = threadCount == 1 ? "1 thread" : "\(threadCount) threads"
    let packed = packedBytes == 0 ? "no packed weights" : "packed weights \(packedBytes) bytes"
    return
      "\(path.rawValue), \(instructionSet.rawValue), \(threads): \(reason); \(packed), trace \(traceBytes), scratch \(scratchBytes)"
  }
}

extension RecurrentLayer {
  /// Plans a pass of the layer for the calling thread's instruction set and number of threads.
  ///
  /// - Parameters:
  ///   - purpose: The kind of pass.
  ///   - timeStepCount: T, at least 0; 1 for a stream.
  ///   - batchSize: B, at least 0.
  ///   - isMasked: Whether some steps are inactive.
  /// - Returns: The plan.
  /// - Complexity: O(1).
  public func plan(
    for purpose: LayerPlan.Purpose, timeStepCount: Int, batchSize: Int, isMasked: Bool = false
  ) -> LayerPlan {
    if case .custom(let custom) = cell.definition {
      let counts = customCounts(
        purpose, steps: timeStepCount, rows: batchSize, operation: "RecurrentLayer.plan")
      return LayerPlan(
        custom: custom.name, traceCount: counts.trace, scratchCount: counts.scratch,
        stride: MemoryLayout<Scalar>.stride)
    }
    return LayerPlan(
      kernelPlan(
        purpose, steps: timeStepCount, rows: batchSize, isMasked: isMasked,
        operation: "RecurrentLayer.plan"))
  }

  /// Returns the numbers of elements that the passes of a custom cell store and use, without the steps' `saved` values:
  /// the gates and states of each step, and about three copies of one step's.
  private func customCounts(
    _ purpose: LayerPlan.Purpose, steps: Int, rows: Int, operation: StaticString
  ) -> (trace: Int, scratch: Int) {
    checkSizes(steps: steps, rows: rows, operation)
    let perStep = rows * ((cell.gates.count + 2) * cell.hiddenSize + 3 * cell.cellStateSize)
    return (purpose == .training ? steps * perStep : 0, 3 * perStep)
  }

  private func checkSizes(steps: Int, rows: Int, _ operation: StaticString) {
    require(
      LayerPlan.fits(
        gateCount: cell.gates.count, inputSize: cell.inputSize, hiddenSize: cell.hiddenSize,
        timeStepCount: steps, batchSize: rows),
      "\(operation): expected T and B of at least 0 and arrays of at most \(LayerPlan.largestCount) numbers, got \(steps) and \(rows)."
    )
  }

  /// Returns the peak memory of one training pass in bytes: outputs, trace, packed weights, gradients and scratch.
  ///
  /// Inputs, output gradients and the parameters belong to the caller and are not counted, nor is memory that the steps
  /// of a ``CustomCell`` save and allocate.
  ///
  /// - Parameters:
  ///   - timeStepCount: T.
  ///   - batchSize: B.
  /// - Returns: The number of bytes.
  public func trainingMemory(timeStepCount: Int, batchSize: Int) -> Int {
    let kept = passCount(
      .training, steps: timeStepCount, rows: batchSize, operation: "RecurrentLayer.trainingMemory")
    let arrays = timeStepCount * batchSize * (cell.outputSize + cell.inputSize)
    return (arrays + kept + cell.parameters.count) * MemoryLayout<Scalar>.stride
  }

  /// Returns the peak memory of one run of the frozen layer in bytes: outputs, packed weights and scratch.
  ///
  /// - Parameters:
  ///   - timeStepCount: T.
  ///   - batchSize: B.
  /// - Returns: The number of bytes.
  public func inferenceMemory(timeStepCount: Int, batchSize: Int) -> Int {
    let kept = passCount(
      .inference, steps: timeStepCount, rows: batchSize, operation: "RecurrentLayer.inferenceMemory"
    )
    return (timeStepCount * batchSize * cell.outputSize + kept) * MemoryLayout<Scalar>.stride
  }

  /// Returns the number of elements of trace, packed weights and scratch.
  private func passCount(
    _ purpose: LayerPlan.Purpose, steps: Int, rows: Int, operation: StaticString
  ) -> Int {
    if cell.custom != nil {
      let counts = customCounts(purpose, steps: steps, rows: rows, operation: operation)
      return counts.trace + counts.scratch
    }
    let plan = kernelPlan(purpose, steps: steps, rows: rows, isMasked: false, operation: operation)
    let backward = purpose == .training ? plan.backward_scratch_count : 0
    return plan.trace_count + plan.packed_count + plan.scratch_count + backward
  }

  private func kernelPlan(
    _ purpose: LayerPlan.Purpose, steps: Int, rows: Int, isMasked: Bool, operation: StaticString
  ) -> unroll_plan {
    checkSizes(steps: steps, rows: rows, operation)
    var layer = cell.kernelLayer(direction, steps: steps, rows: rows, isMasked: isMasked)
    return LayerPlan.kernelPlan(&layer, purpose)
  }
}
