// The settings of all experiments. A single function validates them, so that the command, the report and the page give
// the same message for the same error.

public import Unroll
internal import UnrollPlatform

/// The arithmetic precision of an experiment.
///
/// Data and weights are float32 values in either precision.
public enum LabPrecision: String, Sendable, Codable, CaseIterable {
  /// `Float`.
  case float32
  /// `Double`.
  case float64
}

/// The settings of an experiment; the defaults are the notebook's.
public struct LabSettings: Sendable, Equatable, Codable {
  /// The cell.
  public var cell: CellKind
  /// The name of a custom cell, which a layer uses instead of ``cell``; nil for the kinds.
  public internal(set) var customCell: String?
  /// Weights and biases are uniform in ±scale/2.
  public var scale: Double
  /// If set, the gates are saturated so that the cell keeps its state.
  ///
  /// Weights are 0, and this is the bias of the gate that keeps the state (GRU: update; JANET: forget; LSTM: forget,
  /// output, and its negative for input). For an MGU, which keeps 1 minus its forget gate, the bias is the negative.
  public var keepBias: Double?
  /// A constant added to the bias of the gate that keeps the state (GRU: update; LSTM, JANET: forget).
  ///
  /// It is subtracted from the bias of an MGU's forget gate. A positive number keeps more of the state.
  public var gateBias: Double?
  /// If set, the biases of the gate that keeps the state are ln u with u uniform in 1 ..< this − 1.
  ///
  /// The biases of an LSTM's input gate and of an MGU's forget gate are the negatives. This gives time constants of up
  /// to this number of steps (Tallec, Ollivier 2018).
  public var chronoSteps: Int?
  /// If set, each recurrent matrix is an orthogonal matrix times this gain.
  public var orthogonalGain: Double?
  /// The zero-based steps at which states are compared; the gradient is computed at the last.
  public var steps: [Int]
  /// H.
  public var hiddenSize: Int
  /// D.
  public var inputSize: Int
  /// B.
  public var batchSize: Int
  /// T.
  public var timeStepCount: Int
  /// The seed, from 0 to 2³² − 1.
  public var seed: Int
  /// The arithmetic precision.
  public var precision: LabPrecision
  /// The order in which numbers are drawn.
  public var draws = LabDraws.fresh
  /// The initial weights, before `keepBias`, `gateBias`, `chronoSteps` and `orthogonalGain` change them.
  ///
  /// `scale` has no effect on TensorFlow's weights.
  public var initialWeights = LabInitialWeights.uniform
  /// The offset subtracted, in float32, from the inputs, which are uniform in 0 ..< 1.
  ///
  /// The notebook's line is truncated at `.astype(np.f`; its printed numbers imply 0.5. Without the subtraction the
  /// offset would be 0.
  public var inputOffset = 0.5

  /// The steps at which the notebook compares states.
  static let notebookSteps = [10, 20, 30]

  /// Returns those of the notebook's steps that a sequence has; its last step if it is too short for all of them.
  ///
  /// - Parameter timeStepCount: T.
  /// - Returns: At least one step; step 0 for an empty sequence.
  public static func defaultSteps(timeStepCount: Int) -> [Int] {
    let inside = notebookSteps.filter { $0 < timeStepCount }
    return inside.isEmpty ? [max(0, timeStepCount - 1)] : inside
  }

  /// Creates settings; the defaults are those of the notebook's long-term dependency.
  ///
  /// By default, `steps` is `defaultSteps(timeStepCount:)`.
  public init(
    cell: CellKind = .rnn, scale: Double = 2, keepBias: Double? = nil, steps: [Int]? = nil,
    hiddenSize: Int = 8, inputSize: Int = 5, batchSize: Int = 100, timeStepCount: Int = 50,
    seed: Int = 15009, precision: LabPrecision = .float32
  ) {
    self.cell = cell
    self.scale = scale
    self.keepBias = keepBias
    self.steps = steps ?? Self.defaultSteps(timeStepCount: timeStepCount)
    self.hiddenSize = hiddenSize
    self.inputSize = inputSize
    self.batchSize = batchSize
    self.timeStepCount = timeStepCount
    self.seed = seed
    self.precision = precision
  }

  /// The cell's name in titles.
  package var cellTitle: String { customCell ?? cell.title }

  /// The bias of the gate, if `keepBias` is set.
  package var keptGateBias: Double? { keepBias.map { $0 * (cell.retention?.sign ?? 1) } }

  /// The notebook's toy problem: T 5, B 4, D 3, H 2.
  public static var toy: LabSettings {
    LabSettings(steps: [4], hiddenSize: 2, inputSize: 3, batchSize: 4, timeStepCount: 5)
  }

  /// The toy problem for a GRU.
  public static var toyGRU: LabSettings {
    var settings = toy
    settings.cell = .gruResetBefore
    return settings
  }

  /// The seed for the generators.
  package var generatorSeed: UInt32 { UInt32(truncatingIfNeeded: seed) }

