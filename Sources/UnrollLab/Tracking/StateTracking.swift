// State tracking: tasks whose answer depends on every input, however long ago it was read.
//
// A network that is trained on short sequences and right on long ones has found the state machine, not a table of answers.
// G. Delétang et al., "Neural Networks and the Chomsky Hierarchy", ICLR 2023; W. Merrill, J. Petty and A. Sabharwal, "The
// Illusion of State in State-Space Models", ICML 2024.

public import Unroll
internal import UnrollPlatform

/// A task: the sum of all inputs so far, modulo a number.
public enum TrackingTask: String, Sendable, Codable, CaseIterable {
  /// Whether the number of ones is odd.
  case parity
  /// The sum of 0, 1 and 2 modulo 3.
  case moduloThree = "modulo-3"

  /// The number of inputs, and of answers.
  public var modulus: Int {
    switch self {
    case .parity: 2
    case .moduloThree: 3
    }
  }

  /// Draws sequences and their answers.
  ///
  /// - Parameters:
  ///   - steps: T.
  ///   - rows: B.
  ///   - random: The source of randomness.
  /// - Returns: One-hot inputs `[T, B, modulus]`, and the answer after each step in the order `[T, B]`.
  package func draw(
    steps: Int, rows: Int, using random: inout NumPyRandom
  ) -> (inputs: Tensor<Float>, targets: [Int32]) {
    var elements = [Float](repeating: 0, count: steps * rows * modulus)
    var targets = [Int32](repeating: 0, count: steps * rows)
    for index in 0..<steps * rows {
      let symbol = Int(random.nextDouble() * Double(modulus))
      elements[index * modulus + symbol] = 1
      let before = index < rows ? 0 : Int(targets[index - rows])
      targets[index] = Int32((before + symbol) % modulus)
    }
    return (Tensor(shape: [steps, rows, modulus], elements: elements), targets)
  }
}

/// The settings of the experiment.
public struct StateTrackingSettings: Sendable, Codable, Equatable {
  /// The task.
  public var task = TrackingTask.parity
  /// The cells.
  public var cells = CellKind.allCases
  /// H.
  public var hiddenSize = 32
  /// The length of the training sequences.
  public var trainingLength = 20
  /// The length of the test sequences.
  public var testLength = 200
  /// B, also of the test.
  public var batchSize = 64
  /// The maximum number of training steps per cell.
  ///
  /// Training ends earlier when ten batches of unseen sequences of the training length, tested every 20 steps, have no error.
  public var stepLimit = 4000
  /// Adam's learning rate.
  public var learningRate = 0.005
  /// The seed of weights and data.
  public var seed = 1

  /// Creates the default settings.
  public init() {}

  // The ranges, for checks and help.
  package static let hiddenSizes = 1...1024
  package static let trainingLengths = 1...10_000
  package static let testLengths = 1...100_000
  package static let batchSizes = 1...10_000
  package static let stepLimits = 1...1_000_000
  package static let seeds = 0...Int(UInt32.max)

  /// Checks every field.
  ///
  /// - Throws: `LabError` for the first field that cannot be used.
  public func validate() throws(LabError) {
    for (field, value, range) in [
      ("hidden", hiddenSize, Self.hiddenSizes), ("time", trainingLength, Self.trainingLengths),
      ("test-time", testLength, Self.testLengths), ("batch", batchSize, Self.batchSizes),
      ("max-steps", stepLimit, Self.stepLimits), ("seed", seed, Self.seeds),
    ] where !range.contains(value) {
      throw LabError(
        .outOfRange(expected: "\(range.lowerBound) ... \(range.upperBound)", found: "\(value)"),
        field: field)
    }
    guard learningRate.isFinite, learningRate > 0, learningRate <= 1 else {
      throw LabError(
        .outOfRange(expected: "more than 0, at most 1", found: "\(learningRate)"),
        field: "learning-rate")
    }
    guard !cells.isEmpty else {
      throw LabError(.outOfRange(expected: "at least one cell", found: "none"), field: "cell")
    }
    // Inputs, a trace and its gradient, and logits.
    let width = 12 * Double(hiddenSize) + 4 * Double(task.modulus)
    let needed = 4 * Double(max(trainingLength, testLength)) * Double(batchSize) * width
    guard ProcessMemory.holds(needed) else {
      throw LabError(
        .tooLarge(neededBytes: needed, availableBytes: ProcessMemory.limit), field: "sizes")
    }
  }
}

