// The whole notebook on one random stream: inputs, RNN weights, two states for each of three RNN histograms and three
// GRU histograms, new weights, gradients. Gradients are computed at the state that the last histogram leaves in the
// notebook's variable.

internal import Unroll

/// All results of the notebook.
public struct NotebookResult: Sendable, Codable {
  /// The long-term dependency's settings.
  public var settings: LabSettings
  /// Part 3: comparison of the forward pass with TensorFlow's.
  public var parity: ParityResult
  /// Part 4: a GRU as an RNN.
  public var gruAsRNN: GRUAsRNNResult
  /// Part 5: memory of the RNN.
  public var memoryRNN: MemoryResult
  /// Part 5: the RNN with an input offset of 0, the other reading of the notebook's line.
  public var memoryUncentredRNN: MemoryResult
  /// Part 5: the GRU with saturated gates.
  public var memoryGRU: MemoryResult
  /// Part 5: the GRU with TensorFlow's initial weights, on the same draws.
  public var memoryInitialGRU: MemoryResult
  /// Part 6: gradients of the RNN with new weights of scale 1.
  public var gradientRNN: GradientResult
  /// Part 6: gradients of the RNN with an input offset of 0.
  public var gradientUncentredRNN: GradientResult
  /// Part 6: gradients of the GRU with saturated gates.
  public var gradientGRU: GradientResult
  /// Part 6: gradients of the GRU with TensorFlow's initial weights.
  public var gradientInitialGRU: GradientResult
  /// The later edition's statistic.
  public var laterEdition: LaterEditionResult
}

/// Runs the notebook.
public enum NotebookRun {
  /// The update gate's bias that makes the GRU keep its state: exact in float32 for 18 and above, in float64 for 38 and
  /// above.
  public static let keepBias = 40.0

  /// Computes every experiment of the notebook.
  ///
  /// - Parameters:
  ///   - settings: The settings of the long-term dependency; `cell` is ignored.
  ///   - gradientScale: The scale of the new weights of part 6.
  ///   - keepBias: The update bias of the GRU with saturated gates.
  /// - Returns: All results.
  /// - Throws: `LabError` for invalid settings.
  public static func run(
    _ settings: LabSettings = LabSettings(), gradientScale: Double = 1,
    keepBias: Double = keepBias
  ) throws(LabError) -> NotebookResult {
    var settings = settings
    (settings.cell, settings.keepBias) = (.rnn, nil)
    // Each experiment skips to its position in the notebook's stream.
    settings.draws = .notebook
    try settings.validate()
    var gradientSettings = settings
    gradientSettings.scale = gradientScale
    try gradientSettings.validate()
    var toy = LabSettings.toy
    toy.precision = settings.precision
    // Comparisons with the notebook use the notebook's seed.
    toy.seed = settings.seed
    let parity = try ParityExperiment.run(toy)
    var toyGRU = LabSettings.toyGRU
    (toyGRU.precision, toyGRU.seed) = (toy.precision, toy.seed)
    let gruAsRNN = try GRUAsRNNExperiment.run(
      toyGRU, bias: settings.precision == .float64 ? 40 : GRUAsRNNExperiment.defaultBias)
    var gru = settings
    (gru.cell, gru.initialWeights) = (.gruResetBefore, .tensorflow)
    var keeping = gru
    keeping.keepBias = keepBias
    var uncentred = settings
    uncentred.inputOffset = 0
    var uncentredGradients = gradientSettings
    uncentredGradients.inputOffset = 0
    // In the order of the notebook's table.
    func gradients(_ settings: LabSettings) throws(LabError) -> GradientResult {
      try GradientExperiment.run(settings, points: [.asLeft, .zero, .random])
    }
    return NotebookResult(
      settings: settings, parity: parity, gruAsRNN: gruAsRNN,
      memoryRNN: try MemoryExperiment.run(settings),
      memoryUncentredRNN: try MemoryExperiment.run(uncentred),
      memoryGRU: try MemoryExperiment.run(keeping), memoryInitialGRU: try MemoryExperiment.run(gru),
      gradientRNN: try gradients(gradientSettings),
      gradientUncentredRNN: try gradients(uncentredGradients),
      gradientGRU: try gradients(keeping), gradientInitialGRU: try gradients(gru),
      laterEdition: LaterEditionExperiment.run())
  }
}
