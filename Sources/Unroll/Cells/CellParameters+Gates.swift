// Access to the columns of individual gates.

internal import UnrollContracts

extension CellParameters {
  /// The parameters of one gate, copied on read and write.
  ///
  /// - Precondition: The cell has that gate.
  public subscript(gate: Gate) -> GateParameters<Scalar> {
    get {
      let range = columns(of: gate)
      return GateParameters(
        inputWeights: inputWeights[..., range],
        recurrentWeights: recurrentWeights[..., range],
        bias: bias[..., range])
    }
    set {
      let range = columns(of: gate)
      require(
        newValue.inputWeights.shape == [inputSize, hiddenSize]
          && newValue.recurrentWeights.shape == [outputSize, hiddenSize]
          && newValue.bias.shape == [hiddenSize],
        "CellParameters.subscript: expected the shapes [\(inputSize), \(hiddenSize)], [\(outputSize), \(hiddenSize)] and [\(hiddenSize)] for the gate \(gate), got \(newValue.inputWeights.shape), \(newValue.recurrentWeights.shape) and \(newValue.bias.shape)."
      )
      inputWeights[..., range] = newValue.inputWeights
      recurrentWeights[..., range] = newValue.recurrentWeights
      bias[range] = newValue.bias
    }
  }

  /// Returns the columns that belong to a gate.
  public func columns(of gate: Gate) -> Range<Int> {
    guard let index = gates.firstIndex(of: gate) else {
      contractViolation("CellParameters: expected one of the gates \(gates.names), got \(gate).")
    }
    return index * hiddenSize..<(index + 1) * hiddenSize
  }

  /// Initialises W and U gate by gate, each as a separate matrix; biases and gains are unchanged.
  ///
  /// - Parameters:
  ///   - input: The rule for each gate's W.
  ///   - recurrent: The rule for each gate's U.
  ///   - random: The source of randomness; gates in order, W before U, then the projection by `input`.
  public mutating func initialize(
    input: Initializer<Scalar>, recurrent: Initializer<Scalar>,
    using random: inout some RandomStream
  ) {
    for gate in gates {
      var part = self[gate]
      part.inputWeights = input.matrix(rows: inputSize, columns: hiddenSize, using: &random)
      part.recurrentWeights = recurrent.matrix(
        rows: outputSize, columns: hiddenSize, using: &random)
      self[gate] = part
    }
    if !projection.isEmpty {
      projection = input.matrix(rows: hiddenSize, columns: outputSize, using: &random)
    }
  }
}
