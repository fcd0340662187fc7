// Inference: the weights of an immutable layer are packed once, and no trace is stored.

internal import CUnrollKernels
internal import Synchronization
internal import UnrollContracts

/// The results of inference over whole sequences.
///
/// Pass the value to the next run to reuse its memory.
public struct SequenceOutputs<Scalar: KernelScalar>: Sendable {
  /// The layer's outputs, `[T, B, P]`; at inactive steps zero or the previous output, as the mask specifies.
  public internal(set) var outputs: Tensor<Scalar>
  /// The state after the last active step.
  public internal(set) var finalState: RecurrentState<Scalar>
  private var memory: PassScratch<Scalar>

  /// Creates an empty value for `FrozenLayer.run(_:from:mask:into:)`.
  public init() {
    outputs = Tensor(shape: [0, 0, 0])
    finalState = RecurrentState(hidden: Tensor(shape: [0, 0]))
    memory = PassScratch()
  }

  mutating func uniqueScratch() -> PassScratch<Scalar> {
    if !isKnownUniquelyReferenced(&memory) { memory = PassScratch() }
    return memory
  }

  /// Sets the outputs of inactive steps as the mask specifies.
  mutating func pad(_ flags: [UInt8]?, _ mask: SequenceMask, _ direction: Direction) {
    guard let flags else { return }
    let times = 0..<outputs.shape[0]
    outputs.pad(
      flags, mask.paddedOutput, direction == .forward ? Array(times) : times.reversed())
  }
}

/// A layer with immutable weights, packed once for any number of runs.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let layer = RecurrentLayer(cell: Cell<Float>(.rnn, inputSize: 3, hiddenSize: 4, using: &random))
/// let frozen = layer.frozen()
/// var result = SequenceOutputs<Float>()
/// frozen.run(
///   Tensor(shape: [5, 2, 3], repeating: 0.5), from: layer.zeroState(batchSize: 2), into: &result)
/// ```
public struct FrozenLayer<Scalar: KernelScalar>: Sendable {
  private let content: FrozenContent<Scalar>

  init(_ layer: RecurrentLayer<Scalar>) {
    content = FrozenContent(layer)
  }

  /// The layer at the time of freezing.
  public var layer: RecurrentLayer<Scalar> { content.layer }

  /// Runs the layer over a batch of sequences; bit-identical to `RecurrentLayer.forward`.
  ///
  /// Allocates nothing after the first run of the same sizes if no step is masked. Weights are packed at the first run
  /// on a path and shared by copies of the frozen layer.
  ///
  /// - Parameters:
  ///   - inputs: x, `[T, B, D]`.
  ///   - state: The state before the first step, `[B, P]` and `[B, C]`.
  ///   - mask: The active steps.
  ///   - result: Receives outputs and final state.
  /// - Precondition: The shapes agree with the cell.
  /// - Complexity: 2·T·B·G·H·(D + P) flops. Memory in addition to the result:
  ///   ``RecurrentLayer/plan(for:timeStepCount:batchSize:isMasked:)``.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public func run(
    _ inputs: Tensor<Scalar>, from state: RecurrentState<Scalar>, mask: SequenceMask = .full,
    into result: inout SequenceOutputs<Scalar>
  ) {
    let cell = content.layer.cell
    let (out, cellSize) = (cell.outputSize, cell.cellStateSize)
    RecurrentLayer.check(
      inputs, state, inputSize: cell.inputSize, outputSize: out, cellSize: cellSize,
      operation: "FrozenLayer.run")
    let (steps, rows) = (inputs.shape[0], inputs.shape[1])
    let flags = mask.flags(timeStepCount: steps, batchSize: rows)
    result.outputs.prepare(steps, rows, out)
    guard steps > 0 else {
      result.finalState = state
      return
    }
    result.finalState.hidden.prepare(rows, out)
    result.finalState.cell.prepare(rows, cellSize)
    let memory = result.uniqueScratch()
    let direction = content.layer.direction
    if case .custom(let custom) = cell.definition {
      let pass = CustomPass(
        definition: custom, parameters: cell.parameters, direction: direction, batchSize: rows,
        flags: flags)
      var (last, trace) = (state, CustomTrace<Scalar>?.none)
      pass.forward(inputs, from: &last, hidden: &result.outputs, trace: &trace)
      result.finalState = last
      result.pad(flags, mask, direction)
      return
    }
    var layer = cell.kernelLayer(direction, steps: steps, rows: rows, isMasked: flags != nil)
    var plan = unroll_plan_make(
      &layer, Int32(UNROLL_INFER), Int32(Threads.count), unroll_isa(), 0)
    var weights = cell.parameters.kernelWeights
    var sequence = unroll_sequence()
    sequence.inputs = UnsafeRawPointer(inputs.base)
    sequence.initial_hidden = UnsafeRawPointer(state.hidden.base)
    sequence.initial_cell = UnsafeRawPointer(state.cell.base)
    sequence.hidden = UnsafeMutableRawPointer(result.outputs.base)
    sequence.final_cell = UnsafeMutableRawPointer(result.finalState.cell.base)
    sequence.scratch = UnsafeMutableRawPointer(memory.scratch.memory(for: plan.scratch_count))
    let packed = content.packedWeights(&plan)
    withFlags(flags) { flags in
      sequence.active = flags
      unroll_forward(&plan, &weights, packed.base, &sequence)
    }
    withExtendedLifetime(inputs) {}
    withExtendedLifetime(state) {}
    withExtendedLifetime(memory) {}
    withExtendedLifetime(content) {}
    withExtendedLifetime(packed) {}
    let last = direction == .forward ? steps - 1 : 0
    result.finalState.hidden.base.update(
      from: result.outputs.base + last * rows * out, count: rows * out)
    result.pad(flags, mask, direction)
  }
}

/// The storage shared by copies of a frozen layer.
private final class FrozenContent<Scalar: KernelScalar>: Sendable {
  let layer: RecurrentLayer<Scalar>
  /// The weights in the layout of each path, packed when the path is first used.
  private let packed = Mutex<[Packing: TensorStorage<Scalar>]>([:])

  /// The parameters that determine the layout of packed weights.
  private struct Packing: Hashable {
    let isa: Int32
    let path: Int32
    let count: Int
  }

  init(_ layer: RecurrentLayer<Scalar>) {
    var layer = layer
    layer.cell.zoneout.masks = nil
    layer.cell.checkParameters("RecurrentLayer.frozen")
    self.layer = layer
  }

  func packedWeights(_ plan: inout unroll_plan) -> TensorStorage<Scalar> {
    // Rows, columns and lanes use the same panels.
    let isPanels = plan.path == UNROLL_PATH_COLUMNS || plan.path == UNROLL_PATH_LANES
    let path = isPanels ? Int32(UNROLL_PATH_ROWS) : plan.path
    let key = Packing(isa: plan.isa, path: path, count: plan.packed_count)
    return packed.withLock { packed in
      if let storage = packed[key] { return storage }
      let storage = TensorStorage<Scalar>(count: plan.packed_count)
      var weights = layer.cell.parameters.kernelWeights
      unroll_pack(&plan, &weights, storage.base)
      packed[key] = storage
      return storage
    }
  }
}

extension RecurrentLayer {
  /// Returns the layer with its weights packed for inference.
  public func frozen() -> FrozenLayer<Scalar> { FrozenLayer(self) }
}
