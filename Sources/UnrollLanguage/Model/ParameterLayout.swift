// The single definition of the names, shapes and order of a language model's parameters. Parameters, gradients,
// optimizer moments, averages, checkpoints and sums over ranks are lists in this order.
//
// A new parameter needs a case of `Place`, a row in `ParameterLayout.init` and a property of `ParameterTensors`.

package import Unroll
internal import UnrollContracts
internal import UnrollFormats

/// The names and shapes of a language model's parameters, in order.
package struct ParameterLayout: Sendable {
  /// Groups of gradients that become final together, in the order of a backward pass (last layer first).
  package enum Part: Equatable, Sendable {
    case softmax
    case layer(Int)
    case embeddingRows
  }

  /// The storage location of a parameter.
  enum Place: Equatable, Sendable {
    case embedding
    /// The parameter of a layer's cell at an index of `CellParameters.names`.
    case cell(layer: Int, index: Int)
    case initialHidden(layer: Int), initialCell(layer: Int)
    case projectionWeights, projectionBias, softmaxWeights, softmaxBias
  }

  /// A parameter.
  package struct Entry: Sendable {
    package let name: String
    package let shape: [Int]
    let place: Place
    /// The part of the backward pass that computes the parameter's dense gradient.
    let part: Part
  }

  package private(set) var entries: [Entry] = []
  /// Whether the softmax shares the embedding's weights.
  let isTied: Bool
  /// Whether the initial state of sequences is trained.
  let learnsInitialState: Bool

  /// Creates the layout of a configuration, without allocating tensors.
  package init(_ c: ModelConfiguration) {
    (isTied, learnsInitialState) = (c.isTied, c.learnsInitialState)
    add(
      "embedding.weights", [c.vocabularySize, c.embeddingSize], .embedding,
      c.isTied ? .softmax : .embeddingRows)
    let small = [(1, 1), (2, 1), (1, 2)].map { input, hidden in
      c.makeCell(of: Float.self, inputSize: input, hiddenSize: hidden).parameters
    }
    for (layer, size) in c.layerSizes.enumerated() {
      for (index, name) in small[0].names.enumerated() {
        // Every axis is a linear function of D and H, which three small cells determine.
        let shapes = small.map { $0[name].shape }
        let shape = shapes[0].indices.map { axis in
          let one = shapes[0][axis]
          return one + (size.input - 1) * (shapes[1][axis] - one)
            + (size.output - 1) * (shapes[2][axis] - one)
        }
        add(
          "layers.\(layer).\(CellParameters<Float>.plainName(name))", shape,
          .cell(layer: layer, index: index), .layer(layer))
      }
      guard c.learnsInitialState else { continue }
      let name = "layers.\(layer).initial_"
      add(name + "hidden", [size.output], .initialHidden(layer: layer), .layer(layer))
      guard c.cell.hasCellState else { continue }
      add(name + "cell", [size.output], .initialCell(layer: layer), .layer(layer))
    }
    if let size = c.projectionSize {
      let top = c.layerSizes.last?.output ?? 0
      add("projection.weights", [top, size], .projectionWeights, .softmax)
      add("projection.bias", [size], .projectionBias, .softmax)
    }
    if !c.isTied {
      add("softmax.weights", [c.softmaxInputSize, c.vocabularySize], .softmaxWeights, .softmax)
    }
    add("softmax.bias", [c.vocabularySize], .softmaxBias, .softmax)
  }

  private mutating func add(_ name: String, _ shape: [Int], _ place: Place, _ part: Part) {
    entries.append(Entry(name: name, shape: shape, place: place, part: part))
  }

  /// The number of trainable scalars.
  var count: Int { entries.reduce(0) { $0 + $1.shape.reduce(1, *) } }
}

/// A recurrent layer, or the gradients of one.
package protocol ParameterLayer: Sendable {
  associatedtype Scalar: KernelScalar
  var cellParameters: CellParameters<Scalar> { get set }
}

