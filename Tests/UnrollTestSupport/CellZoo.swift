// Every cell and switch that a law must hold for, with random parameters, biases included.

import Testing
import Unroll

/// A cell with random parameters and a name for the test's report.
public struct ZooCell<Scalar: KernelScalar>: Sendable, CustomTestStringConvertible {
  /// The cell and its switches.
  public let name: String
  /// The cell.
  public let cell: any RecurrentCell<Scalar>
  /// The name.
  public var testDescription: String { name }

  /// A cell whose parameters, biases too, are drawn from -0.7 ..< 0.7.
  public init(_ name: String, _ cell: any RecurrentCell<Scalar>, _ random: inout NumPyRandom) {
    var cell = cell
    for parameter in cell.parameters.names {
      let shape = cell.parameters[parameter].shape
      cell.parameters[parameter] = Tensor(random.uniform(-0.7, 0.7, shape))
    }
    self.name = name
    self.cell = cell
  }
}

/// All cells for D inputs and H units.
public func cellZoo<Scalar: KernelScalar>(
  _ type: Scalar.Type, inputSize: Int = 3, hiddenSize: Int = 4, seed: UInt32 = testSeed
) -> [ZooCell<Scalar>] {
  var random = NumPyRandom(seed: seed)
  let (d, h) = (inputSize, hiddenSize)
  var zoo: [ZooCell<Scalar>] = [
    ZooCell("RNN tanh", BasicRNN<Scalar>(inputSize: d, hiddenSize: h), &random),
    ZooCell("RNN relu", BasicRNN<Scalar>(inputSize: d, hiddenSize: h, activation: .relu), &random),
  ]
  for gate in ResetGate.allCases {
    for biases in 1...2 {
      zoo.append(
        ZooCell(
          "GRU \(gate.rawValue), \(biases) biases",
          GRU<Scalar>(inputSize: d, hiddenSize: h, resetGate: gate, biasCount: biases), &random))
    }
  }
  let options: [(String, LSTMOptions)] = [
    ("plain", LSTMOptions()), ("forget offset", LSTMOptions(forgetOffset: 1)),
    ("coupled", LSTMOptions(couplesInputAndForget: true)),
    ("clipped", LSTMOptions(cellClip: 0.4, projectionClip: 0.2)),
  ]
  for (name, options) in options {
    for hasPeepholes in [false, true] {
      for projection in [nil, 2] {
        zoo.append(
          ZooCell(
            "LSTM \(name)\(hasPeepholes ? ", peepholes" : "")\(projection == nil ? "" : ", projection")",
            LSTM<Scalar>(
              inputSize: d, hiddenSize: h, hasPeepholes: hasPeepholes, projectionSize: projection,
              options: options), &random))
      }
    }
  }
  for cell in plainCells(Scalar.self, d, h, isNormalized: true) {
    zoo.append(ZooCell("normalised \(kind(cell))", cell, &random))
  }
  for isNormalized in [false, true] {
    for var cell in plainCells(Scalar.self, d, h, isNormalized: isNormalized) {
      cell.zoneout = Zoneout(hidden: 0.3, cell: 0.4)
      zoo.append(
        ZooCell("\(isNormalized ? "normalised, " : "")zoneout \(kind(cell))", cell, &random))
    }
  }
  return zoo
}

private func kind<Scalar: KernelScalar>(_ cell: any RecurrentCell<Scalar>) -> String {
  switch cell {
  case is BasicRNN<Scalar>: "RNN"
  case let gru as GRU<Scalar>: "GRU \(gru.resetGate.rawValue)"
  default: "LSTM"
  }
}

/// A cell of each kind, without switches.
public func plainCells<Scalar: KernelScalar>(
  _ type: Scalar.Type, _ inputSize: Int, _ hiddenSize: Int, isNormalized: Bool
) -> [any RecurrentCell<Scalar>] {
  let (d, h) = (inputSize, hiddenSize)
  return [
    BasicRNN<Scalar>(inputSize: d, hiddenSize: h, isNormalized: isNormalized),
    GRU<Scalar>(
      inputSize: d, hiddenSize: h, resetGate: .beforeProduct, isNormalized: isNormalized),
    GRU<Scalar>(
      inputSize: d, hiddenSize: h, resetGate: .afterProduct, biasCount: 2,
      isNormalized: isNormalized),
    LSTM<Scalar>(inputSize: d, hiddenSize: h, isNormalized: isNormalized),
  ]
}
