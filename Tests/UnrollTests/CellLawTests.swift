// Laws that hold bit for bit for every cell.

import Testing
import Unroll
import UnrollTestSupport

@Suite("Laws of every cell")
struct CellLawTests {
  let steps = 7
  let rows = 5

  func run(
    _ cell: Cell<Float>, _ direction: Direction = .forward
  ) -> (layer: RecurrentLayer<Float>, inputs: Tensor<Float>, state: RecurrentState<Float>) {
    var random = NumPyRandom(seed: testSeed &+ 1)
    let inputs: Tensor<Float> = uniform([steps, rows, cell.inputSize], &random)
    return (
      RecurrentLayer(cell: cell, direction: direction), inputs,
      randomState(cell, batchSize: rows, &random)
    )
  }

  @Test(
    "Splitting a sequence and carrying the state changes nothing",
    arguments: cellZoo(Float.self) + ownCells(Float.self))
  func splitting(zoo: ZooCell<Float>) {
    let (layer, inputs, state) = run(zoo.cell)
    let whole = layer.forward(inputs, from: state)
    for cut in 0...steps {
      let first = layer.forward(inputs[0..<cut], from: state)
      let second = layer.forward(inputs[cut..<steps], from: first.finalState)
      #expect(second.finalState.hidden.isBitwiseEqual(to: whole.finalState.hidden))
      #expect(second.finalState.cell.isBitwiseEqual(to: whole.finalState.cell))
      #expect(second.outputs.isBitwiseEqual(to: whole.outputs[cut..<steps]))
    }
  }

