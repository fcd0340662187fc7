// All cells and switches that the laws must hold for, with random parameters including biases.

import Testing
import Unroll

/// A cell with random parameters and a name for the test's report.
public struct ZooCell<Scalar: KernelScalar>: Sendable, CustomTestStringConvertible {
  /// The cell and its switches.
  public let name: String
  /// The cell.
  public let cell: Cell<Scalar>
  /// The name.
  public var testDescription: String { name }

  /// Creates a cell whose parameters and biases are drawn from -0.7 ..< 0.7.
  public init(_ name: String, _ cell: Cell<Scalar>, _ random: inout NumPyRandom) {
    var cell = cell
    for parameter in cell.parameters.names {
      let shape = cell.parameters[parameter].shape
      cell.parameters[parameter] = Tensor(random.uniform(-0.7, 0.7, shape))
    }
    self.name = name
    self.cell = cell
  }
}

/// Returns all cells for D inputs and H units.
public func cellZoo<Scalar: KernelScalar>(
  _ type: Scalar.Type, inputSize: Int = 3, hiddenSize: Int = 4, seed: UInt32 = testSeed
) -> [ZooCell<Scalar>] {
  var random = NumPyRandom(seed: seed)
  let (d, h) = (inputSize, hiddenSize)
  var zoo: [ZooCell<Scalar>] = []
  for kind in CellKind.allCases where !kind.hasCellState {
    for activation in kind.gateCount == 1 ? [Activation.tanh, .relu] : [.tanh] {
      for biases in 1...(kind.parts.contains(.recurrentBias) ? 2 : 1) {
        zoo.append(
          ZooCell(
            "\(kind.title) \(activation), \(biases) biases",
            Cell<Scalar>(
              kind, inputSize: d, hiddenSize: h, biasCount: biases,
              options: CellOptions(activation: activation)), &random))
      }
    }
  }
  let options: [(String, CellOptions)] = [
    ("plain", CellOptions()), ("forget offset", CellOptions(forgetOffset: 1)),
    ("coupled", CellOptions(couplesInputAndForget: true)),
    ("clipped", CellOptions(cellClip: 0.4, projectionClip: 0.2)),
  ]
  for (name, options) in options {
    for hasPeepholes in [false, true] {
      for projection in [nil, 2] {
        zoo.append(
          ZooCell(
            "LSTM \(name)\(hasPeepholes ? ", peepholes" : "")\(projection == nil ? "" : ", projection")",
            Cell<Scalar>(
              .lstm, inputSize: d, hiddenSize: h, hasPeepholes: hasPeepholes,
              projectionSize: projection, options: options), &random))
      }
    }
  }
  for cell in plainCells(Scalar.self, d, h, isNormalized: true) {
    zoo.append(ZooCell("normalised \(cell.title)", cell, &random))
  }
  for isNormalized in [false, true] {
    for var cell in plainCells(Scalar.self, d, h, isNormalized: isNormalized) {
      cell.zoneout = Zoneout(hidden: 0.3, cell: 0.4)
      zoo.append(
        ZooCell("\(isNormalized ? "normalised, " : "")zoneout \(cell.title)", cell, &random))
    }
  }
  for shift in [0, 0.5] {
    zoo.append(
      ZooCell(
        "JANET shift \(shift)",
        Cell<Scalar>(
          .janet, inputSize: d, hiddenSize: h, options: CellOptions(updateShift: shift)), &random))
  }
  return zoo
}

/// Returns a cell of each kind, without switches.
public func plainCells<Scalar: KernelScalar>(
  _ type: Scalar.Type, _ inputSize: Int, _ hiddenSize: Int, isNormalized: Bool
) -> [Cell<Scalar>] {
  CellKind.allCases.map { kind in
    Cell<Scalar>(
      kind, inputSize: inputSize, hiddenSize: hiddenSize,
      biasCount: kind.candidate == .separate ? 2 : 1, isNormalized: isNormalized)
  }
}

extension Cell {
  /// Whether a stream can store the cell's weights as bfloat16.
  public var canStreamBF16: Bool {
    hasFastPath && !parameters.isNormalized && zoneout == .none
  }
}
