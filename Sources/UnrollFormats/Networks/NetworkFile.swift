// Networks in files: the container by the file, the names by the program that wrote it or shall read it.
//
// Unroll's own names are `layers.<level>.<parameter>`, `layers.<level>.backward.<parameter>` for the
// layer that reads backward; what the cells are stands in the metadata as JSON, `unroll.network`.

internal import Foundation
public import Unroll

/// Reading and writing recurrent networks.
public enum NetworkFile {
  private static let descriptionKey = "unroll.network"

  /// A layer as the metadata describe it.
  private struct Layer: Codable {
    var level: Int
    var direction: String
    var cell: CellDescription
  }

  /// Whether a file has Unroll's own names, which leave nothing open.
  public static func isOwn(_ file: ArrayFile) -> Bool { file.metadata[descriptionKey] != nil }

  /// Whether a file's network needs `Double`.
  ///
  /// It does if the file's test says so, or if one of the network's own arrays is float64. Other arrays, such as
  /// the loss of a checkpoint, do not count.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - assumptions: Which network is meant, and what the arrays do not say.
  /// - Returns: Whether the network is to be read as `Double`.
  public static func isDouble(
    _ file: ArrayFile, assuming assumptions: NetworkAssumptions = NetworkAssumptions()
  ) -> Bool {
    if let text = file.metadata[NetworkCheck<Float>.key], let bytes = Data(base64Encoded: text),
      let outputs = try? NPZ(Array(bytes)).array("outputs")
    {
      return outputs.elementType == .float64
    }
    let wide = file.arrays.filter { $0.value.elementType == .float64 }
    guard !wide.isEmpty else { return false }
    let read: ImportedNetwork<Float>? =
      if let text = file.metadata[descriptionKey] {
        try? own(file, description: text)
      } else {
        try? NetworkLayout.importing(file, assumptions)
      }
    guard let read else { return true }
    let others = Set(read.others)
    return wide.keys.contains { !others.contains($0) }
  }

  /// Reads a network out of a file.
  ///
  /// A test that the file carries is run; a network that fails it is not returned.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - assumptions: What the arrays do not say.
  ///   - type: The precision in which the network computes.
  /// - Returns: The network, how it was read, and whether the file carried a test.
  /// - Throws: `ModelImportError` or `ArrayFileError`.
  public static func network<Scalar: KernelScalar>(
    in file: ArrayFile, assuming assumptions: NetworkAssumptions = NetworkAssumptions(),
    as type: Scalar.Type = Scalar.self
  ) throws -> (imported: ImportedNetwork<Scalar>, isTested: Bool) {
    let imported: ImportedNetwork<Scalar> =
      if let text = file.metadata[descriptionKey] {
        try own(file, description: text)
      } else {
        try NetworkLayout.importing(file, assumptions)
      }
    guard let check = try NetworkCheck<Scalar>(file.metadata) else { return (imported, false) }
    try check.judge(imported.network)
    return (imported, true)
  }

  /// Writes a network.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - path: The file, whose extension says which container.
  ///   - layout: Whose names; nil: TensorFlow's in its checkpoints, Keras' in HDF5, Unroll's elsewhere.
  /// - Returns: The names that were written, and what had to be done besides renaming and transposing.
  /// - Throws: `ModelImportError` for what the other program cannot express, `ArrayFileError` if the file
  ///   cannot be written.
  public static func write<Scalar: KernelScalar>(
    _ network: RecurrentNetwork<Scalar>, to path: String, layout: NetworkLayout? = nil
  ) throws -> (arrays: [String: StoredArray], notes: [String]) {
    let layout =
      layout
      ?? (path.hasSuffix(".index") ? .tensorFlow1 : path.hasSuffix(".h5") ? .keras : .unroll)
    var metadata = [NetworkCheck<Scalar>.key: NetworkCheck(of: network).encoded]
    let (arrays, notes): ([String: StoredArray], [String])
    if let names = layout.names {
      (arrays, notes) = try layout.exporting(network, by: names)
      if layout == .keras {
        metadata[KerasNames.configurationKey] = try KerasConfiguration.text(of: network)
      }
    } else {
      (arrays, notes) = (ownArrays(network), [])
      metadata[descriptionKey] = try description(network)
    }
    try ArrayFile(for: path, arrays: arrays, metadata: metadata).write(to: path)
    return (arrays, notes)
  }

  // MARK: - Our own names

  private static func prefix(_ level: Int, isBackward: Bool) -> String {
    "layers.\(level)." + (isBackward ? "backward." : "")
  }

  private static func ownArrays<Scalar>(
    _ network: RecurrentNetwork<Scalar>
  ) -> [String: StoredArray] {
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

  private static func description<Scalar>(_ network: RecurrentNetwork<Scalar>) throws -> String {
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

  private static func own<Scalar: KernelScalar>(
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

  /// A cell from the arrays behind a prefix; their shapes say which parameters it has.
  private static func cell<Scalar: KernelScalar>(
    _ description: CellDescription, _ arrays: [String: StoredArray], _ prefix: String,
    as type: Scalar.Type
  ) throws(ModelImportError) -> (Cell<Scalar>, names: [String]) {
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
        .doesNotFit("a normalised cell has neither peepholes nor a projection"), name: prefix)
    }
    var parameters = CellParameters<Scalar>(
      gates: gates, inputSize: input[0], hiddenSize: input[1] / gates.count,
      hasRecurrentBias: hasSecondBias, hasPeepholes: hasPeepholes,
      projectionSize: projection, isNormalized: isNormalized)
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
}
