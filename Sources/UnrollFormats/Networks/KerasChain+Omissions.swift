// The parts of a Keras model outside the chain of its recurrent layers.

extension KerasChain {
  /// Names what the file's model does besides the chain.
  mutating func describe() {
    for layer in layers { describeLayer(layer) }
    let own = layers.flatMap { nodes(of: $0).prefix(1) }
    let before = Set(
      ancestors(of: own).filter { node in !own.contains(node) }.map { model.nodes[$0].layer })
    var after = Set<Int>()
    // Nodes come in an order in which each follows what it reads.
    var reached = Set(own)
    for (index, node) in model.nodes.enumerated()
    where node.sources.contains(where: { reached.contains($0.node) }) {
      reached.insert(index)
      after.insert(node.layer)
    }
    let chain = Set(layers)
    for (index, layer) in model.layers.enumerated()
    where !chain.contains(index) && !layer.isModel && layer.kind != "InputLayer" {
      let isTraining = nodes(of: index).contains { model.nodes[$0].isTraining }
      if Self.changesNothing(layer) && !isTraining { continue }
      let place = before.contains(index) ? "before" : after.contains(index) ? "after" : "beside"
      omissions.append(
        "\(layer.title) \(place) the recurrent layers\(Self.effect(of: layer, isTraining))")
    }
    describeOutputs()
  }

  /// Names the outputs of a model of several that are not the last layer's, nor final states.
  private mutating func describeOutputs() {
    let count = model.outputs.count
    guard count > 1, let top = layers.last else { return }
    for (index, output) in model.outputs.enumerated() {
      let from: String
      switch origin(output) {
      case .layer(top), .state: continue
      case .layer(let layer), .other(let layer): from = title(layer)
      case .input: from = "the model's input"
      }
      omissions.append(
        "output \(index + 1) of \(count) of the file's model, from \(from); the network puts out those of \(title(top))"
      )
    }
  }

  /// Behaviour of a layer of the chain outside its equations.
  private mutating func describeLayer(_ index: Int) {
    let layer = model.layers[index]
    if layer.applications > 1 {
      omissions.append(
        "\(layer.title) is applied \(layer.applications) times in the file's model, and once here")
    }
    for node in nodes(of: index).prefix(1).map({ model.nodes[$0] }) {
      if node.hasMask {
        omissions.append("\(layer.title) is given a mask; here every step counts")
      }
      if node.isTraining {
        omissions.append(
          "\(layer.title) is applied with training=True, with any dropout it has; here without")
      }
      var origins: [String] = []
      for source in node.sources.dropFirst() {
        let title = title(model.nodes[source.node].layer)
        if !origins.contains(title) { origins.append(title) }
      }
      if !origins.isEmpty {
        omissions.append(
          "\(layer.title) starts from states that \(origins.joined(separator: ", ")) \(origins.count == 1 ? "gives" : "give"); here from zeros unless states are given"
        )
      }
    }
    let all = layer.allSettings
    if all.contains(where: { $0["stateful"] as? Bool ?? false }) {
      omissions.append(
        "\(layer.title) is stateful: it starts a batch from the last states of the batch before; here from zeros unless states are given"
      )
    }
    if let type = all.lazy.compactMap({ Self.computation($0["dtype"]) }).first {
      omissions.append("\(layer.title) computes in \(type); here in the precision of its weights")
    }
    omissions += layer.settingRemarks
  }

  /// The type in which a layer computes, if that is neither float32 nor float64.
  private static func computation(_ dtype: Any?) -> String? {
    let name =
      (dtype as? [String: Any]).flatMap { ($0["config"] as? [String: Any])?["name"] as? String }
      ?? dtype as? String
    guard let name, !["float32", "float64"].contains(name) else { return nil }
    return name.hasPrefix("mixed_") ? "\(name.dropFirst("mixed_".count)) (\(name))" : name
  }

  private static func effect(of layer: KerasModel.Layer, _ isTraining: Bool) -> String {
    if changesNothing(layer) { return ", applied with training=True: it changes values at random" }
    switch layer.kind {
    case "Masking":
      let value = layer.settings["mask_value"].map { " \($0)" } ?? " 0"
      return ": steps whose inputs are all\(value) are skipped there; here every step counts"
    case "Embedding" where layer.settings["mask_zero"] as? Bool ?? false:
      return " (mask_zero: steps of symbol 0 are masked there; here every step counts)"
    case "Activation":
      return (layer.settings["activation"] as? String).map { " (\($0))" } ?? ""
    case "TimeDistributed", "Wrapper":
      let inner = (layer.settings["layer"] as? [String: Any])?["class_name"] as? String
      return inner.map { " (\($0))" } ?? ""
    default: return layer.isForeign ? " (a class that is not of Keras)" : ""
    }
  }
}
