// The passes of a network. A layer reads the outputs of the level below in place. Copies are made only for levels
// with two layers, to concatenate or split outputs and gradients.

internal import UnrollContracts

extension RecurrentNetwork {
  /// Runs the network over a batch of sequences.
  ///
  /// - Parameters:
  ///   - inputs: x, `[T, B, D]`, or `[B, T, D]` if `layout` is batch-major.
  ///   - states: The initial state of each layer.
  ///   - mask: The active steps, for all levels.
  ///   - layout: The order of the first two axes of inputs and outputs.
  /// - Returns: The outputs and the trace of every layer.
  /// - Precondition: The shapes agree.
  public func forward(
    _ inputs: Tensor<Scalar>, from states: [RecurrentState<Scalar>], mask: SequenceMask = .full,
    layout: SequenceLayout = .timeMajor
  ) -> NetworkTrace<Scalar> {
    var trace = NetworkTrace<Scalar>()
    forward(inputs, from: states, mask: mask, layout: layout, into: &trace)
    return trace
  }

  /// Runs the network over a batch of sequences, reusing the memory of an earlier trace.
  ///
  /// Allocates nothing if the earlier pass had the same sizes, neither the trace nor any of its arrays is
  /// shared, and ``RecurrentLayer/forward(_:from:mask:layout:into:)`` allocates nothing for any of the
  /// layers.
  ///
  /// - Parameters:
  ///   - inputs: x, `[T, B, D]`, or `[B, T, D]` if `layout` is batch-major.
  ///   - states: The initial state of each layer.
  ///   - mask: The active steps, for all levels.
  ///   - layout: The order of the first two axes of inputs and outputs.
  ///   - trace: Receives the outputs and the trace of every layer.
  /// - Precondition: The shapes agree.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public func forward(
    _ inputs: Tensor<Scalar>, from states: [RecurrentState<Scalar>], mask: SequenceMask = .full,
    layout: SequenceLayout = .timeMajor, into trace: inout NetworkTrace<Scalar>
  ) {
    require(
      states.count == layerCount,
      "RecurrentNetwork.forward: expected \(layerCount) states, got \(states.count).")
    trace.prepare(layerCount: layerCount, levelCount: levels.count, layout: layout)
    var values = layout == .timeMajor ? inputs : inputs.exchangingFirstAxes
    var first = 0
    for index in levels.indices {
      let level = levels[index]
      for position in level.indices {
        level[position].forward(
          values, from: states[first + position], mask: mask,
          into: &trace.layers[first + position])
      }
      if level.count == 2 {
        trace.joinedOutputs[index].assign(
          concatenating: trace.layers[first].timeMajorOutputs,
          trace.layers[first + 1].timeMajorOutputs)
        values = trace.joinedOutputs[index]
      } else {
        values = trace.layers[first].timeMajorOutputs
      }
      first += level.count
    }
    trace.outputs = layout == .timeMajor ? values : values.exchangingFirstAxes
  }

  /// Computes the gradients of a forward pass.
  ///
  /// - Parameters:
  ///   - trace: The result of `forward`.
  ///   - outputGradient: dL/d outputs, in the layout of the call; nil for none.
  ///   - finalStateGradients: dL/d final state, one per layer; nil for none.
  /// - Returns: The gradients of parameters, inputs and initial states.
  /// - Precondition: The trace is of this network, and each gradient has the shape of its array.
  public func backward(
    _ trace: NetworkTrace<Scalar>, outputs outputGradient: Tensor<Scalar>? = nil,
    finalStates finalStateGradients: [RecurrentState<Scalar>]? = nil
  ) -> NetworkGradients<Scalar> {
    var gradients = NetworkGradients<Scalar>()
    backward(trace, outputs: outputGradient, finalStates: finalStateGradients, into: &gradients)
    return gradients
  }

  /// Computes the gradients of a forward pass, reusing the memory of earlier gradients.
  ///
  /// Allocates nothing if `forward(_:from:mask:layout:into:)` does not and the gradients and their arrays
  /// are not shared.
  ///
  /// - Parameters:
  ///   - trace: The result of `forward`.
  ///   - outputGradient: dL/d outputs, in the layout of the call; nil for none.
  ///   - finalStateGradients: dL/d final state, one per layer; nil for none.
  ///   - gradients: Receives the gradients of parameters, inputs and initial states.
  /// - Precondition: The trace is of this network, and each gradient has the shape of its array.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public func backward(
    _ trace: NetworkTrace<Scalar>, outputs outputGradient: Tensor<Scalar>? = nil,
    finalStates finalStateGradients: [RecurrentState<Scalar>]? = nil,
    into gradients: inout NetworkGradients<Scalar>
  ) {
    check(trace, outputGradient, finalStateGradients)
    gradients.prepare(layerCount: layerCount, levelCount: levels.count, layout: trace.layout)
    var values = outputGradient
    if let outputGradient, trace.layout == .batchMajor {
      values = outputGradient.exchangingFirstAxes
    }
    var first = layerCount
    for index in levels.indices.reversed() {
      let level = levels[index]
      first -= level.count
      if level.count == 2 {
        var start = 0
        for position in level.indices {
          let (place, size) = (first + position, level[position].outputSize)
          if let values {
            gradients.partGradients[place].assign(columns: start..<start + size, of: values)
          }
          start += size
          level[position].backward(
            trace.layers[place], outputs: values == nil ? nil : gradients.partGradients[place],
            finalState: finalStateGradients?[place], into: &gradients.layers[place])
        }
        gradients.summedInputs[index].assign(gradients.layers[first].timeMajorInputs)
        gradients.summedInputs[index].add(gradients.layers[first + 1].timeMajorInputs)
        values = gradients.summedInputs[index]
      } else {
        level[0].backward(
          trace.layers[first], outputs: values, finalState: finalStateGradients?[first],
          into: &gradients.layers[first])
        values = gradients.layers[first].timeMajorInputs
      }
    }
    if let values { gradients.timeMajorInputs = values }
  }

  private func check(
    _ trace: NetworkTrace<Scalar>, _ outputGradient: Tensor<Scalar>?,
    _ finalStateGradients: [RecurrentState<Scalar>]?
  ) {
    require(
      trace.layers.count == layerCount,
      "RecurrentNetwork.backward: expected a trace of this network, with \(layerCount) layers, got one with \(trace.layers.count)."
    )
    if let finalStateGradients {
      require(
        finalStateGradients.count == layerCount,
        "RecurrentNetwork.backward: expected \(layerCount) final-state gradients, got \(finalStateGradients.count)."
      )
    }
    if let outputGradient {
      require(
        outputGradient.shape == trace.outputs.shape,
        "RecurrentNetwork.backward: expected output gradients of shape \(trace.outputs.shape), got \(outputGradient.shape)."
      )
    }
  }
}

