// Parity: our forward pass against TensorFlow's recorded outputs, from TensorFlow's own initial
// weights. The GRU is run in both variants: the one that TensorFlow computes, and the one whose
// number the notebook printed.

public import Unroll
internal import UnrollFormats

/// One line of the comparison with TensorFlow.
public struct ParityRow: Sendable, Codable {
  /// The cell, and for the GRU where its reset gate acts.
  public var cell: CellKind
  /// Our arithmetic.
  public var precision: LabPrecision
  /// The notebook's number: relative error of the outputs plus that of the final state.
  public var relativeErrorSum: Double
  /// The largest distance of our outputs from the same network computed in float64.
  public var distanceFromTruth: Double
  /// The largest distance of TensorFlow's float32 outputs from it.
  public var referenceDistanceFromTruth: Double
  /// The largest |ours − reference| at each step.
  public var differenceByStep: [Double]
}

/// What the comparison found.
public struct ParityResult: Sendable, Codable {
  /// What was asked.
  public var settings: LabSettings
  /// Whether the reference is TensorFlow's recording, which exists for the notebook's toy problem
  /// alone.
  ///
  /// Otherwise the reference is our own float64 result, rounded to float32.
  public var isRecorded: Bool
  /// The comparisons.
  public var rows: [ParityRow]
  /// The inputs' and initial kernels' first numbers, to compare with the notebook by eye.
  public var firstInputs: [Double]
  /// The RNN's parameters by the notebook's names, each flattened.
  public var rnnParameters: [String: [Double]]
  /// The GRU's parameters by the notebook's names, each flattened.
  public var gruParameters: [String: [Double]]
}

/// The toy problem: T 5, B 4, D 3, H 2.
public enum ParityExperiment {
  /// The cells that TensorFlow's recorded outputs are the reference of: the notebook's two, both GRUs.
  public static let recordedCells: [CellKind] = [.rnn, .gruResetBefore, .gruResetAfter]

  /// Runs the comparison, in both precisions.
  ///
  /// - Parameters:
  ///   - settings: Sizes and seed; `cell`, `scale`, `steps` and `precision` are not used.
  ///   - cells: Which cells. The notebook has no LSTM: its reference is our own float64.
  /// - Returns: Two rows for each cell.
  /// - Throws: `LabError` for settings that cannot be used.
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
      // Both variants of the GRU are held against the same reference: TensorFlow's.
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

  /// The notebook's sum: error of all outputs, plus error of the last one, which is the state.
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

  /// Whether TensorFlow's outputs for these settings are at hand.
  var isRecorded: Bool {
    let toy = LabSettings.toy
    return settings.seed == toy.seed && settings.inputSize == toy.inputSize
      && settings.hiddenSize == toy.hiddenSize && settings.batchSize == toy.batchSize
      && settings.timeStepCount == toy.timeStepCount
  }

  /// The outputs `[B, T, H]` from a zero state.
  func outputs<Scalar: KernelScalar>(_ cell: CellKind, _ type: Scalar.Type) -> Tensor<Scalar> {
    let parameters: CellParameters<Scalar> =
      cell.tensorFlowParameters(
        inputSize: settings.inputSize, hiddenSize: settings.hiddenSize, seed: settings.seed)
    return outputs(Cell(cell, parameters: parameters))
  }

  /// The outputs `[B, T, H]` of a cell from a zero state.
  func outputs<Scalar: KernelScalar>(_ cell: Cell<Scalar>) -> Tensor<Scalar> {
    let layer = RecurrentLayer(cell: cell)
    return layer.forward(
      Tensor<Scalar>(inputs), from: layer.zeroState(batchSize: settings.batchSize),
      layout: .batchMajor
    ).outputs
  }
}
