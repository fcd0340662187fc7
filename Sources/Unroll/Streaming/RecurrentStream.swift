// Step by step: audio, sensors, text as it is typed. The weights are packed once and shared by all
// streams made from one; a step is one call into the kernels.

internal import CUnrollKernels
internal import UnrollContracts

/// How a stream keeps its weights.
public enum StreamWeights: String, Sendable, Codable {
  /// As the layers have them.
  case full
  /// As bfloat16: half the memory to read for every step, float32 only. States and sums stay
  /// float32; each weight (of normal size) is off by at most 1 part in 256, and by 1 in 700 on average.
  /// Weights that are bfloat16 already, all of a layer, are kept exactly. A projection stays float32.
  case bfloat16
}

/// Layers that advance by one step at a time.
///
/// A step, a ``reset()`` and setting ``states`` allocate nothing, take no lock and make no system call:
/// they may run on a real-time thread. Layers with a ``CustomCell`` allocate what its step does. Several sequences that advance together have the bits that each
/// would have alone.
///
/// A stream has one owner: the type is not copyable, so that no other part of the program can make a
/// step allocate, or wait, by holding a copy. ``copy()`` makes an independent stream, at once and in
/// memory of its own. A stream can be a property of a class, an actor or a non-copyable structure, and a
/// variable that a task captures; the compiler refuses to share one between tasks.
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
  /// B, the sequences that advance together.
  public let batchSize: Int
  /// D, the size of one sequence's input.
  public let inputSize: Int
  /// P, the size of one sequence's output.
  public let outputSize: Int
  /// How the weights are kept.
  public let weights: StreamWeights

  private let cells: [Cell<Scalar>]
  private let memory: StreamMemory<Scalar>

  /// Creates a stream whose states are zero.
  ///
  /// - Parameters:
  ///   - cells: The layers from the input upward, each reading what the one below puts out.
  ///   - batchSize: B, at least 1.
  ///   - weights: How to keep the weights.
  /// - Precondition: There is a cell, sizes agree, and bfloat16 weights are asked for float32
  ///   cells that the fast kernels know.
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
    memory = StreamMemory(cells: cells, batchSize: batchSize, weights: weights)
    rehearse()
  }

  private init(copying other: borrowing RecurrentStream) {
    batchSize = other.batchSize
    inputSize = other.inputSize
    outputSize = other.outputSize
    weights = other.weights
    cells = other.cells
    memory = StreamMemory(copying: other.memory)
  }

  /// An independent stream with the same weights and states.
  ///
  /// - Returns: A stream that shares the packed weights, which never change, and has states and scratch of its own.
  /// - Complexity: O(B·Σ G·H). Allocates the states and the scratch of every layer; later steps of either stream
  ///   allocate nothing.
  public func copy() -> RecurrentStream { RecurrentStream(copying: self) }

  /// One step of a copy: what Swift and the system's linker prepare at the first call is prepared
  /// here, not on a real-time thread.
  private func rehearse() {
    var copy = copy()
    var output = [Scalar](repeating: 0, count: batchSize * outputSize)
    copy.step([Scalar](repeating: 0, count: batchSize * inputSize), into: &output)
    var tensor = Tensor<Scalar>(shape: [batchSize, outputSize])
    copy.step(Tensor(shape: [batchSize, inputSize]), into: &tensor)
    copy.states = copy.states
    copy.reset()
    copy.reset(sequence: 0, to: cells.map { $0.zeroState(batchSize: 1) })
  }

  /// Every layer's state, from the input upward; reading and writing copy.
  ///
  /// - Precondition: What is set has the shapes of what is there.
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

  /// Makes all states zero.
  ///
  /// - Complexity: O(B·Σ (P + C)). No allocation.
  public mutating func reset() { memory.reset() }

  /// Makes the states of one sequence zero; the others' stay.
  ///
  /// - Parameter index: The sequence, below `batchSize`.
  /// - Complexity: Writes the states of one sequence. No allocation.
  public mutating func reset(sequence index: Int) {
    require(
      index >= 0 && index < batchSize,
      "RecurrentStream.reset(sequence:): expected a sequence below \(batchSize), got \(index).")
    memory.reset(row: index)
  }

  /// Gives one sequence states to go on from; the others' stay.
  ///
  /// - Parameters:
  ///   - index: The sequence, below `batchSize`.
  ///   - states: A state of one row for each layer, h of shape `[1, P]` and c of shape `[1, C]`.
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
    // Both tensors outlive the call: nothing needs to be retained for it.
    output.makeUnique()
    step(UnsafePointer(input.base), into: output.base)
  }

  #if compiler(>=6.2)
  /// Advances all sequences by one step, for callers that hold memory of their own.
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

  /// Advances all sequences by one step, for callers that hold memory of their own.
  ///
  /// - Parameters:
  ///   - input: x, B·D numbers.
  ///   - output: Receives the top layer's h, B·P numbers; may not overlap the input.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public mutating func step(
    _ input: UnsafePointer<Scalar>, into output: UnsafeMutablePointer<Scalar>
  ) {
    memory.step(input, into: output, count: batchSize * outputSize)
  }
}

extension RecurrentLayer {
  /// A stream of this layer, its states zero.
  ///
  /// - Precondition: The layer reads forward.
  public func stream(
    batchSize: Int, weights: StreamWeights = .full
  ) -> RecurrentStream<Scalar> {
    require(
      direction == .forward, "RecurrentLayer.stream: expected a layer that reads forward.")
    return RecurrentStream(cells: [cell], batchSize: batchSize, weights: weights)
  }
}

extension RecurrentNetwork {
  /// A stream of this network, its states zero.
  ///
  /// - Precondition: Every level is one layer that reads forward.
  public func stream(
    batchSize: Int, weights: StreamWeights = .full
  ) -> RecurrentStream<Scalar> {
    require(
      levels.allSatisfy { $0.count == 1 && $0[0].direction == .forward },
      "RecurrentNetwork.stream: expected levels of one layer that reads forward.")
    return RecurrentStream(cells: levels.map { $0[0].cell }, batchSize: batchSize, weights: weights)
  }
}
