// Zoneout with random masks: its equations in plain loops, its gradients, its limits. The cell zoo covers the mean
// without masks.

import Testing
import Unroll
import UnrollTestSupport

@Suite("Zoneout")
struct ZoneoutTests {
  static let masks = Zoneout.Masks(seed: 7, step: 3, hiddenStream: 5, cellStream: 6)

  static func cells(_ h: Int) -> [Cell<Double>] {
    var random = NumPyRandom(seed: testSeed)
    return [false, true].flatMap { isNormalized in
      plainCells(Double.self, 3, h, isNormalized: isNormalized).map { cell in
        var cell = cell
        for name in cell.parameters.names {
          cell.parameters[name] = uniform(cell.parameters[name].shape, &random)
        }
        return cell
      }
    }
  }

  @Test("A drawn mask keeps a unit's state exactly where the dropout of the same numbers drops")
  func draws() {
    var random = NumPyRandom(seed: testSeed)
    let (steps, rows) = (4, 3)
    for h in [5, 70] {
      for var cell in Self.cells(h) {
        let x: Tensor<Double> = uniform([steps, rows, 3], &random)
        let first = randomState(cell, batchSize: rows, &random)
        cell.zoneout = Zoneout(hidden: 0.3, cell: 0.5, masks: Self.masks)
        let trace = RecurrentLayer(cell: cell).forward(x, from: first)
        // Step by step without zoneout, from the states after zoneout.
        cell.zoneout = .none
        let plain = RecurrentLayer(cell: cell)
        let keepHidden = Dropout(rate: 0.3, seed: 7, stream: 5, step: 3)
        let keepCell = Dropout(rate: 0.5, seed: 7, stream: 6, step: 3)
        var state = first
        var kept = 0
        for time in 0..<steps {
          let fresh = plain.forward(x[time..<time + 1], from: state).finalState
          func mix(_ new: Tensor<Double>, _ old: Tensor<Double>, _ mask: Dropout) -> Tensor<Double>
          {
            let elements = new.elements.indices.map { index in
              let isKept = mask.factor(at: time * new.count + index) == 0
              kept += isKept ? 1 : 0
              return isKept ? old.elements[index] : new.elements[index]
            }
            return Tensor(shape: new.shape, elements: elements)
          }
          state = RecurrentState(
            hidden: mix(fresh.hidden, state.hidden, keepHidden),
            cell: mix(fresh.cell, state.cell, keepCell))
          let here = trace.hiddenStates[time..<time + 1].reshaped(to: [rows, h])
          #expect((here - state.hidden).maximumMagnitude < 1e-14)
        }
        if !state.cell.isEmpty {
          #expect((trace.finalState.cell - state.cell).maximumMagnitude < 1e-14)
        }
        #expect(kept > 0)
      }
    }
  }

  @Test(
    "Its gradients with drawn masks are those of central differences, masked steps included",
    .tags(.slow))
  func gradients() {
    var random = NumPyRandom(seed: testSeed)
    for var cell in Self.cells(4) {
      cell.zoneout = Zoneout(hidden: 0.3, cell: 0.5, masks: Self.masks)
      for mask in [SequenceMask.full, .lengths([0, 5, 2])] {
        for direction in [Direction.forward, .backward] {
          let network = RecurrentNetwork(
            levels: [[RecurrentLayer(cell: cell, direction: direction)]])
          let result = network.gradientCheck(
            inputs: uniform([5, 3, 3], &random), from: [randomState(cell, batchSize: 3, &random)],
            mask: mask, outputWeights: uniform([5, 3, 4], &random),
            stateWeights: [randomState(cell, batchSize: 3, &random)])
          #expect(result.worstError < 1e-8, "\(direction) \(result)")
        }
      }
    }
  }

  @Test("Masks differ from step to step, and inference takes the mean whatever masks there are")
  func inference() {
    var random = NumPyRandom(seed: testSeed)
    let x: Tensor<Double> = uniform([4, 2, 3], &random)
    for var cell in Self.cells(6) {
      func outputs(_ zoneout: Zoneout) -> Tensor<Double> {
        cell.zoneout = zoneout
        let layer = RecurrentLayer(cell: cell)
        return layer.forward(x, from: layer.zeroState(batchSize: 2)).outputs
      }
      var other = Self.masks
      other.step += 1
      let drawn = outputs(Zoneout(hidden: 0.3, masks: Self.masks))
      #expect(drawn == outputs(Zoneout(hidden: 0.3, masks: Self.masks)))
      #expect(drawn != outputs(Zoneout(hidden: 0.3, masks: other)))
      let mean = outputs(Zoneout(hidden: 0.3))
      cell.zoneout = Zoneout(hidden: 0.3, masks: Self.masks)
      let layer = RecurrentLayer(cell: cell)
      var result = SequenceOutputs<Double>()
      layer.frozen().run(x, from: layer.zeroState(batchSize: 2), into: &result)
      #expect(result.outputs == mean)
      var stream = layer.stream(batchSize: 2)
      var output = Tensor<Double>(shape: [2, 6])
      for time in 0..<4 {
        stream.step(x[time..<time + 1].reshaped(to: [2, 3]), into: &output)
        #expect(output == mean[time..<time + 1].reshaped(to: [2, 6]))
      }
    }
  }
}
