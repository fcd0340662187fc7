// Inference step by step, for audio, sensors or text input. The weights are packed once and shared by all
// copies of a stream; a step is one call into the kernels.

internal import CUnrollKernels
internal import UnrollContracts

/// The storage format of a stream's weights.
public enum StreamWeights: String, Sendable, Codable {
  /// The element type of the layers.
  case full
  /// bfloat16, which halves the memory traffic of a step; float32 layers only. States and sums stay float32. The
  /// relative error of a weight of normal size is at most 1/256 (average 1/700). If all weights of a layer are bfloat16
  /// values already, they are stored exactly. A projection stays float32.
  case bfloat16
}

/// Layers that advance by one step at a time.
///
/// A step, a ``reset()`` and setting ``states`` allocate nothing, take no lock and make no system call, so they may run
/// on a real-time thread. Layers with a ``CustomCell`` allocate whatever its step allocates. Sequences that advance in
/// a batch give bit-identical results to each sequence alone.
///
/// A stream has one owner: the type is not copyable, so no other part of the program can hold a copy that makes a step
/// allocate or wait. ``copy()`` makes an independent stream with separate memory. A stream can be a property of a
/// class, an actor or a non-copyable structure, and a variable that a task captures; the compiler rejects sharing one
/// between tasks.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let layer = RecurrentLayer(
///   cell: Cell<Float>(.gruResetAfter, inputSize: 2, hiddenSize: 8, using: &random))
/// var stream = layer.stream(batchSize: 1)
/// var output = [Float](repeating: 0, count: 8)
/// stream.step([0.5, -1], into: &output)
/// ```
public struct RecurrentStream<Scalar: KernelScalar>: ~Copyable, Sendable {
  /// B, the number of sequences that advance together.
  public let batchSize: Int
  /// D, the input size per sequence.
  public let inputSize: Int
  /// P, the output size per sequence.
  public let outputSize: Int
  /// The storage format of the weights.
  public let weights: StreamWeights

  private let cells: [Cell<Scalar>]
  private let memory: StreamStorage<Scalar>

  /// Creates a stream with zero states.
  ///
  /// - Parameters:
  ///   - cells: The layers from the input upward; each reads the output of the one below.
  ///   - batchSize: B, at least 1.
  ///   - weights: The storage format of the weights.
  /// - Precondition: There is at least one cell and the sizes agree. bfloat16 weights require float32 cells with a fast
  ///   path.
  public init(
    cells: [Cell<Scalar>], batchSize: Int, weights: StreamWeights = .full
  ) {
    require(
      !cells.isEmpty && (1...1 << 30).contains(batchSize),
      "RecurrentStream.init: expected a cell and a batch of 1 ... \(1 << 30), got \(cells.count) cells and a batch of \(batchSize)."
    )
    for (below, above) in zip(cells, cells.dropFirst()) {
      require(
        below.outputSize == above.inputSize,
        "RecurrentStream.init: expected input size \(below.outputSize), got \(above.inputSize).")
    }
    require(
      weights == .full || cells.allSatisfy { $0.kind != nil },
      "RecurrentStream.init: expected cells of Unroll's kinds for bfloat16 weights, got the cell \(cells.first { $0.kind == nil }?.title ?? "")."
    )
    require(
      weights == .full
        || Scalar.self == Float.self
          && cells.allSatisfy {
            $0.hasFastPath && !$0.parameters.isNormalized && !$0.zoneout.isActive
          },
      "RecurrentStream.init: expected float32 cells with options that the fast paths have, without layer normalisation and zoneout, for bfloat16 weights."
    )
    self.cells = cells
    self.batchSize = batchSize
    self.weights = weights
    inputSize = cells[0].inputSize
    outputSize = cells[cells.count - 1].outputSize
    memory = StreamStorage(cells: cells, batchSize: batchSize, weights: weights)
    warmUp()
  }

  private init(copying other: borrowing RecurrentStream) {
    batchSize = other.batchSize
    inputSize = other.inputSize
    outputSize = other.outputSize
    weights = other.weights
    cells = other.cells
    memory = StreamStorage(copying: other.memory)
  }

  /// Returns an independent stream with the same weights and states.
  ///
  /// - Returns: A stream that shares the immutable packed weights and has separate states and scratch.
  /// - Complexity: O(B·Σ G·H). Allocates the states and the scratch of every layer; later steps of either stream
  ///   allocate nothing.
  public func copy() -> RecurrentStream { RecurrentStream(copying: self) }

  /// Runs one step of a copy, so that lazy work of the Swift runtime and the dynamic linker happens here and not on a
  /// real-time thread.
  private func warmUp() {
    var copy = copy()
    var output = [Scalar](repeating: 0, count: batchSize * outputSize)
    copy.step([Scalar](repeating: 0, count: batchSize * inputSize), into: &output)
    var tensor = Tensor<Scalar>(shape: [batchSize, outputSize])
    copy.step(Tensor(shape: [batchSize, inputSize]), into: &tensor)
    copy.states = copy.states
    copy.reset()
    copy.reset(sequence: 0, to: cells.map { $0.zeroState(batchSize: 1) })
  }

  /// Every layer's state, from the input upward, copied on read and write.
  ///
  /// - Precondition: New states have the shapes of the current ones.
  /// - Complexity: O(B·Σ (P + C)). Reading allocates the result. Setting allocates nothing; changing one
  ///   element, `states[0] = …`, reads all states first.
  public var states: [RecurrentState<Scalar>] {
    get { cells.indices.map { memory.state($0) } }
    set {
      require(
        newValue.count == cells.count,
        "RecurrentStream.states: expected \(cells.count) states, got \(newValue.count).")
      for index in newValue.indices { memory.setState(index, to: newValue[index]) }
    }
  }

