// A gradient through time, taken apart: what each step contributes to each parameter's gradient, and what
// truncated backpropagation through time leaves of it.

package import Unroll
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
  /// One for each k from 1 to T.
  public var truncations: [Truncation]
}

/// The experiment that takes a gradient apart.
public enum GradientParts {
  /// Runs the experiment, from a state that is zero.
  ///
  /// - Parameters:
  ///   - settings: What to do.
  ///   - layer: A layer and its inputs; nil to draw inputs, then weights.
  /// - Returns: What was found.
  /// - Throws: `LabError` for settings that cannot be used.
  public static func run(
    _ settings: LabSettings, layer: LayerInNetwork? = nil
  ) throws(LabError) -> GradientPartsResult {
    let subject = try Subject(settings, layer, .backward)
    return try measure(subject.cell, subject.inputs, subject.settings)
  }

  private static func measure(
    _ cell: Cell<Double>, _ inputs: Tensor<Double>, _ settings: LabSettings
  ) throws(LabError) -> GradientPartsResult {
    let layer = RecurrentLayer(cell: cell)
    let zero = layer.zeroState(batchSize: inputs.shape[1])
    let trace = layer.forward(inputs, from: zero)
    try trace.requireFiniteStates()
    let whole = layer.backward(trace, finalState: ones(zero)).parameters
    let names = cell.parameters.names
    let wholeNorm = names.reduce(0) { $0 + whole[$1].squares }.squareRoot()
    // From the last step back: what a truncation after k steps has, in one sum.
    var sums = cell.parameters.zeros
    var norms: [String: [Double]] = [:]
    var truncations: [Truncation] = []
    forEachPart(cell, inputs) { part in
      var (missing, inner, own) = (0.0, 0.0, 0.0)
      for name in names {
        norms[name, default: []].append(part[name].norm)
        sums[name] += part[name]
        missing += (whole[name] - sums[name]).squares
        inner += (whole[name] * sums[name]).sum
        own += sums[name].squares
      }
      truncations.append(
        Truncation(
          steps: truncations.count + 1, relativeError: missing.squareRoot() / wholeNorm,
          cosine: inner / (own.squareRoot() * wholeNorm)))
    }
    return GradientPartsResult(
      settings: settings,
      contributions: names.map { name in
        ParameterContribution(
          parameter: CellParameters<Double>.plainName(name),
          norms: (norms[name] ?? []).reversed(), total: whole[name].norm)
      }, truncations: truncations)
  }

  private static func ones(_ state: RecurrentState<Double>) -> RecurrentState<Double> {
    var result = state
    result.hidden.fill(1)
    return result
  }

  /// Each step's share of the gradient of Σ h after the last step, from the last step to the first: a
  /// backward pass of one step at a time, which hands the state's gradient on.
  package static func forEachPart(
    _ cell: Cell<Double>, _ inputs: Tensor<Double>,
    _ body: (CellParameters<Double>) -> Void
  ) {
    let layer = RecurrentLayer(cell: cell)
    let zero = layer.zeroState(batchSize: inputs.shape[1])
    var state = zero
    var traces: [SequenceTrace<Double>] = []
    for time in 0..<inputs.shape[0] {
      let trace = layer.forward(inputs[time..<time + 1], from: state)
      state = trace.finalState
      traces.append(trace)
    }
    var gradient = ones(zero)
    for trace in traces.reversed() {
      let gradients = layer.backward(trace, finalState: gradient)
      body(gradients.parameters)
      gradient = gradients.initialState
    }
  }
}

extension Tensor where Scalar == Double {
  /// The sum of the squares.
  fileprivate var squares: Double { (self * self).sum }
}
