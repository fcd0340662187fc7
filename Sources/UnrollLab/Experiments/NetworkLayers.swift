// A network that somebody trained, layer by layer: each with the inputs that it gets when the network
// reads data, so that every experiment on a cell is one on a layer.

public import Unroll
internal import UnrollFormats

/// One layer of a network, and what it reads.
public struct LayerInNetwork: Sendable {
  /// Its place, from the input upward.
  public var index: Int
  /// The cell, in Double; of a layer that reads backward, on inputs turned round.
  public var cell: Cell<Double>
  /// Which way it reads.
  public var direction: Direction
  /// What it reads, `[T, B, D]`, in the order in which it does.
  public var inputs: Tensor<Double>

  /// Creates a layer that is looked at alone.
  public init(
    index: Int = 0, cell: Cell<Double>, direction: Direction = .forward,
    inputs: Tensor<Double>
  ) {
    (self.index, self.cell, self.direction, self.inputs) = (index, cell, direction, inputs)
  }

  /// The layers of a network that reads some data from states that are zero.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - data: `[T, B, D]`.
  /// - Returns: The layers in the order of `network.layers`.
  /// - Throws: `LabError` if the data do not fit the network, or a number of either is not finite.
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
        // Nobody reads what the top puts out.
        guard place + 1 < network.levels.count else { continue }
        outputs.append(
          layer.forward(inputs, from: layer.zeroState(batchSize: data.shape[1])).outputs)
      }
      if !outputs.isEmpty { inputs = Tensor.concatenatingLastAxis(outputs) }
    }
    return result
  }

  /// Refuses weights with NaN or infinity, of which every number would be NaN.
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

  /// Settings for this layer: its kind, its sizes and its inputs'.
  ///
  /// Steps that are the default ones of the asked sequence become those of this layer's.
  ///
  /// - Throws: `LabError` for settings that cannot be used, for weights that are not finite, and for a cell
  ///   whose output is projected, which the experiments do not know.
  public func settings(_ asked: LabSettings) throws(LabError) -> LabSettings {
    guard cell.outputSize == cell.hiddenSize else {
      throw LabError(
        .outOfRange(
          expected: "a cell without a projection", found: "\(cell.hiddenSize) → \(cell.outputSize)"),
        field: "weights")
    }
    try Self.checkWeights(of: cell, "layer \(index)")
    // Default steps are those of this layer's sequences.
    let hasDefaults =
      asked.steps == LabSettings.notebookSteps
      || asked.steps == LabSettings.defaultSteps(timeStepCount: asked.timeStepCount)
    var settings = asked
    settings.timeStepCount = inputs.shape[0]
    if hasDefaults {
      settings.steps = LabSettings.defaultSteps(timeStepCount: settings.timeStepCount)
    }
    // Nothing but states is drawn.
    (settings.draws, settings.initialWeights) = (.fresh, .uniform)
    (settings.hiddenSize, settings.inputSize) = (cell.hiddenSize, cell.inputSize)
    settings.batchSize = inputs.shape[1]
    if let kind = cell.kind { settings.cell = kind }
    settings.customCell = cell.custom?.name
    try settings.validate()
    return settings
  }
}

/// Inputs as the experiments draw them, uniform in ± ½: `[T, B, D]`.
public func drawnInputs(_ settings: LabSettings) throws(LabError) -> Tensor<Double> {
  try settings.validate()
  var random = NumPyRandom(seed: settings.generatorSeed)
  return drawInputs(settings, &random)
}

extension Tensor {
  /// The steps from the last to the first.
  fileprivate var reversedInTime: Tensor {
    let area = shape[1] * shape[2]
    let all = elements
    return Tensor(
      shape: shape,
      elements: (0..<shape[0]).reversed().flatMap { all[$0 * area..<($0 + 1) * area] })
  }
}

/// What an analysis is about: a cell that the settings draw, or a layer, and what it reads.
struct Subject {
  let settings: LabSettings
  /// In Double.
  let cell: Cell<Double>
  /// `[T, B, D]`.
  let inputs: Tensor<Double>
  /// Where further numbers come from.
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
  /// - Throws: `LabError` for settings that cannot be used.
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
  /// - Throws: `LabError` for settings that cannot be used.
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
