// The unsafe part of `Tensor`: aligned memory with copy-on-write. Pointers appear only in this file, in
// `Kernels/` and in the code that calls the kernels.

internal import CUnrollKernels
internal import UnrollContracts

/// The memory of a tensor, aligned to 64 bytes so that no vector straddles a cache line.
@usableFromInline
final class TensorStorage<Scalar: KernelScalar>: @unchecked Sendable {
  // Sendable: written only while a single tensor value references it (`isKnownUniquelyReferenced`). The lender of
  // borrowed memory controls when others may write.
  @usableFromInline let base: UnsafeMutablePointer<Scalar>
  /// The number of elements in use.
  // Unchecked: the check would be a call in every element access. No one reads the count while it changes.
  @exclusivity(unchecked) @usableFromInline fileprivate(set) var count: Int
  private let capacity: Int
  /// Whether the memory is owned elsewhere.
  private let isBorrowed: Bool

  /// Allocates uninitialised memory for `count` elements.
  init(count: Int) {
    let byteCount = max(1, count) * MemoryLayout<Scalar>.stride
    let pageSize = Int(UNROLL_LARGE_PAGE)
    let isLarge = byteCount >= pageSize
    guard let raw = unroll_allocate(byteCount, isLarge ? pageSize : 64) else {
      contractViolation(
        "Tensor: expected \(byteCount) bytes of memory for \(count) elements, got fewer from the system; use smaller shapes."
      )
    }
    // Only whole large pages, so that they use no more memory than small pages would.
    if isLarge { unroll_prefer_large_pages(raw, byteCount / pageSize * pageSize) }
    self.base = raw.bindMemory(to: Scalar.self, capacity: max(1, count))
    self.count = count
    capacity = count
    isBorrowed = false
  }

  /// Wraps memory that is owned elsewhere and outlives this object.
  init(borrowing base: UnsafeMutablePointer<Scalar>, count: Int) {
    (self.base, self.count, capacity) = (base, count, count)
    isBorrowed = true
  }

  /// Changes the number of elements in use; returns false if the capacity is too small.
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
  /// The maximum number of elements of a tensor; its size in bytes cannot overflow.
  static var largestCount: Int { 1 << 56 }

  /// Returns the number of elements of a shape.
  ///
  /// Axes of size 0 do not relax the limit on the others, because later products of sizes must not overflow.
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

  /// Returns the number of elements for three axis sizes, without allocating an array.
  private static func count(_ first: Int, _ second: Int, _ third: Int) -> Int {
    // Sizes below 2^20 cannot overflow; larger ones are rare and may allocate.
    (first | second | third) >> 20 == 0
      ? first &* second &* third : count(of: [first, second, third], "Tensor.prepare")
  }

  /// Creates a tensor over existing elements at an address, without copying them.
  ///
  /// Writes through the tensor are visible to other users of that memory. A copy of the tensor that is written to gets
  /// separate memory.
  ///
  /// - Precondition: The memory is aligned to 64 bytes and outlives the tensor and its copies.
  package init(shape: [Int], at base: UnsafeMutablePointer<Scalar>) {
    require(
      UInt(bitPattern: base) % 64 == 0, "Tensor.init: expected memory aligned to 64 bytes.")
    self.shape = shape
    storage = TensorStorage(borrowing: base, count: Self.count(of: shape, "Tensor.init"))
  }

  /// Calls `body` with the elements, in row-major order.
  package func withUnsafeElements<Result>(
    _ body: (UnsafePointer<Scalar>) throws -> Result
  ) rethrows -> Result {
    try withExtendedLifetime(storage) { try body(UnsafePointer(storage.base)) }
  }

  /// Calls `body` with the mutable elements; copies them first if another tensor shares them.
  package mutating func withUnsafeMutableElements<Result>(
    _ body: (UnsafeMutablePointer<Scalar>) throws -> Result
  ) rethrows -> Result {
    makeUnique()
    return try withExtendedLifetime(storage) { try body(storage.base) }
  }

  /// Makes the storage unique, keeping the elements.
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
  /// The address of the elements, valid while the tensor is alive.
  var base: UnsafeMutablePointer<Scalar> { storage.base }

  /// Sets the shape and makes the storage unique, with unspecified elements.
  ///
  /// Memory that is large enough and not shared is reused without allocation, even if the shape
  /// changes.
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

  /// Sets three axes and makes the storage unique, with unspecified elements.
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

  /// Sets the shape from an existing array and makes the storage unique, with unspecified elements.
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
  /// Writes `count` copies of a value; zeros at memory bandwidth, also in a debug build.
  func fill(_ value: Pointee, count: Int) {
    guard value == 0 && value.sign == .plus else { return update(repeating: value, count: count) }
    let size = count * MemoryLayout<Pointee>.stride
    withMemoryRebound(to: UInt8.self, capacity: size) { $0.update(repeating: 0, count: size) }
  }
}

/// A reference to a tensor's memory, for loops over many tensors.
///
/// The pointer is valid as long as the pin is alive: wrap its use in `withExtendedLifetime`.
struct TensorPin<Scalar: KernelScalar> {
  private let storage: TensorStorage<Scalar>
  let pointer: UnsafeMutablePointer<Scalar>

  fileprivate init(_ storage: TensorStorage<Scalar>) {
    self.storage = storage
    pointer = storage.base
  }
}

extension Tensor {
  /// Returns a pin for writing; copies the elements first if another tensor shares them.
  ///
  /// The tensor must not be copied while the pin is alive.
  mutating func pinForWriting() -> TensorPin<Scalar> {
    makeUnique()
    return TensorPin(storage)
  }

  /// Returns a pin of the current elements; writing through it requires the tensor to be unique.
  func pinForReading() -> TensorPin<Scalar> { TensorPin(storage) }
}
