// From the arrays of a file to a network: which program's names they have, which of several networks is meant,
// and what each array becomes.

internal import Unroll

extension NetworkLayout {
  /// Finds a network by the names of any program.
  ///
  /// - Parameters:
  ///   - file: The arrays, and what the file holds besides.
  ///   - assumptions: What they do not say.
  /// - Returns: The network.
  /// - Throws: `ModelImportError` if there is none, or more than one, or shapes do not fit.
  static func importing<Scalar: KernelScalar>(
    _ file: ArrayFile, _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> ImportedNetwork<Scalar> {
    do throws(ModelImportError) { return try choosing(file, assumptions) } catch {
      // An array of a type that is not read is not reported as missing.
      guard let what = file.skipped[error.name] else {
        guard file.arrays[error.name] == nil, partedNames(of: file).contains(error.name) else {
          throw error
        }
        throw ModelImportError(
          .doesNotFit(
            "expected an array, found a number, a text or a list of them; save the parameter as one tensor"
          ), name: error.name)
      }
      throw ModelImportError(
        .doesNotFit(
          "expected numbers (float16, bfloat16, float32 or float64), found \(what.signature)"),
        name: error.name)
    }
  }

  private static func choosing<Scalar: KernelScalar>(
    _ file: ArrayFile, _ assumptions: NetworkAssumptions
  ) throws(ModelImportError) -> ImportedNetwork<Scalar> {
    let shapes = shapes(of: file)
    var scoped = assumptions
    scoped.prefix = assumptions.prefix.map { whole($0, shapes.keys) }
    let prefix = scoped.prefix ?? ""
    let behind = shapes.filter { $0.key.hasPrefix(prefix) }
    for layout in allCases {
      guard let names = layout.names else { continue }
      // Keras' layers are chosen by their own names, whatever the prefix in the file.
      let isKeras = layout == .keras
      let prefix = isKeras ? assumptions.prefix ?? "" : prefix
      var plans = try names.plans(
        names.choosesByPrefix || isKeras ? shapes : behind, file.metadata,
        isKeras ? assumptions : scoped)
      if !names.choosesByPrefix, scoped.prefix != nil {
        let exact = plans.filter { $0.prefix == prefix }
        plans = exact.isEmpty ? plans.filter { $0.prefix.hasPrefix(prefix) } : exact
      }
      if plans.count > 1 {
        throw ModelImportError(
          .severalNetworks(
            plans.map(\.prefix).sortedNames(), stack: plans.compactMap(\.stack).first),
          name: layout.rawValue)
      }
      if let plan = plans.first { return try layout.read(plan, file) }
    }
    if let typed = assumptions.prefix {
      let known = prefixes(shapes, file.metadata)
      if !known.isEmpty {
        throw ModelImportError(
          .unknownPrefix(available: known, nearest: NearestName.nearest(to: typed, among: known)),
          name: typed)
      }
    }
    throw ModelImportError(.noNetwork(arrays: listed(file)), name: "network")
  }

  /// The shapes of all arrays, also of those that are not read: an array that is missing is distinguished from one that cannot be
  /// read.
  private static func shapes(of file: ArrayFile) -> [String: [Int]] {
    var shapes = file.arrays.mapValues(\.shape)
    for (name, what) in file.skipped where shapes[name] == nil {
      let last = name.split(separator: ".").last ?? ""
      if let shape = what.shape, ElementType.float64.byteCount(of: shape) != nil {
        shapes[name] = shape
      } else if last.contains("weight") || last.contains("bias") {
        shapes[name] = []
      }
    }
    for name in partedNames(of: file) where shapes[name] == nil { shapes[name] = [] }
    return shapes
  }

  /// The names of PyTorch's parameters that the file gives to something else than an array.
  ///
  /// This is a number, a string, or a list, whose elements have names such as `bias_hh_l0.3`. Without
  /// these names a layer would seem to have no bias.
  private static func partedNames(of file: ArrayFile) -> Set<String> {
    var result: Set<String> = []
    for (name, isArray) in file.metadata.keys.map({ ($0, false) })
      + file.arrays.keys.map({ ($0, true) })
    {
      var parts = name.split(separator: ".", omittingEmptySubsequences: false)
      let count = parts.count
      while let last = parts.last, parts.count > 1, Int(last) != nil || last == "data" {
        parts.removeLast()
      }
      guard !isArray || parts.count < count, let last = parts.last,
        TorchArrayName.roles.contains(where: { last.hasPrefix($0) })
      else { continue }
      result.insert(parts.joined(separator: "."))
    }
    return result
  }

  /// A prefix, completed by the separator that may be left out.
  private static func whole(_ prefix: String, _ names: some Sequence<String>) -> String {
    guard let last = prefix.last, last != ".", last != "/" else { return prefix }
    for separator in [".", "/"] where names.contains(where: { $0.hasPrefix(prefix + separator) }) {
      return prefix + separator
    }
    return prefix
  }

  /// The networks of a file by their prefixes.
  private static func prefixes(
    _ shapes: [String: [Int]], _ metadata: [String: String]
  ) -> [String] {
    for layout in allCases {
      guard let names = layout.names,
        let plans = try? names.plans(shapes, metadata, NetworkAssumptions()), !plans.isEmpty
      else { continue }
      return plans.map(\.prefix).sortedNames()
    }
    return []
  }

  /// The arrays of a file, and what is not read of it with its type.
  private static func listed(_ file: ArrayFile) -> [String] {
    Array(file.arrays.keys) + file.skipped.map { "\($0.key) (\($0.value.signature))" }
  }

  private func read<Scalar: KernelScalar>(
    _ plan: NetworkPlan, _ file: ArrayFile
  ) throws(ModelImportError) -> ImportedNetwork<Scalar> {
    let arrays = file.arrays
    var (levels, mappings, used) = ([[RecurrentLayer<Scalar>]](), [String](), Set<String>())
    let order = plan.layers.sorted(byNumber: { $0.isBackward ? 1 : 0 })
      .sorted(byNumber: { $0.level })
    for layer in order {
      var tensors: [String: Tensor<Scalar>] = [:]
      for (name, fileName) in layer.names {
        if let derived = layer.derived[name] {
          tensors[name] = try derived.tensor(in: file)
          used.formUnion(derived.fileNames)
        } else {
          tensors[name] = try file.weights(fileName)
          used.insert(fileName)
        }
      }
      used.formUnion(layer.unneeded.keys)
      let cell: Cell<Scalar>
      do { cell = try layer.convention.cell(from: tensors) } catch {
        // Errors name the array as the file does.
        throw ModelImportError(error.problem, name: layer.fileName(error.name))
      }
      let place = "level \(layer.level)\(layer.isBackward ? " backward" : "")"
      for (fileName, effect) in Self.effects(layer) {
        mappings.append("\(fileName) \(arrays[fileName]?.signature ?? "") → \(place), \(effect)")
      }
      let new = RecurrentLayer(cell: cell, direction: layer.isBackward ? .backward : .forward)
      if layer.level == levels.count {
        levels.append([new])
      } else if layer.level == levels.count - 1 {
        levels[layer.level].append(new)
      } else {
        throw ModelImportError(
          .doesNotFit(
            "expected a layer of level \(levels.count), found one of level \(layer.level)"),
          name: layer.fileName("weight"))
      }
    }
    return ImportedNetwork(
      network: try RecurrentNetwork(fitting: levels), layout: self, prefix: plan.prefix,
      mappings: mappings, assumptions: plan.assumptions,
      others: arrays.keys.filter { !used.contains($0) }.sortedNames() + file.skippedLines,
      omissions: plan.omissions)
  }

  /// A description of what each array of a layer becomes, by the file's names.
  private static func effects(_ layer: LayerPlan) -> [(fileName: String, effect: String)] {
    var lines = layer.unneeded.map { (fileName: $0.key, effect: $0.value) }
    for (name, fileName) in layer.names {
      let effect = layer.effects[name] ?? name
      guard let derived = layer.derived[name] else {
        lines.append((fileName, effect))
        continue
      }
      for part in derived.fileNames { lines.append((part, "\(effect), \(derived.word)")) }
    }
    return lines.sorted(byName: { $0.fileName })
  }

}

extension ArrayFile {
  /// A line for each value that is not read, with its type, in the order of the names.
  var skippedLines: [String] {
    skipped.inKeyOrder.map { "\($0.key) (\($0.value.signature), not read)" }
  }

  /// An array of weights.
  ///
  /// - Throws: `ModelImportError` if it is missing, or holds no floating-point numbers.
  func weights<Scalar: KernelScalar>(
    _ name: String
  ) throws(ModelImportError) -> Tensor<Scalar> {
    guard let array = arrays[name] else { throw ModelImportError(.missing, name: name) }
    guard [.float16, .bfloat16, .float32, .float64].contains(array.elementType) else {
      throw ModelImportError(
        .unsupported(field: "dtype", value: array.elementType.rawValue), name: name)
    }
    return array.tensor(of: Scalar.self)
  }
}
