internal import Foundation
internal import Unroll

/// The recurrent layers of a Keras model's configuration.
struct KerasConfiguration {
  /// One recurrent layer, or one cell of a stack of cells.
  struct Layer {
    /// The layer's own name, and the one that Keras 3 gives it by class and order.
    var name: String
    var storedName: String
    var convention: KerasLayer
    var isBidirectional = false
    var cell: Int?
    var returnsSequences = true

  }

  private(set) var layers: [Layer] = []
  private let isKeras3: Bool?

  /// Reads a configuration.
  ///
  /// - Throws: `ModelImportError` for what is no configuration, or has settings that Unroll has not.
  init(_ text: String, version: String?) throws(ModelImportError) {
    isKeras3 = version?.split(separator: ".").first.flatMap { Int($0) }.map { $0 >= 3 }
    guard let root = (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any],
      let config = root["config"] as? [String: Any],
      let list = config["layers"] as? [[String: Any]]
    else {
      throw ModelImportError(
        .doesNotFit("expected a configuration with layers"), name: KerasNames.configurationKey)
    }
    var counts: [String: Int] = [:]
    var places: [String: Place] = [:]
    var between: [String] = []
    for entry in list {
      guard let kind = entry["class_name"] as? String else { continue }
      let settings = entry["config"] as? [String: Any] ?? [:]
      let snake = Self.snakeCased(kind)
      let count = counts[snake, default: 0]
      counts[snake] = count + 1
      let stored = count == 0 ? snake : "\(snake)_\(count)"
      let name = settings["name"] as? String ?? stored
      let known = layers.count
      try add(kind, settings, name, stored)
      let place = Place(kind: kind, sources: Self.sources(in: entry["inbound_nodes"] ?? []))
      if layers.count == known {
        between.append(kind)
      } else {
        if known > 0 {
          try check(name, place, follows: layers[known - 1], places, between: between)
        }
        between = []
      }
      places[name] = place
    }
  }

  /// A layer in a model's graph: where its inputs come from; empty in a sequence of layers.
  private struct Place {
    var kind: String
    var sources: [(layer: String, output: Int)]
  }

  /// What changes nothing when a network predicts.
  private static let passing: Set<String> = [
    "InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
    "ActivityRegularization", "Identity",
  ]

  /// Refuses a recurrent layer that does not read what the one before puts out, all of it and as it is.
  private func check(
    _ name: String, _ place: Place, follows below: Layer, _ places: [String: Place],
    between: [String]
  ) throws(ModelImportError) {
    func refuse(_ field: String, _ value: String, _ name: String) -> ModelImportError {
      ModelImportError(.unsupported(field: field, value: value), name: name)
    }
    guard below.returnsSequences else {
      throw refuse("return_sequences", "false below another recurrent layer", below.name)
    }
    if place.sources.isEmpty {
      guard let kind = between.first(where: { !Self.passing.contains($0) }) else { return }
      throw refuse("class_name", "\(kind) between recurrent layers", name)
    }
    var (here, seen) = (place, 0)
    while true {
      seen += 1
      guard here.sources.count == 1, here.sources[0].output == 0, seen <= places.count else {
        throw refuse("inbound_nodes", "other inputs than the recurrent layer before", name)
      }
      let source = here.sources[0].layer
      if source == below.name { return }
      guard let next = places[source] else {
        throw ModelImportError(.missing, name: "layer \(source)")
      }
      guard Self.passing.contains(next.kind), next.kind != "InputLayer" else {
        throw refuse("inbound_nodes", "\(source), not the recurrent layer before", name)
      }
      here = next
    }
  }

  /// The layers and outputs that some settings of a node name: `["gru", 0, 0]`, as Keras 2 and 3 write it.
  private static func sources(in value: Any) -> [(layer: String, output: Int)] {
    if let fields = value as? [String: Any] {
      // A mask says which steps count, not what is read.
      return fields.filter { $0.key != "mask" }.values.flatMap(sources)
    }
    guard let list = value as? [Any] else { return [] }
    if list.count >= 3, let layer = list[0] as? String, list[1] is Int, let output = list[2] as? Int
    {
      return [(layer, output)] + list.dropFirst(3).flatMap(sources)
    }
    return list.flatMap(sources)
  }

