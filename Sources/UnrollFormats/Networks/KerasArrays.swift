// Keras' names of variables, taken apart.
//
//   model_weights/gru/gru/gru_cell/kernel:0            Keras 2's .h5 (without the first part in weights alone)
//   model_weights/gru/sequential/gru/gru_cell/kernel   Keras 3's .h5
//   model_weights/encoder/gru/gru_cell/kernel:0        a layer of a model within the model
//   layers/gru_1/cell/vars/0                           .weights.h5 and .keras: by class and order
//   layers/sequential/layers/gru/cell/vars/0           a layer of a model within the model
//   layers/bidirectional/forward_layer/cell/vars/2     kernel, recurrent_kernel, bias are 0, 1, 2

internal import Foundation

/// The arrays of one recurrent cell in a file.
struct KerasCellArrays {
  /// The groups that the arrays are in, without those that stand before all names.
  var parts: [String]
  /// Whether the names are by class and order, as Keras 3 writes them, and not the layers' own.
  var isByOrder: Bool
  /// The file's names of `kernel`, `recurrent_kernel` and `bias`.
  var names: [String: String] = [:]
  /// Other arrays in the same group.
  var others: [String] = []

  static let variables = ["kernel", "recurrent_kernel", "bias"]
  /// Groups before all names: of a whole model's weights, and of Keras 3 and its first version.
  private static let orderRoots = ["layers", "_layer_checkpoint_dependencies"]

  /// The cells whose arrays are there, by name in natural order.
  static func all(in names: [String]) -> [KerasCellArrays] {
    var groups: [[String]: KerasCellArrays] = [:]
    for name in names {
      var parts = name.split(separator: "/").map(String.init)
      guard var last = parts.popLast() else { continue }
      // What an optimiser keeps of a variable has the variable's name behind its own.
      if let first = parts.first, ["optimizer", "optimizer_weights"].contains(first) { continue }
      if last.hasSuffix(":0") { last = String(last.dropLast(2)) }
      // Keras 3 numbers the variables of a cell; other layers have numbers, too, but no cell.
      if let number = Int(last), variables.indices.contains(number), parts.last == "vars",
        parts.dropLast().last == "cell" || parts.dropLast(2).last == "cells"
      {
        last = variables[number]
      }
      if variables.contains(last) {
        groups[parts, default: cell(parts)].names[last] = name
      } else {
        groups[parts, default: cell(parts)].others.append(name)
      }
    }
    return groups.values.filter { $0.names["kernel"] != nil && $0.names["recurrent_kernel"] != nil }
      .sorted { a, b in
        let (a, b) = (a.parts.joined(separator: "/"), b.parts.joined(separator: "/"))
        return a.compare(b, options: .numeric) == .orderedAscending
      }
  }

  private static func cell(_ parts: [String]) -> KerasCellArrays {
    if let first = parts.first, orderRoots.contains(first) {
      return KerasCellArrays(parts: Array(parts.dropFirst()), isByOrder: true)
    }
    return KerasCellArrays(
      parts: Array(parts.dropFirst(parts.first == "model_weights" ? 1 : 0)), isByOrder: false)
  }

  /// The groups behind those of a layer; nil if the arrays are of another.
  func place(in layer: KerasModel.Layer) -> [String]? {
    func rest(_ begin: [String], _ parts: some Collection<String>) -> [String]? {
      parts.starts(with: begin) ? Array(parts.dropFirst(begin.count)) : nil
    }
    if isByOrder {
      var begin = layer.storedPath
      for index in (1..<max(1, begin.count)).reversed() { begin.insert("layers", at: index) }
      return rest(begin, parts)
    }
    // Names may have slashes in them.
    func split(_ name: String) -> [String] { name.split(separator: "/").map(String.init) }
    guard let outer = layer.path.first, let own = layer.path.last,
      let inner = rest(split(outer), parts)
    else { return nil }
    guard layer.path.count > 1 else { return inner }
    // Models within models: the names of some of them may stand before the layer's own.
    let models = Set(layer.path.dropLast().flatMap(split))
    for count in 0...inner.prefix(while: models.contains).count {
      if let found = rest(split(own), inner.dropFirst(count)) { return found }
    }
    return nil
  }

  // MARK: - Weights without a configuration

  /// The layer's name, as far as the file has it.
  var layer: String {
    guard isByOrder else { return parts.first ?? "" }
    let end = ["cell", "forward_layer", "backward_layer", "layer"]
    return parts.prefix { !end.contains($0) }.filter { $0 != "layers" }.joined(separator: "/")
  }

  /// The layer's class and number, such as `gru_1`.
  var lastName: String { layer.split(separator: "/").last.map(String.init) ?? layer }

  var isBackward: Bool {
    parts.dropFirst().contains { $0 == "backward_layer" || $0.hasPrefix("backward_") }
  }

  /// The cell of a stack of cells; empty for other layers.
  var cell: String {
    guard
      let stack = parts.firstIndex(where: { $0 == "cells" || $0.hasPrefix("stacked_rnn_cells") })
    else { return "" }
    return parts.dropFirst(stack + 1).first ?? ""
  }
}
