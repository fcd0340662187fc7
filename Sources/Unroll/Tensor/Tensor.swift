// A dense array of numbers: shape and elements. See `Tensor+Subscripts.swift` and `Tensor+Ranges.swift` for access,
// `Tensor+Arithmetic.swift` for the arithmetic of recurrent networks and the lab. There is no broadcasting and no
// graph.

internal import UnrollContracts

/// A dense, row-major array of `Float` or `Double`, with value semantics.
///
/// Copying is O(1); the elements are copied on the first write to a shared value. Memory is
/// 64-byte aligned. A tensor may have any number of axes (none: one element) and axes of size 0.
///
/// ```swift
/// var x = Tensor<Float>(shape: [2, 3], elements: [1, 2, 3, 4, 5, 6])
/// x[1, 2] = 7
/// print(x[1, ...])  // [4.0, 5.0, 7.0]
/// ```
public struct Tensor<Scalar: KernelScalar>: Sendable {
  /// The size of each axis, outermost first.
  public internal(set) var shape: [Int]
  @usableFromInline var storage: TensorStorage<Scalar>

  /// Creates a tensor whose elements are all `value`.
  ///
  /// - Precondition: No size is negative.
  public init(shape: [Int], repeating value: Scalar = 0) {
    self.init(uninitialized: shape)
    storage.base.fill(value, count: storage.count)
  }

  /// Creates a tensor from its elements, in row-major order.
  ///
  /// - Precondition: The number of elements is the product of `shape`.
  public init(shape: [Int], elements: some Collection<Scalar>) {
    self.init(uninitialized: shape)
    require(
      elements.count == storage.count,
      "Tensor.init: expected \(storage.count) elements for shape \(shape), got \(elements.count).")
    let (base, count) = (storage.base, storage.count)
    let isCopied: Void? = elements.withContiguousStorageIfAvailable {
      if let first = $0.baseAddress { base.initialize(from: first, count: min(count, $0.count)) }
    }
    guard isCopied == nil else { return }
    var index = 0
    for element in elements {
      // A collection may yield more or fewer elements than its count.
      guard index < count else { break }
      base[index] = element
      index += 1
    }
    require(
      index == count,
      "Tensor.init: expected \(count) elements for shape \(shape), got a collection that ends after \(index)."
    )
  }

  /// Creates a tensor of one axis from its elements.
  public init(_ elements: [Scalar]) {
    self.init(shape: [elements.count], elements: elements)
  }

  /// Creates a tensor of two axes from its rows.
  ///
  /// - Precondition: All rows have the same length.
  public init(rows: [[Scalar]]) {
    let width = rows.first?.count ?? 0
    for row in rows {
      require(
        row.count == width, "Tensor.init: expected rows of \(width) elements, got \(row.count).")
    }
    self.init(shape: [rows.count, width], elements: Array(rows.joined()))
  }

  /// Creates a tensor by rounding the elements of another to this element type.
  public init<Other>(_ other: Tensor<Other>) {
    self.init(uninitialized: other.shape)
    let source = other.storage
    for index in 0..<storage.count {
      storage.base[index] = Scalar(source.base[index])
    }
  }

  /// Creates a tensor with uninitialised elements.
  init(uninitialized shape: [Int]) {
    self.shape = shape
    self.storage = TensorStorage(count: Self.count(of: shape, "Tensor.init"))
  }

  /// The number of axes.
  public var rank: Int { shape.count }

  /// The number of elements.
  public var count: Int { storage.count }

  /// Whether there are no elements.
  public var isEmpty: Bool { count == 0 }

  /// A copy of the elements in row-major order.
  public var elements: [Scalar] {
    withUnsafeElements { Array(UnsafeBufferPointer(start: $0, count: count)) }
  }

  /// The only element.
  ///
  /// - Precondition: There is exactly one.
  public var scalar: Scalar {
    require(count == 1, "Tensor.scalar: expected one element, got shape \(shape).")
    return withUnsafeElements { $0[0] }
  }

  /// Returns the same elements in another shape.
  ///
  /// The elements are not copied.
  ///
  /// - Precondition: The number of elements is the same.
  public func reshaped(to shape: [Int]) -> Tensor {
    require(
      Self.count(of: shape, "Tensor.reshaped") == count,
      "Tensor.reshaped: expected a shape of \(count) elements, got \(shape).")
    var result = self
    result.shape = shape
    return result
  }

  /// The number of elements at one index of the first axis.
  var rowSize: Int { shape.dropFirst().reduce(1, *) }
}

extension Tensor: Equatable {
  /// Whether shapes and elements are equal, where NaN ≠ NaN and 0 = −0.
  public static func == (left: Tensor, right: Tensor) -> Bool {
    guard left.shape == right.shape else { return false }
    for index in 0..<left.count where left.storage.base[index] != right.storage.base[index] {
      return false
    }
    return true
  }

  /// Returns whether shapes and the bits of all elements are equal: equal NaN bits match, 0 and −0 do not.
  public func isBitwiseEqual(to other: Tensor) -> Bool {
    guard shape == other.shape else { return false }
    let byteCount = count * MemoryLayout<Scalar>.stride
    let mine = UnsafeRawBufferPointer(start: storage.base, count: byteCount)
    let others = UnsafeRawBufferPointer(start: other.storage.base, count: byteCount)
    return withExtendedLifetime((storage, other.storage)) { mine.elementsEqual(others) }
  }
}
