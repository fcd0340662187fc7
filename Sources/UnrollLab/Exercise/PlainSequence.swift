// Sequences through a plain cell, `[B][T][D]` to `[B][T][H]`, with the slips that are about their order.

extension PlainCell {
  /// Computes the outputs of all sequences.
  ///
  /// - Parameters:
  ///   - inputs: `[B][T][D]`.
  ///   - initial: `[B][H]`.
  /// - Returns: `[B][T][H]`, with the axes as a student would hand them in.
  func outputs(_ inputs: [[[Double]]], from initial: [[Double]]) -> [[[Double]]] {
    let (batch, time) = (inputs.count, inputs.first?.count ?? 0)
    let zero = [Double](repeating: 0, count: hiddenSize)
    /// Runs sequences, of which there may be others than initial states once axes have been mistaken.
    func run(_ sequences: [[[Double]]]) -> [[[Double]]] {
      sequences.indices.map { index in
        let given = index < initial.count ? initial[index] : zero
        return outputs(ofOne: sequences[index], from: slips.ignoresInitialState ? zero : given)
      }
    }
    /// The rows as they lie in memory, cut into other groups.
    func regrouped<Element>(_ rows: [[Element]], by size: Int) -> [[Element]] {
      let flat = rows.flatMap(\.self)
      return stride(from: 0, to: flat.count, by: size).map { Array(flat[$0..<$0 + size]) }
    }
    switch slips.reading {
    case .given: return run(inputs)
    case .reversed: return run(inputs.map { $0.reversed() })
    case .reversedAndBack: return run(inputs.map { $0.reversed() }).map { $0.reversed() }
    case .batchAsTime: return transposed(run(transposed(inputs)))
    case .reshaped: return run(transposed(regrouped(inputs, by: batch)))
    case .reshapedBack: return regrouped(transposed(run(inputs)), by: time)
    case .reshapedAndBack:
      return regrouped(transposed(run(transposed(regrouped(inputs, by: batch)))), by: time)
    }
  }

  private func outputs(ofOne inputs: [[Double]], from initial: [Double]) -> [[Double]] {
    var state = PlainState(initial)
    let outputs = inputs.map { x in
      let before = state
      state = step(x, from: slips.carry == .initial ? PlainState(initial) : state)
      return slips.outputsLate ? before.hidden : state.hidden
    }
    return slips.repeatsLast ? outputs.map { _ in state.hidden } : outputs
  }
}
