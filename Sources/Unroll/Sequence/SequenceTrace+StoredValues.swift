extension SequenceTrace {
  /// Modifies the stored gates, states and products from which `backward` computes derivatives.
  ///
  /// A derivative such as 1 − h² loses precision where |h| is close to 1. Perturbing the stored values measures the
  /// effect of a different rounding of h.
  ///
  /// - Parameter change: Receives each array, with the kernels' values as one array; must not change its shape.
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
  /// Returns the trace with modified stored values of every layer.
  ///
  /// - Parameter change: Receives each array; must not change its shape.
  /// - Returns: The modified trace.
  package func changingStoredValues(_ change: (inout Tensor<Scalar>) -> Void) -> NetworkTrace {
    var result = self
    for index in layers.indices { result.layers[index].changeStoredValues(change) }
    return result
  }
}