  @Test(
    "A sequence gives the same bits alone and in a batch",
    arguments: cellZoo(Float.self) + ownCells(Float.self))
  func batching(zoo: ZooCell<Float>) {
    let (layer, inputs, state) = run(zoo.cell)
    let batch = layer.forward(inputs, from: state, layout: .timeMajor)
    for row in 0..<rows {
      let alone = layer.forward(
        inputs.exchangingFirstAxes[row..<row + 1],
        from: RecurrentState(
          hidden: state.hidden[row..<row + 1], cell: state.cell[row..<row + 1]),
        layout: .batchMajor)
      #expect(
        alone.outputs[0, ...].isBitwiseEqual(to: batch.outputs.exchangingFirstAxes[row, ...]))
    }
  }

  @Test(
    "Exchanging sequences exchanges outputs", arguments: cellZoo(Float.self) + ownCells(Float.self))
  func permuting(zoo: ZooCell<Float>) {
    let (layer, inputs, state) = run(zoo.cell)
    func reversed(_ tensor: Tensor<Float>) -> Tensor<Float> {
      var result = tensor
      for row in 0..<rows { result[row, ...] = tensor[rows - 1 - row, ...] }
      return result
    }
    let straight = layer.forward(inputs.exchangingFirstAxes, from: state, layout: .batchMajor)
    let turned = layer.forward(
      reversed(inputs.exchangingFirstAxes),
      from: RecurrentState(hidden: reversed(state.hidden), cell: reversed(state.cell)),
      layout: .batchMajor)
    #expect(reversed(turned.outputs).isBitwiseEqual(to: straight.outputs))
  }

  @Test(
    "Time-major and batch-major are two ways to write the same",
    arguments: cellZoo(Float.self) + ownCells(Float.self))
  func layouts(zoo: ZooCell<Float>) {
    let (layer, inputs, state) = run(zoo.cell)
    let timeMajor = layer.forward(inputs, from: state)
    let batchMajor = layer.forward(inputs.exchangingFirstAxes, from: state, layout: .batchMajor)
    #expect(batchMajor.outputs.exchangingFirstAxes == timeMajor.outputs)
    for gate in timeMajor.gates {
      #expect(batchMajor.gate(gate).exchangingFirstAxes == timeMajor.gate(gate))
    }
    let gradient = timeMajor.outputs
    let a = layer.backward(timeMajor, outputs: gradient)
    let b = layer.backward(batchMajor, outputs: gradient.exchangingFirstAxes)
    #expect(a.parameters == b.parameters)
    #expect(a.inputs == b.inputs.exchangingFirstAxes)
  }

  @Test(
    "Full lengths change nothing, to the bit", arguments: cellZoo(Float.self) + ownCells(Float.self)
  )
  func fullLengths(zoo: ZooCell<Float>) {
    for direction in [Direction.forward, .backward] {
      let (layer, inputs, state) = run(zoo.cell, direction)
      let plain = layer.forward(inputs, from: state)
      let masked = layer.forward(
        inputs, from: state, mask: .lengths([Int](repeating: steps, count: rows)))
      #expect(masked.outputs.isBitwiseEqual(to: plain.outputs))
      let gradients = (
        layer.backward(plain, outputs: plain.outputs),
        layer.backward(masked, outputs: plain.outputs)
      )
      #expect(gradients.0.parameters == gradients.1.parameters)
      #expect(gradients.0.inputs == gradients.1.inputs)
    }
  }

  @Test(
    "What stands behind the end of a sequence reaches nothing, not even NaN",
    arguments: cellZoo(Float.self) + ownCells(Float.self))
  func padding(zoo: ZooCell<Float>) {
    let mask = SequenceMask.lengths([3, 7, 5, 0, 2])
    for direction in [Direction.forward, .backward] {
      let (layer, inputs, state) = run(zoo.cell, direction)
      var spoilt = inputs
      for (row, length) in [3, 7, 5, 0, 2].enumerated() {
        for time in length..<steps {
          for column in 0..<inputs.shape[2] {
            spoilt[time, row, column] = column == 0 ? .nan : .infinity
          }
        }
      }
      let results = [inputs, spoilt].map { x in
        let trace = layer.forward(x, from: state, mask: mask)
        let ones = Tensor<Float>(shape: trace.outputs.shape, repeating: 1)
        return (trace, layer.backward(trace, outputs: ones))
      }
      #expect(results[0].0.outputs == results[1].0.outputs)
      #expect(results[0].1.parameters == results[1].1.parameters)
      #expect(results[0].1.inputs == results[1].1.inputs)
      #expect(results[0].1.inputs.elements.allSatisfy { $0.isFinite })
    }
  }

  @Test(
    "A shorter length is the shorter sequence: outputs zero past it, state frozen",
    arguments: cellZoo(Float.self) + ownCells(Float.self))
  func lengths(zoo: ZooCell<Float>) {
    for direction in [Direction.forward, .backward] {
      let (layer, inputs, state) = run(zoo.cell, direction)
      let lengths = [0, 3, 7, 1, 5]
      let trace = layer.forward(inputs, from: state, mask: .lengths(lengths))
      let gradients = layer.backward(
        trace, outputs: Tensor(shape: trace.outputs.shape, repeating: 1))
      for (row, length) in lengths.enumerated() {
        let alone = layer.forward(
          inputs.exchangingFirstAxes[row..<row + 1].exchangingFirstAxes[0..<length],
          from: RecurrentState(
            hidden: state.hidden[row..<row + 1], cell: state.cell[row..<row + 1]))
        for time in 0..<steps {
          let output = trace.outputs[time, row, ...]
          if time < length {
            #expect(output.isBitwiseEqual(to: alone.outputs[time, 0, ...]))
          } else {
            #expect(output.elements.allSatisfy { $0 == 0 })
            #expect(gradients.inputs[time, row, ...].elements.allSatisfy { $0 == 0 })
          }
        }
        #expect(
          trace.finalState.hidden[row, ...].isBitwiseEqual(to: alone.finalState.hidden[0, ...]))
        #expect(trace.finalState.cell[row, ...].isBitwiseEqual(to: alone.finalState.cell[0, ...]))
      }
      // For length 0 the final state is the initial state, and outputs contribute no gradient.
      #expect(trace.finalState.hidden[0, ...] == state.hidden[0, ...])
      #expect(gradients.initialState.hidden[0, ...].elements.allSatisfy { $0 == 0 })
    }
  }

  @Test(
    "A layer that reads backward is one that reads the reversed sequence",
    arguments: cellZoo(Float.self) + ownCells(Float.self))
  func directions(zoo: ZooCell<Float>) {
    let (backward, inputs, state) = run(zoo.cell, .backward)
    let forward = RecurrentLayer(cell: zoo.cell)
    func reversed(_ tensor: Tensor<Float>) -> Tensor<Float> {
      var result = tensor
      for time in 0..<steps { result[time, ...] = tensor[steps - 1 - time, ...] }
      return result
    }
    let a = backward.forward(inputs, from: state)
    let b = forward.forward(reversed(inputs), from: state)
    #expect(a.outputs.isBitwiseEqual(to: reversed(b.outputs)))
    #expect(a.finalState == b.finalState)
    let gradient = a.outputs
    let (da, db) = (
      backward.backward(a, outputs: gradient), forward.backward(b, outputs: reversed(gradient))
    )
    #expect(da.inputs.isBitwiseEqual(to: reversed(db.inputs)))
    #expect(da.initialState == db.initialState)
    #expect((da.parameters.inputWeights - db.parameters.inputWeights).maximumMagnitude < 1e-5)
  }

  @Test(
    "Empty sequences and empty batches are defined",
    arguments: cellZoo(Float.self) + ownCells(Float.self))
  func empty(zoo: ZooCell<Float>) {
    let (layer, inputs, state) = run(zoo.cell)
    let none = layer.forward(inputs[0..<0], from: state)
    #expect(none.finalState == state)
    #expect(none.outputs.shape == [0, rows, layer.outputSize])
    let gradients = layer.backward(none, finalState: state)
    #expect(gradients.initialState == state)
    let nobody = layer.forward(
      Tensor(shape: [steps, 0, layer.inputSize]), from: layer.zeroState(batchSize: 0))
    #expect(nobody.outputs.isEmpty)
    #expect(
      layer.backward(nobody, outputs: nobody.outputs).parameters.count == zoo.cell.parameters.count)
  }

  @Test("No gradient in, no gradient out", arguments: cellZoo(Float.self) + ownCells(Float.self))
  func noGradient(zoo: ZooCell<Float>) {
    let (layer, inputs, state) = run(zoo.cell)
    let gradients = layer.backward(layer.forward(inputs, from: state))
    for name in gradients.parameters.names {
      #expect(gradients.parameters[name].maximumMagnitude == 0)
    }
    #expect(gradients.inputs.maximumMagnitude == 0)
  }
}

