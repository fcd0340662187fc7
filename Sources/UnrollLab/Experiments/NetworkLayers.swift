// A network that somebody trained, layer by layer: each with the inputs that it gets when the network
// reads data, so that every experiment on a cell is one on a layer.

public import Unroll
internal import UnrollFormats

/// One layer of a network, and what it reads.
public struct LayerInNetwork: Sendable {
  /// Its place, from the input upward.
  public var index: Int
  /// The cell, in Double; of a layer that reads backward, on inputs turned round.
  public var cell: any RecurrentCell<Double>
  /// Which way it reads.
  public var direction: Direction
  /// What it reads, `[T, B, D]`, in the order in which it does.
  public var inputs: Tensor<Double>

  /// The layers of a network that reads some data from states that are zero.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - data: `[T, B, D]`.
  /// - Returns: The layers in the order of `network.layers`.
  /// - Throws: `LabError` if the data do not fit the network.
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
    var result: [LayerInNetwork] = []
    var inputs = data
    for level in network.levels {
      var outputs: [Tensor<Double>] = []
      for layer in level {
        result.append(
          LayerInNetwork(
            index: result.count, cell: layer.cell, direction: layer.direction,
            inputs: layer.direction == .forward ? inputs : inputs.reversedInTime))
        outputs.append(
          layer.forward(inputs, from: layer.zeroState(batchSize: data.shape[1])).outputs)
      }
      inputs = Tensor.concatenatingLastAxis(outputs)
    }
    return result
  }

  /// Settings for this layer: its sizes, its inputs' sizes, and steps within them.
  ///
  /// - Throws: `LabError` for a cell whose output is projected.
  public func settings(_ asked: LabSettings) throws(LabError) -> LabSettings {
    var settings = asked
    try settings.adopt(cell)
    (settings.timeStepCount, settings.batchSize) = (inputs.shape[0], inputs.shape[1])
    return try settings.clippingDefaultSteps(to: settings.timeStepCount)
  }
}

extension LabSettings {
  /// The same settings for a sequence that may be shorter than the default steps want it.
  ///
  /// - Throws: `LabError` for other steps beyond the sequence: they were asked for.
  public func clippingDefaultSteps(to timeStepCount: Int) throws(LabError) -> LabSettings {
    var result = self
    result.timeStepCount = timeStepCount
    if steps == LabSettings().steps {
      let inside = steps.filter { $0 < timeStepCount }
      result.steps = inside.isEmpty ? [max(0, timeStepCount - 1)] : inside
    } else {
      try result.validate()
    }
    return result
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

extension MemoryExperiment {
  /// Runs the experiment on a layer and its inputs, in the settings' precision.
  ///
  /// - Throws: `LabError` for settings that cannot be used.
  public static func run(
    _ asked: LabSettings, layer: LayerInNetwork
  ) throws(LabError) -> MemoryResult {
    let settings = try layer.settings(asked)
    try settings.validate(for: layer.cell)
    var random = NumPyRandom(seed: settings.generatorSeed)
    guard settings.precision == .float32, let cell = try? layer.cell.converted(to: Float.self)
    else {
      return measure(layer.cell, layer.inputs, settings, &random).result
    }
    return measure(cell, Tensor<Float>(layer.inputs), settings, &random).result
  }
}

extension GradientExperiment {
  /// Runs the experiment on a layer and its inputs, in the settings' precision.
  ///
  /// - Throws: `LabError` for settings that cannot be used.
  public static func run(
    _ asked: LabSettings, layer: LayerInNetwork
  ) throws(LabError) -> GradientResult {
    let settings = try layer.settings(asked)
    try settings.validate(for: layer.cell)
    var random = NumPyRandom(seed: settings.generatorSeed)
    let state = DrawnState(layer.cell.cellStateSize, settings, &random)
    let points = GradientPoint.allCases
    guard settings.precision == .float32, let cell = try? layer.cell.converted(to: Float.self)
    else {
      return measure(layer.cell, layer.inputs, settings, state, points: points)
    }
    return measure(cell, Tensor<Float>(layer.inputs), settings, state, points: points)
  }
}
