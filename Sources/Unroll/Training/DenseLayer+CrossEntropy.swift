// The end of a language model: logits, softmax, loss and gradients for some rows at a time, so
// that the logits of a whole batch never stand in memory.

internal import CUnrollKernels
internal import UnrollContracts

/// The memory in which a dense layer's logits come and go.
public final class LogitMemory<Scalar: KernelScalar> {
  fileprivate var logits = GrowingBuffer<Scalar>()
  fileprivate let workspace = Workspace<Scalar>()

  /// Empty.
  public init() {}
}

extension DenseLayer {
  /// How many rows of logits stand in memory at once: about 64 MB of float32, 48 rows at least.
  ///
  /// Fewer would stay in a cache, but every part reads and writes the weights' gradient once: with
  /// 8 MB a step of the course's model takes 5 % longer.
  public var logitRows: Int { max(1, (1 << 24) / max(1, outputSize) / 48) * 48 }

  /// The cross-entropy of each row's logits, in nats.
  ///
  /// - Parameters:
  ///   - inputs: a; its last axis is K, the others are rows.
  ///   - targets: One class for each row; a negative one leaves the row out: loss 0.
  ///   - losses: Receives each row's loss; as many numbers.
  ///   - memory: Where the logits come and go.
  /// - Precondition: The counts agree; targets are below N.
  /// - Complexity: 2·rows·K·N flops; allocates nothing after the first call of the same sizes.
  public func crossEntropy(
    _ inputs: Tensor<Scalar>, targets: [Int32], losses: inout [Double],
    using memory: LogitMemory<Scalar>
  ) {
    forEachPart(inputs, targets, &losses, memory) { part in
      part.forward()
      part.becomeGradient(scale: 1)
    }
  }

  /// The cross-entropy of each row's logits, in nats, and all gradients of `scale` · their sum.
  ///
  /// - Parameters:
  ///   - inputs: a; its last axis is K, the others are rows.
  ///   - targets: One class for each row; a negative one leaves the row out: loss and gradient 0.
  ///   - scale: A factor of the gradients, such as 1 / rows.
  ///   - losses: Receives each row's loss, unscaled; as many numbers.
  ///   - inputGradient: Receives dL/da, in the shape of the inputs.
  ///   - weightGradient: Receives dL/dW, in the weights' shape.
  ///   - biasGradient: Receives dL/db; empty without a bias.
  ///   - memory: Where the logits come and go.
  /// - Precondition: The counts agree; targets are below N.
  /// - Complexity: 6·rows·K·N flops; allocates nothing after the first call of the same sizes.
  public func crossEntropyGradients(
    _ inputs: Tensor<Scalar>, targets: [Int32], scale: Scalar, losses: inout [Double],
    inputGradient: inout Tensor<Scalar>, weightGradient: inout Tensor<Scalar>,
    biasGradient: inout Tensor<Scalar>, using memory: LogitMemory<Scalar>
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
      forEachPart(inputs, targets, &losses, memory) { part in
        part.forward()
        part.becomeGradient(scale: scale)
        var gradients = unroll_dense_gradients(
          out: part.logits, input: da + part.first * inputSize, weights: dW, bias: db,
          adds: part.first > 0 ? 1 : 0)
        unroll_dense_backward(&part.structure, &gradients)
      }
    }
  }

  /// Some rows of the whole.
  private struct Part {
    var structure: unroll_dense
    let first: Int
    let logits: UnsafeMutablePointer<Scalar>
    let losses: UnsafeMutablePointer<Double>
    let targets: UnsafePointer<Int32>

    mutating func forward() { unroll_dense_forward(&structure, logits) }

    func becomeGradient(scale: Scalar) {
      var softmax = unroll_softmax(
        type: structure.type, threads: structure.threads, rows: structure.m, classes: structure.n,
        logits: logits, targets: targets, losses: losses, scale: Double(scale))
      unroll_apply_softmax(&softmax)
    }
  }

  private func forEachPart(
    _ inputs: Tensor<Scalar>, _ targets: [Int32], _ losses: inout [Double],
    _ memory: LogitMemory<Scalar>, _ body: (inout Part) -> Void
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
    let logits = memory.logits.memory(for: structure.m * outputSize)
    structure.type = Scalar.kernelType
    structure.threads = unroll_thread_count()
    structure.scratch = UnsafeMutableRawPointer(
      memory.workspace.scratch.memory(for: unroll_dense_scratch_count(&structure)))
    targets.withUnsafeBufferPointer { targets in
      losses.withUnsafeMutableBufferPointer { losses in
        guard let targets = targets.baseAddress, let losses = losses.baseAddress else { return }
        withExtendedLifetime((self, inputs, memory)) {
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
