// The loss of a classifier over many rows, and its gradient in the logits' own memory.

internal import CUnrollKernels
internal import UnrollContracts

extension Tensor {
  /// Turns logits into the gradient of `scale` · Σ cross-entropy, in place.
  ///
  /// The cross-entropy of a row is −log softmax(row)[target], in nats.
  ///
  /// - Parameters:
  ///   - targets: One class for each row; a negative one leaves the row out: loss and gradient 0.
  ///   - scale: A factor of the gradient, such as 1 / rows.
  ///   - losses: Receives each row's loss, unscaled; as many numbers as rows.
  /// - Returns: The sum of the losses, rows in order.
  /// - Precondition: Two axes; as many targets and losses as rows; targets less than the classes.
  /// - Complexity: O(rows·classes); no allocation.
  public mutating func becomeCrossEntropyGradient(
    targets: [Int32], scale: Scalar, losses: inout [Double]
  ) -> Double {
    require(
      rank == 2 && targets.count == shape[0] && losses.count == shape[0],
      "Tensor.becomeCrossEntropyGradient: expected a target and a loss for each row of \(shape), got \(targets.count) and \(losses.count)."
    )
    let (rows, classes) = (shape[0], shape[1])
    for target in targets {
      require(
        target < classes,
        "Tensor.becomeCrossEntropyGradient: expected targets below \(classes), got \(target).")
    }
    withUnsafeMutableElements { logits in
      targets.withUnsafeBufferPointer { targets in
        losses.withUnsafeMutableBufferPointer { losses in
          guard let targets = targets.baseAddress, let losses = losses.baseAddress else { return }
          var softmax = unroll_softmax(
            type: Scalar.kernelType, threads: unroll_thread_count(), rows: rows, classes: classes,
            logits: logits, targets: targets, losses: losses, scale: Double(scale))
          unroll_apply_softmax(&softmax)
        }
      }
    }
    var sum = 0.0
    for loss in losses { sum += loss }
    return sum
  }

  /// Turns each row of logits into probabilities, in place.
  ///
  /// - Precondition: Two axes.
  public mutating func becomeProbabilities() {
    require(
      rank == 2, "Tensor.becomeProbabilities: expected two axes, got shape \(shape).")
    let (rows, classes) = (shape[0], shape[1])
    withUnsafeMutableElements {
      var softmax = unroll_softmax(
        type: Scalar.kernelType, threads: unroll_thread_count(), rows: rows, classes: classes,
        logits: $0, targets: nil, losses: nil, scale: 1)
      unroll_apply_softmax(&softmax)
    }
  }

  /// The sum of the elements' squares, summed in double in blocks of one size.
  public var sumOfSquares: Double {
    withUnsafeElements {
      unroll_sum_of_squares(Scalar.kernelType, unroll_thread_count(), $0, count)
    }
  }
}
