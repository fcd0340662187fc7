// How much memory a pass takes: the formulas, so that a program can plan.
//
//   training   T·B·(2·G·H + k·H + D) + (3·(D + H) + 1)·G·H + s
//   inference  T·B·H + (D + H)·G·H + n·G·H + 3·B·H (normalised: B·G·H more)
//
// numbers. k is 1 for the basic cell, 2 for the GRU with the reset gate before the product and for
// the LSTM, 3 for the GRU with it after; s = min(T·B, 720)·(c + max(D, H)) for each thread, where c
// depends on the vectors: in float32 70 with AVX-512, 22 with AVX2 or NEON, 14 with SSE2. n is B times the steps
// that a thread's rows take together: as many as make 192 rows, or 1.5 MB of gates if those are fewer
// and no fewer than 96; one at least and T at most. Training takes T·B·(4·G·H + 5) more if the cell is
// normalised, and T·B·2·H more yet if it is an LSTM. Weights are packed into whole vectors, which for
// small H takes up to twice (D + H)·G·H more; that is left out. Layers that are narrower than a vector, in
// batches of 3 or more, have another s: v·(8·(1 + D + 3·H + G·H) + (1 + D + H)·G·H + …) for each thread, v the
// numbers of a vector, and (1 + D + H)·G·H for each v sequences.

internal import CUnrollKernels
internal import UnrollContracts

extension RecurrentLayer {
  /// About the bytes that one training pass takes at its peak: trace, gradients and scratch.
  ///
  /// Inputs, output gradients and the parameters themselves are the caller's and not counted. For
  /// cells that the fast kernels know; others take less scratch.
  ///
  /// - Parameters:
  ///   - timeStepCount: T.
  ///   - batchSize: B.
  /// - Returns: Bytes.
  public func trainingMemory(timeStepCount: Int, batchSize: Int) -> Int {
    let (pairs, d, h, width) = sizes(timeStepCount, batchSize)
    let kind = cell.kind
    let states =
      1 + (kind.hasCellState || kind.savesCandidateOperand ? 1 : 0)
      + (kind.candidate == .separate ? 1 : 0)
    var layer = layer(timeStepCount, batchSize)
    let scratch = unroll_backward_scratch_count(&layer, Scalar._isDouble)
    let normal = cell.parameters.isNormalized ? 4 * width + 2 * cell.cellStateSize + 5 : 0
    let count =
      pairs * (2 * width + states * h + d + normal) + (3 * (d + h) + 1) * width + scratch
    return count * MemoryLayout<Scalar>.stride
  }

  /// About the bytes that one run of the frozen layer takes at its peak, packed weights included.
  ///
  /// For cells that the fast kernels know; others keep a tape.
  ///
  /// - Parameters:
  ///   - timeStepCount: T.
  ///   - batchSize: B.
  /// - Returns: Bytes.
  public func inferenceMemory(timeStepCount: Int, batchSize: Int) -> Int {
    let (pairs, d, h, width) = sizes(timeStepCount, batchSize)
    var layer = layer(timeStepCount, batchSize)
    // The gates of the steps that are taken together, and three states.
    let scratch = unroll_forward_scratch_count(&layer, Scalar._isDouble)
    let count = pairs * h + (d + h) * width + scratch
    return count * MemoryLayout<Scalar>.stride
  }

  /// What the kernels need to know to say how much scratch they take.
  private func layer(_ steps: Int, _ rows: Int) -> unroll_layer {
    let parameters = cell.parameters
    var layer = unroll_layer()
    layer.cell = cell.kind.kernelNumber
    (layer.steps, layer.batch) = (steps, rows)
    (layer.input, layer.hidden) = (parameters.inputSize, parameters.hiddenSize)
    layer.normalizes = parameters.isNormalized ? 1 : 0
    layer.zones = cell.zoneout.isActive ? 1 : 0
    if !parameters.peepholes.isEmpty {
      layer.peepholes = UnsafeRawPointer(parameters.peepholes.base)
    }
    return layer
  }

  private func sizes(_ steps: Int, _ rows: Int) -> (pairs: Int, d: Int, h: Int, width: Int) {
    let parameters = cell.parameters
    // Less than what overflows with any cell that there is memory for.
    let most = 1 << 32
    require(
      steps >= 0 && rows >= 0 && steps <= most / max(1, rows),
      "RecurrentLayer: expected T and B of at least 0 whose product is at most \(most), got \(steps) and \(rows)."
    )
    return (steps * rows, parameters.inputSize, parameters.hiddenSize, parameters.bias.count)
  }
}
