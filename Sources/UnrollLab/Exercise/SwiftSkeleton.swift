// The skeleton for Swift. Snippets/ExerciseSkeleton.swift has the same text, so that it is compiled.

enum SwiftSkeleton {
  static let text = #"""
    // Recurrent networks by hand, in Swift. Fill in the equations, then: swift run, and unroll lab check .
    // Task 1 is written into answers/task1.npz. CellCheck compares your backward steps (task 5) with differences, and names
    // the gate and the array that are wrong.

    import Unroll
    import UnrollFormats

    /// h′ = tanh(x·W + h·U + b).
    struct OwnRNN: CustomCell {
      let name = "own RNN"
      let gates: [Gate] = [.candidate]

      /// x is [B, D] and h [B, H]; `parameters.argument(of: .candidate, x, h)` is x·W + h·U + b.
      func step<Scalar>(
        _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
      ) -> CustomStep<Scalar> {
        let h = state.hidden
        // Yours: the state after the step, in the place of h.
        return CustomStep(hidden: h, gates: [h])
      }

      /// `gradient.hidden` is the gradient of h′; `gradients.add(a, to: .candidate, x, h, parameters)` takes the gradient of the
      /// argument x·W + h·U + b, adds what it means for W, U, b and x, and returns the gradient of h.
      func stepBackward<Scalar>(
        _ step: CustomStep<Scalar>, _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>,
        _ parameters: CellParameters<Scalar>, gradient: RecurrentState<Scalar>,
        into gradients: inout CustomGradients<Scalar>
      ) {
        // Yours: gradients.state.hidden += …
      }
    }

    /// r = σ(…), u = σ(…), c = tanh(x·Wc + (r ⊙ h)·Uc + bc), h′ = u ⊙ h + (1 − u) ⊙ c.
    struct OwnGRU: CustomCell {
      let name = "own GRU"
      let gates: [Gate] = [.reset, .update, .candidate]

      /// `a.activated(by: .sigmoid)` is σ(a).
      func step<Scalar>(
        _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
      ) -> CustomStep<Scalar> {
        let h = state.hidden
        // Yours: the gates and the state after the step.
        return CustomStep(hidden: h, gates: [h, h, h])
      }

      func stepBackward<Scalar>(
        _ step: CustomStep<Scalar>, _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>,
        _ parameters: CellParameters<Scalar>, gradient: RecurrentState<Scalar>,
        into gradients: inout CustomGradients<Scalar>
      ) {
        // Yours.
      }
    }

    /// The outputs and the final state of a cell, from the toy problem's arrays.
    func run(
      _ custom: some CustomCell, _ weights: [String], _ toy: [String: Tensor<Double>]
    ) -> (outputs: Tensor<Double>, final: Tensor<Double>)? {
      guard let inputs = toy["inputs"], let start = toy["initial_state"] else { return nil }
      var random = NumPyRandom(seed: 1)
      var cell = Cell<Double>(
        custom: custom, inputSize: inputs.shape[2], hiddenSize: start.shape[1], using: &random)
      cell.parameters.notebook = toy.filter { weights.contains($0.key) }
      let trace = RecurrentLayer(cell: cell).forward(
        inputs, from: RecurrentState(hidden: start), layout: .batchMajor)
      return (trace.outputs, trace.finalState.hidden)
    }

    if let file = try? ArrayFile(contentsOf: "toy.npz") {
      let toy = file.arrays.mapValues { $0.tensor(of: Double.self) }
      let gruWeights = ["u", "r", "c"].flatMap { ["wt\($0)_h", "wt\($0)_x", "bias\($0)"] }
      var answer: [String: StoredArray] = [:]
      if let rnn = run(OwnRNN(), ["wt_h", "wt_x", "bias"], toy) {
        answer["rnn_outputs"] = StoredArray(rnn.outputs)
        answer["rnn_final_state"] = StoredArray(rnn.final)
      }
      if let gru = run(OwnGRU(), gruWeights, toy) {
        answer["gru_outputs"] = StoredArray(gru.outputs)
        answer["gru_final_state"] = StoredArray(gru.final)
      }
      try ArrayFile(for: "answers/task1.npz", arrays: answer).write(to: "answers/task1.npz")
    } else {
      print("toy.npz cannot be read: run this program in the exercise's folder.")
    }

    print(CellCheck(of: OwnRNN()))
    print(CellCheck(of: OwnGRU()))

    """#
}
