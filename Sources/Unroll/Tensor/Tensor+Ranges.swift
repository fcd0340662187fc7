// Parts of a tensor, by ranges of its axes. Reading gives a copy, writing assigns.
//
//   x[1, ...]         the part at index 1 of the first axis, without that axis
//   x[1, 2, ...]      the same for the first two axes
//   x[2..<5]          a range of the first axis
//   x[0..., 1..<3]    ranges of the first two axes, or of the first three
//   x[..., 1..<3]     a range of the last axis
//
// Axes that are not named are taken whole.

internal import UnrollContracts

extension Tensor {
  /// The part at one index of the first axis: one axis less.
  ///
  /// ```swift
  /// let x = Tensor<Float>(shape: [2, 3], elements: [1, 2, 3, 4, 5, 6])
  /// print(x[1, ...])  // [4.0, 5.0, 6.0]
  /// ```
  ///
  /// Reading gives a copy; writing assigns the elements.
  ///
  /// - Precondition: `index` lies inside the first axis, and what is assigned has the shape of the part.
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

  /// The part at one index of each of the first two axes: two axes less.
  ///
  /// Reading gives a copy; writing assigns the elements.
  ///
  /// - Precondition: The indices lie inside their axes, and what is assigned has the shape of the part.
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

  /// Assigns a part that has all but the first `axes` axes, at an offset.
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
  /// A range of the first axis: the same number of axes.
  ///
  /// ```swift
  /// var x = Tensor<Float>(shape: [4, 2])
  /// x[1..<3] = Tensor(shape: [2, 2], repeating: 1)
  /// print(x[2...].shape)  // [2, 2]
  /// ```
  ///
  /// Reading gives a copy; writing assigns the elements.
  ///
  /// - Precondition: The range lies inside the axis, and what is assigned has the shape of the part.
  /// - Complexity: O(size of the part). Reading allocates the result; writing copies the elements first if
  ///   another tensor shares them.
  public subscript(first: some RangeExpression<Int>) -> Tensor {
    get { self[part: [bounds(first, 0)]] }
    set { self[part: [bounds(first, 0)]] = newValue }
  }

  /// Ranges of the first two axes: the same number of axes.
  ///
  /// Reading gives a copy; writing assigns the elements. `0...` takes an axis whole.
  ///
  /// - Precondition: The ranges lie inside their axes, and what is assigned has the shape of the part.
  /// - Complexity: O(size of the part). Reading allocates the result; writing copies the elements first if
  ///   another tensor shares them.
  public subscript(
    first: some RangeExpression<Int>, second: some RangeExpression<Int>
  ) -> Tensor {
    get { self[part: [bounds(first, 0), bounds(second, 1)]] }
    set { self[part: [bounds(first, 0), bounds(second, 1)]] = newValue }
  }

  /// Ranges of the first three axes: the same number of axes.
  ///
  /// Reading gives a copy; writing assigns the elements. `0...` takes an axis whole.
  ///
  /// - Precondition: The ranges lie inside their axes, and what is assigned has the shape of the part.
  /// - Complexity: O(size of the part). Reading allocates the result; writing copies the elements first if
  ///   another tensor shares them.
  public subscript(
    first: some RangeExpression<Int>, second: some RangeExpression<Int>,
    third: some RangeExpression<Int>
  ) -> Tensor {
    get { self[part: [bounds(first, 0), bounds(second, 1), bounds(third, 2)]] }
    set { self[part: [bounds(first, 0), bounds(second, 1), bounds(third, 2)]] = newValue }
  }

  /// A range of the last axis: columns, with the same number of axes.
  ///
  /// Reading gives a copy; writing assigns the elements.
  ///
  /// - Precondition: There is an axis, the range lies inside it, and what is assigned has the shape of the part.
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

  /// The range that an expression takes of an axis.
  private func bounds(_ expression: some RangeExpression<Int>, _ axis: Int) -> Range<Int> {
    require(
      axis >= 0 && axis < rank,
      "Tensor.subscript: expected at most \(rank) ranges for shape \(shape), got one for axis \(axis)."
    )
    let size = shape[axis]
    // Open ends are resolved in bounds that no axis has: resolved in the axis, `5...` of an axis of 2 would end
    // the program without a message.
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

  /// The part in these ranges of the first axes.
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

  /// Calls `body` with start and length of the part's contiguous runs, in row-major order.
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
