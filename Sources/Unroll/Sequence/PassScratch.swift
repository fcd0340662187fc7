// The memory of a pass in addition to its results: packed weights and scratch. It grows to the largest pass so far and
// stays with the trace or gradients that the caller passes again, so that training steps after the first allocate
// nothing.

/// A 64-byte aligned buffer that only grows.
struct GrowingBuffer<Scalar: KernelScalar> {
  private var storage: TensorStorage<Scalar>?

  /// Returns memory for at least `count` elements; the previous contents may be lost.
  mutating func memory(for count: Int) -> UnsafeMutablePointer<Scalar> {
    if let storage, storage.count >= count { return storage.base }
    storage = nil  // the old memory is freed before the new one is allocated
    let new = TensorStorage<Scalar>(count: count)
    storage = new
    return new.base
  }
}

/// The packed weights and scratch of a layer's passes in one direction.
final class PassScratch<Scalar: KernelScalar>: @unchecked Sendable {
  // Sendable: used only by a pass whose trace or gradients hold the sole reference (`isKnownUniquelyReferenced`), or
  // under its owner's lock.
  var packed = GrowingBuffer<Scalar>()
  var scratch = GrowingBuffer<Scalar>()
}

/// Calls `body` with the address of the flags, or nil if there are none.
func withFlags<Result>(
  _ flags: [UInt8]?, _ body: (UnsafePointer<UInt8>?) throws -> Result
) rethrows -> Result {
  guard let flags else { return try body(nil) }
  return try flags.withUnsafeBufferPointer { try body($0.baseAddress) }
}
