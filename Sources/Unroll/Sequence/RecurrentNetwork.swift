// Layers upon layers. A level is one layer or a pair that reads both ways; the outputs of a pair
// stand side by side, forward first.

internal import UnrollContracts

/// A stack of recurrent layers, each in one direction or both.
///
/// States and parameters are listed layer by layer from the input upward; of a bidirectional
/// level first the forward layer's, then the backward layer's (PyTorch's order, too).
public struct RecurrentNetwork<Scalar: KernelScalar>: Sendable {
  /// The levels from the input upward: one layer, or a forward and a backward one.
  public private(set) var levels: [[RecurrentLayer<Scalar>]]

  /// Creates a network of levels.
  ///
  /// - Precondition: Every level has one layer or two, and reads what the level below puts out.
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

  /// Creates a stack of layers that read forward.
  public init(cells: [any RecurrentCell<Scalar>]) {
    self.init(levels: cells.map { [RecurrentLayer(cell: $0)] })
  }

  /// Creates one level of two cells, the second reading backward.
  public init(forward: any RecurrentCell<Scalar>, backward: any RecurrentCell<Scalar>) {
    self.init(levels: [
      [
        RecurrentLayer(cell: forward),
        RecurrentLayer(cell: backward, direction: .backward),
      ]
    ])
  }

  /// All layers, from the input upward.
  public var layers: [RecurrentLayer<Scalar>] { levels.flatMap(\.self) }

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

  /// The size of an output: the sum of the top level's.
  public var outputSize: Int { levels.last?.map(\.outputSize).reduce(0, +) ?? 0 }

  /// A zero state for every layer.
  public func zeroStates(batchSize: Int) -> [RecurrentState<Scalar>] {
    layers.map { $0.zeroState(batchSize: batchSize) }
  }

  /// Runs the network over a batch of sequences.
  ///
  /// - Parameters:
  ///   - inputs: x, `[T, B, D]`, or `[B, T, D]` if `layout` says so.
  ///   - states: One for each layer.
  ///   - mask: Which steps count, at every level.
  ///   - layout: The order of the first two axes, in and out.
  /// - Returns: Outputs, and the trace of every layer.
  /// - Precondition: The shapes agree.
  public func forward(
    _ inputs: Tensor<Scalar>, from states: [RecurrentState<Scalar>], mask: SequenceMask = .full,
    layout: SequenceLayout = .timeMajor
  ) -> NetworkTrace<Scalar> {
    require(
      states.count == layers.count,
      "RecurrentNetwork.forward: expected \(layers.count) states, got \(states.count).")
    var values = layout == .timeMajor ? inputs : inputs.exchangingFirstAxes
    var traces: [SequenceTrace<Scalar>] = []
    for level in levels {
      let new = level.enumerated().map { index, layer in
        layer.forward(values, from: states[traces.count + index], mask: mask)
      }
      traces += new
      values = Tensor.concatenatingLastAxis(new.map(\.outputs))
    }
    return NetworkTrace(
      outputs: layout == .timeMajor ? values : values.exchangingFirstAxes, layers: traces,
      layout: layout)
  }

  /// Takes gradients back through the network; the mirror of `forward`.
  ///
  /// - Parameters:
  ///   - trace: What `forward` returned.
  ///   - outputGradient: dL/d outputs, in the layout of the call; nil for none.
  ///   - finalStateGradients: dL/d final state, one for each layer; nil for none.
  /// - Returns: The gradients of parameters, inputs and initial states.
  public func backward(
    _ trace: NetworkTrace<Scalar>, outputs outputGradient: Tensor<Scalar>? = nil,
    finalStates finalStateGradients: [RecurrentState<Scalar>]? = nil
  ) -> NetworkGradients<Scalar> {
    require(
      trace.layers.count == layers.count,
      "RecurrentNetwork.backward: expected a trace of this network, with \(layers.count) layers, got one with \(trace.layers.count)."
    )
    if let finalStateGradients {
      require(
        finalStateGradients.count == layers.count,
        "RecurrentNetwork.backward: expected \(layers.count) final-state gradients, got \(finalStateGradients.count)."
      )
    }
    if let outputGradient {
      require(
        outputGradient.shape == trace.outputs.shape,
        "RecurrentNetwork.backward: expected output gradients of shape \(trace.outputs.shape), got \(outputGradient.shape)."
      )
    }
    var values = outputGradient.map { trace.layout == .timeMajor ? $0 : $0.exchangingFirstAxes }
    var gradients: [LayerGradients<Scalar>] = []
    var first = layers.count
    for level in levels.reversed() {
      first -= level.count
      var start = 0
      var new: [LayerGradients<Scalar>] = []
      for (index, layer) in level.enumerated() {
        let part = values?.columns(start..<start + layer.outputSize)
        start += layer.outputSize
        new.append(
          layer.backward(
            trace.layers[first + index], outputs: part,
            finalState: finalStateGradients?[first + index]))
      }
      values = new.dropFirst().reduce(new[0].inputs) { $0 + $1.inputs }
      gradients = new + gradients
    }
    let inputs = values ?? Tensor(shape: [0, 0, 0])
    return NetworkGradients(
      parameters: gradients.map(\.parameters),
      inputs: trace.layout == .timeMajor ? inputs : inputs.exchangingFirstAxes,
      initialStates: gradients.map(\.initialState))
  }
}

/// One run of a network.
public struct NetworkTrace<Scalar: KernelScalar>: Sendable {
  /// The top level's outputs, in the layout of the call.
  public let outputs: Tensor<Scalar>
  /// Every layer's trace, time-major.
  public let layers: [SequenceTrace<Scalar>]
  /// The layout of the call.
  public let layout: SequenceLayout

  /// Every layer's final state.
  public var finalStates: [RecurrentState<Scalar>] { layers.map(\.finalState) }
}

/// The gradients of a network.
public struct NetworkGradients<Scalar: KernelScalar>: Sendable {
  /// Of every layer's parameters.
  public var parameters: [CellParameters<Scalar>]
  /// Of the inputs, in the layout of the forward call.
  public var inputs: Tensor<Scalar>
  /// Of every layer's initial state.
  public var initialStates: [RecurrentState<Scalar>]
}
