// A gradient through time, taken apart: what each step contributes to each parameter's gradient, and what
// truncated backpropagation through time leaves of it.

internal import RealModule
public import Unroll
internal import UnrollFormats

/// The gradient of one parameter, step by step.
public struct ParameterContribution: Sendable, Codable {
  /// The parameter's name, such as `recurrentWeights`.
  public var parameter: String
  /// The norm of what each step t adds to the gradient.
  public var norms: [Double]
  /// The norm of the whole gradient.
  public var total: Double
}

/// What truncation leaves of the gradient of all parameters.
public struct Truncation: Sendable, Codable {
  /// k: only the last k steps count.
  public var steps: Int
  /// The norm of what is missing, relative to the norm of the whole.
  public var relativeError: Double
  /// The cosine of the angle between the truncated gradient and the whole; NaN if one is zero.
  public var cosine: Double
}

/// A gradient through time, taken apart.
public struct GradientPartsResult: Sendable, Codable {
  /// What was asked; H and D are the cell's.
  public var settings: LabSettings
  /// Each parameter's contributions; the loss is Σ h after the last step, of all sequences.
  public var contributions: [ParameterContribution]
  /// For k = 1 ... T.
  public var truncations: [Truncation]
}

/// The experiment that takes a gradient apart.
public enum GradientParts {
  /// Runs the experiment on its own seed: draws inputs, then weights.
  ///
  /// - Throws: `LabError` for settings that cannot be used.
  public static func run(_ settings: LabSettings) throws(LabError) -> GradientPartsResult {
    try settings.validate()
    var random = NumPyRandom(seed: settings.generatorSeed)
    let inputs: Tensor<Double> = drawInputs(settings, &random)
    let parameters: CellParameters<Double> = drawWeights(settings, scale: settings.scale, &random)
    return measure(settings.cell.cell(parameters), inputs, settings)
  }

  /// Runs the experiment on a cell and its inputs `[T, B, D]`, from a state that is zero.
  ///
  /// - Throws: `LabError` for settings that cannot be used, or are not the cell's.
  public static func run(
    _ settings: LabSettings, cell: any RecurrentCell<Double>, inputs: Tensor<Double>
  ) throws(LabError) -> GradientPartsResult {
    try settings.validate(for: cell)
    return measure(cell, inputs, settings)
  }

  static func measure(
    _ cell: any RecurrentCell<Double>, _ inputs: Tensor<Double>, _ settings: LabSettings
  ) -> GradientPartsResult {
    let parts = parts(cell, inputs)
    let names = cell.parameters.names
    // From the last step back: what a truncation after k steps has.
    var sums = cell.parameters.zeros
    var partial: [CellParameters<Double>] = []
    for part in parts.reversed() {
      for name in names { sums[name] = sums[name] + part[name] }
      partial.append(sums)
    }
    let whole = sums
    let wholeNorm = norm(whole, names)
    return GradientPartsResult(
      settings: settings,
      contributions: names.map { name in
        ParameterContribution(
          parameter: CellParameters<Double>.plainName(name),
          norms: parts.map { $0[name].norm }, total: whole[name].norm)
      },
      truncations: partial.enumerated().map { index, truncated in
        var (missing, inner) = (0.0, 0.0)
        for name in names {
          let (a, b) = (truncated[name], whole[name])
          missing += (b - a).elements.reduce(0) { $0 + $1 * $1 }
          inner += zip(a.elements, b.elements).reduce(0) { $0 + $1.0 * $1.1 }
        }
        return Truncation(
          steps: index + 1, relativeError: missing.squareRoot() / wholeNorm,
          cosine: inner / (norm(truncated, names) * wholeNorm))
      })
  }

  private static func norm(_ parameters: CellParameters<Double>, _ names: [String]) -> Double {
    names.reduce(0) { sum, name in
      parameters[name].elements.reduce(sum) { $0 + $1 * $1 }
    }.squareRoot()
  }

  /// Each step's share of the gradient of Σ h after the last step: a backward pass of one step at a
  /// time, which hands the state's gradient on.
  static func parts(
    _ cell: any RecurrentCell<Double>, _ inputs: Tensor<Double>
  ) -> [CellParameters<Double>] {
    let layer = RecurrentLayer(cell: cell)
    var states = [layer.zeroState(batchSize: inputs.shape[1])]
    var traces: [SequenceTrace<Double>] = []
    for time in 0..<inputs.shape[0] {
      let trace = layer.forward(inputs.slice(time..<time + 1), from: states[time])
      states.append(trace.finalState)
      traces.append(trace)
    }
    var gradient = layer.zeroState(batchSize: inputs.shape[1])
    gradient.hidden.fill(1)
    var parts: [CellParameters<Double>] = []
    for trace in traces.reversed() {
      let gradients = layer.backward(trace, finalState: gradient)
      parts.append(gradients.parameters)
      gradient = gradients.initialState
    }
    return parts.reversed()
  }
}
