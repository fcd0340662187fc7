// Inference with a stack: levels write alternately into two sets of buffers.

internal import UnrollContracts

/// The results of inference with a network.
///
/// Pass the value to the next run to reuse its memory.
public struct NetworkOutputs<Scalar: KernelScalar>: Sendable {
  /// Every layer's state after the last active step, from the input upward.
  public fileprivate(set) var finalStates: [RecurrentState<Scalar>] = []
  fileprivate var buffers = [LevelOutputs<Scalar>(), LevelOutputs()]
  fileprivate var top = 0

  /// Creates an empty value for `FrozenNetwork.run(_:from:mask:into:)`.
  public init() {}

  /// The top level's outputs, `[T, B, P]`; at inactive steps zero or the previous output, as the mask specifies.
  public var outputs: Tensor<Scalar> { buffers[top].values }
}

/// The results of one level.
private struct LevelOutputs<Scalar: KernelScalar>: Sendable {
  var layers = [SequenceOutputs<Scalar>(), SequenceOutputs()]
  /// The concatenated outputs of two layers.
  var joined = Tensor<Scalar>(shape: [0, 0, 0])
  var isJoined = false

  var values: Tensor<Scalar> { isJoined ? joined : layers[0].outputs }
}

/// A network with immutable weights, packed once for any number of runs.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let network = RecurrentNetwork<Float>(cells: [
///   Cell(.gruResetAfter, inputSize: 3, hiddenSize: 8, using: &random),
///   Cell(.gruResetAfter, inputSize: 8, hiddenSize: 8, using: &random),
/// ])
/// let frozen = network.frozen()
/// var result = NetworkOutputs<Float>()
/// frozen.run(
///   Tensor(shape: [5, 2, 3], repeating: 0.5), from: network.zeroStates(batchSize: 2), into: &result)
/// print(result.outputs.shape)  // [5, 2, 8]
/// ```
public struct FrozenNetwork<Scalar: KernelScalar>: Sendable {
  private let levels: [[FrozenLayer<Scalar>]]
  private let layerCount: Int

  init(_ network: RecurrentNetwork<Scalar>) {
    levels = network.levels.map { $0.map { $0.frozen() } }
    layerCount = network.layerCount
  }

  /// Runs the network over a batch of sequences; bit-identical to `RecurrentNetwork.forward`.
  ///
  /// Allocates nothing after the first run of the same sizes if `FrozenLayer.run(_:from:mask:into:)`
  /// allocates nothing for any of the layers.
  ///
  /// - Parameters:
  ///   - inputs: x, `[T, B, D]`.
  ///   - states: The state before the first step, one per layer.
  ///   - mask: The active steps, for all levels.
  ///   - result: Receives the outputs and the final states.
  /// - Precondition: The shapes agree.
  /// - Complexity: The flops of the layers. In addition to the result, memory for the outputs of two levels.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public func run(
    _ inputs: Tensor<Scalar>, from states: [RecurrentState<Scalar>], mask: SequenceMask = .full,
    into result: inout NetworkOutputs<Scalar>
  ) {
    require(
      states.count == layerCount,
      "FrozenNetwork.run: expected \(layerCount) states, got \(states.count).")
    if result.finalStates.count != layerCount {
      result.finalStates = states
    }
    guard !levels.isEmpty else {
      result.buffers[0].layers[0].outputs = inputs
      return
    }
    var values = inputs
    var first = 0
    for index in levels.indices {
      let level = levels[index]
      let target = index % 2
      for position in level.indices {
        level[position].run(
          values, from: states[first + position], mask: mask,
          into: &result.buffers[target].layers[position])
        let state = result.buffers[target].layers[position].finalState
        result.finalStates[first + position].hidden.assign(state.hidden)
        result.finalStates[first + position].cell.assign(state.cell)
      }
      if level.count == 2 {
        let (one, two) = (result.buffers[target].layers[0], result.buffers[target].layers[1])
        result.buffers[target].joined.assign(concatenating: one.outputs, two.outputs)
      }
      result.buffers[target].isJoined = level.count == 2
      result.top = target
      values = result.buffers[target].values
      first += level.count
    }
  }
}

extension RecurrentNetwork {
  /// Returns the network with its weights packed for inference.
  public func frozen() -> FrozenNetwork<Scalar> { FrozenNetwork(self) }
}
