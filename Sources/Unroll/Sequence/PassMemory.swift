// The memory that a pass needs besides what it returns: packed weights and scratch. It grows to the largest pass it has
// served and stays with the trace or the gradients that the caller hands in again, so that a training step after the first
// allocates nothing.

/// A run of numbers that only grows, 64-byte aligned.
struct GrowingBuffer<Scalar: KernelScalar> {
  private var storage: TensorStorage<Scalar>?

  /// Memory for at least `count` numbers; what it contained may be lost.
  mutating func memory(for count: Int) -> UnsafeMutablePointer<Scalar> {
    if let storage, storage.count >= count { return storage.base }
    storage = nil  // the old memory is freed before the new one is allocated
    let new = TensorStorage<Scalar>(count: count)
    storage = new
    return new.base
  }
}

/// The memory of a layer's passes in one direction.
final class PassMemory<Scalar: KernelScalar>: @unchecked Sendable {
  // Sendable: used only by a pass whose trace or gradients hold it alone (`isKnownUniquelyReferenced`), or locked by its
  // owner.
  var packed = GrowingBuffer<Scalar>()
  var scratch = GrowingBuffer<Scalar>()
}

/// Calls `body` with the flags' address, or nil where there are none.
func withFlags<Result>(
  _ flags: [UInt8]?, _ body: (UnsafePointer<UInt8>?) throws -> Result
) rethrows -> Result {
  guard let flags else { return try body(nil) }
  return try flags.withUnsafeBufferPointer { try body($0.baseAddress) }
}
