// Compares each cell with hand-computed values and with its reference implementation. See GradientTests for gradients,
// CellLawTests for laws, and UnrollVerificationTests for other programs' results.

import Testing
import Unroll
import UnrollTestSupport

@Suite("Cells by hand")
struct HandWorkedCellTests {
  /// One step from h (and c) for one input, all sizes 1.
  func step(_ cell: Cell<Double>, x: Double, h: Double, c: Double? = nil)
    -> RecurrentState<Double>
  {
    let state = RecurrentState(
      hidden: Tensor<Double>(rows: [[h]]), cell: c.map { Tensor(rows: [[$0]]) })
    return RecurrentLayer(cell: cell).forward(
      Tensor(shape: [1, 1, 1], repeating: x), from: state
    ).finalState
  }

  @Test("RNN: h′ = tanh(2·1 + 0.5·3 − 3) = tanh 0.5")
  func rnn() {
    var cell = Cell<Double>(.rnn, inputSize: 1, hiddenSize: 1)
    cell.parameters[.candidate] = GateParameters(
      inputWeights: Tensor(rows: [[2]]), recurrentWeights: Tensor(rows: [[3]]), bias: Tensor([-3]))
    #expect(abs(step(cell, x: 1, h: 0.5).hidden.scalar - 0.46211715726000975) < 1e-15)
  }

  @Test("GRU: with r = σ(0) = ½ and z = ½ the two variants differ as they should")
  func gru() {
    // n before: tanh(1·1 + (½·2)·1) = tanh 2;  after: tanh(1 + ½·(2·1 + 1)) = tanh 2.5, c = 1.
    var before = Cell<Double>(.gruResetBefore, inputSize: 1, hiddenSize: 1)
    before.parameters[.candidate] = GateParameters(
      inputWeights: Tensor(rows: [[1]]), recurrentWeights: Tensor(rows: [[1]]), bias: Tensor([0]))
    var after = Cell<Double>(.gruResetAfter, inputSize: 1, hiddenSize: 1, biasCount: 2)
    after.parameters[.candidate] = before.parameters[.candidate]
    after.parameters.recurrentBias = Tensor([0, 0, 1])
    #expect(abs(step(before, x: 1, h: 2).hidden.scalar - (0.5 * 0.9640275800758169 + 1)) < 1e-15)
    #expect(abs(step(after, x: 1, h: 2).hidden.scalar - (0.5 * 0.9866142981514303 + 1)) < 1e-15)
  }

  @Test("LSTM: all arguments 0 but g = tanh 1: c′ = ½·c + ½·tanh 1, h′ = ½·tanh c′")
  func lstm() {
    var cell = Cell<Double>(.lstm, inputSize: 1, hiddenSize: 1)
    cell.parameters[.candidate].bias = Tensor([1])
    let state = step(cell, x: 5, h: 7, c: 0.25)
    let expected = 0.125 + 0.5 * 0.7615941559557649
    #expect(abs(state.cell.scalar - expected) < 1e-15)
    #expect(abs(state.hidden.scalar - 0.5 * 0.4666640244242842) < 1e-15)
  }

  @Test("MGU: f = σ(ln 3) = ¾ and n = tanh(1·1 + (¾·2)·1 − ½) = tanh 2: h′ = ¼·2 + ¾·tanh 2")
  func mgu() {
    var cell = Cell<Double>(.mgu, inputSize: 1, hiddenSize: 1)
    cell.parameters[.forget].bias = Tensor([1.0986122886681098])
    cell.parameters[.candidate] = GateParameters(
      inputWeights: Tensor(rows: [[1]]), recurrentWeights: Tensor(rows: [[1]]), bias: Tensor([-0.5])
    )
    #expect(abs(step(cell, x: 1, h: 2).hidden.scalar - (0.5 + 0.75 * 0.9640275800758169)) < 2e-15)
  }

