// Parity: compares Unroll's forward pass with TensorFlow's recorded outputs, starting from TensorFlow's initial
// weights. The GRU is run in both variants: the one that TensorFlow computes, and the one that gives the number printed
// in the notebook.

public import Unroll
internal import UnrollFormats

/// One row of the comparison with TensorFlow.
public struct ParityRow: Sendable, Codable {
  /// The cell; for the GRU, this includes the position of the reset gate.
  public var cell: CellKind
  /// Unroll's precision.
  public var precision: LabPrecision
  /// The notebook's number: relative error of the outputs plus that of the final state.
  public var relativeErrorSum: Double
  /// The largest distance of Unroll's outputs from the same network computed in float64.
  public var distanceFromTruth: Double
  /// The largest distance of the reference's outputs from the network computed in float64.
  public var referenceDistanceFromTruth: Double
  /// The largest |Unroll − reference| at each step.
  public var differenceByStep: [Double]
}

/// The result of the comparison.
public struct ParityResult: Sendable, Codable {
  /// The settings.
  public var settings: LabSettings
  /// Whether the reference is TensorFlow's recording, which exists only for the notebook's toy problem.
  ///
  /// Otherwise the reference is Unroll's float64 result, rounded to float32.
  public var isRecorded: Bool
  /// The comparisons.
  public var rows: [ParityRow]
  /// The first values of the inputs and initial kernels, for comparison with the notebook.
  public var firstInputs: [Double]
  /// The RNN's parameters with the notebook's names, flattened.
  public var rnnParameters: [String: [Double]]
  /// The GRU's parameters with the notebook's names, flattened.
  public var gruParameters: [String: [Double]]
}

/// The toy problem: T 5, B 4, D 3, H 2.
public enum ParityExperiment {
  /// The cells with recorded outputs of TensorFlow as reference: the notebook's two, with both GRU variants.
  public static let recordedCells: [CellKind] = [.rnn, .gruResetBefore, .gruResetAfter]

  /// Runs the comparison, in both precisions.
  ///
  /// - Parameters:
  ///   - settings: Sizes and seed; `cell`, `scale`, `steps` and `precision` are ignored.
  ///   - cells: The cells. The notebook has no LSTM, so its reference is Unroll's float64 result.
  /// - Returns: Two rows for each cell.
  /// - Throws: `LabError` for invalid settings.
  public static func run(
    _ settings: LabSettings = .toy, cells: [CellKind] = recordedCells
  ) throws(LabError) -> ParityResult {
    try settings.validate()
    let toy = ToyProblem(settings)
    let isRecorded = toy.isRecorded && cells.allSatisfy(recordedCells.contains)
    var rows: [ParityRow] = []
    for cell in cells {
      let truth = toy.outputs(cell, Double.self)
      let recorded = cell == .rnn ? RecordedOutputs.rnn : RecordedOutputs.gru
      // Both GRU variants are compared with the same reference, TensorFlow's.
      let reference =
        isRecorded
        ? recorded
        : Tensor<Float>(toy.outputs(cell == .gruResetAfter ? .gruResetBefore : cell, Double.self))
      let float = toy.outputs(cell, Float.self)
      for precision in [LabPrecision.float64, .float32] {
        rows.append(
          ParityRow(
            cell: cell, precision: precision,
            relativeErrorSum: precision == .float64
              ? Self.errorSum(truth, Tensor<Double>(reference)) : Self.errorSum(float, reference),
            distanceFromTruth: precision == .float64 ? 0 : largestDifference(float, truth),
            referenceDistanceFromTruth: largestDifference(reference, truth),
            differenceByStep: precision == .float64
              ? Self.differenceByStep(truth, reference) : Self.differenceByStep(float, reference)))
      }
    }
    func flat(_ parameters: CellParameters<Float>) -> [String: [Double]] {
      parameters.notebook.mapValues { $0.elements.map { Double($0) } }
    }
    return ParityResult(
      settings: settings, isRecorded: isRecorded, rows: rows,
      firstInputs: toy.inputs.elements.prefix(3).map { Double($0) },
      rnnParameters: flat(toy.weights.rnn()), gruParameters: flat(toy.weights.gru()))
  }

  private static func differenceByStep<Scalar: KernelScalar>(
    _ ours: Tensor<Scalar>, _ reference: Tensor<Float>
  ) -> [Double] {
    let (a, b) = (ours.exchangingFirstAxes, reference.exchangingFirstAxes)
    return (0..<a.shape[0]).map { largestDifference(a[$0, ...], b[$0, ...]) }
  }

  /// Returns the notebook's sum: the error of all outputs plus that of the final state.
  private static func errorSum<Scalar: KernelScalar>(
    _ ours: Tensor<Scalar>, _ reference: Tensor<Scalar>
  ) -> Double {
    let last = ours.shape[1] - 1
    func final(_ outputs: Tensor<Scalar>) -> Tensor<Scalar> {
      outputs.exchangingFirstAxes[last, ...]
    }
    return relativeError(reference, ours) + relativeError(final(reference), final(ours))
  }
}

/// The toy problem's inputs and TensorFlow's initial weights.
struct ToyProblem {
  let settings: LabSettings
  /// `[B, T, D]`.
  let inputs: Tensor<Float>
  let weights: TensorFlowInitialWeights

  init(_ settings: LabSettings) {
    self.settings = settings
    var random = NumPyRandom(seed: settings.generatorSeed)
    inputs = Tensor<Float>(
      random.rand([settings.batchSize, settings.timeStepCount, settings.inputSize]))
    weights = TensorFlowInitialWeights(
      inputSize: settings.inputSize, hiddenSize: settings.hiddenSize, seed: Int64(settings.seed))
  }

  /// Whether TensorFlow's outputs for these settings were recorded.
  var isRecorded: Bool {
    let toy = LabSettings.toy
    return settings.seed == toy.seed && settings.inputSize == toy.inputSize
      && settings.hiddenSize == toy.hiddenSize && settings.batchSize == toy.batchSize
      && settings.timeStepCount == toy.timeStepCount
  }

  /// Returns the outputs `[B, T, H]` from a zero state.
  func outputs<Scalar: KernelScalar>(_ cell: CellKind, _ type: Scalar.Type) -> Tensor<Scalar> {
    let parameters: CellParameters<Scalar> =
      cell.tensorFlowParameters(
        inputSize: settings.inputSize, hiddenSize: settings.hiddenSize, seed: settings.seed)
    return outputs(Cell(cell, parameters: parameters))
  }

  /// Returns the outputs `[B, T, H]` of a cell from a zero state.
  func outputs<Scalar: KernelScalar>(_ cell: Cell<Scalar>) -> Tensor<Scalar> {
    let layer = RecurrentLayer(cell: cell)
    return layer.forward(
      Tensor<Scalar>(inputs), from: layer.zeroState(batchSize: settings.batchSize),
      layout: .batchMajor
    ).outputs
  }
}
