// Which mistakes explain a result: the outputs of every known slip and of every pair of slips are computed, and the
// nearest are named.

/// How precise the numbers of an answer are.
package enum AnswerPrecision: Sendable {
  /// float32 or float64.
  case single
  /// Every number is one of float16.
  case half

  /// The largest relative distance at which a computation explains an answer.
  package var tolerance: Double { self == .single ? 1e-3 : 1e-2 }
  /// The relative distance that rounding alone may make.
  package var noise: Double { self == .single ? 1e-5 : 5e-3 }

  /// The precision of numbers.
  package init(_ numbers: [Double]) {
    let isHalf = numbers.contains { $0 != 0 } && numbers.allSatisfy { $0 == Self.half($0) }
    self = isHalf ? .half : .single
  }

  /// The nearest float16, for numbers in its range.
  package static func half(_ number: Double) -> Double {
    guard number != 0, number.isFinite else { return number }
    let unit = Double(sign: .plus, exponent: max(number.exponent, -14) - 10, significand: 1)
    return (number / unit).rounded(.toNearestOrEven) * unit
  }
}

/// What explains a result.
package struct Diagnosis: Sendable {
  /// The sets of slips that explain it equally well; an empty set says that it is right, and none that no known slip
  /// matches.
  package let explanations: [[Slip]]

  package var isRight: Bool { explanations.contains { $0.isEmpty } }

  /// Finds the nearest computation.
  ///
  /// The fewest slips are named that are as near as the nearest, up to rounding.
  ///
  /// - Parameters:
  ///   - found: The student's numbers.
  ///   - part: Which result they are.
  ///   - precision: How precise they are.
  ///   - compute: The numbers with slips, all of them or always the same selection.
  ///   - confirm: Whether slips explain the numbers that `compute` leaves out, too.
  package init(
    _ found: [Double], _ part: ExercisePart, _ precision: AnswerPrecision,
    compute: (Slips) -> [Double], confirm: (Slips) -> Bool = { _ in true }
  ) {
    let known = SlipTable.slips(in: part)
    let alone = known.map { Slip.slips([$0]) }
    var sets: [[Slip]] = [[]] + known.map { [$0] }
    for (index, first) in known.enumerated() {
      for second in known.indices where second > index {
        let both = Slip.slips([first, known[second]])
        // Two values of one switch: the second replaces the first.
        if both != alone[index], both != alone[second] { sets.append([first, known[second]]) }
      }
    }
    let distances = sets.map { relativeDistance(found, compute(Slip.slips($0))) }
    let best = distances.min() ?? .infinity
    guard best <= precision.tolerance else {
      explanations = []
      return
    }
    let near = sets.indices.filter { distances[$0] <= best + precision.noise }
    let fewest = near.map { sets[$0].count }.min() ?? 0
    explanations = near.filter { sets[$0].count == fewest }
      .sorted { distances[$0] < distances[$1] }.map { sets[$0] }
      .filter { confirm(Slip.slips($0)) }
  }
}

/// The largest |x − y| over the largest |x| or |y|; 0 if all are 0, infinite if one is not finite.
package func relativeDistance(_ x: [Double], _ y: [Double]) -> Double {
  guard x.count == y.count else { return .infinity }
  var (difference, size) = (0.0, 0.0)
  for (a, b) in zip(x, y) {
    guard a.isFinite, b.isFinite else { return .infinity }
    difference = max(difference, (a - b).magnitude)
    size = max(size, a.magnitude, b.magnitude)
  }
  return size == 0 ? 0 : difference / size
}
