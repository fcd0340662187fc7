// The recurrent layers of a Keras model that make one stack, and everything else that the model does.

internal import Foundation

/// A chain of recurrent layers, found in a model's graph.
struct KerasChain {
  /// The layers, from the input upward, by their place in the model.
  private(set) var layers: [Int] = []
  /// A line for each thing that the file's model does and the chain does not.
  var omissions: [String] = []

  let model: KerasModel
  private let selection: Set<Int>
  /// Whether a part was asked for: what the rest of the model does is then left out on purpose.
  private let isPart: Bool
  private let nodesByLayer: [Int: [Int]]

  /// Layers that change nothing in prediction.
  private static let passing: Set<String> = [
    "InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
    "ActivityRegularization", "Identity",
  ]

  /// Finds the chain.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - chosen: The recurrent layers that are meant.
  ///   - isPart: Whether they were asked for by a prefix.
  /// - Throws: `ModelImportError` if they are no chain.
  init(_ model: KerasModel, of chosen: [Int], isPart: Bool) throws(ModelImportError) {
    self.model = model
    self.isPart = isPart
    selection = Set(chosen)
    nodesByLayer = Dictionary(grouping: model.nodes.indices) { model.nodes[$0].layer }
    try checkOne()
    try connect()
    describe()
  }

  // MARK: - Choosing layers

  /// The parts of a prefix, without the common prefix of all names of a file.
  static func parts(_ prefix: String) -> [String] {
    var parts = prefix.split(separator: "/").map(String.init)
    if parts.first == "model_weights" { parts.removeFirst() }
    return KerasCellArrays.withoutRoots(parts)
  }

  /// The recurrent layers that a prefix names: one, those of an inner model, or all whose names begin so.
  ///
  /// - Throws: `ModelImportError` if it names none.
  static func select(
    _ recurrent: [Int], of model: KerasModel, _ prefix: String?
  ) throws(ModelImportError) -> [Int] {
    guard let prefix else { return recurrent }
    let parts = parts(prefix)
    guard !parts.isEmpty else { return recurrent }
    let whole = recurrent.filter {
      let layer = model.layers[$0]
      // Names with a slash in them are several parts.
      let path = layer.path.flatMap { $0.split(separator: "/").map(String.init) }
      return path.starts(with: parts) || layer.storedPath.starts(with: parts)
        || parts.starts(with: layer.storedPath) || parts.starts(with: path)
    }
    if !whole.isEmpty { return whole }
    let text = parts.joined(separator: "/")
    let begun = recurrent.filter {
      let layer = model.layers[$0]
      return layer.name.hasPrefix(text) || layer.storedPath.joined(separator: "/").hasPrefix(text)
    }
    guard begun.isEmpty else { return begun }
    if let other = model.layers.first(where: { $0.path == parts || $0.storedPath == parts }) {
      throw ModelImportError(
        .doesNotFit("expected a recurrent layer, found \(other.title)"), name: prefix)
    }
    throw KerasPrefix.unknown(prefix, recurrent.map { model.layers[$0].name })
  }

  /// Refuses layers that are applied several times.
  private func checkOne() throws(ModelImportError) {
    for index in Array(selection).sorted() {
      let layer = model.layers[index]
      guard layer.applications != 1, !isPart else { continue }
      throw ModelImportError(
        .doesNotFit(
          "the model applies this \(layer.kind) \(layer.applications) times, expected once; choose the layer alone by its prefix, '\(layer.name)/'"
        ), name: layer.name)
    }
  }

  // MARK: - From one layer to the next

  /// The origin of a value.
  enum Origin {
    case layer(Int)
    /// A layer that changes what it reads.
    case other(Int)
    /// A state, not the outputs, of a layer.
    case state(Int)
    case input
  }

  func passes(_ node: KerasModel.Node) -> Bool {
    node.sources.count == 1 && Self.changesNothing(model.layers[node.layer]) && !node.isTraining
  }

  static func changesNothing(_ layer: KerasModel.Layer) -> Bool {
    guard !layer.isForeign else { return false }
    switch layer.kind {
    case "Activation": return layer.settings["activation"] as? String == "linear"
    case "TimeDistributed":
      guard let inner = layer.settings["layer"] as? [String: Any],
        let kind = inner["class_name"] as? String
      else { return false }
      return passing.contains(kind) && !KerasModel.isForeign(inner)
    default: return passing.contains(layer.kind)
    }
  }

  /// The origin of a node's input.
  private func origin(of node: Int) -> Origin { origin(model.nodes[node].sources.first) }

  /// The origin of an output, skipping layers that change nothing.
  func origin(_ output: KerasModel.Output?) -> Origin {
    var next = output
    while let output = next {
      let node = model.nodes[output.node]
      if selection.contains(node.layer) {
        return output.index == 0 ? .layer(node.layer) : .state(node.layer)
      }
      guard passes(node), output.index == 0 else {
        return node.sources.isEmpty ? .input : .other(node.layer)
      }
      next = node.sources.first
    }
    return .input
  }

