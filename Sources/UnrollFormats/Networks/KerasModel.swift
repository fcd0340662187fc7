// The configuration of a Keras model as one graph. Models within models are opened, and every application of
// a layer is a node, so that a layer that is applied twice cannot be taken for one that is applied once.

internal import Foundation

/// The layers of a Keras model, and what each of them reads.
package struct KerasModel {
  /// A layer, wherever in the model or its inner models it is defined.
  struct Layer {
    /// Its own name behind those of the models around it, the outermost first.
    var path: [String]
    /// The same by class and order, as Keras 3 names groups of variables.
    var storedPath: [String]
    /// The class, such as `GRU`.
    var kind: String
    var settings: [String: Any]
    /// Whether the class is not of Keras' own package, whatever its name.
    var isForeign: Bool
    /// Whether it is a model with layers of its own.
    var isModel = false
    /// The number of times that the model applies it.
    var applications = 0

    /// The name as the user knows it, such as `encoder/lstm`.
    var name: String { path.joined(separator: "/") }
    /// Class and name, such as `Dense 'head'`.
    var title: String { "\(kind) '\(name)'" }
  }

  /// One output of a node.
  struct Output: Hashable {
    var node: Int
    var index: Int
  }

  /// One application of a layer.
  struct Node {
    var layer: Int
    /// Its inputs, then its initial states.
    var sources: [Output]
    /// Whether it is given a mask, which says what steps count.
    var hasMask: Bool
    /// Whether it is applied as in training, with dropout and noise, also when the model predicts.
    var isTraining: Bool
  }

  private(set) var layers: [Layer] = []
  private(set) var nodes: [Node] = []
  /// The outputs of the model; empty if the configuration does not state them.
  private(set) var outputs: [Output] = []

  /// Reads a configuration.
  ///
  /// - Throws: `ModelImportError` if it is not the configuration of a model whose layers are listed.
  init(_ text: String) throws(ModelImportError) {
    guard let root = (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any]
    else { throw Self.failure("expected a configuration with layers") }
    guard Self.layerList(of: root) != nil else {
      throw Self.failure("expected a configuration with layers")
    }
    let scope = declare(root, path: [], storedPath: [])
    outputs = try apply(scope, to: [], Context())
  }

  /// The class of a user's own model, whose configuration lists no layers; nil for Keras' models.
  static func ownClass(_ text: String) -> String? {
    guard let root = (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any],
      layerList(of: root) == nil
    else { return nil }
    return root["class_name"] as? String
  }

  // MARK: - Reading the list

  /// A model: its layers in the file's order, and how they are connected.
  private struct Scope {
    var entries: [Entry] = []
    /// Whether the layers name their inputs; otherwise each reads the one before.
    var isGraph = false
    var inputs: [Reference] = []
    var outputs: [Reference] = []

    /// Lets the applications of each layer count from 0.
    ///
    /// Keras 2 counts those of an inner model from 1, for it applied the model once to build it. A file
    /// holds only applications whose outputs are used: the highest number that is named is the last.
    mutating func renumber() {
      var highest: [String: Int] = [:]
      for reference in outputs + entries.flatMap({ $0.calls.flatMap(\.sources) }) {
        highest[reference.name] = max(highest[reference.name] ?? 0, reference.call)
      }
      let first = Dictionary(
        entries.map { ($0.name, max(0, (highest[$0.name] ?? 0) - max(1, $0.calls.count) + 1)) },
        uniquingKeysWith: { first, _ in first })
      func change(_ references: inout [Reference]) {
        for index in references.indices {
          references[index].call -= first[references[index].name] ?? 0
        }
      }
      change(&outputs)
      for entry in entries.indices {
        for call in entries[entry].calls.indices { change(&entries[entry].calls[call].sources) }
      }
    }
  }

  private struct Entry {
    /// The name by which others refer to it.
    var name: String
    var layer: Int
    /// The layers within, where it is a model.
    var model: Scope?
    var calls: [Call]
  }

  /// One application, as the configuration writes it.
  private struct Call {
    var sources: [Reference] = []
    var context = Context()
  }

  private struct Context {
    var hasMask = false
    var isTraining = false

    func adding(_ other: Context) -> Context {
      Context(
        hasMask: hasMask || other.hasMask, isTraining: isTraining || other.isTraining)
    }
  }

  /// An output of an application of a layer, by the layer's name.
  private struct Reference: Hashable {
    var name: String
    var call: Int
    var output: Int
  }

  private static func failure(_ what: String) -> ModelImportError {
    ModelImportError(.doesNotFit(what), name: KerasNames.configurationKey)
  }

  /// The layers of a model: in its configuration, or, before Keras 2.2.3, a sequence's whole configuration.
  private static func layerList(of entry: [String: Any]) -> [[String: Any]]? {
    if let list = entry["config"] as? [[String: Any]] {
      return list.allSatisfy { $0["class_name"] is String } ? list : nil
    }
    guard let list = (entry["config"] as? [String: Any])?["layers"] as? [[String: Any]],
      list.allSatisfy({ $0["class_name"] is String && $0["config"] != nil })
    else { return nil }
    return list
  }

  private mutating func declare(
    _ entry: [String: Any], path: [String], storedPath: [String]
  ) -> Scope {
    var scope = Scope()
    let config = entry["config"] as? [String: Any] ?? [:]
    scope.inputs = Self.references(in: config["input_layers"] ?? [])
    scope.outputs = Self.references(in: config["output_layers"] ?? [])
    var counts: [String: Int] = [:]
    let list = Self.layerList(of: entry) ?? []
    scope.isGraph = list.contains { $0["inbound_nodes"] != nil }
    for entry in list {
      let kind = entry["class_name"] as? String ?? ""
      let settings = entry["config"] as? [String: Any] ?? [:]
      let snake = Self.snakeCased(kind)
      let count = counts[snake, default: 0]
      counts[snake] = count + 1
      let stored = count == 0 ? snake : "\(snake)_\(count)"
      let name = settings["name"] as? String ?? entry["name"] as? String ?? stored
      let place = layers.count
      layers.append(
        Layer(
          path: path + [name], storedPath: storedPath + [stored], kind: kind, settings: settings,
          isForeign: Self.isForeign(entry)))
      var model: Scope?
      if Self.layerList(of: entry) != nil {
        layers[place].isModel = true
        model = declare(entry, path: path + [name], storedPath: storedPath + [stored])
      }
      scope.entries.append(
        Entry(
          name: entry["name"] as? String ?? name, layer: place, model: model,
          calls: (entry["inbound_nodes"] as? [Any] ?? []).map(Self.call)))
    }
    scope.renumber()
    return scope
  }

  /// Whether a class was registered by a third-party package.
  static func isForeign(_ entry: [String: Any]) -> Bool {
    if let name = entry["registered_name"] as? String, name.contains(">") { return true }
    if let name = entry["class_name"] as? String, name.contains(">") { return true }
    guard let module = entry["module"] as? String else { return false }
    let own = ["keras", "tensorflow", "tf_keras", "builtins"]
    return !own.contains(String(module.prefix { $0 != "." }))
  }

  private static func call(_ value: Any) -> Call {
    var call = Call()
    // Keras 3 writes arguments and keywords apart, Keras 2 a list with keywords behind each input.
    let keywords: [[String: Any]]
    if let fields = value as? [String: Any] {
      let named = fields["kwargs"] as? [String: Any] ?? [:]
      call.sources = references(in: fields["args"] ?? [])
      keywords = [named]
      // A recurrent layer's arguments are the sequence, its initial states and its mask.
      if let list = fields["args"] as? [Any], list.count > 2, list[1] is [Any] || list[1] is NSNull,
        !references(in: list[2]).isEmpty
      {
        call.context.hasMask = true
        call.sources = references(in: Array(list.prefix(2)))
      }
    } else {
      let list = value as? [Any] ?? []
      call.sources = references(in: list)
      keywords = (list + [list]).compactMap { ($0 as? [Any])?.last as? [String: Any] }
    }
    for fields in keywords {
      for (key, value) in fields.inKeyOrder {
        if key == "mask" {
          if !(value is NSNull) { call.context.hasMask = true }
        } else if key == "training" {
          if value as? Bool ?? false { call.context.isTraining = true }
        } else if value is [Any] || value is [String: Any] {
          call.sources += references(in: value).filter { !call.sources.contains($0) }
        }
      }
    }
    return call
  }

  /// The outputs that some settings name: `["gru", 0, 0]`, in lists or in Keras 3's records of a tensor.
  private static func references(in value: Any) -> [Reference] {
    if let fields = value as? [String: Any] {
      // A mask says which steps count, not what is read.
      return fields.filter { $0.key != "mask" }.inKeyOrder.flatMap {
        references(in: $0.value)
      }
    }
    guard let list = value as? [Any] else { return [] }
    if list.count >= 3, let name = list[0] as? String, let call = list[1] as? Int,
      let output = list[2] as? Int
    {
      // A number in a layer's place has no layer.
      let first = call >= 0 ? [Reference(name: name, call: call, output: output)] : []
      return first + list.dropFirst(3).flatMap(references)
    }
    return list.flatMap(references)
  }

  // MARK: - Applying the layers

  /// The remaining number of steps, of a limit that no model reaches: nested models that are applied repeatedly multiply.
  private var budget = 1_000_000

  private mutating func spend(_ steps: Int) throws(ModelImportError) {
    budget -= steps
    guard budget > 0 else { throw Self.failure("expected fewer applications of layers") }
  }

  private mutating func node(
    _ layer: Int, _ sources: [Output], _ context: Context
  ) throws(ModelImportError) -> [Output] {
    layers[layer].applications += 1
    nodes.append(
      Node(
        layer: layer, sources: sources, hasMask: context.hasMask, isTraining: context.isTraining))
    return [Output(node: nodes.count - 1, index: 0)]
  }

  private mutating func apply(
    _ entry: Entry, to sources: [Output], _ context: Context
  ) throws(ModelImportError) -> [Output] {
    try spend(1 + sources.count)
    guard let model = entry.model else { return try node(entry.layer, sources, context) }
    layers[entry.layer].applications += 1
    return try apply(model, to: sources, context)
  }

  private mutating func apply(
    _ scope: Scope, to inputs: [Output], _ context: Context
  ) throws(ModelImportError) -> [Output] {
    guard !scope.isGraph else { return try applyGraph(scope, to: inputs, context) }
    var current = inputs
    for entry in scope.entries {
      if layers[entry.layer].kind == "InputLayer", !current.isEmpty { continue }
      current = try apply(entry, to: current, context)
    }
    return current
  }

  private mutating func applyGraph(
    _ scope: Scope, to inputs: [Output], _ context: Context
  ) throws(ModelImportError) -> [Output] {
    var known: [String: [[Output]?]] = [:]
    var pending: [(entry: Entry, number: Int)] = []
    for entry in scope.entries {
      known[entry.name] = [[Output]?](repeating: nil, count: max(1, entry.calls.count))
      let position = scope.inputs.firstIndex { $0.name == entry.name }
      if let position, position < inputs.count {
        known[entry.name] = [[inputs[position]]]
      } else if entry.calls.isEmpty {
        // An input; another layer without inputs is not applied.
        if layers[entry.layer].kind == "InputLayer" {
          known[entry.name] = [try node(entry.layer, [], context)]
        }
      } else {
        pending += entry.calls.indices.map { (entry, $0) }
      }
    }
    try spend(scope.entries.count)
    while !pending.isEmpty {
      var later: [(entry: Entry, number: Int)] = []
      for item in pending {
        try spend(1)
        let call = item.entry.calls[item.number]
        var sources: [Output] = []
        for reference in call.sources {
          guard let calls = known[reference.name] else {
            throw ModelImportError(.missing, name: "layer \(reference.name)")
          }
          if let output = Self.output(reference, of: calls) { sources.append(output) }
        }
        guard sources.count == call.sources.count else {
          later.append(item)
          continue
        }
        known[item.entry.name]?[item.number] = try apply(
          item.entry, to: sources, context.adding(call.context))
      }
      guard later.count < pending.count else {
        throw Self.failure(
          "expected layers that read one another's outputs, found '\(later[0].entry.name)' in a circle"
        )
      }
      pending = later
    }
    return scope.outputs.compactMap { reference in
      known[reference.name].flatMap { Self.output(reference, of: $0) }
    }
  }

  private static func output(_ reference: Reference, of calls: [[Output]?]) -> Output? {
    guard calls.indices.contains(reference.call), let outputs = calls[reference.call] else {
      return nil
    }
    if outputs.count == 1 {
      let first = outputs[0]
      return first.index == 0 ? Output(node: first.node, index: reference.output) : first
    }
    return outputs.indices.contains(reference.output) ? outputs[reference.output] : nil
  }

  /// A class name as Keras writes it in lower case: `MaxPooling1D` is `max_pooling1d`.
  package static func snakeCased(_ name: String) -> String {
    let letters = Array(name.filter { $0.isLetter || $0.isNumber || $0 == "_" })
    func isUpper(_ index: Int) -> Bool {
      letters.indices.contains(index) && letters[index].isUppercase
    }
    func isLower(_ index: Int) -> Bool {
      letters.indices.contains(index) && letters[index].isLowercase
    }
    var result = ""
    for index in letters.indices {
      // Before a capital that follows a small letter, and before one that begins a word.
      if index > 0, isUpper(index), isLower(index - 1) || isLower(index + 1) { result += "_" }
      result += letters[index].lowercased()
    }
    return result
  }
}
