// Decomposes a gradient through time into the contributions of the steps, and measures the error of truncated
// backpropagation through time.

package import Unroll
internal import UnrollFormats

/// The gradient of one parameter, decomposed by step.
public struct ParameterContribution: Sendable, Codable {
  /// The parameter's name, such as `recurrentWeights`.
  public var parameter: String
  /// The norm of the contribution of each step t.
  public var norms: [Double]
  /// The norm of the full gradient.
  public var total: Double
}

/// The error of a truncated gradient over all parameters.
public struct Truncation: Sendable, Codable {
  /// k: the number of last steps that contribute.
  public var steps: Int
  /// The norm of the missing part, relative to the norm of the full gradient.
  public var relativeError: Double
  /// The cosine of the angle between the truncated and the full gradient; NaN if one is zero.
  public var cosine: Double
}

/// A decomposed gradient through time.
public struct GradientPartsResult: Sendable, Codable {
  /// The settings; H and D are the cell's.
  public var settings: LabSettings
  /// The contributions by parameter; the loss is Σ h after the last step, over all sequences.
  public var contributions: [ParameterContribution]
  /// One entry for each k from 1 to T.
  public var truncations: [Truncation]
}

/// The experiment that decomposes a gradient by step.
public enum GradientParts {
  /// Runs the experiment from a zero state.
  ///
  /// - Parameters:
  ///   - settings: The settings.
  ///   - layer: A layer and its inputs; nil to draw inputs, then weights.
  /// - Returns: The results.
  /// - Throws: `LabError` for invalid settings.
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
    // Accumulate from the last step: after k steps, the sum is the truncated gradient.
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

  /// Calls `body` with each step's contribution to the gradient of Σ h after the last step, from the last step to the
  /// first.
  ///
  /// Runs the backward pass one step at a time and passes the gradient of the state on.
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
  /// The sum of squares.
  fileprivate var squares: Double { (self * self).sum }
}
