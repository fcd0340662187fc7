// Compares the gradients of an experiment's cell with central differences.

public import Unroll

/// A gradient check with the weights and inputs of an experiment.
public enum LabGradientCheck {
  /// Compares every gradient of a weighted sum of outputs and final state with central differences, in
  /// Double.
  ///
  /// - Complexity: Four passes over the sequences per parameter, input and state.
  /// - Throws: `LabError` for invalid settings.
  public static func run(_ settings: LabSettings) throws(LabError) -> GradientCheck {
    var drawn = try Subject(settings, nil)
    let cell = drawn.cell
    let start: RecurrentState<Double> =
      DrawnState(cell.cellStateSize, settings, &drawn.random).state()
    let shape = [settings.timeStepCount, settings.batchSize, cell.outputSize]
    // Distinct weights, so that errors of different gradients cannot cancel.
    let outputs = Tensor<Double>(
      shape: shape, elements: (0..<shape.reduce(1, *)).map { Double($0 % 7 - 3) / 3 })
    var states = cell.zeroState(batchSize: settings.batchSize)
    states.hidden.fill(1)
    states.cell.fill(0.5)
    return RecurrentNetwork(cells: [cell]).gradientCheck(
      inputs: drawn.inputs, from: [start], outputWeights: outputs, stateWeights: [states])
  }
}
