// The gradients of a language model, in the order of its parameters.

public import Unroll

/// The gradients of a language model.
public struct ModelGradients<Scalar: KernelScalar>: Sendable {
  /// The gradient of the looked-up embedding vectors.
  public internal(set) var embeddingRows: EmbeddingGradient<Scalar>
  /// The other gradients; that of the embedding is the softmax's if the weights are tied, otherwise empty.
  var tensors: ParameterTensors<LayerGradients<Scalar>>

  /// Creates zero gradients for a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - places: The addresses for the elements of `tensors`; empty to allocate memory.
  init(of model: LanguageModel<Scalar>, at places: [UnsafeMutablePointer<Scalar>] = []) {
    embeddingRows = EmbeddingGradient(like: model.embedding)
    let layout = model.tensors.layout
    let layers = model.layers.map { layer in
      var gradients = LayerGradients<Scalar>()
      gradients.parameters = layer.cell.parameters
      return gradients
    }
    tensors = ParameterTensors(layout, layers: layers) { index, tensor in
      let entry = layout.entries[index]
      let shape = entry.part == .embeddingRows ? [0, entry.shape[1]] : entry.shape
      tensor = index < places.count ? .zeros(shape, at: places[index]) : Tensor(shape: shape)
    }
  }

  /// Adds the two gradients of tied weights.
  mutating func addTiedGradients() {
    if tensors.layout.isTied { embeddingRows.add(to: &tensors.embedding.vectors) }
  }

  /// Stores a layer's gradient of the initial state.
  ///
  /// - Parameters:
  ///   - layer: The layer, whose backward pass is complete.
  ///   - fromInitialStates: Whether all rows started from the model's initial state, whose gradient is then the sum
  ///     over the rows; otherwise it is zero.
  mutating func setInitialState(of layer: Int, fromInitialStates: Bool) {
    guard tensors.layout.learnsInitialState else { return }
    let state = tensors.layers[layer].initialState
    if fromInitialStates {
      tensors.initialHidden[layer].assign(state.hidden.columnSums)
      tensors.initialCell[layer].assign(state.cell.columnSums)
    } else {
      tensors.initialHidden[layer].fill(0)
      tensors.initialCell[layer].fill(0)
    }
  }

  /// Every gradient, in the order of `LanguageModel.parameterNames`.
  public var all: [Tensor<Scalar>] {
    zip(tensors.layout.entries, tensors.all).map {
      $0.part == .embeddingRows ? embeddingRows.vectors : $1
    }
  }

  /// √Σ g² over all parameters.
  ///
  /// - Complexity: One pass over memory; over the looked-up rows of an embedding that is not tied.
  public var norm: Double {
    let lookedUp = tensors.layout.isTied ? 0 : embeddingRows.sumOfSquares
    return tensors.all.reduce(lookedUp) { $0 + $1.sumOfSquares }.squareRoot()
  }

  /// Clips every element to ±limit.
  mutating func clip(to limit: Double) {
    embeddingRows.clip(to: Scalar(limit))
    tensors.modifyEach { $1.clip(to: Scalar(limit)) }
  }
}

extension Tensor {
  /// Creates zeros at an address.
  ///
  /// Shared memory must be written once, because only then is it sure to be allocated.
  static func zeros(_ shape: [Int], at place: UnsafeMutablePointer<Scalar>) -> Tensor {
    var result = Tensor(shape: shape, at: place)
    result.fill(0)
    return result
  }
}
