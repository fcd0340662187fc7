// Modules in a row: `lstm1.`, `lstm2.`; `rnns.0.`, `rnns.1.` of a ModuleList; cells.0., cells.1. They are one
// network if each can read what the one before puts out. The file does not say so; the report does.

internal import Unroll

enum TorchStack {
  /// Modules whose prefixes differ in one number.
  private struct Family {
    /// The parts of the name before and after the number.
    var head: String
    var tail: String
    /// The numbers and prefixes, in order.
    var members: [(number: Int, prefix: String)]

    /// Whether the numbers count up without a gap, from 0 or 1.
    var isComplete: Bool {
      guard let first = members.first?.number, first <= 1 else { return false }
      return members.enumerated().allSatisfy { $0.element.number == first + $0.offset }
    }
  }

  /// Joins modules that are layers of one network.
  ///
  /// - Parameters:
  ///   - plans: The network of each module, by its prefix.
  ///   - shapes: All arrays of the file.
  ///   - used: Those that modules use.
  ///   - prefix: What the names of the network that is meant begin with.
  /// - Returns: One plan for each stack, and for each module that belongs to none.
  /// - Throws: `ModelImportError` if modules that a prefix chooses do not fit on each other.
  static func joined(
    _ plans: [String: NetworkPlan], _ shapes: [String: [Int]], _ used: Set<String>, prefix: String?
  ) throws(ModelImportError) -> [NetworkPlan] {
    var (result, rest) = ([NetworkPlan](), plans)
    for family in families(Array(plans.keys)) {
      let parts = family.members.compactMap { plans[$0.prefix] }
      let suspects = suspects(family, shapes, used)
      let isChosen = prefix == family.head
      let problem = problem(family, parts, shapes)
      if isChosen, let problem { throw problem }
      let inputs = Set(parts.compactMap { inputSize($0, shapes) })
      // Modules that could all read the same input may also stand side by side.
      guard problem == nil, isChosen || inputs.count > 1 && suspects.isEmpty else {
        if problem == nil {
          for member in family.members { rest[member.prefix]?.stack = family.head }
        }
        continue
      }
      for member in family.members { rest[member.prefix] = nil }
      result.append(stack(family, parts, suspects))
    }
    result += rest.values
    return result.sorted(byName: { $0.prefix })
  }

  private static func stack(
    _ family: Family, _ parts: [NetworkPlan], _ suspects: [String]
  ) -> NetworkPlan {
    let words = family.members.map { "'\($0.prefix)'" }.joined(separator: ", ")
    var plan = NetworkPlan(
      prefix: family.head, layers: [],
      assumptions: [
        "\(words) are one network: each reads the outputs of the one before, with nothing between them"
      ])
    var level = 0
    for part in parts {
      plan.layers += part.layers.map { layer in
        var layer = layer
        layer.level += level
        return layer
      }
      level += Set(part.layers.map(\.level)).count
      for note in part.assumptions where !plan.assumptions.contains(note) {
        plan.assumptions.append(note)
      }
    }
    if !suspects.isEmpty {
      plan.omissions.append(
        "\(suspects.joined(separator: ", ")): stands among the layers and may change what goes from one to the next; it is not taken over"
      )
    }
    return plan
  }

  /// Why modules are no stack; nil if they may be one.
  private static func problem(
    _ family: Family, _ parts: [NetworkPlan], _ shapes: [String: [Int]]
  ) -> ModelImportError? {
    guard family.isComplete else {
      let numbers = family.members.map { "\($0.number)" }.joined(separator: ", ")
      return ModelImportError(
        .doesNotFit(
          "expected layers numbered without a gap from 0 or 1, found \(numbers); other modules may stand between them"
        ), name: family.head)
    }
    for (below, above) in zip(parts, parts.dropFirst()) {
      guard let expected = outputSize(below, shapes), let found = inputSize(above, shapes) else {
        continue
      }
      guard expected == found else {
        return ModelImportError(
          .doesNotFit(
            "expected input size \(expected), which '\(below.prefix)' puts out, found \(found)"),
          name: above.prefix)
      }
    }
    return nil
  }

  private static func inputSize(_ plan: NetworkPlan, _ shapes: [String: [Int]]) -> Int? {
    plan.layers.first.flatMap { shapes[$0.fileName("weight_ih")]?.last }
  }

  private static func outputSize(_ plan: NetworkPlan, _ shapes: [String: [Int]]) -> Int? {
    guard let last = plan.layers.map(\.level).max() else { return nil }
    return plan.layers.filter { $0.level == last }.reduce(0) { sum, layer in
      sum + (shapes[layer.fileName("weight_hh")]?.last ?? 0)
    }
  }

  /// Arrays that stand inside the members, or are numbered as they are and belong to a normalization.
  private static func suspects(
    _ family: Family, _ shapes: [String: [Int]], _ used: Set<String>
  ) -> [String] {
    // The module that has the list, or the numbered layers.
    let list = family.head.hasSuffix(".") ? family.head.dropLast() : family.head[...]
    let parent = list.lastIndex(of: ".").map { list[...$0] } ?? ""
    return shapes.keys.filter { name in
      guard !used.contains(name), name.hasPrefix(parent) else { return false }
      if family.members.contains(where: { name.hasPrefix("\(family.head)\($0.number).") }) {
        return true
      }
      let parts = name.dropFirst(parent.count).split(separator: ".").map { $0.lowercased() }
      return zip(parts, parts.dropFirst()).contains { part, next in
        let letters = part.filter(\.isLetter)
        return (letters.contains("norm") || ["bn", "ln"].contains(letters))
          && (part.last?.isNumber == true || next.allSatisfy(\.isNumber))
      }
    }.sortedNames()
  }

  // MARK: Numbers in prefixes

  private static func families(_ prefixes: [String]) -> [Family] {
    var groups: [[String]: [(prefix: String, numbers: [Int?])]] = [:]
    for prefix in prefixes {
      let parts = prefix.split(separator: ".", omittingEmptySubsequences: false).map(parted)
      groups[parts.map { $0.number == nil ? $0.word : $0.word + "#" }, default: []]
        .append((prefix, parts.map(\.number)))
    }
    var result: [Family] = []
    for (words, entries) in groups where entries.count > 1 {
      let varying = words.indices.filter { index in
        Set(entries.map { $0.numbers[index] }).count > 1
      }
      guard varying.count == 1, let index = varying.first else { continue }
      let first = entries[0].numbers
      func text(_ place: Int) -> String {
        first[place].map { words[place].dropLast() + "\($0)" } ?? words[place]
      }
      let head = words[..<index].indices.map { text($0) + "." }.joined() + words[index].dropLast()
      let tail = words[(index + 1)...].indices.map(text).joined(separator: ".")
      result.append(
        Family(
          head: head, tail: tail,
          members: entries.map { (number: $0.numbers[index] ?? 0, prefix: $0.prefix) }
            .sorted(byNumber: { $0.number })))
    }
    return result.sorted(byName: { $0.head })
  }

  /// A word and the number at its end.
  private static func parted(_ part: Substring) -> (word: String, number: Int?) {
    let digits = part.reversed().prefix { ("0"..."9").contains($0) }.count
    guard (1...6).contains(digits) else { return (String(part), nil) }
    return (String(part.dropLast(digits)), Int(part.suffix(digits)))
  }
}
