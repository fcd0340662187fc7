// Where a cell's equations come from: a kind implemented by the kernels, or a custom cell.

internal import UnrollContracts

/// The interface between layers and cells of either origin.
enum CellDefinition: Sendable {
  case kind(CellKind)
  case custom(CustomDefinition)

  var title: String {
    switch self {
    case .kind(let kind): kind.title
    case .custom(let custom): custom.name
    }
  }
  var gates: [Gate] {
    switch self {
    case .kind(let kind): kind.gates
    case .custom(let custom): custom.gates
    }
  }
  var hasCellState: Bool {
    switch self {
    case .kind(let kind): kind.hasCellState
    case .custom(let custom): custom.hasCellState
    }
  }
  var retention: Retention? {
    switch self {
    case .kind(let kind): kind.retention
    case .custom(let custom): custom.retention
    }
  }

  /// Returns whether two cells have the same equations.
  ///
  /// Two custom cells are the same only if one is a copy of the other: values of one type may differ in their function.
  func isSame(as other: CellDefinition) -> Bool {
    switch (self, other) {
    case (.kind(let one), .kind(let other)): one == other
    case (.custom(let one), .custom(let other)): one === other
    default: false
    }
  }
}

/// A custom cell and its declared properties, read once because they must not change while layers use the cell.
///
/// A class, so that copying a cell copies one reference.
final class CustomDefinition: Sendable {
  let cell: any CustomCell
  let name: String
  let gates: [Gate]
  let hasRecurrentBias, hasCellState: Bool
  let retention: Retention?

  /// - Precondition: The cell has at least one gate, its gates are distinct, and its retention names one of them.
  init(_ cell: some CustomCell) {
    self.cell = cell
    name = cell.name
    gates = cell.gates
    hasRecurrentBias = cell.hasRecurrentBias
    hasCellState = cell.hasCellState
    retention = cell.retention
    let distinct = Set(gates)
    require(
      !gates.isEmpty && distinct.count == gates.count
        && retention.map { distinct.contains($0.gate) } != false,
      "CustomCell: expected gates of \(name), each once, and a retention by one of them, got [\(gates.names)] and \(retention.map { "\($0.gate)" } ?? "none")."
    )
  }

  /// Computes one step and checks the shapes of the results.
  func step<Scalar>(
    _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
  ) -> CustomStep<Scalar> {
    let step = cell.step(x, from: state, parameters)
    let shape = state.hidden.shape
    func check(_ tensor: Tensor<Scalar>?, _ what: String) {
      require(
        tensor?.shape == shape,
        "CustomCell.step: expected \(what) of shape \(shape) from \(name), got \(tensor.map { "\($0.shape)" } ?? "none")."
      )
    }
    check(step.hidden, "h")
    if hasCellState { check(step.cell, "c") }
    require(
      hasCellState || step.cell == nil,
      "CustomCell.step: expected no c from \(name), which has no cell state, got one.")
    require(
      step.gates.count == gates.count,
      "CustomCell.step: expected values of the gates \(gates.names) from \(name), got \(step.gates.count) arrays."
    )
    for (gate, values) in zip(gates, step.gates) { check(values, "the gate \(gate)") }
    return step
  }

  /// Computes the gradients of one step and checks their shapes.
  func stepBackward<Scalar>(
    _ step: CustomStep<Scalar>, _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>,
    _ parameters: CellParameters<Scalar>, gradient: RecurrentState<Scalar>,
    into gradients: inout CustomGradients<Scalar>
  ) {
    cell.stepBackward(step, x, from: state, parameters, gradient: gradient, into: &gradients)
    func check(_ tensor: Tensor<Scalar>, _ shape: [Int], _ what: String) {
      require(
        tensor.shape == shape,
        "CustomCell.stepBackward: expected a gradient of \(what) of shape \(shape) from \(name), got \(tensor.shape)."
      )
    }
    check(gradients.input, x.shape, "x")
    check(gradients.state.hidden, state.hidden.shape, "h")
    check(gradients.state.cell, state.cell.shape, "c")
    require(
      gradients.parameters.hasShapes(of: parameters),
      "CustomCell.stepBackward: expected gradients of the cell's parameters from \(name), got those of others."
    )
  }
}
