// A stream's memory: immutable packed weights, shared by the stream's copies, and states and scratch, separate for
// each copy.

internal import CUnrollKernels
internal import UnrollContracts

/// The plans and packed weights of a stream's layers.
private final class PackedStreamWeights<Scalar: KernelScalar>: @unchecked Sendable {
  // Sendable: immutable after `init`.
  let cells: [Cell<Scalar>]
  let plans: UnsafeMutablePointer<unroll_plan>
  let weights: UnsafeMutablePointer<unroll_weights>
  let packed: [TensorStorage<Scalar>]

  init(_ cells: [Cell<Scalar>], batchSize: Int, weights kept: StreamWeights) {
    var cells = cells
    for index in cells.indices { cells[index].zoneout.masks = nil }
    self.cells = cells
    plans = .allocate(capacity: cells.count)
    weights = .allocate(capacity: cells.count)
    var packed: [TensorStorage<Scalar>] = []
    let bf16 = kept == .bfloat16 ? Int32(UNROLL_BF16_NEAREST) : Int32(UNROLL_WEIGHTS_FULL)
    for (index, cell) in cells.enumerated() {
      cell.checkParameters("RecurrentStream.init")
      (weights + index).initialize(to: cell.parameters.kernelWeights)
      guard cell.custom == nil else {
        (plans + index).initialize(to: unroll_plan())
        packed.append(TensorStorage<Scalar>(count: 0))
        continue
      }
      var layer = cell.kernelLayer(.forward, steps: 1, rows: batchSize)
      (plans + index).initialize(
        to: unroll_plan_make(&layer, Int32(UNROLL_STREAM), 1, unroll_isa(), bf16))
      let storage = TensorStorage<Scalar>(count: plans[index].packed_count)
      unroll_pack(plans + index, weights + index, storage.base)
      packed.append(storage)
    }
    self.packed = packed
  }

  deinit {
    plans.deallocate()
    weights.deallocate()
  }
}

/// The memory that a stream's steps read and write.
final class StreamStorage<Scalar: KernelScalar>: @unchecked Sendable {
  // Sendable: owned by one stream, which is not copyable.
  private let weights: PackedStreamWeights<Scalar>
  private let layers: UnsafeMutablePointer<unroll_stream>
  private let batchSize: Int
  /// Whether any layer is a custom cell, which the kernels cannot run.
  private let hasCustomCells: Bool
  /// P and C of each layer, the sizes of h and c per sequence.
  private let outputSizes, cellSizes: [Int]
  /// h, c and scratch of each layer.
  private let hidden, cell, scratch: [TensorStorage<Scalar>]

  convenience init(cells: [Cell<Scalar>], batchSize: Int, weights: StreamWeights) {
    self.init(
      PackedStreamWeights(cells, batchSize: batchSize, weights: weights), batchSize: batchSize)
  }

  /// Creates a copy with separate memory.
  convenience init(copying other: StreamStorage) {
    self.init(other.weights, batchSize: other.batchSize)
    for index in hidden.indices {
      hidden[index].base.update(from: other.hidden[index].base, count: hidden[index].count)
      cell[index].base.update(from: other.cell[index].base, count: cell[index].count)
    }
  }

  private init(_ weights: PackedStreamWeights<Scalar>, batchSize: Int) {
    func zeros(_ count: Int) -> TensorStorage<Scalar> {
      let storage = TensorStorage<Scalar>(count: count + Int(UNROLL_STREAM_PADDING))
      storage.base.fill(0, count: storage.count)
      return storage
    }
    let cells = weights.cells
    self.weights = weights
    self.batchSize = batchSize
    hasCustomCells = cells.contains { $0.custom != nil }
    outputSizes = cells.map { $0.outputSize }
    cellSizes = cells.map { $0.cellStateSize }
    hidden = cells.map { zeros(batchSize * $0.outputSize) }
    cell = cells.map { zeros(batchSize * $0.cellStateSize) }
    scratch = cells.indices.map { zeros(weights.plans[$0].scratch_count) }
    layers = .allocate(capacity: cells.count)
    for index in cells.indices {
      (layers + index).initialize(
        to: unroll_stream(
          plan: weights.plans + index, weights: weights.weights + index,
          packed: weights.packed[index].base, inputs: nil, hidden: hidden[index].base,
          cell: cell[index].base, scratch: scratch[index].base, reads_backward: 0))
    }
  }

