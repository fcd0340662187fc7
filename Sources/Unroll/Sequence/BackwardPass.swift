// Back through time. Step by step only what the recurrence demands: the gates' gradients and the
// state's. The parameters' and inputs' gradients are then a few products over all steps at once.

/// One layer's way back through one trace.
struct BackwardPass<Scalar: KernelScalar> {
  let cell: Cell<Scalar>
  let trace: SequenceTrace<Scalar>
  /// dL/d outputs, `[T, B, P]`.
  var outputGradient: Tensor<Scalar>?
  /// dL/d state: of the final state at first, of the initial state at last.
  var stateGradient: RecurrentState<Scalar>
  /// dL/d(x·W + b) and dL/d(h·U + c), `[T, B, G·H]`.
  private var gateGradients: Tensor<Scalar>
  private var recurrentGradients: Tensor<Scalar>
  private var parameterGradients: CellParameters<Scalar>

  init(cell: Cell<Scalar>, trace: SequenceTrace<Scalar>) {
    self.cell = cell
    self.trace = trace
    stateGradient = cell.zeroState(batchSize: trace.batchSize)
    gateGradients = Tensor(uninitialized: trace.gateValues.shape)
    recurrentGradients = Tensor(
      uninitialized: cell.hasRecurrentGradient ? trace.gateValues.shape : [0])
    parameterGradients = cell.parameters.zeros
  }

  /// Does it all; see `RecurrentLayer.backward`.
  mutating func run() -> LayerGradients<Scalar> {
    goBack()
    sumParameterGradients()
    return LayerGradients(
      parameters: parameterGradients, inputs: inputGradient(), layout: trace.layout,
      initialState: stateGradient)
  }

  private mutating func goBack() {
    let rows = trace.batchSize
    let (width, out) = (cell.parameters.bias.count, cell.outputSize)
    let memory = StepMemory(cell, reading: trace)
    let transposed = cell.parameters.recurrentWeights.transposed.pinForReading()
    let transposedProjection = cell.parameters.projection.transposed.pinForReading()
    var previousGradient = Tensor<Scalar>(uninitialized: [rows, out])
    let previous = previousGradient.pinForWriting()
    let gates = gateGradients.pinForWriting()
    let recurrent = recurrentGradients.pinForWriting()
    let hidden = stateGradient.hidden.pinForWriting()
    let cellGradient = stateGradient.cell.pinForWriting()
    let peepholes = parameterGradients.peepholes.pinForWriting()
    let projection = parameterGradients.projection.pinForWriting()
    let outputs = outputGradient?.pinForReading()
    let times = trace.times
    let pins = (
      memory, transposed, transposedProjection, previous, gates, recurrent, hidden, cellGradient,
      peepholes, projection, outputs
    )
    withExtendedLifetime(pins) {
      withFlags(trace.flags) { flags in
        for (position, time) in times.enumerated().reversed() {
          let buffers = memory.buffers(
            time: time, after: position > 0 ? times[position - 1] : nil, active: flags)
          if let outputs {
            Scalar._addRows(
              hidden.pointer, outputs.pointer + time * rows * out, 1, buffers.active, rows, out)
          }
          let offset = time * rows * width
          cell.stepBackward(
            buffers,
            StepGradients(
              gates: gates.pointer + offset,
              recurrent: cell.hasRecurrentGradient
                ? recurrent.pointer + offset : recurrent.pointer,
              hidden: hidden.pointer, previousHidden: previous.pointer,
              cell: cellGradient.pointer,
              transposedRecurrentWeights: UnsafePointer(transposed.pointer),
              transposedProjection: UnsafePointer(transposedProjection.pointer),
              peepholes: peepholes.pointer, projection: projection.pointer))
          hidden.pointer.update(from: previous.pointer, count: rows * out)
        }
      }
    }
  }

  private mutating func sumParameterGradients() {
    let (pairs, width) = (trace.timeStepCount * trace.batchSize, cell.parameters.bias.count)
    let inputSize = cell.inputSize
    let recurrent = cell.hasRecurrentGradient ? recurrentGradients : gateGradients
    gateGradients.withUnsafeElements { gates in
      parameterGradients.bias.withUnsafeMutableElements {
        Scalar._columnSums($0, gates, pairs, width)
      }
      trace.timeMajorInputs.withUnsafeElements { x in
        parameterGradients.inputWeights.withUnsafeMutableElements {
          Tensor.addTransposedProduct(
            to: $0, ldout: width, x, lda: inputSize, gates, ldb: width, m: pairs, k: inputSize,
            n: width)
        }
      }
    }
    recurrent.withUnsafeElements { gradients in
      if !parameterGradients.recurrentBias.isEmpty {
        parameterGradients.recurrentBias.withUnsafeMutableElements {
          Scalar._columnSums($0, gradients, pairs, width)
        }
      }
      sumRecurrentWeights(gradients)
    }
  }

  /// dU: the previous state (or what the cell kept instead) against the gradients of h·U.
  private mutating func sumRecurrentWeights(_ gradients: UnsafePointer<Scalar>) {
    let (rows, steps) = (trace.batchSize, trace.timeStepCount)
    let (width, out) = (cell.parameters.bias.count, cell.outputSize)
    let kept = cell.auxiliaryColumns
    let columns = kept.isEmpty ? width : kept.lowerBound
    let forward = trace.direction == .forward
    guard steps > 0 else { return }
    let trace = trace
    parameterGradients.recurrentWeights.withUnsafeMutableElements { sums in
      func add(_ a: UnsafePointer<Scalar>, at time: Int, count: Int, from: Int, columns: Int) {
        Tensor.addTransposedProduct(
          to: sums + from, ldout: width, a, lda: out, gradients + time * rows * width + from,
          ldb: width, m: count * rows, k: out, n: columns)
      }
      trace.initialState.hidden.withUnsafeElements {
        add($0, at: forward ? 0 : steps - 1, count: 1, from: 0, columns: columns)
      }
      trace.timeMajorHidden.withUnsafeElements {
        // The state before step t stands at t − 1, or at t + 1 for a layer that runs backward.
        add(
          forward ? $0 : $0 + rows * out, at: forward ? 1 : 0, count: steps - 1, from: 0,
          columns: columns)
      }
      guard !kept.isEmpty else { return }
      trace.auxiliary.withUnsafeElements {
        add($0, at: 0, count: steps, from: kept.lowerBound, columns: kept.count)
      }
    }
  }

  private func inputGradient() -> Tensor<Scalar> {
    var result = Tensor<Scalar>(shape: trace.timeMajorInputs.shape)
    let (pairs, width) = (trace.timeStepCount * trace.batchSize, cell.parameters.bias.count)
    let inputSize = cell.inputSize
    let transposed = cell.parameters.inputWeights.transposed
    result.withUnsafeMutableElements { out in
      gateGradients.withUnsafeElements { gates in
        transposed.withUnsafeElements {
          Scalar._product(out, inputSize, gates, width, $0, inputSize, pairs, width, inputSize)
        }
      }
    }
    return result
  }
}