  func nodes(of layer: Int) -> [Int] { nodesByLayer[layer] ?? [] }

  /// The nodes that any of some nodes reads, and what those read.
  func ancestors(of nodes: [Int]) -> Set<Int> {
    var (found, open) = (Set<Int>(), nodes)
    while let node = open.popLast() {
      for source in model.nodes[node].sources where found.insert(source.node).inserted {
        open.append(source.node)
      }
    }
    return found
  }

  func title(_ layer: Int) -> String { model.layers[layer].title }

  /// The prefixes of the layers that were asked for, for a message.
  private var prefixes: [String] { Array(selection).sorted().map { model.layers[$0].name + "/" } }

  private func refuse(_ layer: Int, _ what: String) -> ModelImportError {
    let choice =
      selection.count < 2
      ? ""
      : "; choose a part by its prefix: \(prefixes.map { "'\($0)'" }.joined(separator: ", "))"
    return ModelImportError(.doesNotFit(what + choice), name: model.layers[layer].name)
  }

  private mutating func connect() throws(ModelImportError) {
    var above: [Int: Int] = [:]
    var bottoms: [Int] = []
    for layer in Array(selection).sorted() {
      guard let node = nodes(of: layer).first else {
        bottoms.append(layer)
        continue
      }
      guard case .layer(let below) = origin(of: node), below != layer else {
        bottoms.append(layer)
        continue
      }
      if let other = above[below] {
        throw refuse(
          layer,
          "expected one recurrent layer above \(title(below)), found \(title(other)) and \(title(layer)) side by side"
        )
      }
      above[below] = layer
    }
    guard let bottom = bottoms.first else {
      throw refuse(selection.min() ?? 0, "expected a first recurrent layer, found a circle")
    }
    for other in bottoms.dropFirst() { throw separation(other, from: bottoms) }
    var next: Int? = bottom
    while let layer = next {
      layers.append(layer)
      next = above[layer]
    }
    guard layers.count == selection.count else {
      throw refuse(bottom, "expected one chain of recurrent layers, found a circle")
    }
    for layer in layers.dropLast() where !Self.returnsSequences(model.layers[layer]) {
      throw ModelImportError(
        .unsupported(field: "return_sequences", value: "false below another recurrent layer"),
        name: model.layers[layer].name)
    }
    for layer in layers.dropFirst() {
      for node in nodes(of: layer).prefix(1) {
        let states = model.nodes[node].sources.dropFirst().map(\.node)
        for read in ancestors(of: states).union(states)
        where selection.contains(model.nodes[read].layer) {
          throw refuse(
            layer, "its initial state comes from \(title(model.nodes[read].layer)), expected zeros")
        }
      }
    }
  }

  /// Why a layer that starts a chain of its own does not belong to the other one.
  private func separation(_ layer: Int, from bottoms: [Int]) -> ModelImportError {
    guard let node = nodes(of: layer).first else {
      return refuse(layer, "the model does not apply this layer")
    }
    let read = Set(ancestors(of: [node]).map { model.nodes[$0].layer })
    let below = Array(selection).sorted().last { read.contains($0) && $0 != layer }
    guard let below else {
      // Neither reads the other.
      return ModelImportError(.severalNetworks(prefixes), name: NetworkLayout.keras.rawValue)
    }
    switch origin(of: node) {
    case .other(let other):
      return refuse(
        layer, "expected the outputs of \(title(below)) as they are, found \(title(other)) between")
    case .state(let other):
      return refuse(layer, "expected the outputs of \(title(other)), found that it reads its state")
    default:
      return refuse(
        layer, "its initial state comes from \(title(below)), expected that it reads its outputs")
    }
  }

  /// Whether a layer puts out every step, not the last alone.
  static func returnsSequences(_ layer: KerasModel.Layer) -> Bool {
    var settings = layer.settings
    if layer.kind == "Bidirectional" {
      settings = (settings["layer"] as? [String: Any])?["config"] as? [String: Any] ?? [:]
    }
    return settings["return_sequences"] as? Bool ?? false
  }
}

/// Prefixes of names in Keras' files.
enum KerasPrefix {
  /// Refuses a prefix that no name begins with.
  static func unknown(_ prefix: String, _ names: [String]) -> ModelImportError {
    let wanted = prefix.split(separator: "/").last.map(String.init) ?? prefix
    let hint =
      NearestName.nearest(to: wanted, among: names).map { "; did you mean '\($0)/'?" } ?? ""
    let list = names.map { "'\($0)/'" }.joined(separator: ", ")
    return ModelImportError(
      .doesNotFit("no recurrent layer's name begins so, expected one of \(list)\(hint)"),
      name: prefix)
  }
}
