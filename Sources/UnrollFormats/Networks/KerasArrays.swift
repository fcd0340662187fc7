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
  /// The groups that the arrays are in, without the common prefix.
  var parts: [String]
  /// Whether the names are by class and order, as Keras 3 writes them, and not the layers' own.
  var isByOrder: Bool
  /// The file's names of `kernel`, `recurrent_kernel` and `bias`.
  var names: [String: String] = [:]
  /// Other arrays in the same group.
  var others: [String] = []
  /// The layer's group without `layers`, as the file names it: a prefix that chooses it.
  private(set) var layer = ""

  static let variables = ["kernel", "recurrent_kernel", "bias"]
  /// Groups before all names: of a whole model's weights, and of Keras 3 and its first version.
  private static let orderRoots = ["layers", "_layer_checkpoint_dependencies"]

  /// Parts of a name without the groups that only hold layers by their order.
  static func withoutRoots(_ parts: some Sequence<String>) -> [String] {
    parts.filter { !orderRoots.contains($0) }
  }

  /// The cells whose arrays are there, by name in natural order.
  static func all(in names: [String]) -> [KerasCellArrays] {
    var groups: [[String]: KerasCellArrays] = [:]
    for name in names {
      var parts = name.split(separator: "/").map(String.init)
      guard var last = parts.popLast() else { continue }
      // The state of an optimizer has the variable's name after its own.
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
    var cells = groups.values.filter {
      $0.names["kernel"] != nil && $0.names["recurrent_kernel"] != nil
    }
    let paths = Dictionary(grouping: cells) { $0.parts.first ?? "" }.mapValues { group in
      Set(group.map(\.layerPath)).count
    }
    for index in cells.indices {
      let (first, path) = (cells[index].parts.first ?? "", cells[index].layerPath)
      // Names of variables repeat the group's: it is enough, unless it holds several layers.
      cells[index].layer =
        !cells[index].isNumbered && paths[first] == 1
        ? first : withoutRoots(path).joined(separator: "/")
    }
    return cells.sorted { a, b in
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
    // In nested models, the layer's name may be preceded by names of outer models.
    let models = Set(layer.path.dropLast().flatMap(split))
    for count in 0...inner.prefix(while: models.contains).count {
      if let found = rest(split(own), inner.dropFirst(count)) { return found }
    }
    return nil
  }

  // MARK: - Weights without a configuration

  /// Whether Keras 3's way of storing wrote the arrays: numbers, in groups by class or attribute.
  private var isNumbered: Bool { parts.last == "vars" }

  /// The groups of the layer, without those of its cell and direction.
  private var layerPath: [String] {
    var path = parts
    guard isNumbered else {
      if let stack = stackIndex {
        path.removeLast(path.count - stack)
      } else if path.count > 1 {
        path.removeLast()
      }
      if path.count > 1, let last = path.last,
        last.hasPrefix("forward_") || last.hasPrefix("backward_")
      {
        path.removeLast()
      }
      return path
    }
    path.removeLast()
    if path.dropLast().last == "cells" { path.removeLast(2) }
    if path.last == "cell", path.count > 1 { path.removeLast() }
    if let last = path.last, Self.directions.contains(last), path.count > 1 { path.removeLast() }
    return path
  }

  private static let directions = ["forward_layer", "backward_layer"]

  /// The wrapper around the recurrent layer or its cell; nil if there is none.
  struct Wrapper {
    /// The class, if the name says it.
    var kind: String?
    /// The group of the wrapper, and of what is in it.
    var name: String, content: String
  }

  /// The layer or cell around this one, as `TimeDistributed` has one; Keras calls what is within `layer` or `cell`.
  var wrapper: Wrapper? {
    let path = layerPath
    func name(_ count: Int) -> String {
      Self.withoutRoots(path.prefix(count)).joined(separator: "/")
    }
    for (index, part) in path.enumerated() {
      let word = part.replacing(/_[0-9]+$/, with: "")
      if let kind = KerasConfiguration.wrappers.first(where: { KerasModel.snakeCased($0) == word })
      {
        return Wrapper(kind: kind, name: name(index + 1), content: layer)
      }
      // A class Layer of the user's own is a group of `layers`.
      if isNumbered, index > 0, ["layer", "cell"].contains(part),
        !Self.orderRoots.contains(path[index - 1])
      {
        return Wrapper(name: name(index), content: name(index + 1))
      }
    }
    return nil
  }

  /// The layer's class and number, such as `gru_1`.
  var lastName: String { layer.split(separator: "/").last.map(String.init) ?? layer }

  var isBackward: Bool { has(direction: "backward_") }

  /// Whether it is one of the two cells of a bidirectional layer.
  var isBidirectional: Bool { isBackward || has(direction: "forward_") }

  private func has(direction: String) -> Bool {
    parts.dropFirst().contains {
      isNumbered ? $0 == direction + "layer" : $0.hasPrefix(direction)
    }
  }

  /// The place of the group of a stack of cells.
  private var stackIndex: Int? {
    parts.firstIndex { $0 == "cells" || $0.hasPrefix("stacked_rnn_cells") }
  }

  /// The cell of a stack of cells; empty for other layers.
  var cell: String { stackIndex.flatMap { parts.dropFirst($0 + 1).first } ?? "" }
}