@Suite("A GRU equal to an RNN")
struct GRUAsRNNTests {
  @Test("With r = 1 and z = 0 the GRU (reset before) is the RNN, to the bit, forward and backward")
  func bitwise() {
    var random = NumPyRandom(seed: testSeed)
    let rnn = Cell<Float>(.rnn, inputSize: 3, hiddenSize: 5, using: &random)
    var gru = Cell<Float>(.gruResetBefore, inputSize: 3, hiddenSize: 5)
    gru.parameters[.candidate] = rnn.parameters[.candidate]
    gru.parameters[.reset].bias = Tensor(shape: [5], repeating: 30)
    gru.parameters[.update].bias = Tensor(shape: [5], repeating: -30)
    let inputs: Tensor<Float> = uniform([9, 4, 3], &random)
    let state = randomState(rnn, batchSize: 4, &random)
    let a = RecurrentLayer(cell: rnn).forward(inputs, from: state)
    let b = RecurrentLayer(cell: gru).forward(inputs, from: state)
    #expect(a.outputs.isBitwiseEqual(to: b.outputs))
    let da = RecurrentLayer(cell: rnn).backward(a, outputs: a.outputs)
    let db = RecurrentLayer(cell: gru).backward(b, outputs: b.outputs)
    #expect((da.inputs - db.inputs).maximumMagnitude < 1e-6)
  }
}
