// Conversion of cells and parameters to C structures. Pointers are valid while the parameters are alive.

internal import CUnrollKernels
internal import UnrollContracts

extension unroll_layer {
  /// A layer of a kind with weights and one bias, with zero time steps.
  init<Scalar: KernelScalar>(
    _ kind: CellKind, options: CellOptions, _ type: Scalar.Type, inputSize: Int, hiddenSize: Int
  ) {
    self.init()
    self.type = Scalar.kernelType
    cell = kind.kernelNumber
    couples_gates = options.couplesInputAndForget ? 1 : 0
    gate = options.gateActivation.kernel(clip: options.argumentClip)
    candidate = options.activation.kernel(clip: options.argumentClip)
    output = options.outputActivation.kernel()
    shift = kind.shift(options)
    cell_clip = options.cellClip
    projection_clip = options.projectionClip
    input = inputSize
    units = hiddenSize
    state = hiddenSize
  }
}

extension Cell {
  /// Returns the C description of the cell for `steps` steps of `rows` sequences.
  ///
  /// - Precondition: The cell is one of the kinds.
  func kernelLayer(
    _ direction: Direction, steps: Int, rows: Int, isMasked: Bool = false
  ) -> unroll_layer {
    guard let kind else {
      contractViolation("Cell: expected a cell of one of the kinds, got \(title).")
    }
    var layer = unroll_layer(
      kind, options: options, Scalar.self, inputSize: inputSize, hiddenSize: hiddenSize)
    layer.reversed = direction == .backward ? 1 : 0
    let parts = parameters.parts
    layer.has_second_bias = parts.contains(.recurrentBias) ? 1 : 0
    layer.has_peepholes = parts.contains(.peepholes) ? 1 : 0
    layer.has_projection = parts.contains(.projection) ? 1 : 0
    layer.is_normalized = parts.contains(.gains) ? 1 : 0
    layer.is_masked = isMasked ? 1 : 0
    layer.steps = steps
    layer.batch = rows
    layer.state = parameters.outputSize
    if zoneout.isActive { layer.zoneout = zoneout.kernel }
    return layer
  }

  /// Whether a fast path exists for the cell; otherwise it runs on the plain path.
  package var hasFastPath: Bool {
    guard kind != nil else { return false }
    var layer = kernelLayer(.forward, steps: 1, rows: 1)
    let plan = unroll_plan_make(&layer, Int32(UNROLL_TRAIN), 1, Int32(UNROLL_BASELINE), 0)
    return plan.path != UNROLL_PATH_PLAIN
  }
}

extension CellParameters {
  /// Pointers to all arrays; nil for gains that the cell does not have.
  var kernelWeights: unroll_weights {
    var weights = unroll_weights()
    weights.input = UnsafeMutableRawPointer(inputWeights.base)
    weights.recurrent = UnsafeMutableRawPointer(recurrentWeights.base)
    weights.bias = UnsafeMutableRawPointer(bias.base)
    weights.second_bias = UnsafeMutableRawPointer(recurrentBias.base)
    weights.peepholes = UnsafeMutableRawPointer(peepholes.base)
    weights.projection = UnsafeMutableRawPointer(projection.base)
    guard isNormalized else { return weights }
    weights.input_gain = UnsafeMutableRawPointer(inputGain.base)
    weights.recurrent_gain = UnsafeMutableRawPointer(recurrentGain.base)
    weights.cell_gain = UnsafeMutableRawPointer(cellGain.base)
    weights.cell_offset = UnsafeMutableRawPointer(cellOffset.base)
    return weights
  }
}

extension Zoneout {
  fileprivate var kernel: unroll_zoneout {
    var zoneout = unroll_zoneout()
    zoneout.is_active = 1
    zoneout.hidden.rate = hidden
    zoneout.cell.rate = cell
    guard let masks else { return zoneout }
    zoneout.draws = 1
    zoneout.hidden.seed = masks.seed
    zoneout.hidden.step = UInt64(masks.step)
    zoneout.cell.seed = masks.seed
    zoneout.cell.step = UInt64(masks.step)
    zoneout.hidden.stream = UInt32(masks.hiddenStream)
    zoneout.cell.stream = UInt32(masks.cellStream)
    return zoneout
  }
}
