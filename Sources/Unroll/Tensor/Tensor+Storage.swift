// The unsafe engine of `Tensor`: aligned memory, shared until someone writes. Pointers appear in
// this file, in `Kernels/` and in the steps that call the kernels; nowhere else.

internal import CUnrollKernels
internal import UnrollContracts

/// Memory of one tensor: 64-byte aligned, so that a row of vectors never straddles a cache line.
@usableFromInline
final class TensorStorage<Scalar: KernelScalar>: @unchecked Sendable {
  // Sendable: written only while one tensor value holds it (`isKnownUniquelyReferenced`); of borrowed memory,
  // whoever lends it says when others may write.
  @usableFromInline let base: UnsafeMutablePointer<Scalar>
  /// How many elements are in use.
  // Unchecked: the check would be a call in every element access; nobody reads it while it changes.
  @exclusivity(unchecked) @usableFromInline fileprivate(set) var count: Int
  private let capacity: Int
  /// Whether the memory is somebody else's.
  private let isBorrowed: Bool

  /// Uninitialised memory for `count` elements.
  init(count: Int) {
    let byteCount = max(1, count) * MemoryLayout<Scalar>.stride
    let pageSize = Int(UNROLL_LARGE_PAGE)
    let isLarge = byteCount >= pageSize
    guard let raw = unroll_allocate(byteCount, isLarge ? pageSize : 64) else {
      contractViolation(
        "Tensor: expected \(byteCount) bytes of memory for \(count) elements, got fewer from the system; use smaller shapes."
      )
    }
    // Only whole large pages: their number is no more memory than the small ones in them.
    if isLarge { unroll_prefer_large_pages(raw, byteCount / pageSize * pageSize) }
    self.base = raw.bindMemory(to: Scalar.self, capacity: max(1, count))
    self.count = count
    capacity = count
    isBorrowed = false
  }

  /// Somebody else's memory, which outlives this.
  init(borrowing base: UnsafeMutablePointer<Scalar>, count: Int) {
    (self.base, self.count, capacity) = (base, count, count)
    isBorrowed = true
  }

  /// Takes more or fewer elements into use; false if there is no room.
  fileprivate func resize(to count: Int) -> Bool {
    guard count <= capacity else { return false }
    self.count = count
    return true
  }

  deinit {
    if !isBorrowed { unroll_deallocate(base) }
  }
}

extension Tensor {
  /// The most elements that a tensor may have: with them, no number of bytes overflows.
  static var largestCount: Int { 1 << 56 }

  /// The number of elements of a shape.
  ///
  /// An axis of size 0 does not excuse the others: what is computed of them later must not overflow.
  ///
  /// - Precondition: No size is negative, and the product is not too large.
  static func count(of shape: [Int], _ operation: StaticString) -> Int {
    var (product, isEmpty) = (1, false)
    for size in shape {
      require(size >= 0, "\(operation): expected sizes of at least 0, got \(shape).")
      if size == 0 {
        isEmpty = true
      } else {
        require(
          product <= largestCount / size,
          "\(operation): expected at most \(largestCount) elements, got the shape \(shape).")
        product *= size
      }
    }
    return isEmpty ? 0 : product
  }

  /// The number of elements of three axes, for shapes that are not yet arrays.
  private static func count(_ first: Int, _ second: Int, _ third: Int) -> Int {
    // Sizes below 2^20 cannot overflow; others are rare, and may allocate.
    (first | second | third) >> 20 == 0
      ? first &* second &* third : count(of: [first, second, third], "Tensor.prepare")
  }

  /// The numbers that stand at an address, which stay there.
  ///
  /// What is written into the tensor is seen by others who read that memory. A copy that is written to has
  /// memory of its own, as always.
  ///
  /// - Precondition: The memory is aligned to 64 bytes and outlives the tensor and its copies.
  package init(shape: [Int], at base: UnsafeMutablePointer<Scalar>) {
    require(
      UInt(bitPattern: base) % 64 == 0, "Tensor.init: expected memory aligned to 64 bytes.")
    self.shape = shape
    storage = TensorStorage(borrowing: base, count: Self.count(of: shape, "Tensor.init"))
  }

