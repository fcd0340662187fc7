// Unroll's own names of arrays: `layers.<level>.<parameter>`, `layers.<level>.backward.<parameter>` for the layer that reads
// backward. The metadata say what the cells are, as JSON under `unroll.network`, so that nothing is assumed.

internal import Foundation
internal import Unroll

/// Reads and writes networks under Unroll's own names.
enum OwnNames {
  static let descriptionKey = "unroll.network"

  /// A layer as the metadata describe it.
  private struct Layer: Codable {
    var level: Int
    var direction: String
    var cell: CellDescription
  }

  private static func prefix(_ level: Int, isBackward: Bool) -> String {
    "layers.\(level)." + (isBackward ? "backward." : "")
  }

  /// The parameters of a network by name.
  static func arrays<Scalar>(_ network: RecurrentNetwork<Scalar>) -> [String: StoredArray] {
    var result: [String: StoredArray] = [:]
    for (level, layers) in network.levels.enumerated() {
      for (index, layer) in layers.enumerated() {
        let prefix = prefix(level, isBackward: index == 1)
        for name in layer.cell.parameters.names {
          result[prefix + CellParameters<Scalar>.plainName(name)] = StoredArray(
            layer.cell.parameters[name])
        }
      }
    }
    return result
  }

  /// The JSON that describes a network's layers.
  static func description<Scalar>(_ network: RecurrentNetwork<Scalar>) throws -> String {
    var layers: [Layer] = []
    for (level, pair) in network.levels.enumerated() {
      for layer in pair {
        layers.append(
          Layer(
            level: level, direction: layer.direction == .forward ? "forward" : "backward",
            cell: try CellDescription(layer.cell)))
      }
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return String(decoding: try encoder.encode(layers), as: UTF8.self)
  }

  /// Reads a network whose layers the metadata describe.
  ///
  /// - Throws: `ModelImportError` if the description or an array does not fit.
  static func network<Scalar: KernelScalar>(
    _ file: ArrayFile, description: String
  ) throws(ModelImportError) -> ImportedNetwork<Scalar> {
    let arrays = file.arrays
    guard let layers = try? JSONDecoder().decode([Layer].self, from: Data(description.utf8)) else {
      throw ModelImportError(
        .doesNotFit("expected a list of layers in JSON"), name: descriptionKey)
    }
    var (levels, mappings, used) = ([[RecurrentLayer<Scalar>]](), [String](), Set<String>())
    for layer in layers {
      guard layer.level == levels.count || layer.level == levels.count - 1 && layer.level >= 0
      else {
        throw ModelImportError(
          .doesNotFit("expected level \(levels.count), found \(layer.level)"), name: descriptionKey)
      }
      let isSecond = layer.level < levels.count
      let prefix = prefix(layer.level, isBackward: isSecond)
      let (cell, names) = try cell(layer.cell, arrays, prefix, as: Scalar.self)
      used.formUnion(names)
      mappings += names.map { "\($0) \(arrays[$0]?.signature ?? "") → as it is" }
      let new = RecurrentLayer(
        cell: cell, direction: layer.direction == "backward" ? .backward : .forward)
      if isSecond { levels[layer.level].append(new) } else { levels.append([new]) }
    }
    guard !levels.isEmpty else {
      throw ModelImportError(.doesNotFit("expected at least one layer"), name: descriptionKey)
    }
    return ImportedNetwork(
      network: try RecurrentNetwork(fitting: levels), layout: .unroll, prefix: "",
      mappings: mappings, assumptions: [],
      others: arrays.keys.filter { !used.contains($0) }.sortedNames() + file.skippedLines)
  }

  /// Reads a cell from the arrays with a prefix.
  private static func cell<Scalar: KernelScalar>(
    _ description: CellDescription, _ arrays: [String: StoredArray], _ prefix: String,
    as type: Scalar.Type
  ) throws(ModelImportError) -> (Cell<Scalar>, names: [String]) {
    var parameters: CellParameters<Scalar> = try parameters(description, arrays, prefix)
    var names: [String] = []
    for name in parameters.names {
      let fileName = prefix + CellParameters<Scalar>.plainName(name)
      let expected = parameters[name].shape
      guard let array = arrays[fileName] else { throw ModelImportError(.missing, name: fileName) }
      guard array.shape == expected else {
        throw ModelImportError(
          .wrongShape(expected: expected, found: array.shape), name: fileName)
      }
      parameters[name] = array.tensor(of: Scalar.self)
      names.append(fileName)
    }
    return (description.cell(parameters), names)
  }

  /// Creates parameters of the sizes and parts that the arrays' shapes state, all 0.
  private static func parameters<Scalar: KernelScalar>(
    _ description: CellDescription, _ arrays: [String: StoredArray], _ prefix: String
  ) throws(ModelImportError) -> CellParameters<Scalar> {
    func shape(_ name: String) -> [Int]? { arrays[prefix + name]?.shape }
    guard let input = shape("input_weights"), let recurrent = shape("recurrent_weights") else {
      throw ModelImportError(.missing, name: prefix + "input_weights, recurrent_weights")
    }
    let (kind, gates) = (description.kind, description.kind.gates)
    guard input.count == 2, recurrent.count == 2, input[1] == recurrent[1], recurrent[0] > 0,
      input[1] > 0, input[1] % gates.count == 0
    else {
      throw ModelImportError(
        .wrongShape(expected: [recurrent.first ?? 0, gates.count], found: recurrent),
        name: prefix + "recurrent_weights")
    }
    let isNormalized = shape("input_gain") != nil
    let projection = shape("projection")?.last
    let hasPeepholes = shape("peepholes") != nil
    let rates = [description.zoneoutHidden, description.zoneoutCell]
    guard rates.allSatisfy({ (0..<1).contains($0) }) else {
      throw ModelImportError(
        .unsupported(field: "zoneout", value: "\(rates), expected rates in 0 ..< 1"), name: prefix)
    }
    let hasSecondBias = shape("recurrent_bias") != nil
    let parts: ParameterParts = [
      hasPeepholes ? .peepholes : [], projection == nil ? [] : .projection,
      hasSecondBias ? .recurrentBias : [],
    ]
    guard parts.isSubset(of: kind.parts) else {
      throw ModelImportError(
        .doesNotFit("a cell of the kind \(kind.rawValue) has no such parameters"),
        name: prefix + "peepholes, projection, recurrent_bias")
    }
    if let unused = description.options.unused(by: kind).first {
      throw ModelImportError(
        .unsupported(
          field: unused.name, value: "\(unused.value) of a cell of the kind \(kind.rawValue)"),
        name: prefix)
    }
    guard recurrent[0] == projection ?? input[1] / gates.count else {
      throw ModelImportError(
        .wrongShape(expected: [projection ?? input[1] / gates.count, input[1]], found: recurrent),
        name: prefix + "recurrent_weights")
    }
    guard !isNormalized || !hasPeepholes && projection == nil, projection.map({ $0 > 0 }) ?? true
    else {
      throw ModelImportError(
        .doesNotFit("a normalized cell has neither peepholes nor a projection"), name: prefix)
    }
    return CellParameters(
      gates: gates, inputSize: input[0], hiddenSize: input[1] / gates.count,
      hasRecurrentBias: hasSecondBias, hasPeepholes: hasPeepholes,
      projectionSize: projection, isNormalized: isNormalized)
  }
}
