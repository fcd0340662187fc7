// The whole notebook, top to bottom, in one stream of draws: inputs, RNN weights, two states for
// each of three RNN histograms and three GRU histograms, new weights, gradients. The state that
// the last histogram leaves in the notebook's variable is where its gradients are taken.

internal import Unroll

/// Everything that the notebook computes.
public struct NotebookResult: Sendable, Codable {
  /// The long-term dependency's settings.
  public var settings: LabSettings
  /// Part 3: our forward pass against TensorFlow's.
  public var parity: ParityResult
  /// Part 4: the GRU that is an RNN.
  public var gruAsRNN: GRUAsRNNResult
  /// Part 5: forgetting, the RNN.
  public var memoryRNN: MemoryResult
  /// Part 5: the RNN with inputs from which nothing is subtracted, the other reading of the notebook's line.
  public var memoryUncentredRNN: MemoryResult
  /// Part 5: the GRU that keeps its state.
  public var memoryGRU: MemoryResult
  /// Part 5: the GRU as TensorFlow initialises it, on the same draws.
  public var memoryInitialGRU: MemoryResult
  /// Part 6: gradients of the RNN, new weights of scale 1.
  public var gradientRNN: GradientResult
  /// Part 6: the same with inputs from which nothing is subtracted.
  public var gradientUncentredRNN: GradientResult
  /// Part 6: gradients of the GRU that keeps its state.
  public var gradientGRU: GradientResult
  /// Part 6: gradients of the GRU as TensorFlow initialises it.
  public var gradientInitialGRU: GradientResult
  /// The later edition's statistic.
  public var laterEdition: LaterEditionResult
}

/// The notebook as one function.
public enum NotebookRun {
  /// The update gate's bias that keeps the GRU's state: exact in float32 from 18 on, in float64
  /// from 38 on.
  public static let keepBias = 40.0

  /// Computes every experiment of the notebook on its settings.
  ///
  /// - Parameters:
  ///   - settings: The long-term dependency's; its `cell` is not used.
  ///   - gradientScale: The scale of the new weights of part 6.
  ///   - keepBias: The update bias of the GRU that keeps its state.
  /// - Returns: Every result.
  /// - Throws: `LabError` for settings that cannot be used.
  public static func run(
    _ settings: LabSettings = LabSettings(), gradientScale: Double = 1,
    keepBias: Double = keepBias
  ) throws(LabError) -> NotebookResult {
    var settings = settings
    (settings.cell, settings.keepBias) = (.rnn, nil)
    // Each experiment skips to its own place in the notebook's one stream.
    settings.draws = .notebook
    try settings.validate()
    var gradientSettings = settings
    gradientSettings.scale = gradientScale
    try gradientSettings.validate()
    var toy = LabSettings.toy
    toy.precision = settings.precision
    // Each number beside the notebook's is on the notebook's own seed.
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
