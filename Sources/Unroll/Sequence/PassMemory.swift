// The memory that a pass needs besides what it returns: packed weights, gate gradients, scratch.
// It grows to the largest pass it has served and stays with the trace or the gradients that the
// caller hands in again, so that a training step after the first allocates nothing.

/// A run of numbers that only grows, 64-byte aligned.
struct GrowingBuffer<Scalar: KernelScalar> {
  private var storage: TensorStorage<Scalar>?

  /// Room for at least `count` numbers; what stood there may be lost.
  mutating func room(for count: Int) -> UnsafeMutablePointer<Scalar> {
    if let storage, storage.count >= count { return storage.base }
    storage = nil  // the old memory goes before the new one comes
    let new = TensorStorage<Scalar>(count: count)
    storage = new
    return new.base
  }

  /// The bytes held.
  var byteCount: Int { (storage?.count ?? 0) * MemoryLayout<Scalar>.stride }
}

/// The memory of a layer's passes in one direction.
final class PassMemory<Scalar: KernelScalar>: @unchecked Sendable {
  // Sendable: used only by a pass whose trace or gradients hold it alone
  // (`isKnownUniquelyReferenced`), or locked by its owner.
  var packed = GrowingBuffer<Scalar>()
  var scratch = GrowingBuffer<Scalar>()
  var bias = GrowingBuffer<Scalar>()
  var candidateBias = GrowingBuffer<Scalar>()
  var gateGradients = GrowingBuffer<Scalar>()
  var productGradients = GrowingBuffer<Scalar>()
  // Of a layer that normalises:
  var normalInputGradients = GrowingBuffer<Scalar>()
  var normalProductGradients = GrowingBuffer<Scalar>()
  var shownGradients = GrowingBuffer<Scalar>()

  /// The bytes held.
  var byteCount: Int {
    packed.byteCount + scratch.byteCount + bias.byteCount + candidateBias.byteCount
      + gateGradients.byteCount + productGradients.byteCount + normalInputGradients.byteCount
      + normalProductGradients.byteCount + shownGradients.byteCount
  }
}
