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
  /// Part 5: the GRU that keeps its state.
  public var memoryGRU: MemoryResult
  /// Part 5: the GRU as TensorFlow initialises it, on the same draws.
  public var memoryInitialGRU: MemoryResult
  /// Part 6: gradients of the RNN, new weights of scale 1.
  public var gradientRNN: GradientResult
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
    let part =
      switch settings.precision {
      case .float32: LongTermDependency<Float>(settings, gradientSettings, keepBias)
      case .float64:
        LongTermDependency<Double>(settings, gradientSettings, keepBias)
          as any LongTermDependencyResult
      }
    return NotebookResult(
      settings: settings, parity: parity, gruAsRNN: gruAsRNN, memoryRNN: part.memoryRNN,
      memoryGRU: part.memoryGRU, memoryInitialGRU: part.memoryInitialGRU,
      gradientRNN: part.gradientRNN, gradientGRU: part.gradientGRU,
      gradientInitialGRU: part.gradientInitialGRU, laterEdition: LaterEditionExperiment.run())
  }
}

protocol LongTermDependencyResult {
  var memoryRNN: MemoryResult { get }
  var memoryGRU: MemoryResult { get }
  var gradientRNN: GradientResult { get }
  var gradientGRU: GradientResult { get }
  var memoryInitialGRU: MemoryResult { get }
  var gradientInitialGRU: GradientResult { get }
}

/// Parts 5 and 6, on one stream.
struct LongTermDependency<Scalar: KernelScalar>: LongTermDependencyResult {
  let memoryRNN, memoryGRU, memoryInitialGRU: MemoryResult
  let gradientRNN, gradientGRU, gradientInitialGRU: GradientResult

  init(_ settings: LabSettings, _ gradientSettings: LabSettings, _ keepBias: Double) {
    var random = NumPyRandom(seed: settings.generatorSeed)
    let inputs: Tensor<Scalar> = drawInputs(settings, &random)
    let forwardWeights: CellParameters<Scalar> = drawWeights(
      settings, scale: settings.scale, &random)
    memoryRNN =
      MemoryExperiment.measure(
        LabCell.rnn.cell(forwardWeights), inputs, settings, &random
      ).result

    var gruSettings = settings
    gruSettings.cell = .gru
    gruSettings.keepBias = keepBias
    let initial = TensorFlowInitialWeights(
      inputSize: settings.inputSize, hiddenSize: settings.hiddenSize, seed: Int64(settings.seed))
    let initialGRU: CellParameters<Scalar> = initial.gru()
    var keeping = initialGRU
    keepState(&keeping, bias: keepBias)
    // Both GRUs are measured on the same draws.
    var again = random
    var initialSettings = gruSettings
    initialSettings.keepBias = nil
    let (memory, draw) = MemoryExperiment.measure(
      LabCell.gru.cell(keeping), inputs, gruSettings, &random)
    memoryGRU = memory
    memoryInitialGRU =
      MemoryExperiment.measure(
        LabCell.gru.cell(initialGRU), inputs, initialSettings, &again
      ).result

    let backwardWeights: CellParameters<Scalar> = drawWeights(
      gradientSettings, scale: gradientSettings.scale, &random)
    func gradients(_ cell: any RecurrentCell<Scalar>, _ settings: LabSettings) -> GradientResult {
      GradientExperiment.measure(
        cell, inputs, settings, draw, points: [.asLeft, .zero, .random])
    }
    gradientRNN = gradients(LabCell.rnn.cell(backwardWeights), gradientSettings)
    gradientGRU = gradients(LabCell.gru.cell(keeping), gruSettings)
    gradientInitialGRU = gradients(LabCell.gru.cell(initialGRU), initialSettings)
  }
}
