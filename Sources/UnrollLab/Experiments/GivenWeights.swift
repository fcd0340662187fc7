// The experiments on weights that somebody trained, instead of drawn ones.

public import Unroll

extension MemoryExperiment {
  /// Runs the experiment on a cell: draws inputs, then states for each step.
  ///
  /// - Parameters:
  ///   - settings: Steps, sizes and seed; H and D are the cell's.
  ///   - cell: The cell.
  ///   - progress: Called after each step with how many are done.
  /// - Returns: What was found.
  /// - Throws: `LabError` for settings that cannot be used, or are not the cell's.
  public static func run<Scalar: KernelScalar>(
    _ settings: LabSettings, cell: any RecurrentCell<Scalar>, progress: (Int) -> Void = { _ in }
  ) throws(LabError) -> MemoryResult {
    try settings.validate(for: cell)
    var random = NumPyRandom(seed: settings.generatorSeed)
    let inputs: Tensor<Scalar> = drawInputs(settings, &random)
    return measure(cell, inputs, settings, &random, progress: progress).result
  }
}

extension GradientExperiment {
  /// Runs the experiment on a cell: draws inputs, then one state.
  ///
  /// - Parameters:
  ///   - settings: Steps, sizes and seed; H and D are the cell's.
  ///   - cell: The cell.
  ///   - progress: Called after each initial state with how many are done.
  /// - Returns: What was found.
  /// - Throws: `LabError` for settings that cannot be used, or are not the cell's.
  public static func run<Scalar: KernelScalar>(
    _ settings: LabSettings, cell: any RecurrentCell<Scalar>, progress: (Int) -> Void = { _ in }
  ) throws(LabError) -> GradientResult {
    try settings.validate(for: cell)
    var random = NumPyRandom(seed: settings.generatorSeed)
    let inputs: Tensor<Scalar> = drawInputs(settings, &random)
    let state = DrawnState(cell.cellStateSize, settings, &random)
    return measure(
      cell, inputs, settings, state, points: GradientPoint.allCases, progress: progress)
  }
}

extension LabSettings {
  /// Settings for a cell that is given: its kind and sizes.
  ///
  /// - Throws: `LabError` for a cell whose output is projected, which the experiments do not know.
  public mutating func adopt<Scalar: KernelScalar>(
    _ cell: any RecurrentCell<Scalar>
  ) throws(LabError) {
    guard cell.outputSize == cell.hiddenSize else {
      throw LabError(
        .outOfRange(
          expected: "a cell without a projection", found: "\(cell.hiddenSize) → \(cell.outputSize)"),
        field: "weights")
    }
    (hiddenSize, inputSize) = (cell.hiddenSize, cell.inputSize)
    switch cell {
    case let gru as GRU<Scalar>: self.cell = gru.resetGate == .beforeProduct ? .gru : .gruAfter
    case is LSTM<Scalar>: self.cell = .lstm
    default: self.cell = .rnn
    }
  }

  func validate<Scalar: KernelScalar>(
    for cell: any RecurrentCell<Scalar>
  ) throws(LabError) {
    try validate()
    guard hiddenSize == cell.outputSize, inputSize == cell.inputSize else {
      throw LabError(
        .outOfRange(
          expected: "the cell's H \(cell.outputSize) and D \(cell.inputSize)",
          found: "\(hiddenSize) and \(inputSize)"), field: "weights")
    }
  }
}
