// The settings of a recurrent layer of a Keras model: read, never guessed. A setting that Unroll does not support is
// refused by its field.

internal import Foundation
internal import Unroll

/// Reads the settings of Keras' recurrent layers.
struct KerasConfiguration {
  /// One level of a network: a recurrent layer, or one cell of a stack of cells.
  struct Level {
    /// The layer's place in the model.
    var layer: Int
    var convention: KerasLayer
    /// Whether the settings say where a GRU resets; otherwise its bias does.
    var knowsReset = true
    var isBidirectional = false
    /// The names of the two layers of a bidirectional one, as the configuration has them.
    var directions: [String?] = []
    /// A cell of a stack: its own name, and the one by class and order.
    var cell: (name: String?, storedName: String)?
  }

  private let isKeras3: Bool?

  /// Creates a reader for the files of a version of Keras.
  init(version: String?) {
    isKeras3 = version?.split(separator: ".").first.flatMap { Int($0) }.map { $0 >= 3 }
  }

  /// Whether a layer is recurrent, or has a recurrent layer in it.
  static func isRecurrent(_ layer: KerasModel.Layer) -> Bool {
    !layer.isModel && (isRecurrent(layer.kind) || recurrentClass(in: layer.settings) != nil)
  }

  private static func isRecurrent(_ kind: String) -> Bool {
    let kinds = [
      "SimpleRNN", "GRU", "LSTM", "CuDNNGRU", "CuDNNLSTM", "RNN", "Bidirectional", "ConvRNN2D",
    ]
    return kinds.contains(kind) || kind.hasPrefix("ConvLSTM")
  }

  /// Keras' layers around one other layer that are not understood, but known by their names.
  static let wrappers = ["TimeDistributed", "SpectralNormalization"]

  /// The levels of a layer, from the input upward.
  ///
  /// - Throws: `ModelImportError` for settings that Unroll has not.
  func levels(of index: Int, in model: KerasModel) throws(ModelImportError) -> [Level] {
    let layer = model.layers[index]
    let (settings, name) = (layer.settings, layer.name)
    func refuse(_ field: String, _ value: Any) -> ModelImportError {
      ModelImportError(.unsupported(field: field, value: "\(value)"), name: name)
    }
    guard !layer.isForeign else {
      throw refuse("class_name", "\(layer.kind), a class that is not of Keras,")
    }
    if settings["go_backwards"] as? Bool ?? false { throw refuse("go_backwards", true) }
    switch layer.kind {
    case "SimpleRNN", "GRU", "LSTM", "CuDNNGRU", "CuDNNLSTM":
      return [try level(index, layer.kind, settings, name)]
    case "Bidirectional": return [try bidirectional(index, settings, name)]
    case "RNN":
      guard let cell = settings["cell"] as? [String: Any],
        let kind = cell["class_name"] as? String,
        let cellSettings = cell["config"] as? [String: Any]
      else { throw refuse("cell", settings["cell"] ?? "none") }
      guard !KerasModel.isForeign(cell) else { throw refuse("cell", kind) }
      guard kind == "StackedRNNCells" else { return [try level(index, kind, cellSettings, name)] }
      return try stack(index, cellSettings["cells"] as? [[String: Any]] ?? [], name)
    default:
      // A wrapper: what it does with its layer is not known here.
      guard let inner = Self.recurrentClass(in: settings) else {
        throw refuse("class_name", layer.kind)
      }
      throw Self.refuse(wrapper: layer.kind, of: inner, name: name)
    }
  }

  /// Refuses a layer around a recurrent one, whose class may not be known.
  static func refuse(wrapper: String, of inner: String?, name: String) -> ModelImportError {
    let content = inner.map { "layer \($0)" } ?? "recurrent layer"
    return ModelImportError(
      .unsupported(field: "class_name", value: "\(wrapper) with a \(content) in it"),
      name: name)
  }

