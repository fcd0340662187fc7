// Slices of a tensor by ranges of its axes. Reading copies; writing assigns.
//
//   x[1, ...]         the part at index 1 of the first axis, without that axis
//   x[1, 2, ...]      the same for the first two axes
//   x[2..<5]          a range of the first axis
//   x[0..., 1..<3]    ranges of the first two axes, or of the first three
//   x[..., 1..<3]     a range of the last axis
//
// Axes that are not named are taken in full.

internal import UnrollContracts

extension Tensor {
  /// The slice at an index of the first axis, with one axis less.
  ///
  /// ```swift
  /// let x = Tensor<Float>(shape: [2, 3], elements: [1, 2, 3, 4, 5, 6])
  /// print(x[1, ...])  // [4.0, 5.0, 6.0]
  /// ```
  ///
  /// Reading copies; writing assigns the elements.
  ///
  /// - Precondition: `index` is within the first axis, and an assigned tensor has the shape of the slice.
  /// - Complexity: O(size of the part). Reading allocates the result; writing allocates only if another tensor
  ///   shares the elements.
  public subscript(index: Int, rest: UnboundedRange) -> Tensor {
    get {
      checkLeading(rank > 0 && index >= 0 && index < shape[0], [index])
      return copy(from: index * rowSize, shape: Array(shape.dropFirst()))
    }
    set {
      checkLeading(rank > 0 && index >= 0 && index < shape[0], [index])
      assign(newValue, at: index * rowSize, axes: 1)
    }
  }

  /// The slice at an index of each of the first two axes, with two axes less.
  ///
  /// Reading copies; writing assigns the elements.
  ///
  /// - Precondition: The indices are within their axes, and an assigned tensor has the shape of the slice.
  /// - Complexity: O(size of the part). Reading allocates the result; writing allocates only if another tensor
  ///   shares the elements.
  public subscript(first: Int, second: Int, rest: UnboundedRange) -> Tensor {
    get {
      copy(from: start(first, second), shape: Array(shape.dropFirst(2)))
    }
    set {
      assign(newValue, at: start(first, second), axes: 2)
    }
  }

  private func start(_ first: Int, _ second: Int) -> Int {
    checkLeading(
      rank > 1 && first >= 0 && first < shape[0] && second >= 0 && second < shape[1],
      [first, second])
    return (first * shape[1] + second) * shape.dropFirst(2).reduce(1, *)
  }

  private func checkLeading(_ isInside: Bool, _ indices: @autoclosure () -> [Int]) {
    require(
      isInside,
      "Tensor.subscript: expected indices into the first axes of shape \(shape), got \(indices()).")
  }

  private func copy(from start: Int, shape: [Int]) -> Tensor {
    let result = Tensor(uninitialized: shape)
    withExtendedLifetime(storage) {
      result.storage.base.initialize(from: storage.base + start, count: result.count)
    }
    return result
  }

  /// Assigns a slice at an offset; the slice lacks the first `axes` axes.
  private mutating func assign(_ part: Tensor, at start: Int, axes: Int) {
    require(
      part.shape.elementsEqual(shape.dropFirst(axes)),
      "Tensor.subscript: expected a part of shape \(shape.dropFirst(axes)), got \(part.shape).")
    makeUnique()
    withExtendedLifetime((storage, part)) {
      (storage.base + start).update(from: part.storage.base, count: part.count)
    }
  }
}

extension Tensor {
  /// The slice for a range of the first axis, with the same number of axes.
  ///
  /// ```swift
  /// var x = Tensor<Float>(shape: [4, 2])
  /// x[1..<3] = Tensor(shape: [2, 2], repeating: 1)
  /// print(x[2...].shape)  // [2, 2]
  /// ```
  ///
  /// Reading copies; writing assigns the elements.
  ///
  /// - Precondition: The range is within the axis, and an assigned tensor has the shape of the slice.
  /// - Complexity: O(size of the part). Reading allocates the result; writing copies the elements first if
  ///   another tensor shares them.
  public subscript(first: some RangeExpression<Int>) -> Tensor {
    get { self[part: [bounds(first, 0)]] }
    set { self[part: [bounds(first, 0)]] = newValue }
  }

  /// The slice for ranges of the first two axes, with the same number of axes.
  ///
  /// Reading copies; writing assigns the elements. `0...` selects an entire axis.
  ///
  /// - Precondition: The ranges are within their axes, and an assigned tensor has the shape of the slice.
  /// - Complexity: O(size of the part). Reading allocates the result; writing copies the elements first if
  ///   another tensor shares them.
  public subscript(
    first: some RangeExpression<Int>, second: some RangeExpression<Int>
  ) -> Tensor {
    get { self[part: [bounds(first, 0), bounds(second, 1)]] }
    set { self[part: [bounds(first, 0), bounds(second, 1)]] = newValue }
  }