/// The experiment's result for one cell.
public struct TrackedCell: Sendable, Codable {
  /// The cell.
  public var cell: CellKind
  /// The number of trained parameters.
  public var parameterCount: Int
  /// The number of training steps that were taken.
  public var stepCount: Int
  /// Whether training ended because unseen sequences of the training length had no error.
  public var hasLearned: Bool
  /// The mean cross-entropy in nats, every `StateTrackingResult.lossInterval` steps.
  public var losses: [Double]
  /// The share of right answers after each step of the test sequences.
  public var accuracy: [Double]

  /// The number of steps up to which at least 99 % of the answers are right at every step.
  public var reach: Int { accuracy.firstIndex { $0 < 0.99 } ?? accuracy.count }
}

/// The result of the experiment.
public struct StateTrackingResult: Sendable, Codable {
  /// The number of training steps between two losses.
  public static let lossInterval = 20

  /// The settings.
  public var settings: StateTrackingSettings
  /// One result for each cell.
  public var cells: [TrackedCell]
}

/// Trains cells on a task of state tracking, and tests them on longer sequences.
public enum StateTrackingExperiment {
  /// The norm that longer gradients are scaled to.
  static let largestNorm = 1.0
  /// The number of tests in a row without an error after which training ends.
  static let cleanTests = 10

  /// Runs the experiment.
  ///
  /// Every cell begins from the same seed and reads the same training and test sequences.
  ///
  /// - Parameters:
  ///   - settings: The task, the cells and the training.
  ///   - progress: Called with the cell, the steps that are done and the mean cross-entropy; ends the run if it returns
  ///     false.
  /// - Returns: Losses, and the accuracy at every step of the test sequences.
  /// - Throws: `LabError` for settings that cannot be used, and if `progress` ends the run.
  public static func run(
    _ settings: StateTrackingSettings = StateTrackingSettings(),
    progress: (CellKind, Int, Double) -> Bool = { _, _, _ in true }
  ) throws(LabError) -> StateTrackingResult {
    try settings.validate()
    var result = StateTrackingResult(settings: settings, cells: [])
    for cell in settings.cells { result.cells.append(try track(cell, settings, progress)) }
    return result
  }

  private static func track(
    _ cell: CellKind, _ settings: StateTrackingSettings,
    _ progress: (CellKind, Int, Double) -> Bool
  ) throws(LabError) -> TrackedCell {
    let (task, rows) = (settings.task, settings.batchSize)
    // Streams of their own: the number of weights of a cell does not shift the data.
    var weights = NumPyRandom(seed: UInt32(settings.seed))
    var data = NumPyRandom(seed: UInt32(settings.seed) &+ 1)
    var unseen = NumPyRandom(seed: UInt32(settings.seed) &+ 2)
    var model = SequenceClassifier(
      cell, inputSize: task.modulus, hiddenSize: settings.hiddenSize, classCount: task.modulus,
      using: &weights)
    let long = task.draw(steps: settings.testLength, rows: rows, using: &unseen)
    var (losses, sum, steps, cleanCount) = ([Double](), 0.0, 0, 0)
    while steps < settings.stepLimit, cleanCount < cleanTests {
      let batch = task.draw(steps: settings.trainingLength, rows: rows, using: &data)
      sum += model.train(
        batch.inputs, batch.targets, rate: settings.learningRate, largestNorm: largestNorm)
      steps += 1
      guard steps % StateTrackingResult.lossInterval == 0 || steps == settings.stepLimit else {
        continue
      }
      let count = (steps - 1) % StateTrackingResult.lossInterval + 1
      losses.append(sum / Double(count))
      sum = 0
      guard progress(cell, steps, losses[losses.count - 1]) else {
        throw LabError(.interrupted, field: "track")
      }
      let short = task.draw(steps: settings.trainingLength, rows: rows, using: &unseen)
      let isClean = model.accuracy(short.inputs, short.targets).allSatisfy { $0 == 1 }
      cleanCount = isClean ? cleanCount + 1 : 0
    }
    return TrackedCell(
      cell: cell, parameterCount: model.parameterCount, stepCount: steps,
      hasLearned: cleanCount == cleanTests,
      losses: losses, accuracy: model.accuracy(long.inputs, long.targets))
  }
}
