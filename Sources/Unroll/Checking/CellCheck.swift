// Checks a cell's gradient and locates errors: one comparison with central differences for each array and gate.

internal import UnrollContracts

/// A comparison of every gradient of a cell with central differences, gate by gate.
///
/// ```swift
/// let check = CellCheck(of: OwnGRU())
/// print(check)  // names each gate and array whose gradient is wrong
/// ```
///
/// Parameters, inputs and initial states are random; the loss is a weighted sum of the outputs and the final states,
/// with random weights. A single step is checked first and any wrong gradients in it are reported, because over several
/// steps one wrong gate makes the gradients of all gates wrong. Otherwise the whole sequence is checked.
public struct CellCheck: Sendable, CustomStringConvertible {
  /// The gradient of one array, or of the columns of one gate.
  public struct Part: Sendable, Equatable {
    /// The name of the array: one of ``CellParameters/names``, `inputs`, or an initial state, `hidden` or `cell`.
    public let array: String
    /// The gate that the columns belong to; nil for inputs and states.
    public let gate: Gate?
    /// The comparison.
    ///
    /// The index of its worst element is relative to the columns of the gate.
    public let check: GradientCheck

    /// A description of the part for messages.
    public var name: String {
      gate.map { "\(array) of the gate \($0)" }
        ?? (array == "inputs" ? array : "the initial \(array) state")
    }
  }

  /// The cell's name.
  public let title: String
  /// The comparisons: the parameters gate by gate, the inputs and the initial states.
  public let parts: [Part]
  /// The number of time steps compared: 1 if a single step has a wrong gradient.
  public let timeStepCount: Int
  /// The maximum error of a correct gradient.
  public let tolerance: Double
  /// Whether the states of a sequence depend on the rest of its batch.
  public let mixesSequences: Bool

  /// Checks the gradients of a custom cell.
  ///
  /// - Parameters:
  ///   - custom: The cell.
  ///   - inputSize: D, at least 1.
  ///   - hiddenSize: H, at least 1.
  ///   - timeStepCount: T, at least 1.
  ///   - batchSize: B, at least 1.
  ///   - seed: The seed of all random numbers.
  ///   - tolerance: The maximum error of a correct gradient, as measured by ``GradientCheck/worstError``.
  /// - Precondition: The cell satisfies the preconditions of ``Cell/init(custom:inputSize:hiddenSize:)``.
  /// - Complexity: Four forward passes per element of the parameters, inputs and states.
  public init(
    of custom: some CustomCell, inputSize: Int = 3, hiddenSize: Int = 4, timeStepCount: Int = 4,
    batchSize: Int = 2, seed: UInt32 = 1, tolerance: Double = 1e-7
  ) {
    self.init(
      of: Cell<Double>(custom: custom, inputSize: inputSize, hiddenSize: hiddenSize),
      timeStepCount: timeStepCount, batchSize: batchSize, seed: seed, tolerance: tolerance)
  }

  /// Checks the gradients of a cell.
  ///
  /// - Parameters:
  ///   - cell: The equations, sizes and options; random parameters replace its own.
  ///   - timeStepCount: T, at least 1.
  ///   - batchSize: B, at least 1.
  ///   - seed: The seed of all random numbers.
  ///   - tolerance: The maximum error of a correct gradient, as measured by ``GradientCheck/worstError``.
  /// - Precondition: The parameters are not normalised and have neither peepholes nor a projection.
  /// - Complexity: Four forward passes per element of the parameters, inputs and states.
  public init(
    of cell: Cell<Double>, timeStepCount: Int = 4, batchSize: Int = 2, seed: UInt32 = 1,
    tolerance: Double = 1e-7
  ) {
    require(
      timeStepCount > 0 && batchSize > 0 && tolerance > 0,
      "CellCheck.init: expected at least one step and one sequence and a tolerance above 0, got \(timeStepCount), \(batchSize) and \(tolerance)."
    )
    require(
      cell.parameters.parts.subtracting(.recurrentBias).isEmpty,
      "CellCheck.init: expected a cell with weights and biases alone, got one with \(cell.parameters.parts.words)."
    )
    title = cell.title
    self.tolerance = tolerance
    let step = Subject(cell, steps: 1, rows: batchSize, seed: seed).parts()
    let isRight = step.allSatisfy { $0.check.worstError <= tolerance }
    let subject = Subject(cell, steps: timeStepCount, rows: batchSize, seed: seed)
    parts = isRight && timeStepCount > 1 ? subject.parts() : step
    self.timeStepCount = isRight ? timeStepCount : 1
    mixesSequences = subject.mixesSequences
  }

