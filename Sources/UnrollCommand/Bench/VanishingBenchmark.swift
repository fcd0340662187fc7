#if Command
internal import Unroll

/// What a sequence that vanishes costs beside one that does not: on machines where subnormal
/// numbers are slow, kernels that do not flush them show it here.
enum VanishingBenchmark {
  /// The vanishing sequence's time per step over the healthy one's, at a level.
  ///
  /// A basic cell with relu halves its state in every step, or keeps it: after 126 of 200 steps the
  /// halved state is below the least normal number.
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
