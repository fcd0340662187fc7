// The gradient of every parameter of a language model, in the order of its parameters.

public import Unroll

/// The gradients of a language model.
public struct ModelGradients<Scalar: KernelScalar>: Sendable {
  /// Of the vectors that were looked up.
  public internal(set) var lookUps: EmbeddingGradient<Scalar>
  /// Of the recurrent layers.
  public internal(set) var layers: [LayerGradients<Scalar>]
  var projectionWeights = Tensor<Scalar>(shape: [0, 0])
  var projectionBias = Tensor<Scalar>(shape: [0])
  /// Of the softmax's weights; if they are the embedding's, of all their uses.
  var softmaxWeights = Tensor<Scalar>(shape: [0, 0])
  var softmaxBias = Tensor<Scalar>(shape: [0])
  let isTied, hasProjection: Bool

  init(of model: LanguageModel<Scalar>) {
    lookUps = EmbeddingGradient(like: model.embedding)
    layers = model.layers.map { _ in LayerGradients() }
    isTied = model.configuration.isTied
    hasProjection = model.configuration.projectionSize != nil
  }

  /// Makes one gradient of the two of tied weights.
  mutating func join() {
    if isTied { lookUps.add(to: &softmaxWeights) }
  }

  /// dL/d embedding, all of it.
  var embedding: Tensor<Scalar> { isTied ? softmaxWeights : lookUps.vectors }

  /// Every gradient, in the order of `LanguageModel.parameterNames`.
  public var all: [Tensor<Scalar>] {
    var result = [embedding]
    for layer in layers { result += layer.parameters.all }
    if hasProjection { result += [projectionWeights, projectionBias] }
    if !isTied { result.append(softmaxWeights) }
    return result + [softmaxBias]
  }

  /// √Σ g² over all parameters.
  ///
  /// - Complexity: One pass over memory; of an embedding that is not tied, over what was looked up.
  public var norm: Double {
    var squares = isTied ? softmaxWeights.sumOfSquares : lookUps.sumOfSquares
    for layer in layers {
      for gradient in layer.parameters.all { squares += gradient.sumOfSquares }
    }
    if hasProjection { squares += projectionWeights.sumOfSquares + projectionBias.sumOfSquares }
    if !isTied { squares += softmaxWeights.sumOfSquares }
    return (squares + softmaxBias.sumOfSquares).squareRoot()
  }

  /// Limits every number to ± limit.
  mutating func clip(to limit: Double) {
    let limit = Scalar(limit)
    if !isTied { lookUps.clip(to: limit) }
    for index in layers.indices {
      layers[index].parameters.modifyEach { $1.clip(to: limit) }
    }
    projectionWeights.clip(to: limit)
    projectionBias.clip(to: limit)
    softmaxWeights.clip(to: limit)
    softmaxBias.clip(to: limit)
  }
}

extension LanguageModel {
  /// Calls `body` with each parameter in place, its index in `parameterNames` and its gradient.
  mutating func update(
    by gradients: ModelGradients<Scalar>,
    _ body: (_ index: Int, _ parameter: inout Tensor<Scalar>, _ gradient: Tensor<Scalar>) -> Void
  ) {
    body(0, &embedding.vectors, gradients.embedding)
    var first = 1
    for index in layers.indices {
      let all = gradients.layers[index].parameters.all
      layers[index].cell.parameters.modifyEach { body(first + $0, &$1, all[$0]) }
      first += all.count
    }
    if gradients.hasProjection {
      body(first, &projectionWeights, gradients.projectionWeights)
      body(first + 1, &projectionBias, gradients.projectionBias)
      first += 2
    }
    if !gradients.isTied {
      body(first, &softmaxWeights, gradients.softmaxWeights)
      first += 1
    }
    body(first, &softmaxBias, gradients.softmaxBias)
  }
}
