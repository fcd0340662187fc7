// The output stage of a language model: logits, softmax, loss and gradients for a part of the rows at a time, so
// that the logits of a whole batch are never in memory.

internal import CUnrollKernels
internal import UnrollContracts

/// Scratch for a dense layer's logits.
public final class LogitScratch<Scalar: KernelScalar> {
  fileprivate var logits = GrowingBuffer<Scalar>()
  fileprivate let scratch = Scratch<Scalar>()

  /// Creates empty scratch.
  public init() {}
}

extension DenseLayer {
  /// The number of rows of logits in memory at a time: about 64 MB of float32, at least 48 rows.
  ///
  /// Fewer rows would stay in a cache, but each part reads and writes the weights' gradient once: with
  /// 8 MB a step of the course's model takes 5 % longer.
  public var logitRows: Int { max(1, (1 << 24) / max(1, outputSize) / 48) * 48 }

  /// Computes the cross-entropy of each row's logits, in nats.
  ///
  /// - Parameters:
  ///   - inputs: a; its last axis is K, the others are rows.
  ///   - targets: One class per row; a negative class excludes the row (loss 0).
  ///   - losses: Receives each row's loss; one element per row.
  ///   - scratch: Scratch for the logits.
  /// - Precondition: The counts agree; targets are below N.
  /// - Complexity: 2·rows·K·N flops; allocates nothing after the first call of the same sizes.
  public func crossEntropy(
    _ inputs: Tensor<Scalar>, targets: [Int32], losses: inout [Double],
    using scratch: LogitScratch<Scalar>
  ) {
    forEachPart(inputs, targets, &losses, scratch) { part in
      part.forward()
      part.formGradient(scale: 1)
    }
  }

  /// Computes the cross-entropy of each row's logits, in nats, and the gradients of `scale` · their sum.
  ///
  /// - Parameters:
  ///   - inputs: a; its last axis is K, the others are rows.
  ///   - targets: One class per row; a negative class excludes the row (loss and gradient 0).
  ///   - scale: A factor of the gradients, such as 1 / rows.
  ///   - losses: Receives each row's loss, unscaled; one element per row.
  ///   - inputGradient: Receives dL/da, in the shape of the inputs.
  ///   - weightGradient: Receives dL/dW, in the shape of the weights.
  ///   - biasGradient: Receives dL/db; empty without a bias.
  ///   - scratch: Scratch for the logits.
  /// - Precondition: The counts agree; targets are below N.
  /// - Complexity: 6·rows·K·N flops; allocates nothing after the first call of the same sizes.
  public func crossEntropyGradients(
    _ inputs: Tensor<Scalar>, targets: [Int32], scale: Scalar, losses: inout [Double],
    inputGradient: inout Tensor<Scalar>, weightGradient: inout Tensor<Scalar>,
    biasGradient: inout Tensor<Scalar>, using scratch: LogitScratch<Scalar>
  ) {
    inputGradient.prepare(like: inputs.shape)
    weightGradient.prepare(like: weights.shape)
    biasGradient.prepare(like: bias.shape)
    let (da, dW) = (inputGradient.base, weightGradient.base)
    let db = bias.isEmpty ? nil : biasGradient.base
    if inputs.isEmpty {
      dW.fill(0, count: weights.count)
      db?.fill(0, count: bias.count)
    }
    withExtendedLifetime((inputGradient, weightGradient, biasGradient)) {
      forEachPart(inputs, targets, &losses, scratch) { part in
        part.forward()
        part.formGradient(scale: scale)
        var gradients = unroll_dense_gradients(
          out: part.logits, input: da + part.first * inputSize, weights: dW, bias: db,
          adds: part.first > 0 ? 1 : 0)
        unroll_dense_backward(&part.structure, &gradients)
      }
    }
  }

  /// A range of rows.
  private struct Part {
    var structure: unroll_dense
    let first: Int
    let logits: UnsafeMutablePointer<Scalar>
    let losses: UnsafeMutablePointer<Double>
    let targets: UnsafePointer<Int32>

    mutating func forward() { unroll_dense_forward(&structure, logits) }

    func formGradient(scale: Scalar) {
      var softmax = unroll_softmax(
        type: structure.type, threads: structure.threads, rows: structure.m, classes: structure.n,
        logits: logits, targets: targets, losses: losses, scale: Double(scale))
      unroll_apply_softmax(&softmax)
    }
  }

  private func forEachPart(
    _ inputs: Tensor<Scalar>, _ targets: [Int32], _ losses: inout [Double],
    _ scratch: LogitScratch<Scalar>, _ body: (inout Part) -> Void
  ) {
    let rows = targets.count
    require(
      inputs.count == rows * inputSize && losses.count == rows,
      "DenseLayer.crossEntropy: expected rows of \(inputSize) for \(rows) targets and as many losses, got shape \(inputs.shape) and \(losses.count)."
    )
    for target in targets {
      require(
        target < outputSize,
        "DenseLayer.crossEntropy: expected targets below \(outputSize), got \(target).")
    }
    var structure = unroll_dense()
    structure.m = min(rows, logitRows)
    structure.k = inputSize
    structure.n = outputSize
    structure.is_transposed = isTransposed ? 1 : 0
    structure.weights = UnsafeRawPointer(weights.base)
    if !bias.isEmpty { structure.bias = UnsafeRawPointer(bias.base) }
    let logits = scratch.logits.memory(for: structure.m * outputSize)
    structure.type = Scalar.kernelType
    structure.threads = unroll_thread_count()
    structure.scratch = UnsafeMutableRawPointer(
      scratch.scratch.buffer.memory(for: unroll_dense_scratch_count(&structure)))
    targets.withUnsafeBufferPointer { targets in
      losses.withUnsafeMutableBufferPointer { losses in
        guard let targets = targets.baseAddress, let losses = losses.baseAddress else { return }
        withExtendedLifetime((self, inputs, scratch)) {
          for first in stride(from: 0, to: rows, by: logitRows) {
            structure.m = min(logitRows, rows - first)
            structure.a = UnsafeRawPointer(inputs.base + first * inputSize)
            var part = Part(
              structure: structure, first: first, logits: logits, losses: losses + first,
              targets: targets + first)
            body(&part)
          }
        }
      }
    }
  }
}
