// Custom cells, implemented with tensors. They run in the same layers, networks, streams, gradient checks and
// experiments as the kinds of `CellKind`: slower, but with the same rules for masks, directions and states.
//
// Legend: x `[B, D]` input, h `[B, H]` hidden state, c `[B, H]` cell state, a `[B, H]` argument of a gate,
// x·W + h·U + b.

internal import UnrollContracts

/// A user-defined recurrent cell: the equations of a step and of its gradient.
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
/// `Cell(custom:inputSize:hiddenSize:using:)` makes it a ``Cell``, and ``CellCheck`` compares its gradient with
/// central differences, gate by gate. The snippet `OwnCell` implements a GRU.
///
/// The parameters are weights, a bias and an optional second bias for each gate. A custom cell has no projection,
/// peepholes, layer normalisation or zoneout, and its options must have their defaults.
public protocol CustomCell: Sendable {
  /// The name in tables, figures and messages.
  var name: String { get }
  /// The gates in the order of the parameters' columns: at least one, without duplicates.
  var gates: [Gate] { get }
  /// Whether h·U has a separate bias. Default: no.
  var hasRecurrentBias: Bool { get }
  /// Whether there is a cell state c. Default: no.
  var hasCellState: Bool { get }
  /// The fraction of the old state that a step keeps, if a gate controls it. Default: nil.
  var retention: Retention? { get }

  /// Computes one step of a batch of sequences.
  ///
  /// Each row of the result depends only on the same row of x and of the state.
  ///
  /// - Parameters:
  ///   - x: The inputs, `[B, D]`.
  ///   - state: The states before the step: h and, if there is a cell state, c, each `[B, H]`.
  ///   - parameters: The cell's parameters.
  /// - Returns: The states after the step and the value of each gate.
  func step<Scalar: KernelScalar>(
    _ x: Tensor<Scalar>, from state: RecurrentState<Scalar>, _ parameters: CellParameters<Scalar>
  ) -> CustomStep<Scalar>

  /// Computes the gradients of one step.
  ///
  /// - Parameters:
  ///   - step: The result of `step`.
  ///   - x: The inputs of the step, `[B, D]`.
  ///   - state: The states before the step.
  ///   - parameters: The cell's parameters.
  ///   - gradient: dL/d of the states after the step: `hidden` and `cell`.
  ///   - gradients: Accumulates the gradients. The entries for the inputs and the previous states are zero at the call;
  ///     the entry for the parameters holds the sum over the steps so far.
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
  /// No retention.
  public var retention: Retention? { nil }
}

/// The result of one step of a custom cell.
public struct CustomStep<Scalar: KernelScalar>: Sendable {
  /// h after the step, `[B, H]`.
  public var hidden: Tensor<Scalar>
  /// c after the step, `[B, H]`; nil for a cell without one.
  public var cell: Tensor<Scalar>?
  /// The value of each gate after its activation, `[B, H]`, in the order of ``CustomCell/gates``.
  public var gates: [Tensor<Scalar>]
  /// Additional values for the backward pass.
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

/// The gradients that the backward step of a custom cell accumulates.
public struct CustomGradients<Scalar: KernelScalar>: Sendable {
  /// dL/d of each parameter, summed over the steps so far.
  public var parameters: CellParameters<Scalar>
  /// dL/dx, shape `[B, D]`.
  public var input: Tensor<Scalar>
  /// The gradient of the loss with respect to the states before the step.
  public var state: RecurrentState<Scalar>

  /// Propagates the gradient of a gate's argument x·W + h·U + b to W, U, the biases and x.
  ///
  /// - Parameters:
  ///   - gradient: dL/d of the gate's argument, `[B, H]`.
  ///   - gate: The gate.
  ///   - x: The operand of W, `[B, D]`.
  ///   - hidden: The operand of U, `[B, H]`: the hidden state or, for example, r ⊙ h.
  ///   - parameters: The cell's parameters.
  /// - Returns: dL/d `hidden`, `[B, H]`; not yet added to ``state``.
  /// - Precondition: The cell has the gate, and the shapes agree.
  public mutating func add(
    _ gradient: Tensor<Scalar>, to gate: Gate, _ x: Tensor<Scalar>, _ hidden: Tensor<Scalar>,
    _ parameters: CellParameters<Scalar>
  ) -> Tensor<Scalar> {
    addInputProduct(gradient, to: gate, x, parameters)
    return addRecurrentProduct(gradient, to: gate, hidden, parameters)
  }

  /// Propagates the gradient of x·W + b to W, b and x.
  ///
  /// - Parameters:
  ///   - gradient: dL/d of the product, `[B, H]`.
  ///   - gate: The gate.
  ///   - x: The operand of W, `[B, D]`.
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

  /// Propagates the gradient of h·U to U and, if present, the second bias.
  ///
  /// - Parameters:
  ///   - gradient: dL/d of the product, `[B, H]`.
  ///   - gate: The gate.
  ///   - hidden: The operand of U, `[B, H]`.
  ///   - parameters: The cell's parameters.
  /// - Returns: dL/d `hidden`, `[B, H]`; not yet added to ``state``.
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
  /// Returns a gate's argument, x·W + h·U + b, including the second bias if present.
  ///
  /// - Parameters:
  ///   - gate: The gate.
  ///   - x: The inputs, `[B, D]`.
  ///   - hidden: The operand of U, `[B, H]`: the hidden state or, for example, r ⊙ h.
  /// - Returns: `[B, H]`.
  /// - Precondition: The cell has the gate, and the shapes agree.
  public func argument(
    of gate: Gate, _ x: Tensor<Scalar>, _ hidden: Tensor<Scalar>
  ) -> Tensor<Scalar> {
    inputProduct(of: gate, x) + recurrentProduct(of: gate, hidden)
  }

  /// Returns a gate's x·W + b.
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

  /// Returns a gate's h·U, plus the second bias if present.
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
