// Makes a GRU equal to an RNN: the candidate gets the RNN's weights, and biases of ±b force the reset gate to 1 and the
// update gate to 0. For large b, rounding in the sigmoid makes the two bit-identical.

package import Unroll

/// The comparison at one gate bias.
public struct GRUAsRNNRow: Sendable, Codable {
  /// b: the reset gate's bias; the update gate's is −b.
  public var bias: Double
  /// The relative error of the GRU's outputs with respect to the RNN's.
  public var relativeError: Double
  /// The largest difference of the outputs.
  public var largestDifference: Double
  /// Whether all bits agree.
  public var isBitwiseEqual: Bool
}

/// The result of the experiment.
public struct GRUAsRNNResult: Sendable, Codable {
  /// The settings.
  public var settings: LabSettings
  /// The comparison at the chosen bias.
  public var chosen: GRUAsRNNRow
  /// The comparison at other biases.
  public var sweep: [GRUAsRNNRow]
  /// The relative error of the GRU with TensorFlow's initial weights: the number printed by the notebook.
  public var untouched: Double
}

/// The experiment "a GRU as an RNN", on the toy problem.
public enum GRUAsRNNExperiment {
  /// A bias for which the result is exact in float32.
  public static let defaultBias = 30.0
  /// The biases of the sweep.
  static let sweepBiases: [Double] = [5, 10, 16, 17, 18, 20, 30, 40, 100]

  /// Runs the experiment.
  ///
  /// - Parameters:
  ///   - settings: Sizes, seed and precision; `cell` selects the GRU variant.
  ///   - bias: b; finite.
  /// - Returns: The comparison at the bias, and a sweep over others.
  /// - Throws: `LabError` for invalid settings.
  public static func run(
    _ settings: LabSettings = .toyGRU, bias: Double = defaultBias
  ) throws(LabError) -> GRUAsRNNResult {
    try settings.validate()
    guard bias.isFinite else {
      throw LabError(.outOfRange(expected: "a finite number", found: "\(bias)"), field: "bias")
    }
    guard settings.cell == .gruResetBefore || settings.cell == .gruResetAfter else {
      throw LabError(
        .outOfRange(
          expected: "gru or gru-after (a basic RNN has no gates, an LSTM passes tanh twice)",
          found: settings.cell.rawValue), field: "cell")
    }
    return switch settings.precision {
    case .float32: run(settings, bias, Float.self)
    case .float64: run(settings, bias, Double.self)
    }
  }

  private static func run<Scalar: KernelScalar>(
    _ settings: LabSettings, _ bias: Double, _ type: Scalar.Type
  ) -> GRUAsRNNResult {
    let toy = ToyProblem(settings)
    let rnn = toy.outputs(.rnn, Scalar.self)
    let variant = settings.cell
    func row(_ bias: Double) -> GRUAsRNNRow {
      let parameters: CellParameters<Scalar> = Self.parameters(of: toy.weights.rnn(), bias: bias)
      let gru = toy.outputs(Cell(variant, parameters: parameters))
      return GRUAsRNNRow(
        bias: bias, relativeError: relativeError(rnn, gru),
        largestDifference: largestDifference(rnn, gru),
        isBitwiseEqual: rnn.isBitwiseEqual(to: gru))
    }
    return GRUAsRNNResult(
      settings: settings, chosen: row(bias), sweep: sweepBiases.map(row),
      untouched: relativeError(rnn, toy.outputs(variant, Scalar.self)))
  }

  /// Returns GRU parameters equivalent to the RNN: its weights for the candidate, r = σ(b), z = σ(−b).
  package static func parameters<Scalar: KernelScalar>(
    of rnn: CellParameters<Scalar>, bias: Double, updateBias: Double? = nil
  ) -> CellParameters<Scalar> {
    var result = Cell<Scalar>(
      .gruResetBefore, inputSize: rnn.inputSize, hiddenSize: rnn.hiddenSize
    ).parameters
    result[.candidate] = rnn[.candidate]
    result[.reset].bias = Tensor(shape: [rnn.hiddenSize], repeating: Scalar(bias))
    result[.update].bias = Tensor(
      shape: [rnn.hiddenSize], repeating: Scalar(updateBias ?? -bias))
    return result
  }
}