  deinit {
    layers.deallocate()
  }

  /// Runs one step of all layers and copies `count` elements of the top layer's state to `output`.
  func step(
    _ input: UnsafePointer<Scalar>, into output: UnsafeMutablePointer<Scalar>, count: Int
  ) {
    if hasCustomCells {
      stepOneByOne(input)
    } else {
      layers[0].inputs = UnsafeRawPointer(input)
      unroll_stream_step(layers, hidden.count)
    }
    output.update(from: hidden[hidden.count - 1].base, count: count)
  }

  /// Runs one step layer by layer, for stacks with custom cells.
  private func stepOneByOne(_ input: UnsafePointer<Scalar>) {
    var input = input
    for (index, cell) in weights.cells.enumerated() {
      if case .custom(let custom) = cell.definition {
        let x = Tensor(
          shape: [batchSize, cell.inputSize],
          elements: UnsafeBufferPointer(start: input, count: batchSize * cell.inputSize))
        let step = custom.step(x, from: state(index), cell.parameters)
        setState(index, to: RecurrentState(hidden: step.hidden, cell: step.cell))
      } else {
        layers[index].inputs = UnsafeRawPointer(input)
        unroll_stream_step(layers + index, 1)
      }
      input = UnsafePointer(hidden[index].base)
    }
  }

  /// Sets all states to zero.
  func reset() {
    for index in hidden.indices {
      hidden[index].base.fill(0, count: hidden[index].count)
      cell[index].base.fill(0, count: cell[index].count)
    }
  }

  /// Sets the states of one sequence to zero.
  func reset(row: Int) {
    for index in hidden.indices {
      let (width, cellWidth) = (outputSizes[index], cellSizes[index])
      (hidden[index].base + row * width).fill(0, count: width)
      (cell[index].base + row * cellWidth).fill(0, count: cellWidth)
    }
  }

  private static func fits(_ tensor: Tensor<Scalar>, _ rows: Int, _ columns: Int) -> Bool {
    tensor.rank == 2 && tensor.shape[0] == rows && tensor.shape[1] == columns
  }

  /// Sets one layer's state of one sequence to the only row of a state.
  func reset(row: Int, of layer: Int, to state: RecurrentState<Scalar>) {
    let (width, cellWidth) = (outputSizes[layer], cellSizes[layer])
    require(
      Self.fits(state.hidden, 1, width) && Self.fits(state.cell, 1, cellWidth),
      "RecurrentStream.reset(sequence:to:): expected shapes [1, \(width)] and [1, \(cellWidth)], got \(state.hidden.shape) and \(state.cell.shape)."
    )
    (hidden[layer].base + row * width).update(from: state.hidden.base, count: width)
    (cell[layer].base + row * cellWidth).update(from: state.cell.base, count: cellWidth)
  }

  func state(_ index: Int) -> RecurrentState<Scalar> {
    let state = weights.cells[index].zeroState(batchSize: batchSize)
    state.hidden.base.update(from: hidden[index].base, count: state.hidden.count)
    state.cell.base.update(from: cell[index].base, count: state.cell.count)
    return state
  }

  func setState(_ index: Int, to state: RecurrentState<Scalar>) {
    require(
      Self.fits(state.hidden, batchSize, outputSizes[index])
        && Self.fits(state.cell, batchSize, cellSizes[index]),
      "RecurrentStream.states: expected shapes [\(batchSize), \(outputSizes[index])] and [\(batchSize), \(cellSizes[index])], got \(state.hidden.shape) and \(state.cell.shape)."
    )
    // Clears padding as well: a NaN there would persist and slow down steps.
    hidden[index].base.fill(0, count: hidden[index].count)
    cell[index].base.fill(0, count: cell[index].count)
    hidden[index].base.update(from: state.hidden.base, count: state.hidden.count)
    cell[index].base.update(from: state.cell.base, count: state.cell.count)
  }
}
