// Users' own cells, written with tensors. They run in the same layers, networks, streams, gradient checks and
// experiments as the kinds of `CellKind`: slower, but with the same rules for masks, directions and states.
//
// Legend: x `[B, D]` input, h `[B, H]` hidden state, c `[B, H]` cell state, a `[B, H]` a gate's argument
// x·W + h·U + b.

internal import UnrollContracts

/// A recurrent cell of your own: the equations of a step and of its gradient.
///
/// ```swift
/// struct LeakyCell: CustomCell {
///   let name = "Leaky"
///   let gates: [Gate] = [.candidate]
///
///   func step<Scalar>(
///     _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
///   ) -> CustomStep<Scalar> {
///     let n = parameters.argument(of: .candidate, x, state.hidden).activated(by: .tanh)
///     return CustomStep(hidden: 0.5 * state.hidden + 0.5 * n, gates: [n])
///   }
///
///   func stepBackward<Scalar>(
///     _ step: CustomStep<Scalar>, _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>,
///     _ parameters: CellParameters<Scalar>, gradient: RecurrentState<Scalar>,
///     into gradients: inout CustomGradients<Scalar>
///   ) {
///     let n = step.gates[0]
///     let argument = 0.5 * gradient.hidden * (1 - n * n)
///     gradients.state.hidden += 0.5 * gradient.hidden
///     gradients.state.hidden += gradients.add(argument, to: .candidate, x, state.hidden, parameters)
///   }
/// }
/// ```
///
/// `Cell(custom:inputSize:hiddenSize:using:)` makes a ``Cell`` of it, and ``CellCheck`` compares its gradient with
/// central differences, gate by gate. The snippet `OwnCell` is a GRU.
///
/// A cell has weights, a bias and on request a second bias for each of its gates; it has no projection, peepholes,
/// layer normalisation or zoneout, and its options have their defaults.
public protocol CustomCell: Sendable {
  /// The name in tables, figures and messages.
  var name: String { get }
  /// The gates in the order of the parameters' columns: at least one, each once.
  var gates: [Gate] { get }
  /// Whether h·U has a bias of its own. Default: no.
  var hasRecurrentBias: Bool { get }
  /// Whether there is a cell state c. Default: no.
  var hasCellState: Bool { get }
  /// The share of the old state that a step keeps, if a gate says so. Default: none.
  var retention: Retention? { get }

  /// Computes one step of some sequences.
  ///
  /// Each row of the result depends on the same row of x and of the state alone.
  ///
  /// - Parameters:
  ///   - x: The inputs, `[B, D]`.
  ///   - state: The states before the step: h and, if there is a cell state, c, each `[B, H]`.
  ///   - parameters: The cell's parameters.
  /// - Returns: The states after the step, and each gate's value.
  func step<Scalar: KernelScalar>(
    _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
  ) -> CustomStep<Scalar>

  /// Computes the gradients of one step.
  ///
  /// - Parameters:
  ///   - step: What `step` returned.
  ///   - x: The inputs of the step, `[B, D]`.
  ///   - state: The states before the step.
  ///   - parameters: The cell's parameters.
  ///   - gradient: dL/d of the states after the step: `hidden` and `cell`.
  ///   - gradients: Receives dL/d of the inputs and of the states before the step, both zero at the call, and the
  ///     gradient of the parameters, to which this step's is added.
  func stepBackward<Scalar: KernelScalar>(
    _ step: CustomStep<Scalar>, _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>,
    _ parameters: CellParameters<Scalar>, gradient: RecurrentState<Scalar>,
    into gradients: inout CustomGradients<Scalar>)
}

extension CustomCell {
  /// No second bias.
  public var hasRecurrentBias: Bool { false }
  /// No cell state.
  public var hasCellState: Bool { false }
  /// No gate that keeps the state.
  public var retention: Retention? { nil }
}

/// What one step of a cell of your own results in.
public struct CustomStep<Scalar: KernelScalar>: Sendable {
  /// h after the step, `[B, H]`.
  public var hidden: Tensor<Scalar>
  /// c after the step, `[B, H]`; nil for a cell without one.
  public var cell: Tensor<Scalar>?
  /// The value of each gate after its activation, `[B, H]`, in the order of ``CustomCell/gates``.
  public var gates: [Tensor<Scalar>]
  /// Whatever else the backward pass needs.
  public var saved: [Tensor<Scalar>]

  /// Creates the result of a step.
  public init(
    hidden: Tensor<Scalar>, cell: Tensor<Scalar>? = nil, gates: [Tensor<Scalar>],
    saved: [Tensor<Scalar>] = []
  ) {
    self.hidden = hidden
    self.cell = cell
    self.gates = gates
    self.saved = saved
  }
}

/// The gradients that the backward step of a cell of your own adds to.
public struct CustomGradients<Scalar: KernelScalar>: Sendable {
  /// dL/d of each parameter, summed over the steps so far.
  public var parameters: CellParameters<Scalar>
  /// dL/dx, `[B, D]`.
  public var input: Tensor<Scalar>
  /// dL/d of the states before the step.
  public var state: RecurrentState<Scalar>