  /// Sets all states to zero.
  ///
  /// - Complexity: O(B·Σ (P + C)). No allocation.
  public mutating func reset() { memory.reset() }

  /// Sets the states of one sequence to zero.
  ///
  /// - Parameter index: The sequence, below `batchSize`.
  /// - Complexity: Writes the states of one sequence. No allocation.
  public mutating func reset(sequence index: Int) {
    require(
      index >= 0 && index < batchSize,
      "RecurrentStream.reset(sequence:): expected a sequence below \(batchSize), got \(index).")
    memory.reset(row: index)
  }

  /// Sets the states of one sequence.
  ///
  /// - Parameters:
  ///   - index: The sequence, below `batchSize`.
  ///   - states: For each layer, a state of one row: h of shape `[1, P]` and c of shape `[1, C]`.
  /// - Precondition: There is a state of these shapes for each layer.
  /// - Complexity: Writes the states of one sequence. No allocation.
  public mutating func reset(sequence index: Int, to states: [RecurrentState<Scalar>]) {
    require(
      index >= 0 && index < batchSize && states.count == cells.count,
      "RecurrentStream.reset(sequence:to:): expected a sequence below \(batchSize) and \(cells.count) states, got \(index) and \(states.count)."
    )
    for layer in states.indices { memory.reset(row: index, of: layer, to: states[layer]) }
  }

  /// Advances all sequences by one step.
  ///
  /// - Parameters:
  ///   - input: x, `[B, D]` row by row.
  ///   - output: Receives the top layer's h, `[B, P]` row by row.
  /// - Precondition: The counts agree.
  /// - Complexity: 2·B·Σ G·H·(D + P) flops; reads every weight once.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public mutating func step(_ input: [Scalar], into output: inout [Scalar]) {
    require(
      input.count == batchSize * inputSize && output.count == batchSize * outputSize,
      "RecurrentStream.step: expected \(batchSize * inputSize) and \(batchSize * outputSize) numbers, got \(input.count) and \(output.count)."
    )
    input.withUnsafeBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        if let input = input.baseAddress, let output = output.baseAddress {
          step(input, into: output)
        }
      }
    }
  }

  /// Advances all sequences by one step.
  ///
  /// - Parameters:
  ///   - input: x, shape `[B, D]`.
  ///   - output: Receives the top layer's h, shape `[B, P]`.
  /// - Precondition: The shapes agree.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public mutating func step(_ input: Tensor<Scalar>, into output: inout Tensor<Scalar>) {
    require(
      input.count == batchSize * inputSize && output.count == batchSize * outputSize,
      "RecurrentStream.step: expected shapes [\(batchSize), \(inputSize)] and [\(batchSize), \(outputSize)], got \(input.shape) and \(output.shape)."
    )
    // Both tensors outlive the call, so retaining them is unnecessary.
    output.makeUnique()
    step(UnsafePointer(input.base), into: output.base)
  }

  #if compiler(>=6.2)
  /// Advances all sequences by one step, with spans of the caller's memory.
  ///
  /// - Parameters:
  ///   - input: x, `[B, D]` row by row.
  ///   - output: Receives the top layer's h, `[B, P]` row by row.
  /// - Precondition: The counts agree.
  /// - Complexity: 2·B·Σ G·H·(D + P) flops. No allocation.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public mutating func step(_ input: Span<Scalar>, into output: inout MutableSpan<Scalar>) {
    require(
      input.count == batchSize * inputSize && output.count == batchSize * outputSize,
      "RecurrentStream.step: expected \(batchSize * inputSize) and \(batchSize * outputSize) numbers, got \(input.count) and \(output.count)."
    )
    input.withUnsafeBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        if let input = input.baseAddress, let output = output.baseAddress {
          step(input, into: output)
        }
      }
    }
  }
  #endif

  /// Advances all sequences by one step, with pointers to the caller's memory.
  ///
  /// - Parameters:
  ///   - input: x, B·D elements.
  ///   - output: Receives the top layer's h, B·P elements; must not overlap the input.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public mutating func step(
    _ input: UnsafePointer<Scalar>, into output: UnsafeMutablePointer<Scalar>
  ) {
    memory.step(input, into: output, count: batchSize * outputSize)
  }
}

extension RecurrentLayer {
  /// Returns a stream of this layer with zero states.
  ///
  /// - Precondition: The layer's direction is forward.
  public func stream(
    batchSize: Int, weights: StreamWeights = .full
  ) -> RecurrentStream<Scalar> {
    require(
      direction == .forward, "RecurrentLayer.stream: expected a layer that reads forward.")
    return RecurrentStream(cells: [cell], batchSize: batchSize, weights: weights)
  }
}

extension RecurrentNetwork {
  /// Returns a stream of this network with zero states.
  ///
  /// - Precondition: Every level is a single forward layer.
  public func stream(
    batchSize: Int, weights: StreamWeights = .full
  ) -> RecurrentStream<Scalar> {
    require(
      levels.allSatisfy { $0.count == 1 && $0[0].direction == .forward },
      "RecurrentNetwork.stream: expected levels of one layer that reads forward.")
    return RecurrentStream(cells: levels.map { $0[0].cell }, batchSize: batchSize, weights: weights)
  }
}