  /// The slice for ranges of the first three axes, with the same number of axes.
  ///
  /// Reading copies; writing assigns the elements. `0...` selects an entire axis.
  ///
  /// - Precondition: The ranges are within their axes, and an assigned tensor has the shape of the slice.
  /// - Complexity: O(size of the part). Reading allocates the result; writing copies the elements first if
  ///   another tensor shares them.
  public subscript(
    first: some RangeExpression<Int>, second: some RangeExpression<Int>,
    third: some RangeExpression<Int>
  ) -> Tensor {
    get { self[part: [bounds(first, 0), bounds(second, 1), bounds(third, 2)]] }
    set { self[part: [bounds(first, 0), bounds(second, 1), bounds(third, 2)]] = newValue }
  }

  /// The slice for a range of the last axis (columns), with the same number of axes.
  ///
  /// Reading copies; writing assigns the elements.
  ///
  /// - Precondition: There is an axis, the range is within it, and an assigned tensor has the shape of the slice.
  /// - Complexity: O(size of the part). Reading allocates the result; writing copies the elements first if
  ///   another tensor shares them.
  public subscript(rest: UnboundedRange, last: some RangeExpression<Int>) -> Tensor {
    get { self[part: rangesOfLast(last)] }
    set { self[part: rangesOfLast(last)] = newValue }
  }

  private func rangesOfLast(_ last: some RangeExpression<Int>) -> [Range<Int>] {
    let range = bounds(last, rank - 1)
    return shape.dropLast().map { 0..<$0 } + [range]
  }

  /// Resolves a range expression for an axis.
  private func bounds(_ expression: some RangeExpression<Int>, _ axis: Int) -> Range<Int> {
    require(
      axis >= 0 && axis < rank,
      "Tensor.subscript: expected at most \(rank) ranges for shape \(shape), got one for axis \(axis)."
    )
    let size = shape[axis]
    // Resolved within bounds larger than any axis: relative to an axis of size 2, `5...` would trap without a
    // message.
    let (first, end) = (Int.min + 1, Int.max)
    let wide = expression.relative(to: first..<end)
    let lower = wide.lowerBound == first && expression.contains(.min) ? 0 : wide.lowerBound
    let upper = wide.upperBound == end && expression.contains(.max) ? size : wide.upperBound
    require(
      lower >= 0 && lower <= upper && upper <= size,
      "Tensor.subscript: expected a range within axis \(axis) of shape \(shape), got \(lower)..<\(upper)."
    )
    return lower..<upper
  }

  /// The slice for these ranges of the first axes.
  private subscript(part ranges: [Range<Int>]) -> Tensor {
    get {
      let result = Tensor(uninitialized: ranges.map(\.count) + shape.dropFirst(ranges.count))
      withExtendedLifetime((storage, result)) {
        var out = result.storage.base
        forEachRun(ranges, axis: 0, start: 0) { start, count in
          out.initialize(from: storage.base + start, count: count)
          out += count
        }
      }
      return result
    }
    set {
      require(
        newValue.rank == rank
          && newValue.shape.elementsEqual(ranges.map(\.count) + shape.dropFirst(ranges.count)),
        "Tensor.subscript: expected a part of shape \(ranges.map(\.count) + shape.dropFirst(ranges.count)), got \(newValue.shape)."
      )
      makeUnique()
      withExtendedLifetime((storage, newValue)) {
        var source = UnsafePointer(newValue.storage.base)
        forEachRun(ranges, axis: 0, start: 0) { start, count in
          (storage.base + start).update(from: source, count: count)
          source += count
        }
      }
    }
  }

  /// Calls `body` with the start and length of each contiguous run of the slice, in row-major order.
  private func forEachRun(
    _ ranges: [Range<Int>], axis: Int, start: Int, _ body: (Int, Int) -> Void
  ) {
    let inner = shape[(axis + 1)...].reduce(1, *)
    let range = ranges[axis]
    let isWhole = ranges.indices[(axis + 1)...].allSatisfy { ranges[$0].count == shape[$0] }
    if axis == ranges.count - 1 || isWhole {
      body(start + range.lowerBound * inner, range.count * inner)
    } else {
      for index in range {
        forEachRun(ranges, axis: axis + 1, start: start + index * inner, body)
      }
    }
  }
}
