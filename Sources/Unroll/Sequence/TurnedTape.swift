// The kernels of narrow layers store gates and cell states, which only the backward pass reads, in a batch-interleaved
// layout (`unroll_layer.turned_lanes`). Callers get them in row order.

extension SequenceTrace {
  /// This trace with all arrays in their shapes' order.
  var inRows: SequenceTrace {
    guard turnedLanes > 0 else { return self }
    var trace = self
    trace.gateValues = inRows(gateValues)
    trace.auxiliary = inRows(auxiliary)
    trace.timeMajorCell = inRows(timeMajorCell)
    trace.turnedLanes = 0
    return trace
  }

  /// c after the step at `time`, shape `[B, C]` whatever the layout: allocates B·C numbers.
  package func cellState(after time: Int) -> Tensor<Scalar> {
    turnedLanes > 0
      ? turned(timeMajorCell, times: time..<time + 1)[0, ...] : timeMajorCell[time, ...]
  }

  /// An array `[T, B, N]` of this trace in that order.
  func inRows(_ tensor: Tensor<Scalar>) -> Tensor<Scalar> {
    turnedLanes > 0 ? turned(tensor, times: 0..<tensor.shape[0]) : tensor
  }

  /// Some steps of an array `[T, B, N]` that stands as `[T, N, lanes]` for each block of sequences, of which the
  /// last has as many as are left.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  private func turned(_ tensor: Tensor<Scalar>, times: Range<Int>) -> Tensor<Scalar> {
    let (steps, rows, size) = (tensor.shape[0], tensor.shape[1], tensor.shape[2])
    var result = Tensor<Scalar>(uninitialized: [times.count, rows, size])
    result.withUnsafeMutableElements { to in
      tensor.withUnsafeElements { from in
        for first in stride(from: 0, to: rows, by: turnedLanes) {
          let lanes = min(turnedLanes, rows - first)
          for (index, time) in times.enumerated() {
            var place = (first * steps + time * lanes) * size
            for number in 0..<size {
              for lane in 0..<lanes {
                to[(index * rows + first + lane) * size + number] = from[place]
                place += 1
              }
            }
          }
        }
      }
    }
    return result
  }
}