  /// Calls `body` with the elements, row-major.
  package func withUnsafeElements<Result>(
    _ body: (UnsafePointer<Scalar>) throws -> Result
  ) rethrows -> Result {
    try withExtendedLifetime(storage) { try body(UnsafePointer(storage.base)) }
  }

  /// Calls `body` with the elements for writing; copies them first if another tensor shares them.
  package mutating func withUnsafeMutableElements<Result>(
    _ body: (UnsafeMutablePointer<Scalar>) throws -> Result
  ) rethrows -> Result {
    makeUnique()
    return try withExtendedLifetime(storage) { try body(storage.base) }
  }

  /// Gives the tensor memory of its own, with the same elements.
  @inlinable
  @inline(__always)
  mutating func makeUnique() {
    if !isKnownUniquelyReferenced(&storage) { copyStorage() }
  }

  @usableFromInline
  @inline(never)
  mutating func copyStorage() {
    let copy = TensorStorage<Scalar>(count: storage.count)
    copy.base.initialize(from: storage.base, count: storage.count)
    storage = copy
  }
}

extension Tensor {
  /// The address of the elements, for as long as the tensor is kept alive.
  var base: UnsafeMutablePointer<Scalar> { storage.base }

  /// Gives the tensor this shape and memory of its own, with any numbers in it.
  ///
  /// Memory that is already there, large enough and not shared, stays: then nothing is allocated, even
  /// if the shape changes.
  package mutating func prepare(_ first: Int, _ second: Int) {
    guard shape.count == 2, isKnownUniquelyReferenced(&storage),
      storage.resize(to: Self.count(first, second, 1))
    else {
      self = Tensor(uninitialized: [first, second])
      return
    }
    if shape[0] != first { shape[0] = first }
    if shape[1] != second { shape[1] = second }
  }

  /// The same, for three axes.
  mutating func prepare(_ first: Int, _ second: Int, _ third: Int) {
    guard shape.count == 3, isKnownUniquelyReferenced(&storage),
      storage.resize(to: Self.count(first, second, third))
    else {
      self = Tensor(uninitialized: [first, second, third])
      return
    }
    if shape[0] != first { shape[0] = first }
    if shape[1] != second { shape[1] = second }
    if shape[2] != third { shape[2] = third }
  }

  /// The same, for a shape that exists already.
  mutating func prepare(like shape: [Int]) {
    guard isKnownUniquelyReferenced(&storage),
      storage.resize(to: Self.count(of: shape, "Tensor.prepare"))
    else {
      self = Tensor(uninitialized: shape)
      return
    }
    if self.shape != shape { self.shape = shape }
  }
}

extension UnsafeMutablePointer where Pointee: KernelScalar {
  /// Writes `count` copies of a number; zeros at the speed of memory, also in a debug build.
  func fill(_ value: Pointee, count: Int) {
    guard value == 0 && value.sign == .plus else { return update(repeating: value, count: count) }
    let size = count * MemoryLayout<Pointee>.stride
    withMemoryRebound(to: UInt8.self, capacity: size) { $0.update(repeating: 0, count: size) }
  }
}

/// A hold on a tensor's memory, for code that walks many tensors at once.
///
/// The pointer is valid as long as the pin lives: wrap its use in `withExtendedLifetime`.
struct TensorPin<Scalar: KernelScalar> {
  private let storage: TensorStorage<Scalar>
  let pointer: UnsafeMutablePointer<Scalar>

  fileprivate init(_ storage: TensorStorage<Scalar>) {
    self.storage = storage
    pointer = storage.base
  }
}

extension Tensor {
  /// A pin for writing; copies the elements first if another tensor shares them.
  ///
  /// While it lives, the tensor must not be copied.
  mutating func pinForWriting() -> TensorPin<Scalar> {
    makeUnique()
    return TensorPin(storage)
  }

  /// A pin of the elements as they are; writing through it needs the tensor to be unique.
  func pinForReading() -> TensorPin<Scalar> { TensorPin(storage) }
}