  private func bidirectional(
    _ index: Int, _ settings: [String: Any], _ name: String
  ) throws(ModelImportError) -> Level {
    func refuse(_ field: String, _ value: Any) -> ModelImportError {
      ModelImportError(.unsupported(field: field, value: "\(value)"), name: name)
    }
    guard let inner = settings["layer"] as? [String: Any],
      let kind = inner["class_name"] as? String, let own = inner["config"] as? [String: Any]
    else { throw refuse("layer", settings["layer"] ?? "none") }
    guard !KerasModel.isForeign(inner),
      ["SimpleRNN", "GRU", "LSTM", "CuDNNGRU", "CuDNNLSTM"].contains(kind)
    else { throw refuse("layer", kind) }
    if own["go_backwards"] as? Bool ?? false { throw refuse("go_backwards", true) }
    var level = try level(index, kind, own, name)
    level.directions = [own["name"] as? String, nil]
    if let other = settings["backward_layer"] as? [String: Any] {
      let theirs = other["config"] as? [String: Any] ?? [:]
      guard other["class_name"] as? String == kind, !KerasModel.isForeign(other),
        try self.level(index, kind, theirs, name).convention == level.convention
      else { throw refuse("backward_layer", "another layer than the forward one") }
      guard theirs["go_backwards"] as? Bool ?? true else {
        throw refuse("backward_layer", "a layer that reads forward")
      }
      level.directions[1] = theirs["name"] as? String
    }
    // If it is missing, the two are concatenated; null means a list of both.
    let mode = settings["merge_mode"].map { $0 as? String ?? "None" } ?? "concat"
    guard mode == "concat" else { throw refuse("merge_mode", mode) }
    level.isBidirectional = true
    return level
  }

  private func stack(
    _ index: Int, _ cells: [[String: Any]], _ name: String
  ) throws(ModelImportError) -> [Level] {
    var levels: [Level] = []
    var counts: [String: Int] = [:]
    for cell in cells {
      let kind = cell["class_name"] as? String ?? "none"
      let settings = cell["config"] as? [String: Any] ?? [:]
      guard !KerasModel.isForeign(cell) else {
        throw ModelImportError(.unsupported(field: "cell", value: kind), name: name)
      }
      let snake = KerasModel.snakeCased(kind)
      let count = counts[snake, default: 0]
      counts[snake] = count + 1
      var level = try level(index, kind, settings, name)
      level.cell = (settings["name"] as? String, count == 0 ? snake : "\(snake)_\(count)")
      levels.append(level)
    }
    guard !levels.isEmpty else {
      throw ModelImportError(.unsupported(field: "cells", value: "none"), name: name)
    }
    return levels
  }

  /// The first recurrent class anywhere in some settings.
  private static func recurrentClass(in settings: Any) -> String? {
    if let list = settings as? [Any] { return list.lazy.compactMap(recurrentClass).first }
    guard let fields = settings as? [String: Any] else { return nil }
    if let name = fields["class_name"] as? String, isRecurrent(name) { return name }
    return fields.inKeyOrder.lazy.compactMap { recurrentClass(in: $0.value) }.first
  }

  private func level(
    _ index: Int, _ kind: String, _ settings: [String: Any], _ name: String
  ) throws(ModelImportError) -> Level {
    var plain = kind.hasSuffix("Cell") ? String(kind.dropLast(4)) : kind
    let isCuDNN = plain.hasPrefix("CuDNN")
    if isCuDNN { plain = String(plain.dropFirst("CuDNN".count)) }
    let resetsAfter = settings["reset_after"] as? Bool
    guard
      let kind = KerasLayer.kind(ofClass: plain, resetsAfterProduct: isCuDNN || resetsAfter ?? true)
    else {
      throw ModelImportError(.unsupported(field: "cell", value: plain), name: name)
    }
    if settings["output_dim"] != nil || settings["inner_activation"] != nil {
      throw ModelImportError(
        .doesNotFit("the settings are of Keras 1; load the model with Keras 2 and save it again"),
        name: name)
    }
    guard !isCuDNN else {
      return Level(layer: index, convention: try KerasLayer(kind, usesCuDNNLayout: true))
    }
    return Level(
      layer: index,
      convention: try KerasLayer(
        kind, activation: try function("activation", settings, name, standard: "tanh"),
        recurrentActivation: try function(
          "recurrent_activation", settings, name, standard: "sigmoid"),
        usesBias: settings["use_bias"] as? Bool ?? true),
      knowsReset: resetsAfter != nil || isKeras3 == true
        || ![.gruResetBefore, .gruResetAfter].contains(kind))
  }

