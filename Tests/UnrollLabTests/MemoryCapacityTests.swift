// Memory capacity against networks whose memory is known, and against reservoirpy.

import Testing
import Unroll
import UnrollFormats
import UnrollLab
import UnrollTestSupport

@Suite("Memory capacity")
struct MemoryCapacityTests {
  /// A basic RNN that hands its input from unit to unit: unit i holds the input of i steps ago.
  private func delayLine(_ units: Int) -> Cell<Double> {
    var cell = Cell<Double>(.rnn, inputSize: 1, hiddenSize: units)
    cell.options.activation = .identity
    cell.parameters.inputWeights[0, 0] = 1
    for unit in 1..<units { cell.parameters.recurrentWeights[unit - 1, unit] = 1 }
    return cell
  }

  private func run(_ cell: Cell<Double>, delay: Int) throws -> MemoryCapacityResult {
    var settings = MemoryCapacityExperiment.defaultSettings
    settings.hiddenSize = cell.hiddenSize
    return try MemoryCapacityExperiment.run(
      settings, layer: LayerInNetwork(cell: cell, inputs: drawnInputs(settings)), delay: delay)
  }

  @Test("A delay line of n units remembers n inputs, and none before them")
  func shiftRegister() throws {
    let found = try run(delayLine(6), delay: 12)
    let curve = try #require(found.determination.first)
    #expect(found.determination.count == 1 && curve.count == 13)
    for delay in 0...5 { #expect(curve[delay] > 0.999_999) }
    for delay in 6...12 { #expect(abs(curve[delay]) < 0.05) }
    // Five of the six: the sixth holds the present input, which is not memory.
    #expect(abs(found.medianCapacity - 5) < 0.1)
    #expect(found.statement.contains("recovered up to a delay of 5 steps"))
  }

  @Test("The capacity of independent inputs is at most the size of the state, for every cell")
  func bound() throws {
    for cell in CellKind.allCases {
      var settings = MemoryCapacityExperiment.defaultSettings
      settings.cell = cell
      settings.hiddenSize = 4
      let found = try MemoryCapacityExperiment.run(settings, delay: 20, draws: 5)
      #expect(found.stateSize == (cell.hasCellState ? 8 : 4))
      #expect(found.capacities.count == 5 && Set(found.seeds).count == 5)
      // Chance adds a little to each of twenty delays.
      #expect(found.capacities.allSatisfy { $0 > 0 && $0 < Double(found.stateSize) + 0.3 })
    }
  }

  @Test("R² is that of reservoirpy's reservoir and ridge readout")
  func reservoir() throws {
    let file = try ArrayFile(contentsOf: goldenFolder + "/files/memory_capacity.npz")
    func tensor(_ name: String) throws -> Tensor<Double> {
      try #require(file.arrays[name]).tensor(of: Double.self)
    }
    var cell = Cell<Double>(.rnn, inputSize: 1, hiddenSize: 6)
    cell.parameters.inputWeights = try tensor("input_weights")
    cell.parameters.recurrentWeights = try tensor("recurrent_weights")
    cell.parameters.bias = try tensor("bias")
    let expected = try tensor("determination").elements
    var settings = MemoryCapacityExperiment.defaultSettings
    settings.hiddenSize = 6
    let found = try MemoryCapacityExperiment.run(
      settings, layer: LayerInNetwork(cell: cell, inputs: tensor("inputs")), delay: 12)
    #expect(expected.count == 13)
    for (ours, theirs) in zip(found.determination[0], expected) {
      #expect(abs(ours - theirs) < 1e-8)
    }
  }

  @Test("A draw is the same alone and among others, on any number of threads")
  func draws() throws {
    let settings = MemoryCapacityExperiment.defaultSettings
    let together = try MemoryCapacityExperiment.run(settings, delay: 10, draws: 7)
    for index in [0, 6] {
      var own = settings
      own.seed = together.seeds[index]
      let alone = try MemoryCapacityExperiment.run(own, delay: 10, draws: 1)
      #expect(alone.determination[0] == together.determination[index])
    }
  }

  @Test(
    "What cannot be measured is refused with the setting's name",
    arguments: [
      ("batch", 1, 30, 20, 0.5), ("delay", 20, 200, 20, 0.5), ("delay", 20, 0, 20, 0.5),
      ("weight-draws", 20, 30, 0, 0.5), ("delay", 2, 190, 20, 0.5),
    ])
  func refusals(field: String, batch: Int, delay: Int, draws: Int, scale: Double) {
    var settings = MemoryCapacityExperiment.defaultSettings
    settings.batchSize = batch
    let error = #expect(throws: LabError.self) {
      try MemoryCapacityExperiment.run(settings, delay: delay, draws: draws)
    }
    #expect(error?.field == field)
  }

  @Test("Inputs that never change are refused, and only independent inputs have a bound")
  func constantInputs() throws {
    var settings = MemoryCapacityExperiment.defaultSettings
    settings.inputOffset = 1e30
    #expect(throws: LabError.self) { try MemoryCapacityExperiment.run(settings, draws: 1) }
    let drawn = try MemoryCapacityExperiment.run(draws: 1)
    #expect(drawn.hasIndependentInputs && drawn.statement.contains("of at most 8."))
    #expect(drawn.capacities[0] == drawn.determination[0].dropFirst().reduce(0) { $0 + max(0, $1) })
    let given = try run(delayLine(6), delay: 12)
    #expect(!given.hasIndependentInputs && given.statement.contains("no upper bound"))
  }

  @Test("A linear readout with a known answer has that answer, and its R² on other data")
  func readout() throws {
    let states = Matrix(Tensor(rows: [[0, 1], [1, 0], [2, 2], [3, 1], [4, 5]] as [[Double]]))
    // y = 2·a − b + 3.
    let targets = Matrix(Tensor(rows: [[2], [5], [5], [8], [6]] as [[Double]]))
    let readout = try #require(RidgeRegression(states: states, ridge: 1e-12).readout(of: targets))
    #expect(abs(readout.weights[0, 0] - 2) < 1e-9 && abs(readout.weights[1, 0] + 1) < 1e-9)
    let other = Matrix(Tensor(rows: [[10, 1], [-3, 4]] as [[Double]]))
    let exact = readout.determination(
      states: other, targets: Matrix(Tensor(rows: [[22], [-7]] as [[Double]])))
    #expect(abs(exact[0] - 1) < 1e-9)
    // Predictions 22 and −7 of 23 and −7: the error is 1, the variance 450.
    let off = readout.determination(
      states: other, targets: Matrix(Tensor(rows: [[23], [-7]] as [[Double]])))
    #expect(abs(off[0] - (1 - 1.0 / 450)) < 1e-9)
    let still = Matrix(rows: 3, columns: 1, elements: [1, 1, 1])
    let silent = try #require(
      RidgeRegression(states: still, ridge: 1e-9).readout(
        of: Matrix(rows: 3, columns: 1, elements: [1, 2, 3])))
    #expect(silent.weights[0, 0] == 0)
  }
}
