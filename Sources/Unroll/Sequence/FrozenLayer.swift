// Inference: a layer whose weights do not change is packed once, and keeps no tape.

internal import CUnrollKernels

/// What inference over whole sequences gives.
///
/// Hand it in again: its memory is used again.
public struct SequenceOutputs<Scalar: KernelScalar>: Sendable {
  /// What the layer puts out, `[T, B, P]`; zero (or repeats) at inactive steps.
  public internal(set) var outputs: Tensor<Scalar>
  /// The state after the last step that counts.
  public internal(set) var finalState: RecurrentState<Scalar>
  private var memory: PassMemory<Scalar>

  /// A place for `FrozenLayer.run(_:from:mask:into:)` to fill.
  public init() {
    outputs = Tensor(shape: [0, 0, 0])
    finalState = RecurrentState(hidden: Tensor(shape: [0, 0]))
    memory = PassMemory()
  }

  mutating func ownMemory() -> PassMemory<Scalar> {
    if !isKnownUniquelyReferenced(&memory) { memory = PassMemory() }
    return memory
  }
}

/// A layer with weights that do not change: packed once, for any number of runs.
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

  /// The layer as it was when it was frozen.
  public var layer: RecurrentLayer<Scalar> { content.layer }

  /// Runs the layer over a batch of sequences; the same bits as `RecurrentLayer.forward`.
  ///
  /// Allocates nothing after the first run of the same sizes, if no step is masked and the fast
  /// kernels know the cell; else every run makes a whole trace.
  ///
  /// - Parameters:
  ///   - inputs: x, `[T, B, D]`.
  ///   - state: The state before the first step, `[B, P]` and `[B, C]`.
  ///   - mask: Which steps count.
  ///   - result: Receives outputs and final state.
  /// - Precondition: The shapes agree with the cell.
  /// - Complexity: 2·T·B·G·H·(D + P) flops; memory beside the result for 192 rows of gates, or B
  ///   if that is more, for each thread.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public func run(
    _ inputs: Tensor<Scalar>, from state: RecurrentState<Scalar>, mask: SequenceMask = .full,
    into result: inout SequenceOutputs<Scalar>
  ) {
    let flags =
      inputs.rank == 3
      ? mask.flags(timeStepCount: inputs.shape[0], batchSize: inputs.shape[1]) : nil
    guard var structure = content.structure, flags == nil, KernelLevel.current == content.level,
      inputs.rank == 3, inputs.shape[0] > 0
    else {
      let trace = layer.forward(inputs, from: state, mask: mask)
      result.outputs = trace.outputs
      result.finalState = trace.finalState
      return
    }
    let (steps, rows, size) = (inputs.shape[0], inputs.shape[1], content.hiddenSize)
    let cellSize = content.cellSize
    RecurrentLayer.check(
      inputs, state, inputSize: content.inputSize, outputSize: size, cellSize: cellSize,
      operation: "FrozenLayer.run")
    result.outputs.prepare(steps, rows, size)
    result.finalState.hidden.prepare(rows, size)
    result.finalState.cell.prepare(rows, cellSize)
    let memory = result.ownMemory()
    structure.steps = steps
    structure.batch = rows
    structure.inputs = UnsafeRawPointer(inputs.base)
    structure.initial_hidden = UnsafeRawPointer(state.hidden.base)
    structure.initial_cell = UnsafeRawPointer(state.cell.base)
    structure.hidden_states = UnsafeMutableRawPointer(result.outputs.base)
    if cellSize > 0 {
      structure.final_cell = UnsafeMutableRawPointer(result.finalState.cell.base)
    }
    Threads.holdingCount {
      structure.scratch = UnsafeMutableRawPointer(
        memory.scratch.room(for: unroll_forward_scratch_count(&structure, Scalar._isDouble)))
      Scalar._layerForward(&structure)
    }
    let last = structure.reversed == 0 ? steps - 1 : 0
    result.finalState.hidden.base.update(
      from: result.outputs.base + last * rows * size, count: rows * size)
    withExtendedLifetime(inputs) {}
    withExtendedLifetime(state) {}
    withExtendedLifetime(memory) {}
    withExtendedLifetime(content) {}
  }
}

/// What copies of a frozen layer share.
private final class FrozenContent<Scalar: KernelScalar>: @unchecked Sendable {
  // Sendable: nothing changes after `init`.
  let layer: RecurrentLayer<Scalar>
  let level: KernelLevel
  let inputSize, hiddenSize, cellSize: Int
  /// The kernels' structure, weights and packed panels in it; nil if the plain kernels run it.
  let structure: unroll_layer?
  /// What the structure points to.
  private let parameters: CellParameters<Scalar>
  private let packed: PassMemory<Scalar>

  init(_ layer: RecurrentLayer<Scalar>) {
    var layer = layer
    layer.cell.zoneout.masks = nil
    self.layer = layer
    packed = PassMemory()
    level = KernelLevel.current
    parameters = layer.cell.parameters
    parameters.check(areOf: layer.cell.kind, "RecurrentLayer.frozen")
    inputSize = parameters.inputSize
    hiddenSize = parameters.hiddenSize
    cellSize = layer.cell.cellStateSize
    guard level != .plain, let kernel = layer.cell.fusedKernel else {
      structure = nil
      return
    }
    var structure = FusedPass.layer(
      kernel, parameters, layer.direction, steps: 1, rows: 1, memory: packed)
    structure.packed = UnsafeMutableRawPointer(
      packed.packed.room(for: unroll_packed_count(&structure, Scalar._isDouble)))
    Scalar._layerPack(&structure)
    structure.is_packed = 1
    self.structure = structure
  }
}

extension RecurrentLayer {
  /// The layer with its weights packed for inference.
  public func frozen() -> FrozenLayer<Scalar> { FrozenLayer(self) }
}