extension RecurrentLayer: ParameterLayer {
  package var cellParameters: CellParameters<Scalar> {
    get { cell.parameters }
    _modify { yield &cell.parameters }
  }
}

extension LayerGradients: ParameterLayer {
  package var cellParameters: CellParameters<Scalar> {
    get { parameters }
    _modify { yield &parameters }
  }
}

/// One tensor per parameter of a language model: the parameters, or their gradients.
package struct ParameterTensors<Layer: ParameterLayer>: Sendable {
  package typealias Scalar = Layer.Scalar

  package let layout: ParameterLayout
  /// `[V, E]`.
  package var embedding = Embedding<Scalar>(vectors: Tensor(shape: [0, 0]))
  package var layers: [Layer]
  /// The initial state of sequences: h `[H]` and c `[H]` of each layer, c `[0]` without a cell state; empty arrays
  /// if it is zero.
  package var initialHidden: [Tensor<Scalar>] = []
  package var initialCell: [Tensor<Scalar>] = []
  /// The linear layer below the softmax, `[H, P]` and `[P]`; empty if there is none.
  package var projectionWeights = Tensor<Scalar>(shape: [0, 0])
  package var projectionBias = Tensor<Scalar>(shape: [0])
  /// `[P, V]`; empty if tied to the embedding.
  package var softmaxWeights = Tensor<Scalar>(shape: [0, 0])
  /// `[V]`.
  package var softmaxBias = Tensor<Scalar>(shape: [0])

  /// Creates the tensors of a layout.
  ///
  /// - Parameters:
  ///   - layout: Names and shapes.
  ///   - layers: The layers, whose cells already have their shapes.
  ///   - fill: Called with each parameter's index and tensor; gives the tensor its shape.
  init(
    _ layout: ParameterLayout, layers: [Layer], fill: (Int, inout Tensor<Scalar>) -> Void
  ) {
    (self.layout, self.layers) = (layout, layers)
    if layout.learnsInitialState {
      initialHidden = layers.map { _ in Tensor(shape: [0]) }
      initialCell = initialHidden
    }
    modifyEach(fill)
  }

  /// Every tensor, in the layout's order.
  package var all: [Tensor<Scalar>] {
    var (result, copy) = ([Tensor<Scalar>](), self)
    copy.modifyEach { result.append($1) }
    return result
  }

  /// Calls `body` with the index in the layout and each tensor, in place.
  package mutating func modifyEach(
    _ body: (_ index: Int, _ tensor: inout Tensor<Scalar>) throws -> Void
  ) rethrows {
    for (index, entry) in layout.entries.enumerated() {
      switch entry.place {
      case .embedding: try body(index, &embedding.vectors)
      case .cell(let layer, 0):
        try layers[layer].cellParameters.modifyEach { try body(index + $0, &$1) }
      case .cell: break  // Visited with the first one.
      case .initialHidden(let layer): try body(index, &initialHidden[layer])
      case .initialCell(let layer): try body(index, &initialCell[layer])
      case .projectionWeights: try body(index, &projectionWeights)
      case .projectionBias: try body(index, &projectionBias)
      case .softmaxWeights: try body(index, &softmaxWeights)
      case .softmaxBias: try body(index, &softmaxBias)
      }
    }
  }

  /// The tensor of the parameter with a name.
  ///
  /// - Precondition: The layout has the name.
  package subscript(name: String) -> Tensor<Scalar> {
    get { all[index(of: name)] }
    set {
      let wanted = index(of: name)
      modifyEach { if $0 == wanted { $1 = newValue } }
    }
  }

  private func index(of name: String) -> Int {
    guard let index = layout.entries.firstIndex(where: { $0.name == name }) else {
      contractViolation("LanguageModel: expected the name of a parameter, got '\(name)'.")
    }
    return index
  }
}