  @Test("JANET: s = 1 and n = tanh(1·1 + 1·2 − 1) = tanh 2: h′ = σ(1)·2 + (1 − σ(1 − β))·tanh 2")
  func janet() {
    var cell = Cell<Double>(.janet, inputSize: 1, hiddenSize: 1)
    cell.parameters[.forget].bias = Tensor([1])
    cell.parameters[.candidate] = GateParameters(
      inputWeights: Tensor(rows: [[1]]), recurrentWeights: Tensor(rows: [[1]]), bias: Tensor([-1]))
    // β = 1: 1 − σ(0) = ½;  β = 0: 1 − σ(1).
    for (shift, update) in [(1, 0.5), (0, 1 - 0.7310585786300049)] as [(Double, Double)] {
      cell.options.updateShift = shift
      let expected = 0.7310585786300049 * 2 + update * 0.9640275800758169
      #expect(abs(step(cell, x: 1, h: 2).hidden.scalar - expected) < 2e-15)
    }
  }

  @Test("LSTM: the forget offset adds to the forget gate alone")
  func forgetOffset() {
    let cell = Cell<Double>(
      .lstm, inputSize: 1, hiddenSize: 1, options: CellOptions(forgetOffset: 1))
    // c′ = σ(1)·1 + ½·0
    #expect(abs(step(cell, x: 0, h: 0, c: 1).cell.scalar - 0.7310585786300049) < 1e-15)
  }
}

@Suite("Cells against their readable twins")
struct ReferenceCellTests {
  /// Runs a layer in one precision and the reference in Double; returns the largest difference.
  func difference<Scalar: KernelScalar>(
    _ cell: Cell<Scalar>,
    twin: (_ x: [Double], _ h: [Double], _ c: [Double]) -> (h: [Double], c: [Double])
  ) -> Double {
    var random = NumPyRandom(seed: testSeed)
    let (steps, rows) = (6, 3)
    let inputs: Tensor<Scalar> = uniform([steps, rows, cell.inputSize], &random)
    let state = randomState(cell, batchSize: rows, &random)
    let trace = RecurrentLayer(cell: cell).forward(inputs, from: state)
    var worst = 0.0
    for row in 0..<rows {
      var h = state.hidden[row, ...].elements.map { Double($0) }
      var c = state.cell[row, ...].elements.map { Double($0) }
      for time in 0..<steps {
        let x = inputs[time, row, ...].elements.map { Double($0) }
        (h, c) = twin(x, h, c)
        for (ours, theirs) in zip(trace.hiddenStates[time, row, ...].elements, h) {
          worst = max(worst, abs(Double(ours) - theirs))
        }
        for (ours, theirs) in zip(trace.cellStates[time, row, ...].elements, c) {
          worst = max(worst, abs(Double(ours) - theirs))
        }
      }
    }
    return worst
  }

  /// Layer normalisation and zoneout need other reference equations.
  private func isPlain(_ cell: Cell<Double>) -> Bool {
    !cell.parameters.isNormalized && cell.zoneout == .none
  }

