// The layers of a trained network with their inputs, so that every experiment on a cell can be run on a layer of a
// network that reads data.

public import Unroll
internal import UnrollFormats

/// One layer of a network, with its inputs.
public struct LayerInNetwork: Sendable {
  /// The index of the layer, from the input upward.
  public var index: Int
  /// The cell, in Double; for a backward layer, the inputs are reversed.
  public var cell: Cell<Double>
  /// The direction of the layer.
  public var direction: Direction
  /// The inputs, `[T, B, D]`, in the order in which the layer reads them.
  public var inputs: Tensor<Double>

  /// Creates a layer without a network.
  public init(
    index: Int = 0, cell: Cell<Double>, direction: Direction = .forward,
    inputs: Tensor<Double>
  ) {
    (self.index, self.cell, self.direction, self.inputs) = (index, cell, direction, inputs)
  }

  /// Returns the layers of a network that reads data from zero states.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - data: `[T, B, D]`.
  /// - Returns: The layers in the order of `network.layers`.
  /// - Throws: `LabError` if the data do not fit the network, or any number is not finite.
  public static func all(
    of network: RecurrentNetwork<Double>, reading data: Tensor<Double>
  ) throws(LabError) -> [LayerInNetwork] {
    let size = network.layers.first?.inputSize ?? 0
    guard data.rank == 3, data.shape[2] == size, data.shape[0] > 0, data.shape[1] > 0 else {
      throw LabError(
        .outOfRange(
          expected: "sequences of \(size) numbers a step, at least one",
          found: "\(data.shape)"), field: "data")
    }
    guard data.elements.allSatisfy(\.isFinite) else {
      throw LabError(
        .outOfRange(expected: "finite numbers", found: "NaN or an infinite one"), field: "data")
    }
    for (index, layer) in network.layers.enumerated() {
      try checkWeights(of: layer.cell, "layer \(index)")
    }
    var result: [LayerInNetwork] = []
    var inputs = data
    for (place, level) in network.levels.enumerated() {
      var outputs: [Tensor<Double>] = []
      for layer in level {
        result.append(
          LayerInNetwork(
            index: result.count, cell: layer.cell, direction: layer.direction,
            inputs: layer.direction == .forward ? inputs : inputs.reversedInTime))
        // The outputs of the top level are not read.
        guard place + 1 < network.levels.count else { continue }
        outputs.append(
          layer.forward(inputs, from: layer.zeroState(batchSize: data.shape[1])).outputs)
      }
      if !outputs.isEmpty { inputs = Tensor.concatenatingLastAxis(outputs) }
    }
    return result
  }

  /// Rejects weights with NaN or infinity, which would make all results NaN.
  private static func checkWeights(
    of cell: Cell<Double>, _ layer: String
  ) throws(LabError) {
    let parameters = cell.parameters
    for name in parameters.names {
      guard let number = parameters[name].elements.first(where: { !$0.isFinite }) else { continue }
      let plain = CellParameters<Double>.plainName(name)
      throw LabError(
        .outOfRange(
          expected: "finite numbers",
          found: "\(number.isNaN ? "NaN" : "\(number)") in \(plain) of \(layer)"), field: "weights")
    }
  }

  /// Returns settings for this layer with its kind, sizes and input sizes.
  ///
  /// Default steps are replaced with the default steps of this layer's sequences.
  ///
  /// - Throws: `LabError` for invalid settings, for weights that are not finite, and for a cell with a projection,
  ///   which the experiments do not support.
  public func settings(_ asked: LabSettings) throws(LabError) -> LabSettings {
    guard cell.outputSize == cell.hiddenSize else {
      throw LabError(
        .outOfRange(
          expected: "a cell without a projection", found: "\(cell.hiddenSize) → \(cell.outputSize)"),
        field: "weights")
    }
    try Self.checkWeights(of: cell, "layer \(index)")
    // Replace default steps with those of this layer's sequences.
    let hasDefaults =
      asked.steps == LabSettings.notebookSteps
      || asked.steps == LabSettings.defaultSteps(timeStepCount: asked.timeStepCount)
    var settings = asked
    settings.timeStepCount = inputs.shape[0]
    if hasDefaults {
      settings.steps = LabSettings.defaultSteps(timeStepCount: settings.timeStepCount)
    }
    // Only states are drawn.
    (settings.draws, settings.initialWeights) = (.fresh, .uniform)
    (settings.hiddenSize, settings.inputSize) = (cell.hiddenSize, cell.inputSize)
    settings.batchSize = inputs.shape[1]
    if let kind = cell.kind { settings.cell = kind }
    settings.customCell = cell.custom?.name
    try settings.validate()
    return settings
  }
}

/// Draws inputs like the experiments do, uniform in ± ½: `[T, B, D]`.
public func drawnInputs(_ settings: LabSettings) throws(LabError) -> Tensor<Double> {
  try settings.validate()
  var random = NumPyRandom(seed: settings.generatorSeed)
  return drawInputs(settings, &random)
}

extension Tensor {
  /// The sequence reversed in time.
  fileprivate var reversedInTime: Tensor {
    let area = shape[1] * shape[2]
    let all = elements
    return Tensor(
      shape: shape,
      elements: (0..<shape[0]).reversed().flatMap { all[$0 * area..<($0 + 1) * area] })
  }
}

/// The cell and inputs of an analysis, drawn from the settings or taken from a layer.
struct Subject {
  let settings: LabSettings
  /// The cell, in Double.
  let cell: Cell<Double>
  /// `[T, B, D]`.
  let inputs: Tensor<Double>
  /// The stream after the draws so far.
  var random: NumPyRandom

  init(
    _ asked: LabSettings, _ layer: LayerInNetwork?, _ part: NotebookPart = .forward
  ) throws(LabError) {
    if let layer {
      random = NumPyRandom(seed: asked.generatorSeed)
      settings = try layer.settings(asked)
      (cell, inputs) = (layer.cell, layer.inputs)
    } else {
      try asked.validate()
      settings = asked
      let draws = ExperimentDraws<Double>(settings, part)
      (inputs, cell, random) = (draws.inputs, draws.cell, draws.random)
    }
  }

  /// The cell in Float.
  var singleCell: Cell<Float> { cell.converted(to: Float.self) }
}

extension MemoryExperiment {
  /// Runs the experiment on a layer and its inputs, in the settings' precision.
  ///
  /// - Throws: `LabError` for invalid settings.
  public static func run(
    _ settings: LabSettings, layer: LayerInNetwork
  ) throws(LabError) -> MemoryResult {
    var subject = try Subject(settings, layer)
    let settings = subject.settings
    let pairs = drawnPairs(settings, subject.cell.cellStateSize, &subject.random)
    return switch settings.precision {
    case .float32:
      measure(subject.singleCell, Tensor<Float>(subject.inputs), settings, pairs)
    case .float64: measure(subject.cell, subject.inputs, settings, pairs)
    }
  }
}

extension GradientExperiment {
  /// Runs the experiment on a layer and its inputs, in the settings' precision.
  ///
  /// - Throws: `LabError` for invalid settings.
  public static func run(
    _ settings: LabSettings, layer: LayerInNetwork
  ) throws(LabError) -> GradientResult {
    var subject = try Subject(settings, layer)
    let (settings, points) = (subject.settings, GradientPoint.allCases)
    let state = DrawnState(subject.cell.cellStateSize, settings, &subject.random)
    return switch settings.precision {
    case .float32:
      measure(
        subject.singleCell, Tensor<Float>(subject.inputs), settings, state, points: points)
    case .float64: measure(subject.cell, subject.inputs, settings, state, points: points)
    }
  }
}
