// The exercise's cells as a student writes them: plain loops in Double, one sequence at a time, independent of the
// library's kernels. A `Slips` value changes a line as a common mistake would.
//
//   RNN   h′ = tanh(x·W + h·U + b)
//   GRU   r = σ(x·Wr + h·Ur + br), u = σ(x·Wu + h·Uu + bu), c = tanh(x·Wc + (r ⊙ h)·Uc + bc), h′ = u ⊙ h + (1 − u) ⊙ c
//   LSTM  i, f, o = σ(…), g = tanh(…), c′ = σ(… + 1) ⊙ c + i ⊙ g, h′ = o ⊙ tanh(c′)
//
// D inputs, H units; vectors are rows.

internal import RealModule

/// The cells of the exercise.
package enum PlainKind: Sendable {
  /// Gates: candidate.
  case rnn
  /// Gates: reset, update, candidate.
  case gru
  /// Gates: input, candidate, forget, output, as TensorFlow 1 orders them.
  case lstm
}

/// W `[D][H]`, U `[H][H]` and b `[H]` of one gate.
struct PlainGate: Equatable, Sendable {
  var input: [[Double]]
  var recurrent: [[Double]]
  var bias: [Double]
}

/// h, and an LSTM's c, of one sequence.
struct PlainState: Equatable, Sendable {
  var hidden: [Double]
  var cell: [Double]

  init(_ hidden: [Double]) {
    self.hidden = hidden
    cell = [Double](repeating: 0, count: hidden.count)
  }
}

/// A cell with its weights, computed as `slips` say.
struct PlainCell: Sendable {
  let kind: PlainKind
  let slips: Slips
  /// In the order of ``PlainKind``.
  let gates: [PlainGate]

  var hiddenSize: Int { gates[0].bias.count }

  init(_ kind: PlainKind, _ gates: [PlainGate], _ slips: Slips = Slips()) {
    self.kind = kind
    self.slips = slips
    let blocks =
      switch slips.gateOrder {
      case .tensorFlow: Array(gates.indices)
      // Whoever expects i, f, g, o takes the candidate from the third block.
      case .keras: [0, 2, 1, 3]
      // i, o, f, g.
      case .onnx: [0, 3, 2, 1]
      }
    self.gates = gates.indices.map { index in
      Self.changed(gates[kind == .lstm ? blocks[index] : index], kind, index, slips)
    }
  }

  /// A gate's weights as the slips make them.
  private static func changed(
    _ gate: PlainGate, _ kind: PlainKind, _ index: Int, _ slips: Slips
  ) -> PlainGate {
    var gate = gate
    let (inputSize, hiddenSize) = (gate.input.count, gate.bias.count)
    if slips.readsInputByColumns {
      let flat = gate.input.flatMap(\.self)
      gate.input = (0..<inputSize).map { i in
        (0..<hiddenSize).map { flat[$0 * inputSize + i] }
      }
    }
    let isTransposed =
      switch slips.transposed {
      case .none: false
      case .all: true
      case .reset: kind == .gru && index == 0
      case .update: kind == .gru && index == 1
      case .candidate: kind == .gru && index == 2
      }
    if isTransposed { gate.recurrent = transposed(gate.recurrent) }
    if slips.putsStateFirst {
      let kernel = gate.input + gate.recurrent
      gate.recurrent = Array(kernel[..<hiddenSize])
      gate.input = Array(kernel[hiddenSize...])
    }
    let factor: Double =
      switch slips.biases {
      case .once: 1
      case .omitted: 0
      case .twice: 2
      case .withoutReset: kind == .gru && index == 0 ? 0 : 1
      case .withoutUpdate: kind == .gru && index == 1 ? 0 : 1
      }
    gate.bias = gate.bias.map { $0 * factor }
    return gate
  }

  /// One step of one sequence.
  func step(_ x: [Double], from state: PlainState) -> PlainState {
    switch kind {
    case .rnn: stepRNN(x, state)
    case .gru: stepGRU(x, state)
    case .lstm: stepLSTM(x, state)
    }
  }

  /// The values inside a right step, by the letters of the equations.
  func insides(_ x: [Double], _ h: [Double]) -> [(name: String, values: [Double])] {
    guard kind == .gru else { return [("x·W + h·U + b", argument(gates[0], x, h))] }
    let r = argument(gates[0], x, h).map(gate)
    return [
      ("r", r), ("u", argument(gates[1], x, h).map(gate)),
      ("c", argument(gates[2], x, r .* h).map(candidate)),
    ]
  }

