// Zoneout: like dropout, but units keep their previous state instead of becoming zero.

internal import UnrollContracts

/// The probability that a unit keeps its previous state.
///
/// In training a mask decides for each unit, step and sequence. Without masks every unit takes the mean of both
/// states, weighted by the rate.
///
/// ```swift
/// var random = NumPyRandom(seed: 1)
/// var layer = RecurrentLayer(cell: Cell<Float>(.lstm, inputSize: 3, hiddenSize: 4, using: &random))
/// layer.cell.zoneout = Zoneout(hidden: 0.05, cell: 0.5)  // the mean: for inference
/// layer.cell.zoneout.masks = Zoneout.Masks(seed: 1, step: 12)  // drawn: for a training step
/// ```
///
/// Source: Krueger et al. 2017, [arXiv:1606.01305](https://arxiv.org/abs/1606.01305).
public struct Zoneout: Sendable, Equatable {
  /// The arguments that, with an index in `[T, B, H]`, determine a mask.
  public struct Masks: Sendable, Equatable {
    /// The seed; equal seeds give equal masks.
    public var seed: UInt64
    /// The training step; at least 0.
    public var step: Int { didSet { check() } }
    /// The stream of the masks of h within a step; below 65,536.
    public var hiddenStream: Int { didSet { check() } }
    /// The stream of the masks of c within a step; below 65,536.
    public var cellStream: Int { didSet { check() } }

    /// Creates masks.
    ///
    /// - Precondition: The streams are in 0 ..< 65536 and the step is at least 0.
    public init(seed: UInt64, step: Int, hiddenStream: Int = 0, cellStream: Int = 1) {
      self.seed = seed
      self.step = step
      self.hiddenStream = hiddenStream
      self.cellStream = cellStream
      check()
    }

    private func check() {
      let streams = 0..<65536
      require(
        streams.contains(hiddenStream) && streams.contains(cellStream) && step >= 0,
        "Zoneout.Masks: expected streams in 0 ..< 65536 and a step of at least 0, got \(hiddenStream), \(cellStream) and \(step)."
      )
    }
  }

  /// The probability that a unit keeps its h, in 0 ..< 1.
  public var hidden: Double { didSet { check() } }
  /// The probability that a unit keeps its c (LSTM), in 0 ..< 1.
  public var cell: Double { didSet { check() } }
  /// The masks of a training step; nil for the mean.
  public var masks: Masks?

  /// Creates zoneout from its rates.
  ///
  /// - Precondition: The rates are in 0 ..< 1.
  public init(hidden: Double, cell: Double = 0, masks: Masks? = nil) {
    self.hidden = hidden
    self.cell = cell
    self.masks = masks
    check()
  }

  private func check() {
    require(
      (0..<1).contains(hidden) && (0..<1).contains(cell),
      "Zoneout: expected rates in 0 ..< 1, got \(hidden) and \(cell).")
  }

  /// Zoneout with rate 0.
  public static let none = Zoneout(hidden: 0)

  /// Whether any rate is above 0.
  var isActive: Bool { hidden > 0 || cell > 0 }
}
