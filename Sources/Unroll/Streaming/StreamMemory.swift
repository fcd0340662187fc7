// A stream's memory: packed weights, which never change and are shared by a stream's copies, and states and
// scratch, which each copy has of its own.

internal import CUnrollKernels
internal import UnrollContracts

/// The packed weights of a stream's layers.
private final class StreamWeightsMemory<Scalar: KernelScalar>: @unchecked Sendable {
  // Sendable: nothing changes after `init`.
  let packed: [TensorStorage<Scalar>]
  let biases: [PassMemory<Scalar>]
  let parameters: [CellParameters<Scalar>]
  /// Whether the fast kernels run a layer.
  let isFast: [Bool]

  init(_ layers: inout [unroll_layer], _ cells: [Cell<Scalar>]) {
    var packed: [TensorStorage<Scalar>] = []
    var biases: [PassMemory<Scalar>] = []
    var isFast: [Bool] = []
    for (index, cell) in cells.enumerated() {
      cell.parameters.check(areOf: cell.kind, "RecurrentStream.init")
      let bias = PassMemory<Scalar>()
      biases.append(bias)
      guard var kernel = cell.currentKernel else {
        packed.append(TensorStorage(count: 0))
        isFast.append(false)
        continue
      }
      kernel.zoneout.masks = nil
      let half = layers[index].half_weights
      let rows = layers[index].batch
      layers[index] = FusedPass.layer(
        kernel, cell.parameters, .forward, steps: 1, rows: rows, memory: bias)
      layers[index].half_weights = half
      layers[index].is_packed = 1
      let storage = TensorStorage<Scalar>(
        count: unroll_stream_packed_count(&layers[index], Scalar._isDouble))
      layers[index].packed = UnsafeMutableRawPointer(storage.base)
      Scalar._streamPack(&layers[index])
      packed.append(storage)
      isFast.append(true)
    }
    self.isFast = isFast
    self.packed = packed
    self.biases = biases
    parameters = cells.map { $0.parameters }
  }
}

/// All that a stream's steps read and write.
final class StreamMemory<Scalar: KernelScalar>: @unchecked Sendable {
  // Sendable: held by one stream, which is not copyable.
  private let weights: StreamWeightsMemory<Scalar>
  private let cells: [Cell<Scalar>]
  /// Each layer's structure; of plain layers only the sizes are used.
  private let layers: UnsafeMutablePointer<unroll_layer>
  private let isFused: Bool
  private let batchSize: Int
  /// P and C of each layer, the sizes of a sequence's h and c.
  private let outputSizes, cellSizes: [Int]
  /// Of each layer: h, c, gates, auxiliary, scratch.
  private let hidden, cell, gates, auxiliary, scratch: [TensorStorage<Scalar>]

  convenience init(
    cells: [Cell<Scalar>], batchSize: Int, weights: StreamWeights
  ) {
    var layers = cells.map { _ in
      var layer = unroll_layer()
      layer.batch = batchSize
      layer.half_weights = weights == .bfloat16 ? Int32(UNROLL_NEAREST_HALVES) : 0
      return layer
    }
    let packed = StreamWeightsMemory(&layers, cells)
    self.init(weights: packed, cells: cells, batchSize: batchSize, layers: layers)
  }

  /// The same states in memory of its own.
  convenience init(copying other: StreamMemory) {
    self.init(
      weights: other.weights, cells: other.cells, batchSize: other.batchSize,
      layers: Array(UnsafeBufferPointer(start: other.layers, count: other.cells.count)))
    for index in cells.indices {
      hidden[index].base.update(from: other.hidden[index].base, count: hidden[index].count)
      cell[index].base.update(from: other.cell[index].base, count: cell[index].count)
    }
  }

  private init(
    weights: StreamWeightsMemory<Scalar>, cells: [Cell<Scalar>], batchSize: Int,
    layers: [unroll_layer]
  ) {
    func zeros(_ count: Int) -> TensorStorage<Scalar> {
      let storage = TensorStorage<Scalar>(count: count + Int(UNROLL_STREAM_PADDING))
      storage.base.fill(0, count: storage.count)
      return storage
    }
    self.weights = weights
    self.cells = cells
    self.batchSize = batchSize
    outputSizes = cells.map { $0.outputSize }
    cellSizes = cells.map { $0.cellStateSize }
    hidden = cells.map { zeros(batchSize * $0.outputSize) }
    cell = cells.map { zeros(batchSize * $0.cellStateSize) }
    gates = cells.map { zeros(batchSize * $0.parameters.bias.count) }
    auxiliary = cells.map { zeros(batchSize * max($0.auxiliarySize, $0.hiddenSize)) }
    scratch = cells.map {
      zeros(batchSize * ($0.parameters.bias.count + 2 * $0.outputSize + $0.cellStateSize))
    }
    isFused = weights.isFast.allSatisfy { $0 }
    self.layers = .allocate(capacity: cells.count)
    self.layers.initialize(from: layers, count: cells.count)
    for index in cells.indices {
      self.layers[index].hidden_states = UnsafeMutableRawPointer(hidden[index].base)
      self.layers[index].final_cell = UnsafeMutableRawPointer(cell[index].base)
      self.layers[index].gates = UnsafeMutableRawPointer(gates[index].base)
      self.layers[index].auxiliary = UnsafeMutableRawPointer(auxiliary[index].base)
      self.layers[index].scratch = UnsafeMutableRawPointer(scratch[index].base)
      if index > 0 { self.layers[index].inputs = UnsafeRawPointer(hidden[index - 1].base) }
    }
  }

