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
  mutating func compare<Scalar: KernelScalar>(
    _ ours: Tensor<Scalar>, _ theirs: Tensor<Scalar>, as quantity: String, array: String,
    bound: Double, isDifference: Bool = false
  ) {
    seen.insert(array)
    let isDouble = Scalar.self == Double.self
    guard ours.shape == theirs.shape else {
      return record(.greatestFiniteMagnitude, quantity, bound)
    }
    var (worst, largest, scale) = (0.0, 0.0, 0.0)
    for (a, b) in zip(ours.elements, theirs.elements) {
      let difference = Double(abs(a - b))
      guard difference.isFinite else {
        return record(.greatestFiniteMagnitude, quantity, bound)
      }
      worst = max(worst, difference / max(1, Double(abs(b))))
      (largest, scale) = (max(largest, difference), max(scale, Double(abs(b))))
    }
    record(
      worst, quantity, bound,
      relative: largest == 0 ? 0 : largest / max(scale, .leastNormalMagnitude),
      relativeBound: isDouble && !isDifference ? bound : nil)
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
    checks[index].relative = max(old.relative, relative)
    checks[index].relativeBound =
      relativeBound.map { min($0, old.relativeBound ?? $0) }
      ?? old.relativeBound
  }
}
