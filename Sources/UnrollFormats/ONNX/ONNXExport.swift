// A network, or a whole language model, as an ONNX graph: dynamic batch and time, states in and out.
//
//   x [T, B, D]  (or symbols [T, B] → Gather → x)      hidden_<level>, cell_<level> [directions, B, H]
//   each level: RNN | GRU | LSTM → Y [T, directions, B, H] → Transpose → Reshape → [T, B, directions·H]
//   y [T, B, P]  (or MatMul, Add → logits [T, B, V])   final_hidden_<level>, final_cell_<level>

internal import Foundation
public import Unroll

/// The parts of a language model around its recurrent layers.
public struct ONNXLanguageParts<Scalar: KernelScalar>: Sendable {
  /// The vectors that symbols become, `[V, E]`.
  public var embedding: Tensor<Scalar>
  /// A linear layer before the softmax, `[P, E]` and `[E]`.
  public var projection: (weights: Tensor<Scalar>, bias: Tensor<Scalar>)?
  /// The softmax's weights, `[P, V]`; nil: the embedding's, transposed.
  public var softmaxWeights: Tensor<Scalar>?
  /// The softmax's bias, `[V]`.
  public var softmaxBias: Tensor<Scalar>

  /// Creates the parts.
  public init(
    embedding: Tensor<Scalar>, projection: (weights: Tensor<Scalar>, bias: Tensor<Scalar>)? = nil,
    softmaxWeights: Tensor<Scalar>?, softmaxBias: Tensor<Scalar>
  ) {
    self.embedding = embedding
    self.projection = projection
    self.softmaxWeights = softmaxWeights
    self.softmaxBias = softmaxBias
  }
}

extension ONNXModel {
  /// Writes a network as a graph.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - parts: What surrounds it in a language model; nil: inputs and outputs are numbers.
  ///   - metadata: Words to keep, such as a vocabulary.
  /// - Returns: The model, and what had to be done besides renaming and transposing.
  /// - Throws: `ModelImportError` for what ONNX cannot express, naming the field.
  public static func exporting<Scalar: KernelScalar>(
    _ network: RecurrentNetwork<Scalar>, parts: ONNXLanguageParts<Scalar>? = nil,
    metadata: [String: String] = [:]
  ) throws -> (model: ONNXModel, notes: [String]) {
    var writer = GraphWriter<Scalar>()
    var value = writer.beginning(parts, inputSize: network.layers.first?.inputSize ?? 0)
    for (level, layers) in network.levels.enumerated() {
      value = try writer.level(level, layers, reading: value)
    }
    writer.ending(parts, reading: value, outputSize: network.outputSize)
    var model = ModelProto()
    model.irVersion = 8
    model.producerName = "unroll"
    var opset = OperatorSetIdProto()
    opset.version = 14
    model.opsetImport = [opset]
    model.graph = writer.graph
    model.graph.name = "unroll"
    var words = metadata
    words[NetworkCheck<Scalar>.key] = try ONNXModel(model).check(network, as: Scalar.self)
    model.metadataProps = words.inKeyOrder.map { key, value in
      var pair = StringStringEntryProto()
      (pair.key, pair.value) = (key, value)
      return pair
    }
    return (ONNXModel(model), writer.notes)
  }

  /// Runs the graph on a few numbers and stores the inputs and outputs.
  private func check<Scalar: KernelScalar>(
    _ network: RecurrentNetwork<Scalar>, as type: Scalar.Type
  ) throws -> String {
    var random = NumPyRandom(seed: 1)
    var values: [String: ONNXValue<Scalar>] = [:]
    for input in model.graph.input {
      // Dynamic sizes, time and batch, become 4 and 2.
      let shape = (input.type.tensorType.shape?.dim ?? []).map { dimension in
        switch dimension.value {
        case .dimValue(let size): Int(size)
        case .dimParam("time"): 4
        default: 2
        }
      }
      if input.name == "symbols" {
        values[input.name] = .integers(NDArray(shape: shape, elements: [0, 1, 1, 0, 1, 1, 0, 0]))
      } else {
        values[input.name] = ONNXValue(
          Tensor<Scalar>(Tensor<Float>((random.rand(shape) - 0.5) * 2)))
      }
    }
    let results = try run(values)
    if let x = values["x"]?.tensor, let y = results["y"]?.tensor {
      try compare(y, with: network, of: x, values)
    }
    let all = values.merging(results) { input, _ in input }
    let stored = all.mapValues { value in
      switch value {
      case .real(let array): StoredArray(Tensor(shape: array.shape, elements: array.elements))
      case .integers(let array):
        StoredArray(
          elementType: .int64, shape: array.shape, bytes: StoredArray(array.elements).bytes)
      }
    }
    return NetworkCheck<Scalar>.encoded(stored)
  }

  /// Compares the graph's outputs with the network's own.
  private func compare<Scalar: KernelScalar>(
    _ y: Tensor<Scalar>, with network: RecurrentNetwork<Scalar>, of x: Tensor<Scalar>,
    _ values: [String: ONNXValue<Scalar>]
  ) throws(ModelImportError) {
    var states: [RecurrentState<Scalar>] = []
    for (level, layers) in network.levels.enumerated() {
      for index in layers.indices {
        let zero = layers[index].zeroState(batchSize: x.shape[1])
        states.append(
          RecurrentState(
            hidden: values["hidden_\(level)"]?.tensor?[index, ...] ?? zero.hidden,
            cell: values["cell_\(level)"]?.tensor?[index, ...] ?? zero.cell))
      }
    }
    let own = network.forward(x, from: states).outputs
    let distance = Double((y - own).maximumMagnitude)
    let bound = 1e-5 * max(1, Double(own.maximumMagnitude))
    guard distance <= bound else {
      throw ModelImportError(.wrongOutputs(distance: distance, bound: bound), name: "ONNX")
    }
  }

  /// Runs the self-test that the model carries.
  ///
  /// - Returns: Whether it carries one.
  /// - Throws: `ModelImportError` if something else comes out.
  public func judge<Scalar: KernelScalar>(as type: Scalar.Type) throws -> Bool {
    guard let arrays = try NetworkCheck<Scalar>.stored(in: metadata) else { return false }
    func stored(_ name: String) throws -> StoredArray {
      guard let array = arrays[name] else {
        throw ModelImportError(.missing, name: "\(NetworkCheck<Scalar>.key): \(name)")
      }
      return array
    }
    var values: [String: ONNXValue<Scalar>] = [:]
    for name in inputs {
      let array = try stored(name)
      values[name] =
        array.elementType == .int64
        ? .integers(NDArray(shape: array.shape, elements: try array.integers()))
        : ONNXValue(array.tensor(of: Scalar.self))
    }
    for (name, value) in try run(values) {
      let theirs = try stored(name).tensor(of: Scalar.self)
      guard let ours = value.tensor, ours.shape == theirs.shape else {
        throw ModelImportError(
          .wrongShape(expected: theirs.shape, found: value.shape), name: name)
      }
      try NetworkCheck<Scalar>.compare(ours, theirs, name)
    }
    return true
  }
}