/// The results of one forward pass of a network.
public struct NetworkTrace<Scalar: KernelScalar>: Sendable {
  /// The top level's outputs, in the layout of the call.
  public internal(set) var outputs: Tensor<Scalar>
  /// Every layer's trace, time-major.
  public internal(set) var layers: [SequenceTrace<Scalar>] = []
  /// The layout of the call.
  public private(set) var layout = SequenceLayout.timeMajor

  /// The concatenated outputs of each level with two layers, time-major.
  var joinedOutputs: [Tensor<Scalar>] = []
  private let nothing: Tensor<Scalar>

  /// Creates an empty trace for `RecurrentNetwork.forward(_:from:mask:layout:into:)`.
  public init() {
    nothing = Tensor(shape: [0, 0, 0])
    outputs = nothing
  }

  /// Every layer's final state.
  public var finalStates: [RecurrentState<Scalar>] { layers.map(\.finalState) }

  /// Prepares the arrays for a pass.
  ///
  /// Releases the references to outputs that are shared between levels, so that the layers can write their outputs in
  /// place.
  mutating func prepare(layerCount: Int, levelCount: Int, layout: SequenceLayout) {
    self.layout = layout
    outputs = nothing
    if layers.count != layerCount { layers = (0..<layerCount).map { _ in SequenceTrace() } }
    if joinedOutputs.count != levelCount {
      joinedOutputs = [Tensor](repeating: nothing, count: levelCount)
    }
    for index in layers.indices { layers[index].releaseInputs() }
  }
}

/// The gradients of a network.
public struct NetworkGradients<Scalar: KernelScalar>: Sendable {
  /// The gradients of every layer, time-major; `inputs` are the gradients of that layer's inputs.
  public var layers: [LayerGradients<Scalar>] = []
  /// The gradient of the inputs, time-major.
  var timeMajorInputs: Tensor<Scalar>
  /// The output gradients of each layer in a level with two layers.
  var partGradients: [Tensor<Scalar>] = []
  /// The input gradients of each level with two layers.
  var summedInputs: [Tensor<Scalar>] = []
  private var layout = SequenceLayout.timeMajor
  private let nothing: Tensor<Scalar>

  /// Creates empty gradients for `RecurrentNetwork.backward(_:outputs:finalStates:into:)`.
  public init() {
    nothing = Tensor(shape: [0, 0, 0])
    timeMajorInputs = nothing
  }

  /// The gradients of every layer's parameters, from the input upward.
  ///
  /// - Complexity: O(number of layers); allocates the array. `layers[index].parameters` does not.
  public var parameters: [CellParameters<Scalar>] { layers.map(\.parameters) }

  /// The gradient of the inputs, in the layout of the forward call.
  ///
  /// - Complexity: O(1) if the layout is time-major; otherwise allocates T·B·D elements.
  public var inputs: Tensor<Scalar> {
    layout == .timeMajor ? timeMajorInputs : timeMajorInputs.exchangingFirstAxes
  }

  /// The gradients of every layer's initial state, from the input upward.
  ///
  /// - Complexity: O(number of layers); allocates the array.
  public var initialStates: [RecurrentState<Scalar>] { layers.map(\.initialState) }

  /// Prepares the arrays for a pass; afterwards the layers' arrays are uniquely referenced.
  mutating func prepare(layerCount: Int, levelCount: Int, layout: SequenceLayout) {
    self.layout = layout
    timeMajorInputs = nothing
    if layers.count != layerCount { layers = (0..<layerCount).map { _ in LayerGradients() } }
    if partGradients.count != layerCount {
      partGradients = [Tensor](repeating: nothing, count: layerCount)
    }
    if summedInputs.count != levelCount {
      summedInputs = [Tensor](repeating: nothing, count: levelCount)
    }
  }
}
