// Scratch of dense layers, owned by callers that run them repeatedly.

/// Scratch that grows to the largest call so far; not for concurrent calls.
public final class Scratch<Scalar: KernelScalar> {
  var buffer = GrowingBuffer<Scalar>()

  /// Creates empty scratch.
  public init() {}
}
