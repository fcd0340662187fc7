// Access to single elements, inlined into other modules. An access checks the rank and the bounds, at the cost of an
// access to nested arrays. The failing branches are calls.

internal import UnrollContracts

extension Tensor {
  /// The element of a tensor with one axis.
  ///
  /// - Precondition: The tensor has one axis, and `i` is within it.
  /// - Complexity: O(1); writing copies the elements first if another tensor shares them.
  @inlinable
  public subscript(i: Int) -> Scalar {
    get { element(at: offset(i)) }
    _modify {
      let offset = offset(i)
      makeUnique()
      defer { _fixLifetime(storage) }
      yield &storage.base[offset]
    }
  }

  /// The element of a tensor with two axes.
  ///
  /// - Precondition: The tensor has two axes, and each index is within its axis.
  /// - Complexity: O(1); writing copies the elements first if another tensor shares them.
  @inlinable
  public subscript(i: Int, j: Int) -> Scalar {
    get { element(at: offset(i, j)) }
    _modify {
      let offset = offset(i, j)
      makeUnique()
      defer { _fixLifetime(storage) }
      yield &storage.base[offset]
    }
  }

  /// The element of a tensor with three axes.
  ///
  /// - Precondition: The tensor has three axes, and each index is within its axis.
  /// - Complexity: O(1); writing copies the elements first if another tensor shares them.
  @inlinable
  public subscript(i: Int, j: Int, k: Int) -> Scalar {
    get { element(at: offset(i, j, k)) }
    _modify {
      let offset = offset(i, j, k)
      makeUnique()
      defer { _fixLifetime(storage) }
      yield &storage.base[offset]
    }
  }

  /// The element of a tensor with four axes.
  ///
  /// - Precondition: The tensor has four axes, and each index is within its axis.
  /// - Complexity: O(1); writing copies the elements first if another tensor shares them.
  @inlinable
  public subscript(i: Int, j: Int, k: Int, l: Int) -> Scalar {
    get { element(at: offset(i, j, k, l)) }
    _modify {
      let offset = offset(i, j, k, l)
      makeUnique()
      defer { _fixLifetime(storage) }
      yield &storage.base[offset]
    }
  }

  /// The element at one index per axis, for any number of axes.
  ///
  /// - Precondition: There is one index per axis, and each is within its axis.
  /// - Complexity: O(rank).
  public subscript(indices: [Int]) -> Scalar {
    get { element(at: offset(of: indices)) }
    set {
      let offset = offset(of: indices)
      makeUnique()
      withExtendedLifetime(storage) { storage.base[offset] = newValue }
    }
  }

  private func offset(of indices: [Int]) -> Int {
    require(
      indices.count == rank && zip(indices, shape).allSatisfy { $0 >= 0 && $0 < $1 },
      "Tensor.subscript: expected indices into shape \(shape), got \(indices).")
    return zip(indices, shape).reduce(0) { $0 * $1.1 + $1.0 }
  }
}

extension Tensor {
  /// Returns the element at an offset that was already checked.
  @inlinable
  @inline(__always)
  func element(at offset: Int) -> Scalar {
    withExtendedLifetime(storage) { storage.base[offset] }
  }

  @inlinable
  @inline(__always)
  func offset(_ i: Int) -> Int {
    guard shape.count == 1, UInt(bitPattern: i) < UInt(bitPattern: shape[0]) else {
      refuseIndices(1, i, 0, 0, 0)
    }
    return i
  }

  @inlinable
  @inline(__always)
  func offset(_ i: Int, _ j: Int) -> Int {
    guard shape.count == 2, UInt(bitPattern: i) < UInt(bitPattern: shape[0]),
      UInt(bitPattern: j) < UInt(bitPattern: shape[1])
    else { refuseIndices(2, i, j, 0, 0) }
    return i &* shape[1] &+ j
  }

  @inlinable
  @inline(__always)
  func offset(_ i: Int, _ j: Int, _ k: Int) -> Int {
    guard shape.count == 3, UInt(bitPattern: i) < UInt(bitPattern: shape[0]),
      UInt(bitPattern: j) < UInt(bitPattern: shape[1]),
      UInt(bitPattern: k) < UInt(bitPattern: shape[2])
    else { refuseIndices(3, i, j, k, 0) }
    return (i &* shape[1] &+ j) &* shape[2] &+ k
  }

  @inlinable
  @inline(__always)
  func offset(_ i: Int, _ j: Int, _ k: Int, _ l: Int) -> Int {
    guard shape.count == 4, UInt(bitPattern: i) < UInt(bitPattern: shape[0]),
      UInt(bitPattern: j) < UInt(bitPattern: shape[1]),
      UInt(bitPattern: k) < UInt(bitPattern: shape[2]),
      UInt(bitPattern: l) < UInt(bitPattern: shape[3])
    else { refuseIndices(4, i, j, k, l) }
    return ((i &* shape[1] &+ j) &* shape[2] &+ k) &* shape[3] &+ l
  }

  /// Stops the program because the first `count` indices are out of bounds.
  @usableFromInline
  @inline(never)
  func refuseIndices(_ count: Int, _ i: Int, _ j: Int, _ k: Int, _ l: Int) -> Never {
    contractViolation(
      "Tensor.subscript: expected indices into shape \(shape), got \(Array([i, j, k, l][..<count]))."
    )
  }
}