  /// Validates every field, and checks that the arrays fit into memory.
  ///
  /// - Throws: `LabError` for the first invalid field.
  public func validate() throws(LabError) {
    for (field, value) in [
      ("hidden", hiddenSize), ("input", inputSize), ("batch", batchSize), ("time", timeStepCount),
    ] where value < 1 {
      throw LabError(.outOfRange(expected: "at least 1", found: "\(value)"), field: field)
    }
    guard scale.isFinite, scale >= 0 else {
      throw LabError(
        .outOfRange(expected: "a finite number of at least 0", found: "\(scale)"), field: "scale")
    }
    guard Float(scale).isFinite else {
      throw LabError(
        .outOfRange(expected: "a number that float32 can hold", found: "\(scale)"), field: "scale")
    }
    guard Float(inputOffset).isFinite else {
      throw LabError(
        .outOfRange(expected: "a finite number", found: "\(inputOffset)"), field: "input-offset")
    }
    if let keepBias, !keepBias.isFinite {
      throw LabError(
        .outOfRange(expected: "a finite number", found: "\(keepBias)"), field: "keep-bias")
    }
    if keepBias != nil, cell.retention == nil {
      throw LabError(
        .outOfRange(
          expected: "a cell with a gate that keeps its state (\(Self.gatedCells))",
          found: cell.rawValue), field: "cell")
    }
    try validateInitialization()
    try validateSteps()
    guard seed >= 0, seed <= Int(UInt32.max) else {
      throw LabError(.outOfRange(expected: "0 ... 4294967295", found: "\(seed)"), field: "seed")
    }
    try checkMemory()
  }

  /// A list of the cells with a gate that controls the retention of the state.
  private static var gatedCells: String {
    CellKind.allCases.filter { $0.retention != nil }.map(\.rawValue).joined(separator: ", ")
  }

  /// Checks that the steps are distinct and within the sequence.
  package func validateSteps() throws(LabError) {
    guard !steps.isEmpty else {
      throw LabError(.outOfRange(expected: "at least one step", found: "none"), field: "steps")
    }
    for step in steps where step < 0 || step >= timeStepCount {
      throw LabError(
        .outOfRange(
          expected: "steps in 0 ... \(timeStepCount - 1) (the sequence has \(timeStepCount))",
          found: "\(step)"), field: "steps")
    }
    guard Set(steps).count == steps.count else {
      throw LabError(
        .outOfRange(
          expected: "different steps", found: steps.map(String.init).joined(separator: ",")),
        field: "steps")
    }
  }

  private func validateInitialization() throws(LabError) {
    if let gateBias, !gateBias.isFinite || gateBias.magnitude > 1e6 {
      throw LabError(
        .outOfRange(expected: "-1000000 ... 1000000", found: "\(gateBias)"), field: "gate-bias")
    }
    if let chronoSteps, !(3...1_000_000_000).contains(chronoSteps) {
      throw LabError(
        .outOfRange(expected: "3 ... 1000000000 steps", found: "\(chronoSteps)"), field: "chrono")
    }
    if let gain = orthogonalGain, !gain.isFinite || gain < 0 || gain > 1e6 {
      throw LabError(.outOfRange(expected: "0 ... 1000000", found: "\(gain)"), field: "orthogonal")
    }
    if orthogonalGain != nil, hiddenSize > 1024 {
      throw LabError(
        .outOfRange(expected: "at most 1024 units", found: "\(hiddenSize)"), field: "orthogonal")
    }
    if orthogonalGain != nil { try LAPACK.check(field: "orthogonal") }
    guard cell.retention == nil || keepBias != nil else { return }
    if gateBias != nil || chronoSteps != nil {
      let isKept = cell.retention != nil
      throw LabError(
        .outOfRange(
          expected: isKept
            ? "no keep-bias, which sets the gates" : "a cell with gates (\(Self.gatedCells))",
          found: isKept ? "both" : cell.rawValue), field: gateBias != nil ? "gate-bias" : "chrono")
    }
  }

  /// Checks an estimate of the memory: inputs, and a trace for each of four states.
  private func checkMemory() throws(LabError) {
    let element = precision == .float32 ? 4.0 : 8.0
    let (time, batch) = (Double(timeStepCount), Double(batchSize))
    let hidden = Double(hiddenSize)
    let width = Double(cell.gateCount) * hidden
    let perStep = 2 * Double(inputSize) + width + 4 * hidden
    let needed =
      element * (4 * time * batch * perStep + 3 * width * (Double(inputSize) + hidden))
      + 8 * time * batch * Double(inputSize)
    guard ProcessMemory.holds(needed) else {
      throw LabError(
        .tooLarge(neededBytes: needed, availableBytes: ProcessMemory.limit), field: "sizes")
    }
  }
}

/// An error in the settings of an experiment or in the location for its results.
public struct LabError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The problem.
  public enum Problem: Equatable, Sendable {
    /// The value is out of range.
    case outOfRange(expected: String, found: String)
    /// The arrays exceed the memory available to this process.
    case tooLarge(neededBytes: Double, availableBytes: Double)
    /// The experiment was interrupted.
    case interrupted
    /// A file or folder cannot be used.
    case system(String)
  }

  /// The problem.
  public var problem: Problem
  /// The invalid setting.
  public var field: String

  /// Creates an error.
  public init(_ problem: Problem, field: String) {
    self.problem = problem
    self.field = field
  }

  /// A clause that describes the error.
  public var description: String {
    switch problem {
    case .outOfRange(let expected, let found): "\(field): expected \(expected), got \(found)"
    case .tooLarge(let needed, let available):
      "\(field): the arrays would need about \(gigabytes(needed)), but this process may use only \(gigabytes(available)); choose a smaller hidden size, batch size or number of steps"
    case .interrupted: "\(field): interrupted; existing files are unchanged"
    case .system(let what): what
    }
  }

  private func gigabytes(_ bytes: Double) -> String {
    let tenths = (bytes / 1e8).rounded()
    return tenths < 1e6 ? "\(tenths / 10) GB" : "\((tenths / 1e4).rounded()) TB"
  }
}
