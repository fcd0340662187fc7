// The statistics of the notebook, computed in the precision of the data.

public import Unroll
internal import UnrollContracts

/// Returns the relative error of two arrays as defined in the notebook: max |x − y| / max(1e-8, |x| + |y|).
///
/// Returns NaN if any element is NaN.
///
/// - Precondition: The shapes are equal.
public func relativeError<Scalar: KernelScalar>(_ x: Tensor<Scalar>, _ y: Tensor<Scalar>) -> Double
{
  require(x.shape == y.shape, "relativeError: expected shape \(x.shape), got \(y.shape).")
  return zip(x.elements, y.elements).reduce(0) { worst, pair in
    let (a, b) = (Double(pair.0), Double(pair.1))
    let error = abs(a - b) / max(1e-8, abs(a) + abs(b))
    return error.isNaN || worst.isNaN ? .nan : max(worst, error)
  }
}

/// Returns the largest |x − y|; NaN if any element is NaN.
func largestDifference<A: KernelScalar, B: KernelScalar>(_ x: Tensor<A>, _ y: Tensor<B>) -> Double {
  (Tensor<Double>(x) - Tensor<Double>(y)).maximumMagnitude
}

/// A histogram with equal bins, as computed by `numpy.histogram` and `plt.hist`.
public struct Histogram: Sendable, Equatable, Codable {
  /// The number of values in each bin; the last bin includes its upper edge.
  public var counts: [Int]
  /// The edges, one more than the number of bins.
  public var edges: [Double]

  /// Counts values in bins of equal width from the smallest to the largest.
  ///
  /// As in NumPy, the edges are rounded to the precision of the data. If all values are equal, the range is that value
  /// ± 0.5; if there are none, 0 to 1. Values that are not finite are ignored.
  public init<Scalar: KernelScalar>(_ values: [Scalar], binCount: Int = 20) {
    let values = values.filter(\.isFinite)
    var low = Double(values.min() ?? 0)
    var high = Double(values.max() ?? 1)
    if low == high { (low, high) = (low - 0.5, high + 0.5) }
    let step = (high - low) / Double(binCount)
    var edges = (0..<binCount).map { Scalar(Double($0) * step + low) }
    edges.append(Scalar(high))
    counts = [Int](repeating: 0, count: binCount)
    for value in values {
      // Find the last edge that is not above the value, by bisection.
      var (first, last) = (0, binCount - 1)
      while first < last {
        let middle = (first + last + 1) / 2
        if value >= edges[middle] { first = middle } else { last = middle - 1 }
      }
      counts[first] += 1
    }
    self.edges = edges.map { Double($0) }
  }
}

/// Summary statistics of a set of numbers.
public struct Summary: Sendable, Equatable, Codable {
  /// The minimum, mean, median and maximum.
  public var minimum, mean, median, maximum: Double
  /// The number of exact zeros.
  public var zeroCount: Int
  /// The fraction above 0.1: the statistic of the notebook's later edition.
  public var fractionAboveTenth: Double

  /// Computes the statistics; NaN if there are no numbers.
  public init(_ values: [Double]) {
    let sorted = values.sorted()
    minimum = sorted.first ?? .nan
    maximum = sorted.last ?? .nan
    mean = values.reduce(0, +) / Double(values.count)
    median = Self.median(sorted)
    zeroCount = values.count { $0 == 0 }
    fractionAboveTenth = Double(values.count { Float($0) > 0.1 }) / Double(values.count)
  }

  /// Returns a quantile of sorted numbers, with linear interpolation like `numpy.quantile`; NaN if there are none.
  ///
  /// - Parameters:
  ///   - share: The position from 0 (minimum) to 1 (maximum).
  ///   - sorted: The numbers in ascending order; infinities are allowed.
  /// - Returns: The quantile.
  package static func quantile(_ share: Double, of sorted: [Double]) -> Double {
    guard let last = sorted.indices.last else { return .nan }
    let place = share * Double(last)
    let low = Int(place.rounded(.down))
    let weight = place - Double(low)
    // Infinity times 0 would be NaN.
    guard weight > 0, low < last, sorted[low] != sorted[low + 1] else { return sorted[low] }
    return sorted[low] + weight * (sorted[low + 1] - sorted[low])
  }

  /// Returns the median of sorted numbers.
  package static func median(_ sorted: [Double]) -> Double {
    guard !sorted.isEmpty else { return .nan }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}

/// Replaces norms that are not finite with infinity.
///
/// An overflow is infinite at first, and becomes NaN in the next product or difference.
func overflowIsInfinite<Scalar: KernelScalar>(_ norms: [Scalar]) -> [Double] {
  norms.map { $0.isFinite ? Double($0) : .infinity }
}
