extension SequenceTrace {
  /// Changes the stored gates, states and products, from which `backward` computes derivatives.
  ///
  /// A derivative such as 1 − h² loses its digits where h is close to 1. What another rounding of h makes of it
  /// can be measured by moving the stored values.
  ///
  /// - Parameter change: Is given each array, the kernels' values as one; its shape must stay.
  package mutating func changeStoredValues(_ change: (inout Tensor<Scalar>) -> Void) {
    change(&values)
    change(&timeMajorHidden)
    for time in 0..<(custom?.steps.count ?? 0) {
      guard var step = custom?.steps[time] else { continue }
      for index in step.gates.indices { change(&step.gates[index]) }
      change(&step.hidden)
      if var cell = step.cell {
        change(&cell)
        step.cell = cell
      }
      custom?.steps[time] = step
    }
  }
}

extension NetworkTrace {
  /// The trace with the stored values of every layer changed.
  ///
  /// - Parameter change: Is given each array; its shape must stay.
  /// - Returns: The trace.
  package func changingStoredValues(_ change: (inout Tensor<Scalar>) -> Void) -> NetworkTrace {
    var result = self
    for index in layers.indices { result.layers[index].changeStoredValues(change) }
    return result
  }
}