  /// Whether every gradient is correct and sequences are independent.
  public var isExact: Bool { !mixesSequences && wrongParts.isEmpty }

  /// The comparisons that failed.
  public var wrongParts: [Part] { parts.filter { !($0.check.worstError <= tolerance) } }

  /// One line per error, or a single line if everything is correct.
  public var description: String {
    if isExact {
      let worst = parts.reduce(0) { max($0, $1.check.worstError) }
      return
        "\(title): \(parts.count) gradients agree with central differences, the worst error is \(worst)"
    }
    var lines = wrongParts.map {
      "\(title): the gradient of \($0.name) is wrong, with an error of \($0.check.worstError) at \($0.check.worstElement)"
    }
    if mixesSequences {
      lines.append("\(title): the states of a sequence depend on the other sequences of its batch")
    }
    return lines.joined(separator: "\n")
  }
}

/// A layer with random parameters, and its loss.
private struct Subject {
  var layer: RecurrentLayer<Double>
  var inputs: Tensor<Double>
  var state: RecurrentState<Double>
  let outputWeights: Tensor<Double>
  let stateWeights: RecurrentState<Double>

  init(_ cell: Cell<Double>, steps: Int, rows: Int, seed: UInt32) {
    var random = NumPyRandom(seed: seed)
    func draw(_ shape: [Int]) -> Tensor<Double> { (random.rand(shape) - 0.5) * 1.4 }
    func drawState() -> RecurrentState<Double> {
      RecurrentState(
        hidden: draw([rows, cell.outputSize]), cell: draw([rows, cell.cellStateSize]))
    }
    var cell = cell
    cell.parameters.modifyEach { $1 = draw($1.shape) }
    layer = RecurrentLayer(cell: cell)
    inputs = draw([steps, rows, cell.inputSize])
    state = drawState()
    outputWeights = draw([steps, rows, cell.outputSize])
    stateWeights = drawState()
  }

  private var loss: Double {
    let trace = layer.forward(inputs, from: state)
    return (trace.outputs * outputWeights).sum
      + (trace.finalState.hidden * stateWeights.hidden).sum
      + (trace.finalState.cell * stateWeights.cell).sum
  }

  /// Checks a part of the gradient; `change` replaces the part's values with perturbed ones.
  private func check(
    _ point: Tensor<Double>, _ gradient: Tensor<Double>,
    _ change: (inout Subject, Tensor<Double>) -> Void
  ) -> GradientCheck {
    GradientCheck(at: ["element ": point], gradient: ["element ": gradient]) { moved in
      var subject = self
      change(&subject, moved["element "] ?? point)
      return subject.loss
    }
  }

  func parts() -> [CellCheck.Part] {
    let gradients = layer.backward(
      layer.forward(inputs, from: state), outputs: outputWeights, finalState: stateWeights)
    var parts: [CellCheck.Part] = []
    let parameters = layer.cell.parameters
    for name in parameters.names {
      for gate in parameters.gates {
        let columns = parameters.columns(of: gate)
        let (point, gradient) = (
          parameters[name][..., columns], gradients.parameters[name][..., columns]
        )
        parts.append(
          CellCheck.Part(
            array: name, gate: gate,
            check: check(point, gradient) { $0.layer.cell.parameters[name][..., columns] = $1 }))
      }
    }
    let initial = gradients.initialState
    parts.append(
      CellCheck.Part(
        array: "inputs", gate: nil, check: check(inputs, gradients.inputs) { $0.inputs = $1 }))
    parts.append(
      CellCheck.Part(
        array: "hidden", gate: nil,
        check: check(state.hidden, initial.hidden) { $0.state.hidden = $1 }))
    if layer.cell.hasCellState {
      parts.append(
        CellCheck.Part(
          array: "cell", gate: nil, check: check(state.cell, initial.cell) { $0.state.cell = $1 }))
    }
    return parts
  }

  /// Whether the states of a sequence depend on the rest of its batch.
  var mixesSequences: Bool {
    let whole = layer.forward(inputs, from: state)
    return (0..<inputs.shape[1]).contains { row in
      let alone = layer.forward(
        inputs[0..., row..<row + 1],
        from: RecurrentState(
          hidden: state.hidden[row..<row + 1], cell: state.cell[row..<row + 1]))
      return !alone.hiddenStates.isBitwiseEqual(to: whole.hiddenStates[0..., row..<row + 1])
        || !alone.cellStates.isBitwiseEqual(to: whole.cellStates[0..., row..<row + 1])
    }
  }
}
