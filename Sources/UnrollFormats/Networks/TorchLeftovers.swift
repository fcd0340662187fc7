// Arrays next to a recurrent module's own that PyTorch's modules do not have: a hand-written cell computes
// something else, so it is refused by the array's name.

enum TorchLeftovers {
  /// Refuses a module with arrays that belong to its equations and would be left out.
  ///
  /// - Parameters:
  ///   - group: The module.
  ///   - shapes: All arrays of the file.
  ///   - used: Those that modules of the file use.
  /// - Throws: `ModelImportError` with the first such array.
  static func check(
    _ group: TorchGroup, _ shapes: [String: [Int]], _ used: Set<String>
  ) throws(ModelImportError) {
    let isCell = group.names.keys.contains { $0.isCell }
    // A cell with PyTorch's two biases is a cell of PyTorch; another may be of any program.
    let isStrict =
      isCell
      && !group.names.values.contains { $0["bias_ih"] != nil && $0["bias_hh"] != nil }
    // Behind the keys of a checkpoint, the state dict may be a whole model's; a module's name is its own.
    let last = group.prefix.split(separator: ".").last.map(String.init) ?? ""
    let isModule = !last.isEmpty && !wrappers.contains(last)
    let behind = shapes.keys.filter { $0.hasPrefix(group.prefix) && !used.contains($0) }
    for name in behind.sortedNames() {
      let parts = name.dropFirst(group.prefix.count).split(
        separator: ".", omittingEmptySubsequences: false)
      guard let first = parts.first else { continue }
      let word = first.lowercased()
      if parts.count == 1 {
        if word == "bias" && isStrict { throw oneBias(name) }
        guard belongs(word, isCell) || isStrict && !(shapes[name] ?? []).isEmpty else { continue }
        throw refusal(name)
      }
      let isNorm = word.contains("norm") || isNumbered(word, "ln") || isNumbered(word, "bn")
      let isInside =
        isCell
        ? isNorm || isStrict && !group.prefix.isEmpty
        : isNorm && (isModule || ["_l0", "_ih", "_hh"].contains { word.contains($0) })
      if isInside { throw refusal(name) }
    }
  }

  private static let wrappers: Set<String> = [
    "model", "module", "_orig_mod", "net", "network", "state_dict", "model_state_dict", "state",
    "params", "ema", "ema_model", "model_ema", "weights", "0",
  ]

  private static func isNumbered(_ word: String, _ start: String) -> Bool {
    word.hasPrefix(start)
      && (word.count == start.count
        || word.dropFirst(start.count).first.map { $0 == "_" || $0.isNumber } ?? false)
  }

  /// Whether a name is that of a gate's weight, a bias, a peephole and so on.
  private static func belongs(_ word: String, _ isCell: Bool) -> Bool {
    if TorchArrayName.roles.contains(where: { word.hasPrefix($0) }) { return true }
    let parts = word.split(separator: "_")
    let words =
      ["peephole", "zoneout", "forget", "gate", "inputgate", "outputgate", "ingate", "outgate"]
      + (isCell ? ["candidate", "reset", "update", "recurrent", "cell"] : [])
    if parts.contains(where: { part in words.contains { part.hasPrefix($0) } }) { return true }
    if isCell && word.contains("norm") { return true }
    // weight_ci, bias_l0, w_ci, gamma_f: a kind, and up to two short words behind it.
    let kinds =
      ["weight", "bias", "gamma", "beta"] + (isCell ? ["w", "u", "b", "v", "p", "kernel"] : [])
    guard let kind = parts.first, kinds.contains(String(kind)), parts.count <= 4 else {
      return isCell && word.count <= 3 && (word.hasPrefix("w") || word.hasPrefix("u"))
    }
    return parts.dropFirst().allSatisfy { $0.count <= 2 || $0 == "reverse" }
  }

  private static func oneBias(_ name: String) -> ModelImportError {
    ModelImportError(
      .doesNotFit(
        "expected bias_ih and bias_hh, found one bias, which PyTorch's modules do not have; the order of the gates in a hand-written cell is not in the file. If it is PyTorch's (i f g o; r z n), save this array as bias_ih and zeros as bias_hh"
      ), name: name)
  }

  private static func refusal(_ name: String) -> ModelImportError {
    ModelImportError(
      .doesNotFit(
        "stands beside the weights of a recurrent layer, and PyTorch's layers have no such array; a layer that uses it computes something else"
      ), name: name)
  }
}
