#if Command
internal import Unroll

/// The time of a vanishing sequence relative to a healthy one, which is large if the machine computes subnormal numbers
/// slowly and the kernels do not flush them.
enum VanishingBenchmark {
  /// The time per step of the vanishing sequence divided by that of the healthy one.
  ///
  /// An RNN cell with relu halves its state in every step or keeps it. After 126 of 200 steps the halved state is below
  /// the smallest normal number.
  static func ratio(_ level: InstructionSet) -> Double {
    seconds(level, factor: 0.5) / seconds(level, factor: 1)
  }

  private static func seconds(_ level: InstructionSet, factor: Float) -> Double {
    var cell = Cell<Float>(
      .rnn, inputSize: 1, hiddenSize: 64, options: CellOptions(activation: .relu))
    for unit in 0..<64 { cell.parameters.recurrentWeights[unit, unit] = factor }
    let layer = RecurrentLayer(cell: cell)
    let state = RecurrentState(hidden: Tensor<Float>(shape: [16, 64], repeating: 1))
    let inputs = Tensor<Float>(shape: [200, 16, 1])
    return level.use {
      let frozen = layer.frozen()
      var result = SequenceOutputs<Float>()
      return Stopwatch { frozen.run(inputs, from: state, into: &result) }.median
    }
  }
}
#endif