  private mutating func add(
    _ kind: String, _ settings: [String: Any], _ name: String, _ stored: String
  ) throws(ModelImportError) {
    func refuse(_ field: String, _ value: Any) -> ModelImportError {
      ModelImportError(.unsupported(field: field, value: "\(value)"), name: name)
    }
    if settings["go_backwards"] as? Bool ?? false { throw refuse("go_backwards", true) }
    let returns = settings["return_sequences"] as? Bool ?? false
    switch kind {
    case "SimpleRNN", "GRU", "LSTM":
      layers.append(
        Layer(
          name: name, storedName: stored, convention: try convention(kind, settings, name),
          returnsSequences: returns))
    case "Bidirectional":
      guard let inner = settings["layer"] as? [String: Any],
        let innerKind = inner["class_name"] as? String,
        let innerSettings = inner["config"] as? [String: Any]
      else { throw refuse("layer", settings["layer"] ?? "none") }
      if innerSettings["go_backwards"] as? Bool ?? false { throw refuse("go_backwards", true) }
      if let other = settings["backward_layer"] as? [String: Any] {
        let convention = try convention(innerKind, innerSettings, name)
        guard other["class_name"] as? String == innerKind,
          try self.convention(innerKind, other["config"] as? [String: Any] ?? [:], name)
            == convention
        else { throw refuse("backward_layer", "another layer than the forward one") }
      }
      let mode = settings["merge_mode"] as? String ?? "none"
      guard mode == "concat" else { throw refuse("merge_mode", mode) }
      guard ["SimpleRNN", "GRU", "LSTM"].contains(innerKind) else {
        throw refuse("layer", innerKind)
      }
      layers.append(
        Layer(
          name: name, storedName: stored,
          convention: try convention(innerKind, innerSettings, name),
          isBidirectional: true,
          returnsSequences: innerSettings["return_sequences"] as? Bool ?? false))
    case "RNN":
      guard let cell = settings["cell"] as? [String: Any],
        let cellKind = cell["class_name"] as? String,
        let cellSettings = cell["config"] as? [String: Any]
      else { throw refuse("cell", settings["cell"] ?? "none") }
      guard cellKind == "StackedRNNCells" else {
        layers.append(
          Layer(
            name: name, storedName: stored,
            convention: try convention(cellKind, cellSettings, name),
            returnsSequences: returns))
        return
      }
      for (index, inner) in (cellSettings["cells"] as? [[String: Any]] ?? []).enumerated() {
        layers.append(
          Layer(
            name: name, storedName: stored,
            convention: try convention(
              inner["class_name"] as? String ?? "none", inner["config"] as? [String: Any] ?? [:],
              name),
            cell: index, returnsSequences: returns))
      }
    default:
      // A wrapper, or a model in the model: what it does with its layers is not known here.
      if let inner = Self.recurrentClass(in: settings) {
        throw refuse("class_name", "\(kind) with a layer \(inner) in it")
      }
    }
  }

  /// The first recurrent class anywhere in some settings.
  private static func recurrentClass(in settings: Any) -> String? {
    if let list = settings as? [Any] { return list.lazy.compactMap(recurrentClass).first }
    guard let fields = settings as? [String: Any] else { return nil }
    if let name = fields["class_name"] as? String,
      ["SimpleRNN", "GRU", "LSTM", "RNN", "Bidirectional"].contains(name)
    {
      return name
    }
    return fields.sorted { $0.key < $1.key }.lazy.compactMap { recurrentClass(in: $0.value) }.first
  }

  private func convention(
    _ kind: String, _ settings: [String: Any], _ name: String
  ) throws(ModelImportError) -> KerasLayer {
    let plain = kind.hasSuffix("Cell") ? String(kind.dropLast(4)) : kind
    guard let kind = KerasLayer.Kind(rawValue: plain) else {
      throw ModelImportError(.unsupported(field: "cell", value: plain), name: name)
    }
    return KerasLayer(
      kind, activation: try function("activation", settings, name, standard: "tanh"),
      recurrentActivation: try function(
        "recurrent_activation", settings, name, standard: "sigmoid"),
      resetAfter: settings["reset_after"] as? Bool ?? true,
      usesBias: settings["use_bias"] as? Bool ?? true)
  }

  private func function(
    _ field: String, _ settings: [String: Any], _ name: String, standard: String
  ) throws(ModelImportError) -> Activation {
    let word = settings[field] as? String ?? (settings[field] == nil ? standard : "a function")
    switch word {
    case "tanh": return .tanh
    case "sigmoid": return .sigmoid
    case "relu": return .relu
    case "linear": return .identity
    case "hard_sigmoid":
      // Keras 3 changed the slope.
      guard let isKeras3 else {
        throw ModelImportError(
          .unsupported(field: field, value: "hard_sigmoid of an unknown version of Keras"),
          name: name)
      }
      return .hardSigmoid(slope: isKeras3 ? 1.0 / 6 : 0.2, offset: 0.5)
    default: throw ModelImportError(.unsupported(field: field, value: word), name: name)
    }
  }

  /// What a reader should know.
  static func notes(_ layers: [Layer]) -> [String] {
    layers.filter { !$0.returnsSequences && $0.cell == nil }.map {
      "'\($0.name)' returns its last output only; the network here returns all"
    }
  }

  /// `SimpleRNN` as `simple_rnn`, as Keras does.
  static func snakeCased(_ name: String) -> String {
    name == "SimpleRNN"
      ? "simple_rnn"
      : name == "GRU" || name == "LSTM" || name == "RNN"
        ? name.lowercased()
        : name.reduce(into: "") {
          $0 += $1.isUppercase && !$0.isEmpty ? "_" + $1.lowercased() : $1.lowercased()
        }
  }

  /// A configuration that says what `KerasNames` writes: classes, directions, where GRUs reset.
  static func text<Scalar>(of network: RecurrentNetwork<Scalar>) -> String {
    var layers: [[String: Any]] = []
    for level in network.levels {
      let (kind, resetAfter): (String, Bool) =
        switch level[0].cell {
        case let gru as GRU<Scalar>: ("GRU", gru.resetGate == .afterProduct)
        case is LSTM<Scalar>: ("LSTM", true)
        default: ("SimpleRNN", true)
        }
      let layer: [String: Any] = [
        "class_name": kind, "config": ["return_sequences": true, "reset_after": resetAfter],
      ]
      layers.append(
        level.count == 1
          ? layer
          : ["class_name": "Bidirectional", "config": ["merge_mode": "concat", "layer": layer]])
    }
    let root: [String: Any] = ["class_name": "Sequential", "config": ["layers": layers]]
    let data = try? JSONSerialization.data(withJSONObject: root, options: [.sortedKeys])
    return data.map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}