  /// Sizes on both sides of the widths of vectors.
  static let sizes = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33]

  @Test("RNN in both precisions", arguments: sizes)
  func rnn(size: Int) {
    for zoo in cellZoo(Double.self, inputSize: 3, hiddenSize: size)
    where zoo.cell.kind == .rnn && zoo.cell.options == CellOptions() && isPlain(zoo.cell) {
      let parameters = zoo.cell.parameters
      #expect(
        difference(zoo.cell) { x, h, c in (Reference.rnn(parameters, x: x, h: h), c) } < 1e-13)
    }
  }

  @Test("GRU, both variants, one and two biases", arguments: sizes)
  func gru(size: Int) throws {
    for zoo in cellZoo(Double.self, inputSize: 3, hiddenSize: size) {
      let cell = zoo.cell
      guard let kind = cell.kind, [.gruResetBefore, .gruResetAfter].contains(kind), isPlain(cell)
      else { continue }
      #expect(
        difference(cell) { x, h, c in
          (Reference.gru(cell.parameters, x: x, h: h, kind: kind), c)
        } < 1e-13, "\(zoo.name)")
    }
  }

  @Test("MGU", arguments: sizes)
  func mgu(size: Int) {
    let cells = cellZoo(Double.self, inputSize: 3, hiddenSize: size).map(\.cell)
      .filter { $0.kind == .mgu && isPlain($0) }
    #expect(!cells.isEmpty)
    for cell in cells {
      #expect(
        difference(cell) { x, h, c in (Reference.mgu(cell.parameters, x: x, h: h), c) } < 1e-13)
    }
  }

  @Test("JANET, with the published shift and others", arguments: sizes)
  func janet(size: Int) {
    let cells = cellZoo(Double.self, inputSize: 3, hiddenSize: size).map(\.cell)
      .filter { $0.kind == .janet && isPlain($0) }
    #expect(Set(cells.map(\.options.updateShift)).count > 1)
    for cell in cells {
      #expect(
        difference(cell) { x, h, c in
          (Reference.janet(cell.parameters, x: x, h: h, shift: cell.options.updateShift), c)
        } < 1e-13, "β = \(cell.options.updateShift)")
    }
  }

  @Test("LSTM: offset, coupled gates, clips, peepholes, projection", arguments: sizes)
  func lstm(size: Int) {
    for zoo in cellZoo(Double.self, inputSize: 3, hiddenSize: size) {
      let cell = zoo.cell
      guard cell.kind == .lstm, isPlain(cell) else { continue }
      #expect(
        difference(cell) { x, h, c in
          Reference.lstm(cell.parameters, x: x, h: h, c: c, options: cell.options)
        } < 1e-13, "\(zoo.name)")
    }
  }

  @Test("Float32 stays within a few roundings of float64")
  func float() {
    for (float, double) in zip(cellZoo(Float.self), cellZoo(Double.self)) {
      var random = NumPyRandom(seed: testSeed)
      let inputs: Tensor<Float> = uniform([20, 4, 3], &random)
      let state = randomState(float.cell, batchSize: 4, &random)
      let a = RecurrentLayer(cell: float.cell).forward(inputs, from: state)
      var parameters = double.cell
      for name in parameters.parameters.names {
        parameters.parameters[name] = Tensor(float.cell.parameters[name])
      }
      let b = RecurrentLayer(cell: parameters).forward(
        Tensor(inputs), from: RecurrentState(hidden: Tensor(state.hidden), cell: Tensor(state.cell))
      )
      #expect((Tensor<Double>(a.outputs) - b.outputs).maximumMagnitude < 2e-6, "\(float.name)")
    }
  }
}

@Suite("Parameters")
struct CellParametersTests {
  @Test("A gate that is set is read back, the others stay")
  func gates() {
    var random = NumPyRandom(seed: testSeed)
    var parameters = Cell<Float>(
      .gruResetBefore, inputSize: 2, hiddenSize: 3, using: &random
    ).parameters
    let others = [parameters[.reset], parameters[.candidate]]
    let new = GateParameters<Float>(
      inputWeights: uniform([2, 3], &random), recurrentWeights: uniform([3, 3], &random),
      bias: uniform([3], &random))
    parameters[.update] = new
    #expect(parameters[.update] == new)
    #expect([parameters[.reset], parameters[.candidate]] == others)
  }

  @Test("Parameters are walked in the order of their names", arguments: cellZoo(Float.self))
  func order(_ cell: ZooCell<Float>) {
    var parameters = cell.cell.parameters
    let named = parameters.names.map { parameters[$0] }
    #expect(parameters.all == named)
    parameters.modifyEach { $1 = $1 + Float($0) }
    #expect(parameters.all == named.enumerated().map { $1 + Float($0) })
    #expect(parameters.names.map { parameters[$0] } == parameters.all)
  }

  @Test("The count is that of all parameters")
  func count() {
    let lstm = Cell<Float>(
      .lstm, inputSize: 5, hiddenSize: 7, hasPeepholes: true, projectionSize: 3)
    #expect(lstm.parameters.count == 5 * 28 + 3 * 28 + 28 + 3 * 7 + 7 * 3)
    #expect(
      lstm.parameters.names
        == ["inputWeights", "recurrentWeights", "bias", "peepholes", "projection"])
  }
}
