// How a case is judged. The bounds are stated here and nowhere else.

internal import Unroll

/// One quantity of a case, compared.
public struct QuantityCheck: Sendable, Codable {
  /// `outputs`, `states`, or a gradient such as `gw.w.kernel`.
  public var quantity: String
  /// The largest |ours − theirs| / max(1, |theirs|); for exact quantities how many elements differ.
  ///
  /// JSON has no infinity: what cannot be compared counts as 1e308.
  public var worst: Double
  /// What it may be.
  public var bound: Double
  /// The largest |ours − theirs| over the largest |theirs|, of the array where that is worst; it
  /// sees what vanishes.
  public var relative: Double
  /// What `relative` may be; nil where it is not judged.
  public var relativeBound: Double?

  /// Whether the quantity is within its bounds.
  public var passes: Bool { worst <= bound && relative <= relativeBound ?? .infinity }
}

/// The judgement of a case.
public enum Verdict: String, Sendable, Codable {
  /// Every array of the case was recomputed and lies within its bound.
  case passed
  /// At least one array is over its bound.
  case failed
  /// The case could not be recomputed: damaged, or of an unknown form.
  case error
  /// The case needs a file format that Unroll does not read yet.
  case notReadable = "not readable yet"
}

/// One case, judged.
public struct CaseVerdict: Sendable, Codable {
  /// The case's name.
  public var name: String
  /// The group of cases that it belongs to.
  public var group: String
  /// The program that computed it, with its version.
  public var framework: String
  /// The cell, or what else it computes.
  public var cell: String
  /// The precision in which it was recomputed.
  public var precision: String
  /// The judgement.
  public var verdict: Verdict
  /// Why, where the verdict is not a matter of numbers.
  public var reason: String?
  /// Every quantity that was compared.
  public var checks: [QuantityCheck]
}

/// The bounds of the comparison.
enum Bounds {
  /// For float64.
  static let double = 1e-12
  /// For float64 where a gate stands at its limit: the gradients there are differences of nearly
  /// equal numbers.
  static let saturatedDouble = 1e-10
  /// The least that is asked of float32.
  static let floatFloor = 1e-6
  /// How many times the other program's own float32 error is allowed.
  static let floatFactor = 8.0
  /// How many times the change is allowed that moving every number by a unit in the last place makes, where
  /// that is more than the bounds above.
  static let sensitivityFactor = 8.0

  /// The bound for float32, given the other program's own error for the case.
  static func float(_ frameworkError: Double?) -> Double {
    max(floatFloor, floatFactor * (frameworkError ?? 0))
  }
}

/// Collects a case's comparisons; several arrays may share a quantity, the worst counts.
struct Comparison {
  private(set) var checks: [QuantityCheck] = []
  /// The arrays of the case that were used or compared.
  private(set) var seen = Set<String>()

  mutating func use(_ names: String...) { seen.formUnion(names) }

  /// Compares an array with what was expected of it.
  ///
  /// In float64 the bound holds twice: for each element, relative where it is above 1, and for the
  /// largest difference relative to the array's largest number. The latter is not asked of arrays
  /// that are differences of nearly equal numbers, whose last digits are rounding.
  ///
  /// - Parameters:
  ///   - ours: What was recomputed.
  ///   - theirs: What was expected.
  ///   - quantity: What the array belongs to.
  ///   - array: Its name.
  ///   - bound: What is allowed where rounding does not grow.
  ///   - isDifference: Whether the numbers are differences of nearly equal ones.
  ///   - isSequence: Whether the array is a sequence `[B, T, …]`, whose steps differ in sensitivity.
  ///   - sensitivity: The same array, recomputed from numbers that were moved by a unit in the last place. It is
  ///     asked for if the bound is exceeded, and replaces it by a multiple of what that changes.
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
        // Measured by their numbers, as the difference is.
        guard let change = Difference(our, moved[index], by: their, scale: scale) else { continue }
        limit = max(limit, Bounds.sensitivityFactor * change.worst)
        relativeLimit = max(relativeLimit, Bounds.sensitivityFactor * change.relative)
      }
      record(
        found.worst, quantity, limit, relative: found.relative,
        relativeBound: isRelative ? relativeLimit : nil)
    }
  }

  /// A sequence `[B, T, …]` step by step, another tensor as it is.
  private static func steps<Scalar: KernelScalar>(
    _ tensor: Tensor<Scalar>, _ isSequence: Bool
  ) -> [Tensor<Scalar>] {
    guard isSequence, tensor.rank == 3 else { return [tensor] }
    let timeMajor = tensor.exchangingFirstAxes
    return (0..<timeMajor.shape[0]).map { timeMajor[$0, ...] }
  }

  /// How far two tensors are apart.
  struct Difference {
    /// The largest |a − b| / max(1, |b|).
    var worst = 0.0
    /// The largest |a − b| over the largest |b|.
    var relative = 0.0

    /// Compares two tensors; nil if they have other shapes or numbers that are not finite.
    ///
    /// - Parameters:
    ///   - ours: a.
    ///   - theirs: b.
    ///   - measure: What stands for b in the denominators; nil: b itself.
    ///   - whole: The largest |b| of the array that they are a part of; 0 for a whole array.
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

  /// Compares arrays that must agree to the bit; the error is the number of differences.
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
    // Bounds differ from array to array: the one that stands nearest to its own counts.
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
