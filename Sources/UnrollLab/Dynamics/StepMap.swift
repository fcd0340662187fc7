// A cell's step as a map of its entire state, h followed by c, with its derivative. Derivatives are computed by the
// layer's backward pass.

package import Unroll

/// The map s ↦ F(x, s) of a cell, in Double.
package struct StepMap {
  package let layer: RecurrentLayer<Double>
  private let hiddenSize, cellSize: Int

  package init(_ cell: Cell<Double>) {
    layer = RecurrentLayer(cell: cell)
    hiddenSize = cell.outputSize
    cellSize = cell.cellStateSize
  }

  /// S, the size of a state.
  package var size: Int { hiddenSize + cellSize }

  private func split(_ states: Tensor<Double>) -> RecurrentState<Double> {
    RecurrentState(
      hidden: states[..., 0..<hiddenSize], cell: states[..., hiddenSize..<size])
  }

  /// Runs one step of N states with their inputs: `[N, D]` and `[N, S]` to `[N, S]`.
  package func step(_ inputs: Tensor<Double>, _ states: Tensor<Double>) -> Tensor<Double> {
    layer.forward(inputs.reshaped(to: [1] + inputs.shape), from: split(states)).finalState.whole
  }

  /// Returns vᵀ·J for N rows v, each with its input and state: `[N, S]`.
  package func pullBack(
    _ rows: Tensor<Double>, inputs: Tensor<Double>, states: Tensor<Double>
  ) -> Tensor<Double> {
    let trace = layer.forward(inputs.reshaped(to: [1] + inputs.shape), from: split(states))
    return layer.backward(trace, finalState: split(rows)).initialState.whole
  }

  /// Returns J = ∂F/∂s for N inputs and states, with one backward pass for all.
  package func jacobians(_ inputs: Tensor<Double>, _ states: Tensor<Double>) -> [Matrix] {
    let count = states.shape[0]
    guard count > 0 else { return [] }
    // Work in chunks of some thousand rows, to limit memory.
    let chunk = max(1, 16_384 / size)
    guard count <= chunk else {
      return stride(from: 0, to: count, by: chunk).flatMap { start in
        let range = start..<min(count, start + chunk)
        return jacobians(inputs[range], states[range])
      }
    }
    let unit = Matrix(identity: size).elements
    let rows = Tensor(
      shape: [count * size, size], elements: (0..<count).flatMap { _ in unit })
    let pulled = pullBack(
      rows, inputs: inputs.repeatingRows(size), states: states.repeatingRows(size))
    let elements = pulled.elements
    let area = size * size
    return (0..<count).map { index in
      Matrix(
        rows: size, columns: size, elements: Array(elements[index * area..<(index + 1) * area]))
    }
  }
}

extension Tensor {
  /// Repeats each row: `[N·count, D]`.
  func repeatingRows(_ count: Int) -> Tensor {
    let (rows, columns) = (shape[0], shape[1])
    let elements = elements
    var result: [Scalar] = []
    result.reserveCapacity(rows * columns * count)
    for row in 0..<rows {
      for _ in 0..<count { result += elements[row * columns..<(row + 1) * columns] }
    }
    return Tensor(shape: [rows * count, columns], elements: result)
  }

  /// Creates a tensor of `count` equal rows.
  init(repeatingRow row: [Scalar], count: Int) {
    self.init(
      shape: [count, row.count], elements: (0..<count).flatMap { _ in row })
  }
}

/// The inputs and states of one sequence.
struct Orbit {
  /// `[T, D]`.
  let inputs: Tensor<Double>
  /// The states before each step, `[T, S]`.
  let states: Tensor<Double>
  /// The state after the last step, `[1, S]`.
  let final: Tensor<Double>

  /// Runs the first sequences of a batch `[T, B, D]` from zero states.
  ///
  /// - Throws: `LabError` if a state overflows.
  static func all(
    _ map: StepMap, _ inputs: Tensor<Double>, count: Int
  ) throws(LabError) -> [Orbit] {
    let (steps, size) = (inputs.shape[0], map.size)
    let sequences = (0..<count).map { inputs.sequence($0) }
    // Run all sequences as one batch.
    let batch = Tensor(
      shape: [steps, count, inputs.shape[2]],
      elements: (0..<steps).flatMap { time in
        sequences.flatMap { $0[time, ...].elements }
      })
    let trace = map.layer.forward(batch, from: map.layer.zeroState(batchSize: count))
    try trace.requireFiniteStates()
    let after = (0..<steps).map { trace.wholeState(after: $0).elements }
    let zero = [Double](repeating: 0, count: size)
    return (0..<count).map { row in
      let states = after.map { Array($0[row * size..<(row + 1) * size]) }
      return Orbit(
        inputs: sequences[row],
        states: Tensor(rows: [zero] + states.dropLast()), final: Tensor(rows: [states[steps - 1]]))
    }
  }
}
