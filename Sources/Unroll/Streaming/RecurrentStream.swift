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
  /// Weights that are bfloat16 already, all of a layer, are kept exactly.
  case bfloat16
}

/// Layers that advance by one step at a time.
///
/// A step allocates nothing, takes no lock and makes no system call: it may run on a real-time
/// thread. Only the first step after a copy allocates, since the copy then gets a state of its
/// own. Several sequences that advance together have the bits that each would have alone.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// let layer = RecurrentLayer(
///   cell: GRU<Float>(inputSize: 2, hiddenSize: 8, resetGate: .afterProduct, using: &random))
/// var stream = layer.stream(batchSize: 1)
/// var output = [Float](repeating: 0, count: 8)
/// stream.step([0.5, -1], into: &output)
/// ```
public struct RecurrentStream<Scalar: KernelScalar>: Sendable {
  /// B, the sequences that advance together.
  public let batchSize: Int
  /// D, the size of one sequence's input.
  public let inputSize: Int
  /// P, the size of one sequence's output.
  public let outputSize: Int
  /// How the weights are kept.
  public let weights: StreamWeights

  private let cells: [any RecurrentCell<Scalar>]
  private var memory: StreamMemory<Scalar>

  /// Creates a stream whose states are zero.
  ///
  /// - Parameters:
  ///   - cells: The layers from the input upward, each reading what the one below puts out.
  ///   - batchSize: B, at least 1.
  ///   - weights: How to keep the weights.
  /// - Precondition: There is a cell, sizes agree, and bfloat16 weights are asked for float32
  ///   cells that the fast kernels know.
  public init(
    cells: [any RecurrentCell<Scalar>], batchSize: Int, weights: StreamWeights = .full
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
        || Scalar._isDouble == 0 && cells.allSatisfy { $0.fusedKernel?.hasPlainTwin == true },
      "RecurrentStream.init: expected float32 cells with the usual functions, without layer normalisation and zoneout, for bfloat16 weights."
    )
    self.cells = cells
    self.batchSize = batchSize
    self.weights = weights
    inputSize = cells[0].inputSize
    outputSize = cells[cells.count - 1].outputSize
    memory = StreamMemory(cells: cells, batchSize: batchSize, weights: weights)
    rehearse()
  }

  /// One step of a copy: what Swift and the system's linker prepare at the first call is prepared
  /// here, not on a real-time thread.
  private func rehearse() {
    var copy = self
    var output = [Scalar](repeating: 0, count: batchSize * outputSize)
    copy.step([Scalar](repeating: 0, count: batchSize * inputSize), into: &output)
    var tensor = Tensor<Scalar>(shape: [batchSize, outputSize])
    copy.step(Tensor(shape: [batchSize, inputSize]), into: &tensor)
  }

  /// Every layer's state, from the input upward; reading and writing copy.
  ///
  /// - Precondition: What is set has the shapes of what is there.
  public var states: [RecurrentState<Scalar>] {
    get { cells.indices.map { memory.state($0, of: cells[$0]) } }
    set {
      require(
        newValue.count == cells.count,
        "RecurrentStream.states: expected \(cells.count) states, got \(newValue.count).")
      own()
      for (index, state) in newValue.enumerated() {
        memory.setState(index, of: cells[index], to: state)
      }
    }
  }

  /// Makes all states zero.
  public mutating func reset() {
    states = cells.map { $0.zeroState(batchSize: batchSize) }
  }

  /// Makes the states of one sequence zero; the others' stay.
  ///
  /// - Parameter index: The sequence, below `batchSize`.
  /// - Complexity: Writes the states of one sequence. No allocation.
  public mutating func reset(sequence index: Int) {
    require(
      index >= 0 && index < batchSize,
      "RecurrentStream.reset(sequence:): expected a sequence below \(batchSize), got \(index).")
    own()
    memory.reset(row: index)
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
    own()
    memory.step(input, into: output, count: batchSize * outputSize)
  }

  private mutating func own() {
    if !isKnownUniquelyReferenced(&memory) { memory = StreamMemory(copying: memory) }
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