  /// Adds the gradients that follow from that of a gate's argument x·W + h·U + b.
  ///
  /// - Parameters:
  ///   - gradient: dL/d of the gate's argument, `[B, H]`.
  ///   - gate: The gate.
  ///   - x: What W was multiplied by, `[B, D]`.
  ///   - hidden: What U was multiplied by, `[B, H]`: the hidden state or, for instance, r ⊙ h.
  ///   - parameters: The cell's parameters.
  /// - Returns: dL/d `hidden`, `[B, H]`, which is not yet part of ``state``.
  /// - Precondition: The cell has the gate, and the shapes agree.
  public mutating func add(
    _ gradient: Tensor<Scalar>, to gate: Gate, _ x: Tensor<Scalar>, _ hidden: Tensor<Scalar>,
    _ parameters: CellParameters<Scalar>
  ) -> Tensor<Scalar> {
    addInputProduct(gradient, to: gate, x, parameters)
    return addRecurrentProduct(gradient, to: gate, hidden, parameters)
  }

  /// Adds the gradients that follow from that of x·W + b: those of W, b and x.
  ///
  /// - Parameters:
  ///   - gradient: dL/d of the product, `[B, H]`.
  ///   - gate: The gate.
  ///   - x: What W was multiplied by, `[B, D]`.
  ///   - parameters: The cell's parameters.
  /// - Precondition: The cell has the gate, and the shapes agree.
  public mutating func addInputProduct(
    _ gradient: Tensor<Scalar>, to gate: Gate, _ x: Tensor<Scalar>,
    _ parameters: CellParameters<Scalar>
  ) {
    let columns = parameters.columns(of: gate)
    self.parameters.inputWeights[..., columns] += x.transposed.matrixProduct(gradient)
    self.parameters.bias[columns] += gradient.columnSums
    input += gradient.matrixProduct(parameters.inputWeights[..., columns].transposed)
  }

  /// Adds the gradients that follow from that of h·U, and of the second bias where the cell has one.
  ///
  /// - Parameters:
  ///   - gradient: dL/d of the product, `[B, H]`.
  ///   - gate: The gate.
  ///   - hidden: What U was multiplied by, `[B, H]`.
  ///   - parameters: The cell's parameters.
  /// - Returns: dL/d `hidden`, `[B, H]`, which is not yet part of ``state``.
  /// - Precondition: The cell has the gate, and the shapes agree.
  public mutating func addRecurrentProduct(
    _ gradient: Tensor<Scalar>, to gate: Gate, _ hidden: Tensor<Scalar>,
    _ parameters: CellParameters<Scalar>
  ) -> Tensor<Scalar> {
    let columns = parameters.columns(of: gate)
    self.parameters.recurrentWeights[..., columns] += hidden.transposed.matrixProduct(gradient)
    if !parameters.recurrentBias.isEmpty {
      self.parameters.recurrentBias[columns] += gradient.columnSums
    }
    return gradient.matrixProduct(parameters.recurrentWeights[..., columns].transposed)
  }
}

extension CellParameters {
  /// A gate's argument, x·W + h·U + b, and the second bias where the cell has one.
  ///
  /// - Parameters:
  ///   - gate: The gate.
  ///   - x: The inputs, `[B, D]`.
  ///   - hidden: What U is multiplied by, `[B, H]`: the hidden state or, for instance, r ⊙ h.
  /// - Returns: `[B, H]`.
  /// - Precondition: The cell has the gate, and the shapes agree.
  public func argument(
    of gate: Gate, _ x: Tensor<Scalar>, _ hidden: Tensor<Scalar>
  ) -> Tensor<Scalar> {
    inputProduct(of: gate, x) + recurrentProduct(of: gate, hidden)
  }

  /// A gate's x·W + b.
  ///
  /// - Parameters:
  ///   - gate: The gate.
  ///   - x: The inputs, `[B, D]`.
  /// - Returns: `[B, H]`.
  /// - Precondition: The cell has the gate, and the shapes agree.
  public func inputProduct(of gate: Gate, _ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let columns = columns(of: gate)
    return x.matrixProduct(inputWeights[..., columns]).adding(toEachRow: bias[columns])
  }

  /// A gate's h·U, and the second bias where the cell has one.
  ///
  /// - Parameters:
  ///   - gate: The gate.
  ///   - hidden: The hidden state, `[B, H]`.
  /// - Returns: `[B, H]`.
  /// - Precondition: The cell has the gate, and the shapes agree.
  public func recurrentProduct(of gate: Gate, _ hidden: Tensor<Scalar>) -> Tensor<Scalar> {
    let columns = columns(of: gate)
    let product = hidden.matrixProduct(recurrentWeights[..., columns])
    return recurrentBias.isEmpty ? product : product.adding(toEachRow: recurrentBias[columns])
  }
}
