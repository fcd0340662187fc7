// Zoneout, a cell's own dropout: not numbers are dropped but changes of state.

/// How often units keep the state that they had.
///
/// In training a mask decides for every unit, step and sequence; without masks every unit takes the
/// mean of both states, weighted by the rate.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// var layer = RecurrentLayer(cell: LSTM<Float>(inputSize: 3, hiddenSize: 4, using: &random))
/// layer.cell.zoneout = Zoneout(hidden: 0.05, cell: 0.5)  // the mean: for inference
/// layer.cell.zoneout.masks = Zoneout.Masks(seed: 1, step: 12)  // drawn: for a training step
/// ```
///
/// Source: Krueger et al. 2017, [arXiv:1606.01305](https://arxiv.org/abs/1606.01305).
public struct Zoneout: Sendable, Equatable {
  /// What masks are a function of, besides a number's place in `[T, B, H]`.
  public struct Masks: Sendable, Equatable {
    /// With the same seed, a run makes the same masks.
    public var seed: UInt64
    /// Tells the steps of training apart.
    public var step: Int
    /// Tell the masks of one step apart, those of h and those of c; below 65,536.
    public var hiddenStream, cellStream: Int

    /// Creates masks.
    public init(seed: UInt64, step: Int, hiddenStream: Int = 0, cellStream: Int = 1) {
      self.seed = seed
      self.step = step
      self.hiddenStream = hiddenStream
      self.cellStream = cellStream
    }
  }

  /// The probability that a unit's h stays, in 0 ..< 1.
  public var hidden: Double
  /// The probability that a unit's c stays (LSTM), in 0 ..< 1.
  public var cell: Double
  /// The masks of a training step; nil for the mean.
  public var masks: Masks?

  /// Creates rates.
  ///
  /// - Precondition: The rates are in 0 ..< 1.
  public init(hidden: Double, cell: Double = 0, masks: Masks? = nil) {
    precondition(
      (0..<1).contains(hidden) && (0..<1).contains(cell),
      "Zoneout.init: expected rates in 0 ..< 1, got \(hidden) and \(cell).")
    self.hidden = hidden
    self.cell = cell
    self.masks = masks
  }

  /// Every state is new.
  public static let none = Zoneout(hidden: 0)

  /// Whether any unit may keep its state.
  var isActive: Bool { hidden > 0 || cell > 0 }
}
