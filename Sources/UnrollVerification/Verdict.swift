// The criteria for a verdict, and the only definition of the bounds.

internal import Unroll

/// The comparison of one quantity of a case.
public struct QuantityCheck: Sendable, Codable {
  /// `outputs`, `states`, or a gradient such as `gw.w.kernel`.
  public var quantity: String
  /// The largest |ours − theirs| / max(1, |theirs|); for exact quantities, the number of different elements.
  ///
  /// JSON has no infinity, so values that cannot be compared count as 1e308.
  public var worst: Double
  /// The bound of `worst`.
  public var bound: Double
  /// The largest |ours − theirs| relative to the largest |theirs| of the array, for the worst array; it detects errors
  /// in small values.
  public var relative: Double
  /// The bound of `relative`; nil if it is not judged.
  public var relativeBound: Double?

  /// Whether the quantity is within its bounds.
  public var passes: Bool { worst <= bound && relative <= relativeBound ?? .infinity }
}

/// The verdict on a case.
public enum Verdict: String, Sendable, Codable {
  /// Every array of the case was recomputed and is within its bound.
  case passed
  /// At least one array exceeds its bound.
  case failed
  /// The case is damaged or not supported, and could not be recomputed.
  case error
  /// The case needs a file format that Unroll cannot read.
  case notReadable = "not readable yet"
}

/// A case with its verdict.
public struct CaseVerdict: Sendable, Codable {
  /// The case's name.
  public var name: String
  /// The group of the case.
  public var group: String
  /// The program that computed it, with its version.
  public var framework: String
  /// The cell, or another quantity under test.
  public var cell: String
  /// The precision in which it was recomputed.
  public var precision: String
  /// The judgement.
  public var verdict: Verdict
  /// The reason, if the verdict does not follow from the checks.
  public var reason: String?
  /// The compared quantities.
  public var checks: [QuantityCheck]
}

/// The bounds of the comparison.
enum Bounds {
  /// The bound for float64.
  static let double = 1e-12
  /// The bound for float64 with saturated gates, whose gradients are differences of nearly equal
  /// numbers.
  static let saturatedDouble = 1e-10
  /// The minimum bound for float32.
  static let floatFloor = 1e-6
  /// The factor of the reference's float32 error.
  static let floatFactor = 8.0
  /// The factor of the change caused by perturbing every number by one unit in the last place, if the result is larger
  /// than the other bounds.
  static let sensitivityFactor = 8.0

  /// Returns the bound for float32, given the reference's error for the case.
  static func float(_ frameworkError: Double?) -> Double {
    max(floatFloor, floatFactor * (frameworkError ?? 0))
  }
}

/// The comparisons of a case; if several arrays share a quantity, the worst counts.
struct Comparison {
  private(set) var checks: [QuantityCheck] = []
  /// The names of the arrays that were used or compared.
  private(set) var seen = Set<String>()

  mutating func use(_ names: String...) { seen.formUnion(names) }

  /// Compares an array with its reference.
  ///
  /// In float64 two bounds apply: for each element, relative if it is above 1; and for the largest difference relative
  /// to the largest number of the array. The latter does not apply to arrays of differences of nearly equal numbers,
  /// whose last digits are rounding errors.
  ///
  /// - Parameters:
  ///   - ours: The recomputed array.
  ///   - theirs: The reference.
  ///   - quantity: The quantity that the array belongs to.
  ///   - array: Its name.
  ///   - bound: The bound without growth of rounding errors.
  ///   - isDifference: Whether the numbers are differences of nearly equal ones.
  ///   - isSequence: Whether the array is a sequence `[B, T, …]`, whose steps differ in sensitivity.
  ///   - sensitivity: Recomputes the array from numbers perturbed by one unit in the last place. It is called if the
  ///     bound is exceeded, and replaces it with a multiple of the change.
  mutating func compare<Scalar: KernelScalar>(
    _ ours: Tensor<Scalar>, _ theirs: Tensor<Scalar>, as quantity: String, array: String,
    bound: Double, isDifference: Bool = false, isSequence: Bool = false,
    sensitivity: () -> [Tensor<Scalar>] = { [] }
  ) {
    seen.insert(array)
    let isRelative = Scalar.self == Double.self && !isDifference
    guard let found = Difference(ours, theirs) else {
      return record(.greatestFiniteMagnitude, quantity, bound)
    }
    let isWithin = found.worst <= bound && (!isRelative || found.relative <= bound)
    let reruns = isWithin ? [] : sensitivity().filter { $0.shape == ours.shape }
    guard !reruns.isEmpty else {
      return record(
        found.worst, quantity, bound, relative: found.relative,
        relativeBound: isRelative ? bound : nil)
    }
    let scale = Double(theirs.maximumMagnitude)
    let (ourSteps, theirSteps) = (Self.steps(ours, isSequence), Self.steps(theirs, isSequence))
    let movedSteps = reruns.map { Self.steps($0, isSequence) }
    for index in ourSteps.indices {
      let (our, their) = (ourSteps[index], theirSteps[index])
      guard let found = Difference(our, their, scale: scale) else { continue }
      var (limit, relativeLimit) = (bound, bound)
      for moved in movedSteps {
        // Relative to the same numbers as the difference.
        guard let change = Difference(our, moved[index], by: their, scale: scale) else { continue }
        limit = max(limit, Bounds.sensitivityFactor * change.worst)
        relativeLimit = max(relativeLimit, Bounds.sensitivityFactor * change.relative)
      }
      record(
        found.worst, quantity, limit, relative: found.relative,
        relativeBound: isRelative ? relativeLimit : nil)
    }
  }

