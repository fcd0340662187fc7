// The gradient of every parameter of a language model, in the order of its parameters.

public import Unroll

/// The gradients of a language model.
public struct ModelGradients<Scalar: KernelScalar>: Sendable {
  /// Of the vectors that were looked up.
  public internal(set) var lookUps: EmbeddingGradient<Scalar>
  /// Of everything else; that of the embedding is the softmax's gradient if the weights are tied, and empty if not.
  var tensors: ParameterTensors<LayerGradients<Scalar>>

  /// Zero, for a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - places: Where the numbers of `tensors` are to stand; empty for memory of their own.
  init(of model: LanguageModel<Scalar>, at places: [UnsafeMutablePointer<Scalar>] = []) {
    lookUps = EmbeddingGradient(like: model.embedding)
    let layout = model.tensors.layout
    let layers = model.layers.map { layer in
      var gradients = LayerGradients<Scalar>()
      gradients.parameters = layer.cell.parameters
      return gradients
    }
    tensors = ParameterTensors(layout, layers: layers) { index, tensor in
      let entry = layout.entries[index]
      let shape = entry.part == .lookUps ? [0, entry.shape[1]] : entry.shape
      tensor = index < places.count ? .zeros(shape, at: places[index]) : Tensor(shape: shape)
    }
  }

  /// Makes one gradient of the two of tied weights.
  mutating func join() {
    if tensors.layout.isTied { lookUps.add(to: &tensors.embedding.vectors) }
  }

  /// Takes over a layer's gradient of the state before the first step.
  ///
  /// - Parameters:
  ///   - layer: The layer, whose backward pass is done.
  ///   - begins: Whether all rows began with the model's initial state, whose gradient is then the sum of theirs;
  ///     otherwise it is zero.
  mutating func takeInitialState(of layer: Int, begins: Bool) {
    guard tensors.layout.learnsInitialState else { return }
    let state = tensors.layers[layer].initialState
    if begins {
      tensors.initialHidden[layer].become(state.hidden.columnSums)
      tensors.initialCell[layer].become(state.cell.columnSums)
    } else {
      tensors.initialHidden[layer].fill(0)
      tensors.initialCell[layer].fill(0)
    }
  }

  /// Every gradient, in the order of `LanguageModel.parameterNames`.
  public var all: [Tensor<Scalar>] {
    zip(tensors.layout.entries, tensors.all).map { $0.part == .lookUps ? lookUps.vectors : $1 }
  }

  /// √Σ g² over all parameters.
  ///
  /// - Complexity: One pass over memory; of an embedding that is not tied, over what was looked up.
  public var norm: Double {
    let lookedUp = tensors.layout.isTied ? 0 : lookUps.sumOfSquares
    return tensors.all.reduce(lookedUp) { $0 + $1.sumOfSquares }.squareRoot()
  }

  /// Limits every number to ± limit.
  mutating func clip(to limit: Double) {
    lookUps.clip(to: Scalar(limit))
    tensors.modifyEach { $1.clip(to: Scalar(limit)) }
  }
}

extension Tensor {
  /// Zeros at an address: memory that all ranks see is there for certain only when it has been written.
  static func zeros(_ shape: [Int], at place: UnsafeMutablePointer<Scalar>) -> Tensor {
    var result = Tensor(shape: shape, at: place)
    result.fill(0)
    return result
  }
}