  private func stepRNN(_ x: [Double], _ state: PlainState) -> PlainState {
    var next = state
    guard slips.carry != .partlyOverwritten else {
      for unit in next.hidden.indices {
        next.hidden[unit] = candidate(argument(gates[0], x, next.hidden)[unit])
      }
      return next
    }
    next.hidden = argument(gates[0], x, state.hidden).map(candidate)
    return next
  }

  private func stepGRU(_ x: [Double], _ state: PlainState) -> PlainState {
    let h = state.hidden
    var r = argument(gates[0], x, h).map(gate)
    var u = argument(gates[1], x, slips.updatesFromReset ? r .* h : h).map(gate)
    if slips.exchangesGates { swap(&r, &u) }
    let keep = slips.invertsUpdate ? u.map { 1 - $0 } : u
    let take = slips.omitsComplement ? u.map { _ in 1 } : keep.map { 1 - $0 }
    var next = state
    /// The candidate from a state that may have been changed too early.
    func candidates(_ h: [Double]) -> [Double] {
      let cell = gates[2]
      let input = product(x, cell.input)
      let sum: [Double]
      switch slips.reset {
      case .beforeProduct: sum = input .+ product(r .* h, cell.recurrent)
      case .afterProduct: sum = input .+ r .* product(h, cell.recurrent)
      case .onInputToo: sum = r .* (input .+ product(h, cell.recurrent))
      case .nowhere: sum = input .+ product(h, cell.recurrent)
      case .replacedByUpdate: sum = input .+ product(u .* h, cell.recurrent)
      }
      return (sum .+ cell.bias).map(candidate)
    }
    if slips.carry == .partlyOverwritten {
      for unit in h.indices {
        next.hidden[unit] = keep[unit] * h[unit] + take[unit] * candidates(next.hidden)[unit]
      }
    } else {
      let c = candidates(slips.carry == .scaledBeforeCandidate ? keep .* h : h)
      next.hidden = keep .* h .+ take .* c
    }
    return next
  }

  private func stepLSTM(_ x: [Double], _ state: PlainState) -> PlainState {
    let h = state.hidden
    let i = argument(gates[0], x, h).map(gate)
    let g = argument(gates[1], x, h).map(candidate)
    let offset: Double = slips.omitsForgetOffset ? 0 : 1
    let f = argument(gates[2], x, h).map { gate($0 + offset) }
    let o = argument(gates[3], x, h).map(gate)
    var next = state
    next.cell = f .* state.cell .+ i .* g
    switch slips.cellOutput {
    case .activated: next.hidden = o .* next.cell.map(candidate)
    case .plain: next.hidden = o .* next.cell
    case .previous: next.hidden = o .* state.cell.map(candidate)
    }
    return next
  }

  /// x·W + h·U + b.
  private func argument(_ gate: PlainGate, _ x: [Double], _ h: [Double]) -> [Double] {
    product(x, gate.input) .+ product(h, gate.recurrent) .+ gate.bias
  }

  private func gate(_ argument: Double) -> Double {
    switch slips.gateFunction {
    case .sigmoid: 1 / (1 + Double.exp(-argument))
    case .tanh: Double.tanh(argument)
    case .hardSigmoidFifth: min(1, max(0, 0.2 * argument + 0.5))
    case .hardSigmoidSixth: min(1, max(0, argument / 6 + 0.5))
    }
  }

  private func candidate(_ argument: Double) -> Double {
    switch slips.candidateFunction {
    case .tanh: Double.tanh(argument)
    case .sigmoid: 1 / (1 + Double.exp(-argument))
    case .identity: argument
    case .rectifier: max(0, argument)
    }
  }
}

// Vectors and matrices of plain arrays.

/// A row vector times a matrix.
func product(_ vector: [Double], _ matrix: [[Double]]) -> [Double] {
  var result = [Double](repeating: 0, count: matrix.first?.count ?? 0)
  for (factor, row) in zip(vector, matrix) {
    for column in result.indices { result[column] += factor * row[column] }
  }
  return result
}

/// A matrix with rows and columns exchanged.
func transposed<Element>(_ rows: [[Element]]) -> [[Element]] {
  guard let first = rows.first else { return [] }
  return first.indices.map { column in rows.map { $0[column] } }
}

infix operator .+ : AdditionPrecedence
infix operator .* : MultiplicationPrecedence

/// Adds element by element.
func .+ (a: [Double], b: [Double]) -> [Double] { a.indices.map { a[$0] + b[$0] } }
/// Multiplies element by element.
func .* (a: [Double], b: [Double]) -> [Double] { a.indices.map { a[$0] * b[$0] } }