  /// Splits a sequence `[B, T, …]` into steps; returns other tensors unchanged.
  private static func steps<Scalar: KernelScalar>(
    _ tensor: Tensor<Scalar>, _ isSequence: Bool
  ) -> [Tensor<Scalar>] {
    guard isSequence, tensor.rank == 3 else { return [tensor] }
    let timeMajor = tensor.exchangingFirstAxes
    return (0..<timeMajor.shape[0]).map { timeMajor[$0, ...] }
  }

  /// The difference of two tensors.
  struct Difference {
    /// The largest |a − b| / max(1, |b|).
    var worst = 0.0
    /// The largest |a − b| over the largest |b|.
    var relative = 0.0

    /// Compares two tensors; nil if their shapes differ or a number is not finite.
    ///
    /// - Parameters:
    ///   - ours: a.
    ///   - theirs: b.
    ///   - measure: The tensor in the denominators; nil for b itself.
    ///   - whole: The largest |b| of the array that contains them; 0 for a complete array.
    init?<Scalar: KernelScalar>(
      _ ours: Tensor<Scalar>, _ theirs: Tensor<Scalar>, by measure: Tensor<Scalar>? = nil,
      scale whole: Double = 0
    ) {
      let measure = measure ?? theirs
      guard ours.shape == theirs.shape, ours.shape == measure.shape else { return nil }
      var (largest, scale) = (0.0, whole)
      for ((a, b), size) in zip(zip(ours.elements, theirs.elements), measure.elements) {
        let (difference, size) = (Double(abs(a - b)), Double(abs(size)))
        guard difference.isFinite else { return nil }
        worst = max(worst, difference / max(1, size))
        (largest, scale) = (max(largest, difference), max(scale, size))
      }
      relative = largest == 0 ? 0 : largest / max(scale, .leastNormalMagnitude)
    }
  }

  /// Compares arrays that must be equal; the error is the number of differences.
  mutating func compareExactly<Element: Equatable>(
    _ ours: [Element], _ theirs: [Element], as quantity: String, array: String
  ) {
    seen.insert(array)
    guard ours.count == theirs.count else {
      return record(.greatestFiniteMagnitude, quantity, 0)
    }
    record(Double(zip(ours, theirs).count { $0 != $1 }), quantity, 0)
  }

  private mutating func record(
    _ worst: Double, _ quantity: String, _ bound: Double, relative: Double = 0,
    relativeBound: Double? = nil
  ) {
    let relative = min(relative, .greatestFiniteMagnitude)
    guard let index = checks.firstIndex(where: { $0.quantity == quantity }) else {
      checks.append(
        QuantityCheck(
          quantity: quantity, worst: worst, bound: bound, relative: relative,
          relativeBound: relativeBound))
      return
    }
    // Bounds differ between arrays: keep the one closest to its bound.
    let old = checks[index]
    if worst * old.bound > old.worst * bound || (bound == 0 && worst > old.worst) {
      (checks[index].worst, checks[index].bound) = (worst, bound)
    }
    guard let relativeBound, let oldBound = old.relativeBound else {
      checks[index].relative = max(old.relative, relative)
      checks[index].relativeBound = relativeBound ?? old.relativeBound
      return
    }
    if relative * oldBound >= old.relative * relativeBound {
      (checks[index].relative, checks[index].relativeBound) = (relative, relativeBound)
    }
  }
}
