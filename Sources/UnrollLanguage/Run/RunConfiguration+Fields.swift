// The names of the fields of `config.json`, and errors for unknown fields and invalid values.

internal import Foundation
internal import Unroll
package import UnrollFormats

extension JSONTree {
  /// The settings decoded from the tree; nil if any are missing or invalid.
  package var settings: RunConfiguration? {
    (try? JSONEncoder().encode(self)).flatMap {
      try? JSONDecoder().decode(RunConfiguration.self, from: $0)
    }
  }
}

extension RunConfiguration {
  private static func names<Keys: CaseIterable & CodingKey>(_ keys: Keys.Type) -> [String] {
    keys.allCases.map(\.stringValue)
  }

  /// The fields of each object in the file, by the path of the object.
  static let fields: [(path: [String], names: [String])] = [
    ([], names(CodingKeys.self)),
    (["model"], names(ModelConfiguration.CodingKeys.self)),
    (["model", "dropout"], names(DropoutRates.CodingKeys.self)),
    (["training"], names(TrainingConfiguration.CodingKeys.self)),
    (["training", "penalties"], names(ActivationPenalties.CodingKeys.self)),
    (["training", "initialization"], names(Initialization.CodingKeys.self)),
    (["training", "schedule"], ["constant", "decay", "plateau"]),
    (["training", "schedule", "constant"], []),
    (["training", "schedule", "decay"], ["afterEpoch", "factor"]),
    (["training", "schedule", "plateau"], ["factor"]),
  ]

  /// Returns a sentence about unknown field names; nil if there are none.
  static func unknownFields(in tree: JSONTree) -> String? {
    var sentences: [String] = []
    for (path, names) in fields {
      guard case .object(let found)? = tree[path] else { continue }
      for name in found.keys.sorted() where !names.contains(name) {
        let place = (path + [name]).joined(separator: ".")
        sentences.append(
          "'\(place)' is not a setting" + NearestName.hint(for: name, among: names))
      }
    }
    return sentences.isEmpty ? nil : sentences.joined(separator: "; ")
  }

  /// Returns a sentence about a value that could not be decoded.
  static func wrongValue(
    _ context: DecodingError.Context, expected type: (any Any.Type)?, in tree: JSONTree
  ) -> String {
    // List elements have no name.
    var names = context.codingPath.filter { $0.intValue == nil }.map(\.stringValue)
    if names.isEmpty {
      // Foundation does not name the field of an out-of-range number: find the field whose replacement makes decoding
      // succeed.
      let fitting = tree.replacingNumbers(with: .whole(1)).first { $0.tree.settings != nil }
      guard let fitting else { return "a value cannot be used: \(context.debugDescription)" }
      names = fitting.path
    }
    let place = names.joined(separator: ".")
    guard let found = tree[names] else { return "'\(place)' has a value that cannot be used" }
    func sentence(_ expected: String, _ hint: String = "") -> String {
      "'\(place)': expected \(expected), found \(found.kind)\(hint)"
    }
    let values = Settings.at(place)?.values
    if case .words(let words)? = values {
      let hint: String =
        if case .text(let word) = found {
          NearestName.hint(for: word, among: words)
        } else {
          ""
        }
      return sentence("one of \(words.joined(separator: ", "))", hint)
    }
    if place == "training.schedule" {
      return sentence("an object of one field, constant, decay or plateau")
    }
    if fields.contains(where: { $0.path == names }) { return sentence("an object of settings") }
    if place == "split" { return sentence("a list of fractions, such as [0.9, 0.05, 0.05]") }
    switch type {
    case is Bool.Type: return sentence("true or false")
    case is Double.Type where !found.isNumber: return sentence("a number")
    case is String.Type: return sentence("text")
    case is any BinaryInteger.Type where !found.isNumber:
      return sentence("a whole number" + (values?.range.map { " of \($0)" } ?? ""))
    default: break
    }
    guard found.isNumber else { return "'\(place)' has a value that cannot be used, \(found.kind)" }
    if tree.replacing(names, with: .number(0.5)).settings != nil {
      return sentence("a number that float64 can hold")
    }
    return sentence("a whole number" + (values?.range.map { " of \($0)" } ?? ""))
  }

  /// Every setting with its value, grouped as in the file; `none` if there is no value.
  package var listing: [(title: String, settings: [(name: String, value: String)])] {
    guard let tree else { return [] }
    // A schedule is one value, and the version is not a setting.
    let own = Self.fields.filter { $0.path.count < 3 && $0.path != ["training", "schedule"] }
    let groups = Set(own.map { $0.path.joined(separator: ".") })
    return own.map { path, names in
      let settings = names.compactMap { name -> (name: String, value: String)? in
        let place = path + [name]
        guard !groups.contains(place.joined(separator: ".")), place != ["version"] else {
          return nil
        }
        return (name, tree[place]?.words ?? "none")
      }
      return (path.last ?? "run", settings)
    }
  }
}
