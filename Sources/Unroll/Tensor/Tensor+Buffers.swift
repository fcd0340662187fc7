// Access to the elements as memory: buffer pointers and spans.

extension Tensor {
  /// Calls `body` with the elements in row-major order.
  ///
  /// The buffer is valid only while `body` runs. It is empty if there are no elements.
  ///
  /// - Parameter body: Reads the elements.
  /// - Returns: The result of `body`.
  /// - Throws: What `body` throws.
  /// - Complexity: O(1) plus the cost of `body`. No allocation.
  @inlinable
  public func withUnsafeBufferPointer<Result, Failure: Error>(
    _ body: (UnsafeBufferPointer<Scalar>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { _fixLifetime(storage) }
    return try body(UnsafeBufferPointer(start: storage.base, count: storage.count))
  }

  /// Calls `body` with the mutable elements in row-major order.
  ///
  /// The buffer is valid only while `body` runs. It is empty if there are no elements.
  ///
  /// - Parameter body: Writes the elements.
  /// - Returns: The result of `body`.
  /// - Throws: What `body` throws.
  /// - Complexity: O(1) plus the cost of `body`; copies the elements first if another tensor shares them.
  @inlinable
  public mutating func withUnsafeMutableBufferPointer<Result, Failure: Error>(
    _ body: (UnsafeMutableBufferPointer<Scalar>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    makeUnique()
    defer { _fixLifetime(storage) }
    return try body(UnsafeMutableBufferPointer(start: storage.base, count: storage.count))
  }

  #if compiler(>=6.2)
  // Not inlinable: optimised callers crash Swift 6.3.1 if the access of `storage` is inlined.

  /// The elements in row-major order.
  ///
  /// The span cannot outlive the tensor, which cannot change while the span is in use.
  ///
  /// - Complexity: O(1). No allocation.
  public var span: Span<Scalar> {
    @_lifetime(borrow self)
    get {
      let span = unsafe Span(_unsafeStart: UnsafePointer(storage.base), count: storage.count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The mutable elements in row-major order.
  ///
  /// The span cannot outlive the tensor, which cannot be accessed while the span is in use.
  ///
  /// - Complexity: O(1); copies the elements first if another tensor shares them.
  public var mutableSpan: MutableSpan<Scalar> {
    @_lifetime(&self)
    mutating get {
      makeUnique()
      let span = unsafe MutableSpan(_unsafeStart: storage.base, count: storage.count)
      return unsafe _overrideLifetime(span, mutating: &self)
    }
  }
  #endif
}
