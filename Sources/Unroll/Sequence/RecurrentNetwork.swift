// Stacked layers. A level is one layer, or one layer in each direction; the outputs of a pair are concatenated,
// forward first.

internal import UnrollContracts

/// A stack of recurrent layers, each in one direction or both.
///
/// States and parameters are listed layer by layer from the input upward. In a bidirectional level the forward layer
/// precedes the backward layer, as in PyTorch.
public struct RecurrentNetwork<Scalar: KernelScalar>: Sendable {
  /// The levels from the input upward: one layer, or a forward and a backward one.
  public private(set) var levels: [[RecurrentLayer<Scalar>]]

  /// Creates a network of levels.
  ///
  /// - Precondition: Every level has one or two layers, whose input size is the output size of the level below.
  public init(levels: [[RecurrentLayer<Scalar>]]) {
    for (index, level) in levels.enumerated() {
      require(
        (1...2).contains(level.count) && level.allSatisfy { $0.inputSize == level[0].inputSize },
        "RecurrentNetwork.init: expected one or two layers of one input size at level \(index).")
      guard index > 0 else { continue }
      let below = levels[index - 1].map(\.outputSize).reduce(0, +)
      require(
        level[0].inputSize == below,
        "RecurrentNetwork.init: expected input size \(below) at level \(index), got \(level[0].inputSize)."
      )
    }
    self.levels = levels
  }

  /// Creates a stack of forward layers.
  public init(cells: [Cell<Scalar>]) {
    self.init(levels: cells.map { [RecurrentLayer(cell: $0)] })
  }

  /// Creates one bidirectional level.
  public init(forward: Cell<Scalar>, backward: Cell<Scalar>) {
    self.init(levels: [
      [
        RecurrentLayer(cell: forward),
        RecurrentLayer(cell: backward, direction: .backward),
      ]
    ])
  }

  /// All layers, from the input upward.
  public var layers: [RecurrentLayer<Scalar>] { levels.flatMap(\.self) }

  /// The number of layers.
  var layerCount: Int { levels.reduce(0) { $0 + $1.count } }

  /// Every layer's parameters, from the input upward.
  public var parameters: [CellParameters<Scalar>] {
    get { layers.map { $0.cell.parameters } }
    set {
      require(
        newValue.count == layers.count,
        "RecurrentNetwork.parameters: expected \(layers.count) layers, got \(newValue.count).")
      for (index, (layer, new)) in zip(layers, newValue).enumerated() {
        require(
          layer.cell.parameters.hasShapes(of: new),
          "RecurrentNetwork.parameters: expected parameters of the shapes that layer \(index) has, D \(layer.inputSize) and H \(layer.cell.hiddenSize), got D \(new.inputSize) and H \(new.hiddenSize) with the gates \(new.gates.names)."
        )
      }
      var next = newValue.makeIterator()
      for level in levels.indices {
        for index in levels[level].indices {
          if let parameters = next.next() { levels[level][index].cell.parameters = parameters }
        }
      }
    }
  }

  /// The size of an output: the sum over the top level's layers.
  public var outputSize: Int { levels.last?.map(\.outputSize).reduce(0, +) ?? 0 }

  /// Returns a zero state for every layer.
  public func zeroStates(batchSize: Int) -> [RecurrentState<Scalar>] {
    layers.map { $0.zeroState(batchSize: batchSize) }
  }
}
