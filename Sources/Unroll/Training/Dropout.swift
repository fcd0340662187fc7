// Dropout without stored masks. The mask is a function of seed, step, stream and index (Philox4x32-10), so that the
// backward pass and a resumed run reproduce it.

internal import CUnrollKernels
internal import UnrollContracts

/// A mask that keeps each element with probability 1 − rate and scales it by 1 / (1 − rate).
///
/// ```swift
/// var x = Tensor<Float>(shape: [5, 2, 8], repeating: 1)
/// let dropout = Dropout(rate: 0.5, seed: 1, stream: 0, step: 12)
/// dropout.apply(to: &x)  // and to the gradient, later
/// ```
///
/// Source: Srivastava et al. 2014; with a period, Gal and Ghahramani 2016 (one mask per sequence).
public struct Dropout: Sendable, Equatable {
  /// The probability of zeroing an element, in 0 ..< 1.
  public var rate: Double { didSet { check("Dropout.rate") } }
  /// The seed; equal seeds give equal masks.
  public var seed: UInt64
  /// The stream, which distinguishes masks within a step; below 65,536.
  public var stream: Int { didSet { check("Dropout.stream") } }
  /// The training step; at least 0.
  public var step: Int { didSet { check("Dropout.step") } }

  /// Creates a mask.
  ///
  /// - Precondition: The rate is in 0 ..< 1, the stream in 0 ..< 65536 and the step at least 0.
  public init(rate: Double, seed: UInt64, stream: Int, step: Int) {
    self.rate = rate
    self.seed = seed
    self.stream = stream
    self.step = step
    check("Dropout.init")
  }

  private func check(_ operation: StaticString) {
    require(
      rate >= 0 && rate < 1 && (0..<65536).contains(stream) && step >= 0,
      "\(operation): expected a rate in 0 ..< 1, a stream in 0 ..< 65536 and a step of at least 0, got \(rate), \(stream) and \(step)."
    )
  }

  /// Applies the mask to values or to their gradients.
  ///
  /// - Parameters:
  ///   - tensor: The tensor to mask.
  ///   - period: The number of elements after which the mask repeats, such as B·H for one mask per sequence of
  ///     `[T, B, H]`; nil if it does not repeat.
  /// - Precondition: The period divides the number of elements.
  /// - Complexity: O(count); no allocation unless the tensor is shared.
  public func apply<Scalar: KernelScalar>(to tensor: inout Tensor<Scalar>, period: Int? = nil) {
    guard rate > 0, !tensor.isEmpty else { return }
    let period = period ?? tensor.count
    require(
      period > 0 && tensor.count % period == 0,
      "Dropout.apply: expected a period that divides \(tensor.count), got \(period).")
    tensor.makeUnique()
    var mask = structure
    mask.period = period
    withExtendedLifetime(tensor) {
      unroll_drop(
        Scalar.kernelType, unroll_thread_count(), tensor.base, tensor.count, &mask)
    }
  }

  /// Returns the factor of the element at an index: 0 or 1 / (1 − rate).
  public func factor(at index: Int) -> Double {
    require(index >= 0, "Dropout.factor: expected an index of at least 0, got \(index).")
    guard rate > 0 else { return 1 }
    let block = UInt64(index / 4)
    let philox = Philox(
      counter: SIMD4(
        UInt32(truncatingIfNeeded: block),
        UInt32(truncatingIfNeeded: block >> 32) ^ UInt32(stream) << 16,
        UInt32(truncatingIfNeeded: step), UInt32(truncatingIfNeeded: step >> 32)),
      key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
    let threshold = UInt32(rate * 4_294_967_296)
    return philox.block[index % 4] >= threshold ? 1 / (1 - rate) : 0
  }

  private var structure: unroll_dropout {
    var mask = unroll_dropout()
    mask.rate = rate
    mask.seed = seed
    mask.step = UInt64(step)
    mask.stream = UInt32(stream)
    return mask
  }
}