  private func function(
    _ field: String, _ settings: [String: Any], _ name: String, standard: String
  ) throws(ModelImportError) -> Activation {
    func refuse(_ value: String) -> ModelImportError {
      ModelImportError(.unsupported(field: field, value: value), name: name)
    }
    let value = settings[field] ?? standard
    // `None` means no function.
    if value is NSNull { return .identity }
    guard let word = value as? String else {
      let entry = value as? [String: Any] ?? [:]
      let own = entry["config"] as? String ?? entry["class_name"] as? String
      if let function = try layerFunction(entry, name) { return function }
      throw refuse(own.map { "a function '\($0)'" } ?? "a function")
    }
    switch word {
    case "tanh": return .tanh
    case "sigmoid": return .sigmoid
    case "relu": return .relu
    case "linear": return .identity
    case "softsign": return .softsign
    case "softplus": return .softplus
    case "elu": return .elu(scale: 1)
    // The function's own default, also of `tf.nn.leaky_relu`; the layer LeakyReLU has another.
    case "leaky_relu": return .leakyRelu(slope: 0.2)
    case "hard_sigmoid":
      // Keras 3 changed the slope.
      guard let isKeras3 else { throw refuse("hard_sigmoid of an unknown version of Keras") }
      return .hardSigmoid(slope: isKeras3 ? 1.0 / 6 : 0.2, offset: 0.5)
    default: throw refuse(word)
    }
  }

  /// A layer in the place of a function: Keras' own layers of one function with its parameters.
  ///
  /// - Returns: The function; nil for another layer, or parameters that Unroll does not have.
  private func layerFunction(
    _ entry: [String: Any], _ name: String
  ) throws(ModelImportError) -> Activation? {
    guard !KerasModel.isForeign(entry), let config = entry["config"] as? [String: Any] else {
      return nil
    }
    /// A parameter by its names in Keras 3 and 2; nil if it is no number that a function takes.
    func number(_ names: String..., standard: Double) -> Double? {
      guard let value = names.lazy.compactMap({ config[$0] }).first else { return standard }
      if value is NSNull { return standard }
      return (value as? Double).flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
    }
    switch entry["class_name"] as? String {
    case "LeakyReLU":
      return number("negative_slope", "alpha", standard: 0.3).map { .leakyRelu(slope: $0) }
    case "ELU": return number("alpha", standard: 1).map { .elu(scale: $0) }
    case "ReLU":
      guard (config["max_value"] ?? NSNull()) is NSNull,
        let slope = number("negative_slope", standard: 0),
        let threshold = number("threshold", standard: 0), slope == 0 || threshold == 0
      else { return nil }
      if slope > 0 { return .leakyRelu(slope: slope) }
      return threshold > 0 ? .thresholdedRelu(threshold: threshold) : .relu
    case "Activation": return try function("activation", config, name, standard: "linear")
    default: return nil
    }
  }

  /// A configuration that says what `KerasNames` writes: classes, directions, where GRUs reset.
  static func text<Scalar>(
    of network: RecurrentNetwork<Scalar>
  ) throws(ModelImportError) -> String {
    var layers: [[String: Any]] = []
    for level in network.levels {
      let kind = try level[0].cell.kind(for: "Keras")
      let layer: [String: Any] = [
        "class_name": try KerasClass(kind).name,
        "config": ["return_sequences": true, "reset_after": kind != .gruResetBefore],
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
