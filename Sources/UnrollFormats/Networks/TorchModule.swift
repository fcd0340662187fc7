// PyTorch's `nn.RNN`, `nn.GRU`, `nn.LSTM`: `weight_ih` [G·H, D], `weight_hh` [G·H, P], two biases
// that are both added, `weight_hr` [P, H] for a projection.
//
//   RNN    one block, tanh or relu
//   GRU    row blocks r, z, n; reset gate after the product, `bias_hh` inside it
//   LSTM   row blocks i, f, g, o

public import Unroll

/// The classes of `torch.nn`.
struct TorchClass: CellClass {
  static let program = "PyTorch"
  static let all = [
    TorchClass(kind: .rnn, name: "RNN", blocks: ""),
    TorchClass(kind: .gruResetAfter, name: "GRU", blocks: ", blocks r z n as ours"),
    TorchClass(kind: .lstm, name: "LSTM", blocks: ", blocks i f g o as ours"),
  ]

  let kind: CellKind
  let name: String
  /// The order of the row blocks, for reports.
  let blocks: String
}

/// One layer and direction of a recurrent module of `torch.nn`.
public struct TorchModule: CellConvention {
  let cellClass: TorchClass
  /// `nonlinearity` of `nn.RNN`; tanh by default.
  public var activation: Activation
  /// `bias`; without it, biases are zero and none is written.
  public var usesBias: Bool
  /// `proj_size` of `nn.LSTM`, if above 0.
  public var projectionSize: Int?

  /// The kind of cell that the class computes.
  public var kind: CellKind { cellClass.kind }

  /// Creates a configuration with PyTorch's defaults.
  ///
  /// - Parameters:
  ///   - kind: The kind of cell.
  ///   - activation: The nonlinearity of `nn.RNN`.
  ///   - usesBias: Whether there are biases.
  ///   - projectionSize: P of `nn.LSTM`, if the output is projected.
  /// - Throws: `ModelImportError` for a kind that `torch.nn` does not have, such as the GRU with the reset gate
  ///   before the product.
  public init(
    _ kind: CellKind, activation: Activation = .tanh, usesBias: Bool = true,
    projectionSize: Int? = nil
  ) throws(ModelImportError) {
    cellClass = try TorchClass(kind)
    self.activation = activation
    self.usesBias = usesBias
    self.projectionSize = projectionSize
  }

  /// The kind of cell that a class of `torch.nn` computes; nil if it is none of RNN, GRU and LSTM.
  package static func kind(ofClass name: String) -> CellKind? { TorchClass(named: name)?.kind }

  /// The suffix of a layer's arrays, such as `_l1_reverse`.
  public static func suffix(layer: Int, isReverse: Bool) -> String {
    "_l\(layer)" + (isReverse ? "_reverse" : "")
  }

  /// Builds our cell from `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh` and `weight_hr`.
  ///
  /// The two biases of RNN and LSTM become one, rounded once.
  public func cell<Scalar: KernelScalar>(
    from arrays: [String: Tensor<Scalar>]
  ) throws(ModelImportError) -> Cell<Scalar> {
    let gates = kind.gates
    let input = try array("weight_ih", in: arrays, shape: [nil, nil])
    let (width, size) = (input.shape[0], input.shape[0] / gates.count)
    guard size > 0, width % gates.count == 0 else {
      throw ModelImportError(
        .wrongShape(expected: [gates.count, input.shape[1]], found: input.shape),
        name: "weight_ih")
    }
    // Check the sizes before allocating: a few numbers of a file could ask for any amount of memory.
    let recurrent = try array("weight_hh", in: arrays, shape: [width, projectionSize ?? size])
    var parameters = CellParameters<Scalar>(
      gates: gates, inputSize: input.shape[1], hiddenSize: size,
      hasRecurrentBias: hasTwoBiases && usesBias, projectionSize: projectionSize)
    parameters.inputWeights = input.transposed
    parameters.recurrentWeights = recurrent.transposed
    if usesBias {
      let first = try array("bias_ih", in: arrays, shape: [width])
      let second = try array("bias_hh", in: arrays, shape: [width])
      if hasTwoBiases {
        (parameters.bias, parameters.recurrentBias) = (first, second)
      } else {
        parameters.bias = first + second
      }
    }
    if let projectionSize {
      parameters.projection = try array(
        "weight_hr", in: arrays, shape: [projectionSize, size]
      ).transposed
    }
    return Cell(
      kind, parameters: parameters,
      options: CellOptions(activation: kind == .rnn ? activation : .tanh))
  }

  /// Whether the second bias stays one of its own, inside the candidate's product.
  private var hasTwoBiases: Bool { kind.candidate == .separate }

  /// Writes our parameters by PyTorch's names, without suffix.
  public func arrays<Scalar: KernelScalar>(
    from parameters: CellParameters<Scalar>, role: ParameterRole
  ) -> [String: Tensor<Scalar>] {
    var result = [
      "weight_ih": parameters.inputWeights.transposed,
      "weight_hh": parameters.recurrentWeights.transposed,
    ]
    if usesBias {
      result["bias_ih"] = parameters.bias
      result["bias_hh"] =
        !parameters.recurrentBias.isEmpty
        ? parameters.recurrentBias
        : role == .gradients ? parameters.bias : Tensor(shape: parameters.bias.shape)
    }
    if !parameters.projection.isEmpty { result["weight_hr"] = parameters.projection.transposed }
    return result
  }
}
