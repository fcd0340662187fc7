// The memory of a run, step by step.

/// Pins of all that one run's steps read and write, and the buffers of each.
struct StepMemory<Scalar: KernelScalar> {
  private let gates, auxiliary, hidden, cell, firstHidden, firstCell, scratch: TensorPin<Scalar>
  private let rows, width, auxiliarySize, outputSize, cellStateSize: Int

  /// Pins the memory of a trace, for writing.
  ///
  /// While this lives, the trace must not be copied.
  init(_ cell: Cell<Scalar>, writing trace: inout SequenceTrace<Scalar>) {
    trace.gateValues.makeUnique()
    trace.auxiliary.makeUnique()
    trace.timeMajorHidden.makeUnique()
    trace.timeMajorCell.makeUnique()
    self.init(cell, reading: trace)
  }

  /// Pins the memory of a trace whose values are only read.
  init(_ cell: Cell<Scalar>, reading trace: SequenceTrace<Scalar>) {
    (rows, width) = (trace.batchSize, cell.parameters.bias.count)
    (auxiliarySize, outputSize) = (cell.auxiliarySize, cell.outputSize)
    cellStateSize = cell.cellStateSize
    gates = trace.gateValues.pinForReading()
    auxiliary = trace.auxiliary.pinForReading()
    hidden = trace.timeMajorHidden.pinForReading()
    self.cell = trace.timeMajorCell.pinForReading()
    firstHidden = trace.initialState.hidden.pinForReading()
    firstCell = trace.initialState.cell.pinForReading()
    scratch = Tensor<Scalar>(uninitialized: [rows, width + outputSize]).pinForReading()
  }

  /// The buffers of the step at `time`, which follows the one at `previous` (none for the first).
  func buffers(
    time: Int, after previous: Int?, active: UnsafePointer<UInt8>?
  ) -> StepBuffers<Scalar> {
    func state(_ pin: TensorPin<Scalar>, _ first: TensorPin<Scalar>, _ size: Int)
      -> UnsafePointer<Scalar>
    {
      UnsafePointer(previous.map { pin.pointer + $0 * rows * size } ?? first.pointer)
    }
    return StepBuffers(
      gates: gates.pointer + time * rows * width,
      auxiliary: auxiliary.pointer + time * rows * auxiliarySize,
      hidden: hidden.pointer + time * rows * outputSize,
      cell: cell.pointer + time * rows * cellStateSize,
      previousHidden: state(hidden, firstHidden, outputSize),
      previousCell: state(cell, firstCell, cellStateSize),
      active: active.map { $0 + time * rows }, rows: rows, scratch: scratch.pointer)
  }
}

/// Calls `body` with the flags' address, or nil where there are none.
func withFlags<Result>(
  _ flags: [UInt8]?, _ body: (UnsafePointer<UInt8>?) throws -> Result
) rethrows -> Result {
  guard let flags else { return try body(nil) }
  return try flags.withUnsafeBufferPointer { try body($0.baseAddress) }
}
