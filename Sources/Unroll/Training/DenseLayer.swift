// out = a·W + b over many rows: the projection onto a vocabulary.

internal import CUnrollKernels
internal import UnrollContracts

/// A dense (fully connected) layer.
///
/// Each row is summed in a fixed order, independent of the rest of the batch. The weights' gradient is summed
/// over the rows in order, for any number of threads.
public struct DenseLayer<Scalar: KernelScalar>: Sendable {
  /// W: `[K, N]`, or `[N, K]` if `isTransposed`.
  ///
  /// - Precondition: A new value has the shape of the old one.
  public var weights: Tensor<Scalar> {
    get { storedWeights }
    _modify {
      // The sizes must match the bias and the kernels' arguments.
      let (rows, columns) = (storedWeights.shape[0], storedWeights.shape[1])
      defer {
        require(
          storedWeights.rank == 2 && storedWeights.shape[0] == rows
            && storedWeights.shape[1] == columns,
          "DenseLayer.weights: expected shape [\(rows), \(columns)], got \(storedWeights.shape).")
      }
      yield &storedWeights
    }
  }
  /// b: `[N]`, or `[0]` for none.
  ///
  /// - Precondition: A new value has one of these shapes.
  public var bias: Tensor<Scalar> {
    get { storedBias }
    _modify {
      defer { checkBias("DenseLayer.bias") }
      yield &storedBias
    }
  }
  /// Whether the weights have the shape `[N, K]`, as when tied to an embedding.
  public let isTransposed: Bool

  /// Creates a layer from its parameters.
  ///
  /// - Precondition: The weights have two axes, and the bias is empty or has N elements.
  public init(weights: Tensor<Scalar>, bias: Tensor<Scalar>, isTransposed: Bool = false) {
    require(
      weights.rank == 2,
      "DenseLayer.init: expected weights of two axes, got the shape \(weights.shape).")
    storedWeights = weights
    storedBias = bias
    self.isTransposed = isTransposed
    checkBias("DenseLayer.init")
  }

  // Stored separately: a mutation from another module through an observed property would copy the tensor first.
  private var storedWeights, storedBias: Tensor<Scalar>

  private func checkBias(_ operation: StaticString) {
    require(
      storedBias.rank == 1 && (storedBias.isEmpty || storedBias.shape[0] == outputSize),
      "\(operation): expected shape [\(outputSize)], or [0] for none, got \(storedBias.shape).")
  }

  /// K, the size of an input.
  public var inputSize: Int { weights.shape[isTransposed ? 1 : 0] }
  /// N, the size of an output.
  public var outputSize: Int { weights.shape[isTransposed ? 0 : 1] }

  /// Runs the layer.
  ///
  /// - Parameters:
  ///   - inputs: a; its last axis is K, the others are rows.
  ///   - outputs: Receives out, `[rows, N]`.
  ///   - scratch: Scratch.
  /// - Complexity: 2·rows·K·N flops; allocates nothing after the first call of the same sizes.
  public func forward(
    _ inputs: Tensor<Scalar>, into outputs: inout Tensor<Scalar>, using scratch: Scratch<Scalar>
  ) {
    let rows = rowCount(inputs)
    outputs.prepare(rows, outputSize)
    withStructure(inputs, rows: rows, scratch) { unroll_dense_forward(&$0, outputs.base) }
  }

  /// Computes the gradients of the inputs and the parameters.
  ///
  /// - Parameters:
  ///   - inputs: The inputs of `forward`.
  ///   - outputGradient: dL/d out, `[rows, N]`.
  ///   - inputGradient: Receives dL/da, `[rows, K]`.
  ///   - weightGradient: Receives or accumulates dL/dW, in the shape of the weights.
  ///   - biasGradient: Receives or accumulates dL/db; empty without a bias.
  ///   - adds: Whether to accumulate the parameters' gradients instead of overwriting them.
  ///   - scratch: Scratch.
  /// - Complexity: 4·rows·K·N flops; allocates nothing after the first call of the same sizes.
  public func backward(
    _ inputs: Tensor<Scalar>, outputGradient: Tensor<Scalar>,
    inputGradient: inout Tensor<Scalar>, weightGradient: inout Tensor<Scalar>,
    biasGradient: inout Tensor<Scalar>, adds: Bool = false, using scratch: Scratch<Scalar>
  ) {
    let rows = rowCount(inputs)
    require(
      outputGradient.count == rows * outputSize,
      "DenseLayer.backward: expected a gradient of shape [\(rows), \(outputSize)], got \(outputGradient.shape)."
    )
    if adds {
      require(
        weightGradient.count == weights.count && biasGradient.count == bias.count,
        "DenseLayer.backward: expected gradients to add to, of shapes \(weights.shape) and \(bias.shape), got \(weightGradient.shape) and \(biasGradient.shape)."
      )
      weightGradient.makeUnique()
      biasGradient.makeUnique()
    } else {
      weightGradient.prepare(like: weights.shape)
      biasGradient.prepare(like: bias.shape)
    }
    inputGradient.prepare(rows, inputSize)
    let biases = bias.isEmpty ? nil : biasGradient.base
    withStructure(inputs, rows: rows, scratch) { structure in
      withExtendedLifetime((outputGradient, inputGradient, weightGradient, biasGradient)) {
        var gradients = unroll_dense_gradients(
          out: outputGradient.base, input: inputGradient.base, weights: weightGradient.base,
          bias: biases, adds: adds ? 1 : 0)
        unroll_dense_backward(&structure, &gradients)
      }
    }
  }

  private func rowCount(_ inputs: Tensor<Scalar>) -> Int {
    require(
      inputs.rank > 0 && inputs.shape[inputs.rank - 1] == inputSize,
      "DenseLayer: expected inputs whose last axis is \(inputSize), got \(inputs.shape).")
    return inputSize == 0 ? 0 : inputs.count / inputSize
  }

  private func withStructure(
    _ inputs: Tensor<Scalar>, rows: Int, _ scratch: Scratch<Scalar>,
    _ body: (inout unroll_dense) -> Void
  ) {
    var structure = unroll_dense()
    structure.m = rows
    structure.k = inputSize
    structure.n = outputSize
    structure.is_transposed = isTransposed ? 1 : 0
    structure.a = UnsafeRawPointer(inputs.base)
    structure.weights = UnsafeRawPointer(weights.base)
    if !bias.isEmpty { structure.bias = UnsafeRawPointer(bias.base) }
    structure.type = Scalar.kernelType
    structure.threads = unroll_thread_count()
    structure.scratch = UnsafeMutableRawPointer(
      scratch.buffer.memory(for: unroll_dense_scratch_count(&structure)))
    withExtendedLifetime((inputs, self, scratch)) { body(&structure) }
  }
}