  deinit {
    layers.deallocate()
  }

  /// One step of all layers; `count` numbers of the top layer's state go to `output`.
  func step(
    _ input: UnsafePointer<Scalar>, into output: UnsafeMutablePointer<Scalar>, count: Int
  ) {
    if isFused {
      layers[0].inputs = UnsafeRawPointer(input)
      Scalar._stackStep(layers, cells.count)
    } else {
      var below = input
      for index in cells.indices {
        stepOne(index, from: below)
        below = UnsafePointer(hidden[index].base)
      }
    }
    output.update(from: hidden[cells.count - 1].base, count: count)
  }

  /// One layer of a stack that the fast kernels do not know as a whole.
  private func stepOne(_ index: Int, from input: UnsafePointer<Scalar>) {
    if weights.isFast[index] {
      layers[index].inputs = UnsafeRawPointer(input)
      Scalar._stackStep(layers + index, 1)
      return
    }
    let cell = cells[index]
    let parameters = weights.parameters[index]
    let (width, size) = (parameters.bias.count, parameters.outputSize)
    Scalar._fillRows(gates[index].base, parameters.bias.base, batchSize, width)
    if !parameters.recurrentBias.isEmpty && cell.auxiliaryColumns.count > 0 {
      for row in 0..<batchSize {
        Scalar._addRows(
          gates[index].base + row * width, parameters.recurrentBias.base, 1, nil, 1, width)
      }
    }
    Scalar._product(
      gates[index].base, width, input, parameters.inputSize, parameters.inputWeights.base, width,
      batchSize, parameters.inputSize, width)
    // The plain kernels read the state before and write the one after: its copy stands in scratch.
    let before = scratch[index].base + batchSize * (width + size)
    let cellBefore = before + batchSize * size
    before.update(from: hidden[index].base, count: batchSize * size)
    cellBefore.update(from: self.cell[index].base, count: batchSize * cell.cellStateSize)
    cell.step(
      StepBuffers(
        gates: gates[index].base, auxiliary: auxiliary[index].base, hidden: hidden[index].base,
        cell: self.cell[index].base, previousHidden: UnsafePointer(before),
        previousCell: UnsafePointer(cellBefore), active: nil, rows: batchSize,
        scratch: scratch[index].base))
  }

  /// Makes the states of one sequence zero.
  func reset(row: Int) {
    for index in cells.indices {
      let (width, cellWidth) = (outputSizes[index], cellSizes[index])
      (hidden[index].base + row * width).fill(0, count: width)
      (cell[index].base + row * cellWidth).fill(0, count: cellWidth)
    }
  }

  func state(_ index: Int, of cell: Cell<Scalar>) -> RecurrentState<Scalar> {
    let state = cell.zeroState(batchSize: batchSize)
    state.hidden.base.update(from: hidden[index].base, count: state.hidden.count)
    state.cell.base.update(from: self.cell[index].base, count: state.cell.count)
    return state
  }

  /// Makes all states zero, with what a step has written beyond them: NaN there would stay for good, and slow
  /// steps down.
  func reset() {
    for index in cells.indices { clear(index) }
  }

  private func clear(_ index: Int) {
    hidden[index].base.fill(0, count: hidden[index].count)
    cell[index].base.fill(0, count: cell[index].count)
  }

  func setState(_ index: Int, to state: RecurrentState<Scalar>) {
    let (width, cellWidth) = (outputSizes[index], cellSizes[index])
    func fits(_ tensor: Tensor<Scalar>, _ columns: Int) -> Bool {
      tensor.rank == 2 && tensor.shape[0] == batchSize && tensor.shape[1] == columns
    }
    require(
      fits(state.hidden, width) && fits(state.cell, cellWidth),
      "RecurrentStream.states: expected shapes \([batchSize, width]) and \([batchSize, cellWidth]), got \(state.hidden.shape) and \(state.cell.shape)."
    )
    clear(index)
    hidden[index].base.update(from: state.hidden.base, count: state.hidden.count)
    cell[index].base.update(from: state.cell.base, count: state.cell.count)
  }
}
