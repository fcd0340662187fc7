// Softmax cross-entropy over many rows, with the gradient stored in place of the logits.

internal import CUnrollKernels
internal import UnrollContracts

extension Tensor {
  /// Replaces logits with the gradient of `scale` · Σ cross-entropy.
  ///
  /// The cross-entropy of a row is −log softmax(row)[target], in nats.
  ///
  /// - Parameters:
  ///   - targets: One class per row; a negative class excludes the row (loss and gradient 0).
  ///   - scale: A factor of the gradient, such as 1 / rows.
  ///   - losses: Receives each row's loss, unscaled; one element per row.
  /// - Returns: The sum of the losses, rows in order.
  /// - Precondition: There are two axes, one target and one loss per row, and the targets are below the class count.
  /// - Complexity: O(rows·classes); no allocation.
  public mutating func formCrossEntropyGradient(
    targets: [Int32], scale: Scalar, losses: inout [Double]
  ) -> Double {
    require(
      rank == 2 && targets.count == shape[0] && losses.count == shape[0],
      "Tensor.formCrossEntropyGradient: expected a target and a loss for each row of \(shape), got \(targets.count) and \(losses.count)."
    )
    let (rows, classes) = (shape[0], shape[1])
    for target in targets {
      require(
        target < classes,
        "Tensor.formCrossEntropyGradient: expected targets below \(classes), got \(target).")
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

  /// Replaces each row of logits with its softmax probabilities.
  ///
  /// - Precondition: Two axes.
  public mutating func formProbabilities() {
    require(
      rank == 2, "Tensor.formProbabilities: expected two axes, got shape \(shape).")
    let (rows, classes) = (shape[0], shape[1])
    withUnsafeMutableElements {
      var softmax = unroll_softmax(
        type: Scalar.kernelType, threads: unroll_thread_count(), rows: rows, classes: classes,
        logits: $0, targets: nil, losses: nil, scale: 1)
      unroll_apply_softmax(&softmax)
    }
  }

  /// The sum of squared elements, accumulated in double in blocks of fixed size.
  public var sumOfSquares: Double {
    withUnsafeElements {
      unroll_sum_of_squares(Scalar.kernelType, unroll_thread_count(), $0, count)
    }
  }
}
