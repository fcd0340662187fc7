// Memory that dense layers use while they work, owned by whoever calls them again and again.

/// Scratch memory that grows to the largest call it has served; one call at a time.
public final class Workspace<Scalar: KernelScalar> {
  var scratch = GrowingBuffer<Scalar>()

  /// Empty.
  public init() {}
}
